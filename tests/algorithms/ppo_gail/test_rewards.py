"""GailReward rewards and their blend with the task's."""

import math

import pytest
import torch

from visuomotor.errors import VisuomotorError
from visuomotor.algorithms.ppo_gail.rewards import hybrid_reward, imitation_reward

LOGITS = torch.linspace(-8, 8, 33)


def test_forms_are_those_of_the_probability():
    d = LOGITS.double().sigmoid()
    for form, expected in (("gail", -(1 - d).log()), ("negative", d.log()), ("airl", d.log() - (1 - d).log())):
        torch.testing.assert_close(imitation_reward(LOGITS, form).double(), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("form", "low", "high"), [("gail", 0, 10), ("negative", -10, 0), ("airl", -10, 10)])
def test_huge_logits_give_the_bounds(form, low, high):
    assert imitation_reward(torch.tensor([-1e30, -1e3, 1e3, 1e30]), form).tolist() == [low, low, high, high]


def test_the_clip_of_the_paper_is_at_its_probability():
    logit = math.log(math.expm1(10))  # where D = 1 - exp(-10), 0.99995460
    rewards = imitation_reward(torch.tensor([logit - 0.01, logit + 0.01]))
    assert rewards[0] < 10
    assert rewards[1] == 10
    assert imitation_reward(torch.tensor([5.0]), clip=2).item() == 2


def test_small_probabilities_are_not_rounded_to_nothing():
    assert imitation_reward(torch.tensor([-30.0])).item() == pytest.approx(math.exp(-30), rel=1e-5)


def test_unknown_forms_are_refused():
    with pytest.raises(VisuomotorError, match="airl, gail, negative"):
        imitation_reward(LOGITS, "wgan")


def test_the_blend():
    task, imitation = torch.tensor([1.0, 2.0]), torch.tensor([10.0, 0.0])
    torch.testing.assert_close(hybrid_reward(task, imitation, 0.3), torch.tensor([3.7, 1.4]))


def test_at_the_ends_the_other_reward_does_not_matter():
    good, bad = torch.tensor([1.0, 2.0]), torch.tensor([torch.nan, torch.inf])
    assert torch.equal(hybrid_reward(good, bad, 0), good)
    assert torch.equal(hybrid_reward(bad, good, 1), good)


@pytest.mark.parametrize("weight", [-0.01, 1.01, math.nan, math.inf])
def test_weights_that_make_no_sense_are_refused(weight):
    with pytest.raises(VisuomotorError, match=r"between 0 .* and 1"):
        hybrid_reward(LOGITS, LOGITS, weight)
