import pytest

from visuomotor.errors import VisuomotorError
from visuomotor.evaluation import Outcomes

CONDITIONS = tuple({"target": (0.58 + 0.1 * i, -0.2, 1.0), "grasp": (i % 2,)} for i in range(5))


def outcomes(failures: list[int], trials: int = 20) -> Outcomes:
    """Trials of five conditions in turn, of which those numbered in `failures` fail."""
    success = tuple(trial not in failures for trial in range(trials))
    return Outcomes(success, tuple(trial % 5 for trial in range(trials)), CONDITIONS)


def test_the_conditions_with_the_most_failures_come_first():
    # Condition 3 fails in trials 3, 8 and 13 of its four, condition 1 in 1 and 6, conditions 4, 2 and 0 once each.
    line = outcomes([3, 8, 13, 1, 6, 4, 2, 5]).failure_summary()
    assert line == (
        "8 of 20 trials failed, in 5 of 5 conditions; most in condition 3 (target 0.88 -0.2 1, grasp 1): 3 of 4, "
        "condition 1 (target 0.68 -0.2 1, grasp 1): 2 of 4, condition 0 (target 0.58 -0.2 1, grasp 0): 1 of 4"
    )


def test_conditions_are_counted_as_often_as_they_were_tried():
    assert outcomes([4], trials=9).failure_summary() == (
        "1 of 9 trials failed, in 1 of 5 conditions; most in condition 4 (target 0.98 -0.2 1, grasp 0): 1 of 1"
    )
    assert ", in 1 of 2 conditions;" in outcomes([1], trials=2).failure_summary()


def test_no_failures():
    assert outcomes([]).failure_summary() == "0 of 20 trials failed"
    assert Outcomes((True, True), furthest_stage=(2, 2)).failure_summary(["a", "b", "c"]) == "0 of 2 trials failed"


def test_failures_without_conditions_are_counted_by_their_furthest_stage():
    staged = Outcomes((True, False, False, False, True), furthest_stage=(2, 2, 0, 2, 2))
    line = staged.failure_summary(["start", "reached", "lifted"])
    assert line == "3 of 5 trials failed; their furthest stage: start 1, lifted 2"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"condition": (0,)}, "condition has 1 entries for 2 trials"),
        ({"furthest_stage": (0, 1, 2)}, "furthest_stage has 3 entries for 2 trials"),
        ({"condition": (0, 2)}, "conditions lack number 2"),
        ({"condition": (-1, 0)}, "conditions lack number -1"),
    ],
)
def test_lists_that_do_not_fit_are_refused(changes, message):
    fields = {"success": (True, False), "conditions": CONDITIONS[:2]}
    with pytest.raises(VisuomotorError, match=message):
        Outcomes(**(fields | changes))
