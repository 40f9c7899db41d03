"""What a checkpoint may hold, beside `tests/fuzz`: states that look right and are not."""

import copy

import pytest
import torch

from visuomotor.errors import VisuomotorError
from visuomotor.runs.restore import Finite, Within, check_covariance, check_like, restore_optimizer


@pytest.mark.parametrize(
    ("found", "like", "message"),
    [
        (True, 1, "is True, expected int"),
        (True, int, "is True, expected int"),
        (False, int | float, "is False, expected"),
        (-1, 3, "is -1, expected a whole number of at least 0"),
        (float("nan"), 0.5, "is nan, expected a finite number"),
        ([1, 2], [1], "has 2 entries, expected 1"),
        (torch.zeros(3), torch.zeros(3, 1), r"has the shape \(3,\), expected \(3, 1\)"),
        (torch.zeros(3), torch.zeros(3, dtype=torch.float64), "holds torch.float32, expected torch.float64"),
        (-0.5, Within(0.5, 0), "is -0.5, expected a number at least 0"),
        (float("inf"), Within(0.5, 0), "is inf, expected a finite number"),
        (
            torch.tensor([[1.0, 2.0], [3.0, 4.5]]),
            Within(torch.zeros(2, 2), 1, 4),
            r"\[1, 1\] is 4.5, expected .* 1 to 4",
        ),
        (torch.tensor([[1.0], [0.5]]), Within(torch.zeros(2, 1), 1, 4), r"\[1, 0\] is 0.5, expected a number from 1"),
        (torch.zeros(3), Within(torch.zeros(2), 0), r"has the shape \(3,\)"),
        ({"a": 1}, {"b": 1}, "lacks 'b' and has an unknown entry 'a'"),
        (2**63, 1, "is 9223372036854775808, expected a whole number of at least 0, of 64 bits"),
    ],
)
def test_what_is_not_like_the_pattern(found, like, message):
    with pytest.raises(VisuomotorError, match=f"^state.*{message}"):
        check_like({"x": found}, {"x": like}, "state", finite=True)
    check_like({"x": True, "y": 0}, {"x": bool, "y": int | float}, "state")


@pytest.fixture
def optimizer() -> torch.optim.Optimizer:
    """After a step."""
    layer = torch.nn.Linear(2, 1)
    made = torch.optim.AdamW(layer.parameters(), lr=0.1, weight_decay=0)
    layer(torch.ones(1, 2)).sum().backward()
    made.step()
    return made


def test_an_optimizer_gets_its_state_and_learning_rate_back(optimizer):
    optimizer.param_groups[0]["lr"] = 0.05
    content = copy.deepcopy(optimizer.state_dict())
    fresh = torch.optim.AdamW(optimizer.param_groups[0]["params"], lr=0.1, weight_decay=0)
    restore_optimizer(fresh, content, "optimizer")
    assert fresh.param_groups[0]["lr"] == 0.05
    first = optimizer.param_groups[0]["params"][0]
    assert torch.equal(fresh.state[first]["exp_avg"], optimizer.state[first]["exp_avg"])


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("lr", -0.1, "lr is -0.1"),
        ("lr", True, "lr is True"),
        ("lr", 0, "lr is 0, expected float"),
        ("lr", 2**63, "lr is 9223372036854775808, expected float"),
        ("lr", float("inf"), "lr is inf"),
        ("weight_decay", 1, "weight_decay 1, expected 0"),
        ("weight_decay", False, "weight_decay is False"),
        ("betas", (0.9, 0.5), r"betas \(0.9, 0.5\)"),
        ("params", [1, 0], r"params \[1, 0\], expected \[0, 1\]"),
    ],
)
def test_settings_of_an_optimizer_are_its_own(optimizer, name, value, message):
    content = copy.deepcopy(optimizer.state_dict())
    content["param_groups"][0][name] = value
    with pytest.raises(VisuomotorError, match=f"^optimizer.*({message})"):
        restore_optimizer(optimizer, content, "optimizer")


@pytest.mark.parametrize("name", ["step", "exp_avg_sq"])
def test_counts_and_squares_of_an_optimizer_are_not_negative(optimizer, name):
    content = copy.deepcopy(optimizer.state_dict())
    content["state"][0][name] -= 100
    with pytest.raises(VisuomotorError, match=rf"^optimizer\.state\.0\.{name}.*expected a number at least 0"):
        restore_optimizer(optimizer, content, "optimizer")


@pytest.mark.parametrize(
    "found",
    [
        torch.zeros(2, device="meta"),
        torch.zeros(2).to_sparse(),
        torch.nested.nested_tensor([torch.zeros(2)], layout=torch.jagged),
    ],
)
def test_tensors_without_plain_numbers(found):
    with pytest.raises(VisuomotorError, match="x is no plain tensor"):
        check_like(found, torch.zeros(2), "x")


def test_finite_holds_for_all_that_is_in_it():
    pattern = {"a": Finite({"b": torch.zeros(2), "c": 0.0}), "d": torch.zeros(2)}
    nan = torch.tensor([0.0, float("nan")])
    check_like({"a": {"b": torch.ones(2), "c": 1.0}, "d": nan}, pattern, "x")
    with pytest.raises(VisuomotorError, match=r"x\.a\.b holds NaN or infinity"):
        check_like({"a": {"b": nan, "c": 1.0}, "d": nan}, pattern, "x")
    with pytest.raises(VisuomotorError, match=r"x\.a\.c is inf, expected a finite number"):
        check_like({"a": {"b": torch.ones(2), "c": float("inf")}, "d": nan}, pattern, "x")


def test_a_covariance_is_positive_definite():
    whole = torch.eye(3).expand(2, 4, 3, 3).clone()
    check_covariance(whole, "x")
    whole[1, 2] = torch.tensor([[1.0, 2.0, 0.0], [2.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    with pytest.raises(VisuomotorError, match="x is no covariance"):
        check_covariance(whole, "x")
