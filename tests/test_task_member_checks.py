"""What is wrong with the members of a task that a user wrote: shapes, types, arguments, what they raise."""

import pytest
import torch
from own_task import TASK, changed, refused

from visuomotor.errors import VisuomotorError
from visuomotor.tasks import make_env, make_task

MEMBER = "    def {0}(self, engine):\n        return {1}\n"
FAULTS = {
    "camera": ('"side")', '"top")', "no camera in the scene of task 'reach' named 'top'; choose one of: side"),
    "site": ('end_effector="gripper"', 'end_effector="tip"', "no site 'tip'; choose one of: gripper"),
    "scene": ("load_mjcf(SCENE)", "load_mjcf('none.xml')", "no model file none.xml"),
    "init": (
        '        super().__init__(spec, robot, "side")\n',
        "        spec.nobody()\n",
        "cannot be made: AttributeError in line 20: .*'nobody'",
    ),
    "no super": (
        '        super().__init__(spec, robot, "side")\n',
        "",
        r"__init__ must call super\(\).__init__\(spec, robot, camera\)",
    ),
    "period": (
        "max_episode_steps = 20",
        "max_episode_steps = 20\n    control_dt = 0.033",
        "control_dt 0.033 s is no mul",
    ),
    "short period": (
        "max_episode_steps = 20",
        "max_episode_steps = 20\n    control_dt = 1e-4",
        "control_dt 0.0001 s is",
    ),
    "length": (
        "max_episode_steps = 20",
        "max_episode_steps = 2.5",
        "max_episode_steps is 2.5; expected .* an int from 2",
    ),
    "no length": ("max_episode_steps = 20", "max_episode_steps = 0", "max_episode_steps is 0; expected .* from 2"),
    "rewards": ("(0.0, 1.0)", "(0.0, 0.5, 1.0)", "give at least two stages, and one reward for each"),
    "one stage": ('("far", "near")', '("far",)', "stages is .*; give at least two$"),
    "letters": ('("far", "near")', '"ab"', "stages is 'ab'; expected names"),
    "splits": (
        "max_episode_steps = 20",
        "max_episode_steps = 20\n    splits = ('hard',)",
        'splits .* with "random" among',
    ),
    "signature": (
        "generator, split=",
        "split=",
        "sample_reset raises TypeError: .*expected sample_reset\\(self, count",
    ),
    "too many rows": ("torch.rand(count, 2", "torch.rand(count + 1, 2", r"gives \(2, 2\) .* placement\['block'\] of 1"),
    "no rows": (
        'ResetParams({"block": torch.rand(count, 2, generator=generator, dtype=torch.float64)})',
        "ResetParams()",
        "sample_reset gives a ResetParams without rows",
    ),
    "no params": (
        'ResetParams({"block": torch.rand(count, 2, generator=generator, dtype=torch.float64)})',
        "torch.rand(count, 2)",
        r"sample_reset gives \(1, 2\) torch.float32; expected sample_reset\(self",
    ),
    "always two": ("torch.rand(count, 2", "torch.rand(2, 2", r"gives \(2, 2\) .* placement\['block'\] of 1 worlds"),
    "0-d row": (
        "torch.rand(count, 2, generator=generator, dtype=torch.float64)})",
        "torch.tensor(1.0)})",
        r"gives \(\) torch.float32 as placement\['block'\] of 1 worlds",
    ),
    "no dict": (
        '{"block": torch.rand(count, 2, generator=generator, dtype=torch.float64)}',
        "[1.0]",
        "gives list as placement, not a dict",
    ),
    "nan row": ("torch.rand(count, 2,", "torch.nan * torch.rand(count, 2,", r"placement\['block'\] that is not finite"),
    "global draws": (
        "generator=generator, dtype",
        "dtype",
        r"two values of placement\['block'\] for one seed; draw with",
    ),
    "rows of some worlds": (
        'ResetParams({"block": torch.rand(count, 2, generator=generator, dtype=torch.float64)})',
        'ResetParams({n: torch.ones(count, 2).double() for n in ["block", "more"][: 1 + randomize]})',
        r"sample_reset gives placement\['more'\] only for some splits or randomize",
    ),
    "rows of two shapes": (
        "torch.rand(count, 2, generator=generator, dtype=torch.float64)})",
        "torch.ones(count, 2 + randomize).double()})",
        r"sample_reset gives placement\['block'\] only .* or in two shapes",
    ),
    "exit": (
        '        super().__init__(spec, robot, "side")\n',
        "        raise SystemExit('bye')\n",
        "made: SystemExit in line 20: bye",
    ),
    "reset raises": (
        'params.placement["block"]',
        'params.placement["blok"]',
        "reset raises KeyError in line 28: 'blok'",
    ),
    "all worlds": (
        'engine.field("qpos")[env_ids[:, None], torch.tensor([[6, 7]])] = place',
        'engine.field("qpos")[:, 6:8] = place',
        "reset changes other worlds than env_ids",
    ),
    "old velocities": (
        "        engine.reset(env_ids)\n",
        "",
        r"two states for the same params; .*engine.reset\(env_ids\)",
    ),
    "draws": (
        "0.1 * params",
        "0.1 * torch.rand(1) * params",
        "two states for the same params; .*draw in sample_reset only",
    ),
    "old constants": (
        "        engine.reset(env_ids)\n",
        '        engine.model_field("body_mass")[env_ids, self.model.body("block").id] = 2.0\n'
        "        engine.reset(env_ids)\n",
        r"leaves an old body_subtreemass; call engine.set_const\(env_ids\)",
    ),
    "old positions": ("        engine.forward(env_ids)\n", "", r"old positions; end it with engine.forward\(env_ids\)"),
    "keypoint type": (
        'block").id]].float()',
        'block").id]]',
        r"keypoints\(engine\) gives torch.float64; expected torch.float32",
    ),
    "keypoint shape": (
        '[self.model.body("block").id]]',
        'self.model.body("block").id]',
        r"keypoints\(engine\) gives \(2, 3\) torch.float32 .* expected \(n, size, 3\)",
    ),
    "flat keypoints": (
        'block").id]].float()',
        'block").id]].float()[..., :2]',
        r"gives \(2, 1, 2\) .* expected \(n, size, 3\)",
    ),
    "stage type": ("0.05).long()", "0.05).int()", r"stage\(engine\) gives torch.int32; expected torch.int64"),
    "stage range": ("0.05).long()", "0.05).long() + 2", r"stage\(engine\) gives \[2(, 3)?\]; stages are 0 to 1"),
    "stage none": (
        "return (self.errors",
        "(self.errors",
        r"stage\(engine\) gives NoneType for 2 worlds; expected \(n,\)",
    ),
    "no keypoint": (
        '[self.model.body("block").id]]',
        "[]]",
        r"gives \(2, 0, 3\) .* expected \(n, size, 3\), size at least 1",
    ),
    "lost keypoint": (
        'block").id]].float()',
        'block").id]].float() * torch.nan',
        r"keypoints\(engine\) is not finite at the start",
    ),
    "keypoint in mm": (
        'block").id]].float()',
        'block").id]].float() * 1000',
        r"keypoints\(engine\) has a point \d\d\d\.?\d* m from the origin at the start .* give m, and build the scene",
    ),
    "no module of an expert": (
        "max_episode_steps = 20",
        "max_episode_steps = 20\n    expert = 'grasp the block'",
        "the expert 'grasp the block' of task 'reach' cannot be imported .*; write module:function",
    ),
    "no function of an expert": (
        "max_episode_steps = 20",
        "max_episode_steps = 20\n    expert = 'math:grasp'",
        "the expert 'math:grasp' .*'grasp'",
    ),
    "no expert": (
        "max_episode_steps = 20",
        "max_episode_steps = 20\n    expert = 'math:pi'",
        "the expert of task 'reach' must be a function, not 3.14",
    ),
    "arguments in another order": (
        '(spec, robot, "side")',
        '(robot, spec, "side")',
        r"a mujoco.MjSpec, a Robot and the name of a camera, in this order, not Robot, MjSpec, str: write super\(\)",
    ),
    "stage raises": (
        "self.errors(engine)[:, 0]",
        "self.errors(engine)[:, 4]",
        "stage raises IndexError in line 36: .*; expected stage",
    ),
}
ADDED = {
    "proprioception": ("torch.zeros(2)", r"gives \(2,\) torch.float32 for 2 worlds; expected \(n, size\)"),
    "privileged": ("torch.zeros(3, 4)", r"gives \(3, 4\) torch.float32 for 2 worlds; expected \(n, size\)"),
    "object_features": ("torch.zeros(2, 4).double()", "gives torch.float64; expected torch.float32"),
    "state": ("torch.zeros(2, 18)", "gives torch.float32; expected torch.float64"),
    "errors": ("torch.zeros(2, 3)", r"gives \(2, 3\) torch.float32 for 2 worlds; expected \(n, size, 3\)"),
    "reward": ("torch.zeros(2, 1)", r"gives \(2, 1\) .* expected \(n,\)"),
    "privileged ": ("torch.full((2, 4), float('nan'))", "is not finite at the start of an episode"),
    "proprioception ": ("1 / engine.field('time').reshape(2, 1).eq(0).float()", "is not finite after a step"),
    "keypoints": ("exit(3)", "raises SystemExit in line 39: 3; expected keypoints"),
    "make_engine": (
        "1 / 0",
        r"raises TypeError: .*; expected make_engine\(self, worlds, threads=0\) -> an engine of that many worlds",
    ),
    "reset_for_pose_data": ("0", r"raises TypeError: .*; expected reset_for_pose_data\(self, engine, generator\)"),
    "randomize_appearance": (
        "0",
        r"raises TypeError: .*; expected randomize_appearance\(self, engine, generator, split",
    ),
    "apply_appearance": ("0", r"raises TypeError: .*; expected apply_appearance\(self, engine, env_ids, appearance\)"),
    "apply_randomization": (
        "0",
        r"raises TypeError: .*; expected apply_randomization\(self, engine, env_ids, params\)",
    ),
    "step": ("0", r"raises TypeError: .*; expected step\(self, engine, actions\)"),
    "proprioception  ": (
        "5 / 0",
        r"raises ZeroDivisionError in line 39: .*; expected proprioception\(self, engine\) -> ",
    ),
    "success": ("engine", r"gives \(1,\) torch.int64 for 1 worlds; expected success\(self, stage\) -> \(n,\) bool"),
    "finish_episode": (
        "EpisodeOutcome(torch.ones(2).bool(), torch.ones(2))",
        r"raises TypeError: .*; expected finish_episode\(self, engine, callback=None\)",
    ),
}
OUTCOMES = {
    "None": "gives NoneType for 1 worlds; expected .* -> EpisodeOutcome of tensors",
    "EpisodeOutcome([True], [0.0])": "gives EpisodeOutcome for 1 worlds; expected .* of tensors",
    "EpisodeOutcome(torch.ones(1).bool(), torch.full((1,), torch.nan))": "gives EpisodeOutcome .*; expected .* finite",
    "EpisodeOutcome(torch.ones(1).bool(), torch.ones(1))": "gives EpisodeOutcome for 3 worlds; expected",
    "callback()": "raises TypeError in line 39: 'NoneType' object is not callable",
    "callback(5) if callback else EpisodeOutcome(torch.ones(engine.worlds).bool(), torch.ones(engine.worlds))": (
        "raises TypeError in line 39: .* takes 0 positional arguments but 1 was given"
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_task_is_refused_in_one_line(write, fault, capfd):
    old, new, told = FAULTS[fault]
    assert refused(write(changed(old, new)), told).startswith(("task ", "the expert "))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("fault", ADDED)
def test_a_member_of_a_wrong_shape_or_type_is_named(write, fault):
    member, (value, told) = fault.strip(), ADDED[fault]
    refused(write(f"{TASK}\n{MEMBER.format(member, value)}"), rf"task 'reach': {member}.* {told}")


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_an_outcome_of_a_wrong_shape_or_type_is_refused(write, outcome):
    text = f"{TASK}\n    def finish_episode(self, engine, callback=None):\n        return {outcome}\n"
    refused(write(text), f"task 'reach': finish_episode {OUTCOMES[outcome]}")


def test_an_error_of_the_package_in_a_member_names_task_member_and_line(write):
    told = refused(write(changed('field("xpos")', 'field("xposs")')), "the engine has no field 'xposs'")
    assert told.startswith("task 'reach': keypoints in line 33: the engine has no field 'xposs'")
    already = "raise __import__('visuomotor').errors.VisuomotorError(\"task 'reach': so it is\")"
    told = refused(write(changed('return engine.field("xpos")', f'{already}; engine.field("xpos")'), "told.py"), "so")
    assert told == "task 'reach': so it is"


@pytest.mark.parametrize("points", [1, 2, 3])
def test_swapped_axes_are_noticed_for_any_number_of_points(write, points):
    """Points first, `(E, n, 3)`: right by accident for as many worlds as there are points."""
    errors = f"torch.stack({points} * [self.keypoints(engine)[:, 0].double()])"
    told = refused(write(f"{TASK}\n{MEMBER.format('errors', errors)}"), r"task 'reach': errors\(engine\) gives ")
    assert told.endswith("worlds; expected (n, size, 3), size at least 1")


@pytest.mark.parametrize(
    ("member", "value", "told"),
    [
        ("reward", "torch.rand(engine.worlds, 2).squeeze()[..., 0]", r"gives \(\) torch.float32 for 1 worlds"),
        ("stage", "torch.zeros(min(engine.worlds, 2)).long()", r"gives \(2,\) torch.int64 for 3 worlds"),
        ("make_engine", "", "make_engine raises TypeError"),
    ],
)
def test_members_must_be_right_for_one_world_and_for_three(write, member, value, told):
    if member == "make_engine":
        member = "def make_engine(self, worlds, threads):\n        return super().make_engine(worlds, threads)"
        text = f"{TASK}\n    {member}\n"
    else:
        text = f"{TASK}\n{MEMBER.format(member, value)}"
    refused(write(text), told)


@pytest.mark.parametrize(
    "signature",
    [
        "count, generator, split, randomize",
        "count, generator, split='random', vary=True",
        "count, generator, divide='random', randomize=True",
        "count, generator, split='random', *, randomize=True",
    ],
)
def test_sample_reset_is_called_in_all_ways_in_which_it_is_later(write, signature):
    text = changed('count, generator, split="random", randomize=True', signature)
    refused(
        write(text), r"sample_reset raises TypeError: .*; expected sample_reset\(self, count, generator, split=\"ran"
    )


@pytest.mark.parametrize("signature", ["engine, generator", "engine, generator, split"])
def test_randomize_appearance_is_called_in_both_ways_in_which_it_is_later(write, signature):
    text = f"{TASK}\n    def randomize_appearance(self, {signature}):\n        pass\n"
    refused(
        write(text), r"randomize_appearance raises TypeError: .*; expected randomize_appearance\(self, engine, gener"
    )


def test_a_success_that_takes_one_number_only_is_refused(write):
    text = f"{TASK}\n    def success(self, stage):\n        return torch.tensor([int(stage) == 1])\n"
    refused(write(text), r"task 'reach': success .*; expected success\(self, stage\) -> \(n,\) bool")


def test_a_stage_that_comes_later_and_is_none(write):
    """No state of the checks is in it."""
    text = TASK.replace("< 0.05).long()", "< 0.05).long() + 5 * (engine.field('time') > 0.4).long()")
    task = make_task(write(text))
    engine = task.make_engine(2, 1)
    task.reset(engine, torch.arange(2), task.sample_reset(2, torch.Generator().manual_seed(0)))
    for _ in range(5):
        task.step(engine, torch.zeros(2, task.action_size))
    assert task.reward(engine).tolist() == [0.0, 0.0]
    for _ in range(10):
        task.step(engine, torch.zeros(2, task.action_size))
    told = r"^task 'reach': stage\(engine\) gives \[5\]; stages are 0 to 1"
    for group in (task.reward, task.privileged):
        with pytest.raises(VisuomotorError, match=told):
            group(engine)


@pytest.mark.parametrize("groups", [("privileged",), ("proprioception",)])
def test_a_stage_that_is_none_is_named_in_an_environment_too(write, groups):
    text = TASK.replace("< 0.05).long()", "< 0.05).long() + 5 * (engine.field('time') > 0.4).long()")
    text += MEMBER.format("reward", "torch.zeros(engine.worlds)")
    env = make_env(write(text), 2, observations=groups)
    with pytest.raises(VisuomotorError, match=r"task 'reach': stage\(engine\) gives \[5\]; stages are 0 to 1"):
        [env.step(torch.zeros(2, env.task.action_size)) for _ in range(15)]
