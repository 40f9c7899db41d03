"""What is wrong with the attributes of a task that a user wrote."""

import pytest
import torch
from own_task import TASK, changed, refused

from visuomotor.tasks import Task, make_task
from visuomotor.tasks.check_attributes import _ATTRIBUTES, _EXPECTED


def test_what_a_task_lacks_is_listed_with_what_is_expected(write):
    told = refused(write("from visuomotor.tasks import Task\n\n\nclass Reach(Task):\n    name = 'reach'\n"), "lacks")
    for member in (
        "max_episode_steps (control steps of an episode",
        "stages (names that differ, such as",
        "stage_rewards (one number for each stage",
        "keypoints (keypoints(self, engine) -> (n, K, 3) float32, m)",
        "reset (reset(self, engine, env_ids, params))",
        'sample_reset (sample_reset(self, count, generator, split="random", randomize=True) -> ResetParams',
        "stage (stage(self, engine) -> (n,) int64)",
    ):
        assert member in told
    assert "name (" not in told.replace("names", "")
    without = TASK[: TASK.index("    def stage(self")]
    assert refused(write(without, "without.py"), "lacks stage ").count("(self") == 1


def test_every_member_has_a_text_of_what_is_expected():
    public = {name for name in (*vars(Task), *Task.__annotations__) if not name.startswith("_")}
    given = {
        "action_size",
        "frame_skip",
        "size",
        "check_split",
        "condition_split",
        "check_stage",
        "randomizer",
    }  # a task does not define these
    assert public - given == set(_EXPECTED) | set(_ATTRIBUTES)


ATTRIBUTES = {
    "name": ("5", "None", "''", "'a\\nb'", "'../x'", "'a/b'", "'a' * 65", "'hanger'"),
    "description": ("5",),
    "max_episode_steps": ("1", "True", "'x'", "None", "-3"),
    "control_dt": ("'0.05'", "float('nan')", "0.0", "-0.05", "True", "None"),
    "num_conditions": ("1", "'x'", "None", "True", "18.0"),
    "num_policy_iterations": ("0", "'x'", "None", "True", "3.0"),
    "stages": ("('far', 'far')", "('far', '')", "('far', 5)", "('far', 'a\\nb')", "None"),
    "stage_rewards": ("1.0", "None", "'ab'", "(0.0, float('nan'))", "(0.0, True)", "('a', 'b')", "(0, 10**400)"),
    "splits": ("('random', 'random')", "('random', '../x')", "('random', 5)", "'random'", "('training',)", "None"),
    "objects": ("5", "'block'", "(5,)"),
    "expert": ("5",),
    "camera": ("None", "'top'"),
}


@pytest.mark.parametrize(
    ("member", "value"), [(member, value) for member in ATTRIBUTES for value in ATTRIBUTES[member]]
)
def test_class_attributes_of_a_wrong_type_or_value_are_refused(write, member, value):
    text = f"{TASK}\n    {member} = {value}\n"
    if member in ("objects", "camera"):  # Task.__init__ reads or sets these
        text = changed('(spec, robot, "side")\n', f'(spec, robot, "side")\n        self.{member} = {value}\n')
    told = refused(write(text), rf": {member} is .*; expected .")
    assert told.startswith("task ")


def test_attributes_may_be_lists_and_whole_numbers(write):
    text = changed("(0.0, 1.0)", "[0, 1]").replace('("far", "near")', '["far", "near"]')
    task = make_task(write(f"{text}\n    control_dt = 1\n"))
    assert task.reward(task.make_engine(2, 1)).dtype == torch.float32


def test_an_object_that_is_not_in_the_model_is_named(write):
    refused(
        write(f"{TASK}\n    objects = ('blok',)\n"),
        "objects of task 'reach': the scene has no body 'blok'; choose one of: base, bl",
    )


def test_names_in_a_plain_string_and_a_forgotten_super(write):
    refused(
        write(f"{TASK}\n    objects = 'block'\n"), r"objects of task 'reach' is 'block'; give a tuple, \(\"block\",\)"
    )
    early = changed("        robot = Robot", "        self.model.nq\n        robot = Robot")
    refused(
        write(early, "early.py"), r"has no model yet; let __init__ begin with super\(\).__init__\(spec, robot, camera"
    )
