"""The KL penalty and its weight."""

import math

import pytest
import torch

from visuomotor.algorithms.ppo_gail.adaptive_kl import AdaptiveKl
from visuomotor.errors import VisuomotorError


@pytest.mark.parametrize(
    ("measured", "coefficient"),
    [(0.0, 1 / 1.5), (0.0049, 1 / 1.5), (0.0051, 1.0), (0.01, 1.0), (0.0199, 1.0), (0.0201, 1.5), (9.0, 1.5)],
)
def test_the_weight_follows_what_was_measured(measured, coefficient):
    adaptive = AdaptiveKl(target=0.01)
    adaptive.update(measured)
    assert adaptive.coefficient == pytest.approx(coefficient)


def test_the_weight_stays_in_its_range():
    adaptive = AdaptiveKl(target=0.01)
    for _ in range(30):
        adaptive.update(1.0)
    assert adaptive.coefficient == 35
    for _ in range(60):
        adaptive.update(0.0)
    assert adaptive.coefficient == 1 / 35


def test_the_penalty_and_its_slope():
    adaptive = AdaptiveKl(target=0.01, coefficient=2.0)
    kl = torch.tensor([0.0, 0.02, 0.05], requires_grad=True)
    penalty = adaptive.penalty(kl)
    torch.testing.assert_close(penalty, torch.tensor([0.0, 0.04, 0.1 + 250 * 0.03**2]))
    penalty.sum().backward()
    torch.testing.assert_close(kl.grad, torch.tensor([2.0, 2.0, 2 + 500 * 0.03]))
    assert AdaptiveKl(target=0.01, hinge=0).penalty(torch.tensor(1.0)).item() == 1


@pytest.mark.parametrize("measured", [math.nan, math.inf])
def test_divergence_is_reported(measured):
    adaptive = AdaptiveKl(target=0.01)
    with pytest.raises(VisuomotorError, match=r"lower ppo\.learning-rate"):
        adaptive.update(measured)
    assert adaptive.coefficient == 1


@pytest.mark.parametrize("options", [{"target": 0.0}, {"target": math.nan}, {"target": 1, "factor": 1.0}])
def test_settings_that_make_no_sense_are_refused(options):
    with pytest.raises(VisuomotorError, match="must be positive"):
        AdaptiveKl(**options)
