"""What is wrong with costs, gains and names of readings of a task that a user wrote."""

import pytest
from own_task import TASK, refused

from visuomotor.tasks import make_task

MEMBER = "    def {0}(self, engine):\n        return {1}\n"


COST = """
    @property
    def cost(self):
        return {0}
"""


@pytest.mark.parametrize(
    ("cost", "told"),
    [
        ("5", "cost is int; expected a visuomotor.tasks.Cost"),
        ("lambda states, actions: states.sum(-1)", "cost is function; expected a visuomotor.tasks.Cost"),
        ("1 / 0", "cost raises ZeroDivisionError in line 40"),
        ("Cost(lambda x, u: x[:2] @ torch.ones(3), lambda s, p: s)", "cost raises RuntimeError in line 40"),
        ("Cost(lambda x, u: x[:2].square(), lambda s, p: s)", r"cost raises RuntimeError: shape"),
        ("Cost(lambda x, u: u.square(), lambda s, p: (s + p).log().sum() * torch.nan)", "cost gives .* a finite Cost"),
        ("Cost(lambda x, u: u.abs(), lambda s, p: s.sqrt().sum())", "cost has derivatives that are not finite"),
        (
            "keypoint_cost(slice(12, 15), slice(15, 25))",
            "cost: the velocities of the cost end at number 25 of the state, which has 24; correct the slice",
        ),
    ],
)
def test_a_faulty_cost_is_refused(write, cost, told):
    text = TASK.replace("import EpisodeOutcome,", "import Cost, EpisodeOutcome,")
    text = text.replace("import torch\n", "import torch; from visuomotor.tasks.keypoint_cost import keypoint_cost\n")
    refused(write(text + COST.format(cost)), f"task 'reach': {told}")


def test_a_state_too_short_for_the_default_cost_is_refused(write):
    state = (
        TASK + "\n    def state(self, engine):\n        return torch.zeros(engine.worlds, {}, dtype=torch.float64)\n"
    )
    refused(
        write(state.replace("{}", "17")),
        "task 'reach': state has 17 numbers, and the default cost reads .* first 18; begin it",
    )
    assert make_task(write(state.replace("{}", "18"), "longer.py"))


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ("5", "is 5"),
        ("'ab'", "is 'ab'"),
        ("[('a', 'm', 'n')]", "is .*"),
        ("[('a', 5)]", "is .*"),
        ("[('a', 'm')] * 22", "has 22 entries for 23 numbers"),
        ("1 / 0", "raises ZeroDivisionError in line 40: .*"),
    ],
)
def test_faulty_names_of_readings_are_refused(write, names, told):
    text = f"{TASK}\n    @property\n    def proprioception_names(self):\n        return {names}\n"
    refused(write(text), f"task 'reach': proprioception_names {told}; expected a property: a name and a unit")
    good = "[(f'reading {index}', 'rad') for index in range(23)]"
    text = text.replace(f"return {names}\n", f"return {good}\n")
    assert len(make_task(write(text, "good.py")).proprioception_names) == 23


def test_a_task_that_has_readings_of_its_own_need_not_name_them(write):
    task = make_task(write(TASK))
    assert len(task.proprioception_names) == task.size("proprioception") == 23
    assert task.proprioception_names[0] == ("sin shoulder_pan", "1")
    own = "self.robot.proprioception(engine)[:, :4]"
    assert make_task(write(f"{TASK}\n{MEMBER.format('proprioception', own)}", "own2.py")).proprioception_names == ()


@pytest.mark.parametrize("gains", ["5", "None", "(torch.ones(6),)", "torch.ones(2, 6)", "(torch.ones(6), [0.0] * 6)"])
def test_faulty_gains_are_refused(write, gains):
    told = r"task 'reach': pd_gains gives .*; expected two finite tensors \(6,\)"
    refused(write(f"{TASK}\n    def pd_gains(self):\n        return {gains}\n"), told)
    nan = "torch.ones(6), torch.tensor([0, 0, torch.nan, 0, 0, 0])"
    refused(write(f"{TASK}\n    def pd_gains(self):\n        return {nan}\n", "nan.py"), told)
