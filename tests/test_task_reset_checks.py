"""What is wrong with the resets of a task that a user wrote."""

import pytest
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
    assert "place things by qpos or mocap_pos (give a body that has neither a free joint, or make it a mocap" in told


def test_a_body_without_joints_that_a_reset_moves_is_not_to_be_moved(write):
    """To call `engine.set_const` would not be enough."""
    place = '        engine.field("qpos")[env_ids[:, None], torch.tensor([[6, 7]])] = place\n'
    moved = '        engine.model_field("body_pos")[env_ids, 1, :2] = place\n'
    for index, more in enumerate(("", "        engine.set_const(env_ids)\n")):
        refused(
            write(changed(place, place + moved + more), f"own{index}.py"), "give a body that has neither a free joint"
        )


def test_rows_of_torchs_default_type_are_named(write):
    text = TASK.replace(", dtype=torch.float64)})", ")})")
    told = refused(write(text), "^task 'reach': reset raises RuntimeError in line 29: .*dtypes match")
    assert "(fields of the engine are float64: draw with dtype=torch.float64); expected reset(self" in told


SPLITS = "    splits = ('random', 'far', 'dark')\n"


@pytest.mark.parametrize(
    ("far", "dark", "told"),
    [
        ("0", "0", "for the splits 'random' and 'far'"),
        ("(split == 'far')", "0", "for the splits 'random' and 'dark'"),
        ("(split != 'random')", "0", "for the splits 'far' and 'dark'"),
        ("(split == 'far')", "(split == 'dark')", None),
        ("(split == 'far')", "(split == 'dark') * randomize", None),
    ],
)
def test_no_split_is_another_one(write, far, dark, told):
    """`dark` has other colours, `far` starts elsewhere."""
    rows = "generator=generator, dtype=torch.float64)"
    text = changed(f"{rows}}})", f"{rows} + {far}}}, {{}}, {{'light': torch.ones(count) * {dark}}})")
    text += f"{SPLITS}\n    def apply_appearance(self, engine, env_ids, appearance):\n        pass\n"
    if told is None:
        assert make_task(write(text)).splits == ("random", "far", "dark")
    else:
        refused(write(text), f"^task 'reach': sample_reset gives the same starts {told}; let something that it draws")


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
