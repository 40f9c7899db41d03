"""What is wrong with the resets of a task that a user wrote."""

from own_task import TASK, changed, refused

from visuomotor.tasks import make_task

MEMBER = "    def {0}(self, engine):\n        return {1}\n"
VARIED = TASK.replace(
    'ResetParams({"block": torch.rand(count, 2, generator=generator, dtype=torch.float64)})',
    """ResetParams(
            {"block": torch.rand(count, 2, generator=generator, dtype=torch.float64)},
            {"mass": 0.1 + randomize * torch.rand(count, generator=generator, dtype=torch.float64)},
        )

    def apply_randomization(self, engine, env_ids, params):
        engine.model_field("body_mass")[env_ids, self.model.body("block").id] = params.dynamics["mass"]
        engine.set_const(env_ids)""",
)
APPLIED = VARIED.replace(
    "        engine.reset(env_ids)\n",
    "        engine.reset(env_ids)\n        self.apply_randomization(engine, env_ids, params)\n",
)


GOAL = """
        engine.model_field("site_pos")[env_ids, self.model.site("gripper").id, :2] = 0.1 * params.placement["block"]
"""


def test_what_is_placed_outside_of_the_state_is_refused(write):
    """A demonstration of it could not be replayed."""
    place = '        engine.field("qpos")[env_ids[:, None], torch.tensor([[6, 7]])] = place\n'
    told = refused(
        write(changed(place, place + GOAL)),
        r"errors changes when a state is put back \(engine.set_state\) after another reset",
    )
    assert "place things by qpos or mocap_pos, or give" in told


RANDOMIZER = """
        from visuomotor.props.blocks import Block
        from visuomotor.props.table import Table
        from visuomotor.tasks.randomization import SceneRandomizer
        table = Table("mat", ("table",), "side")
        self.randomizer = SceneRandomizer(self.model, self.robot, [Block.named("block")], table)
"""


def test_a_randomizer_that_sample_reset_does_not_ask_is_named(write):
    super_init = '        super().__init__(spec, robot, "side")\n'
    told = refused(write(changed(super_init, super_init + RANDOMIZER)), r"gives no dynamics\['actuator_gain'\], which ")
    assert "take dynamics and appearance from self.randomizer.sample(count, generator), or" in told


def test_readings_may_be_noisy(write):
    make_task(write(f"{TASK}\n{MEMBER.format('object_features', 'torch.rand(engine.worlds, 3)')}"))


def test_a_reset_that_forgets_the_randomization_is_refused(write):
    assert make_task(write(APPLIED)).name == "reach"
    told = r"task 'reach': reset leaves the body_\w+ of other params; call self.apply_randomization\(engine, env_ids"
    refused(write(VARIED, "forgot.py"), told)
