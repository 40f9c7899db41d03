"""The discriminator: what it learns, what its losses are, what it refuses."""

import math

import pytest
import torch

from visuomotor.algorithms.ppo_gail.discriminator import Discriminator, discriminator_loss
from visuomotor.errors import VisuomotorError


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def trained(demonstrations, rollouts, generator, steps=200, actions=(None, None), **options):
    discriminator = Discriminator(
        demonstrations.shape[-1], action_size=0 if actions[0] is None else actions[0].shape[-1]
    )
    optimizer = torch.optim.Adam(discriminator.parameters(), lr=1e-3)
    discriminator.update(optimizer, demonstrations, rollouts, *actions, generator=generator, steps=steps, **options)
    statistics = discriminator.update(
        optimizer, demonstrations, rollouts, *actions, generator=generator, steps=10, **options
    )
    return discriminator, statistics


def test_separable_data_are_told_apart(generator):
    demonstrations, rollouts = 0.02 * torch.randn(300, 4) + 0.1, 0.02 * torch.randn(20, 50, 4)  # metres
    discriminator, statistics = trained(demonstrations, rollouts, generator, steps=100)
    assert statistics.demonstration_accuracy > 0.95
    assert statistics.policy_accuracy > 0.95
    assert statistics.demonstration_mean > 0.8 > 0.2 > statistics.policy_mean
    assert statistics.loss < 0.5
    assert discriminator(rollouts).shape == (20, 50)
    assert discriminator(demonstrations).mean() > 0 > discriminator(rollouts).mean()


def test_equal_data_are_not(generator):
    discriminator, statistics = trained(torch.randn(4000, 3), torch.randn(4000, 3), generator, penalty=1.0)
    assert discriminator(torch.randn(1000, 3)).abs().mean() < 0.3
    assert statistics.loss == pytest.approx(2 * math.log(2), abs=0.1)
    assert statistics.demonstration_mean == pytest.approx(0.5, abs=0.05)


def test_actions_can_tell_apart_what_features_cannot(generator):
    features = torch.randn(500, 3)
    actions = (torch.rand(500, 2), -torch.rand(500, 2))
    _, statistics = trained(features, features, generator, actions=actions)
    assert min(statistics.demonstration_accuracy, statistics.policy_accuracy) > 0.95


def test_a_penalty_makes_the_logit_less_steep(generator):
    data = torch.randn(300, 3) + 3, torch.randn(300, 3)
    steep, _ = trained(*data, generator)
    flat, statistics = trained(*data, generator, penalty=10.0)
    assert statistics.penalty > 0
    difference = [d(data[0]).mean() - d(data[1]).mean() for d in (steep, flat)]
    assert difference[0] > 1.5 * difference[1]


def test_the_penalty_is_on_demonstrations(generator, monkeypatch):
    seen, penalty = [], Discriminator.gradient_penalty
    monkeypatch.setattr(
        Discriminator, "gradient_penalty", lambda self, rows: (seen.append(rows), penalty(self, rows))[1]
    )
    trained(torch.ones(30, 3), torch.zeros(30, 3), generator, steps=2, penalty=1.0)
    assert all((rows > 0).all() for rows in seen)  # normalised: those of the policy are below zero


def test_the_penalty_of_a_linear_discriminator():
    discriminator = Discriminator(2, hidden=())
    with torch.no_grad():
        discriminator.layers[0].weight.copy_(torch.tensor([[3.0, 4.0]]))
    cost = discriminator.gradient_penalty(torch.randn(7, 2))
    assert cost.item() == pytest.approx(25, rel=1e-5)
    cost.backward()
    torch.testing.assert_close(discriminator.layers[0].weight.grad, torch.tensor([[6.0, 8.0]]))


def test_the_loss_is_that_of_the_paper():
    demonstration, policy = 3 * torch.randn(2, 50)
    d, p = demonstration.sigmoid(), policy.sigmoid()
    plain = -(d.log().mean() + (1 - p).log().mean())
    torch.testing.assert_close(discriminator_loss(demonstration, policy), plain)
    assert discriminator_loss(torch.tensor([-1e4]), torch.tensor([1e4])).item() == 2e4


def test_statistics_are_told_of_the_right_side(generator):
    """A discriminator that takes everything for a demonstration is right about these alone."""
    discriminator = Discriminator(2, hidden=())
    with torch.no_grad():
        discriminator.layers[0].weight.zero_()
        discriminator.layers[0].bias.fill_(2.0)
    optimizer = torch.optim.SGD(discriminator.parameters(), lr=0.0)
    told = discriminator.update(optimizer, torch.randn(30, 2), torch.randn(40, 2), generator=generator)
    d = 1 / (1 + math.exp(-2))
    assert (told.demonstration_accuracy, told.policy_accuracy) == (1, 0)
    assert (told.demonstration_mean, told.policy_mean) == (pytest.approx(d), pytest.approx(d))
    assert told.loss == pytest.approx(-math.log(d) - math.log(1 - d), rel=1e-5)


def test_demonstrations_and_policy_count_alike_in_the_statistics(generator):
    few, many = torch.randn(20, 3) + 4, torch.randn(50, 40, 3)
    discriminator = Discriminator(3)
    optimizer = torch.optim.SGD(discriminator.parameters(), lr=0.0)
    for _ in range(2):
        discriminator.update(optimizer, few, many, generator=generator, steps=1)
    balanced = torch.cat([few.repeat(100, 1), many.flatten(0, 1)]).double()
    torch.testing.assert_close(discriminator.normalizer.mean, balanced.mean(0))
    torch.testing.assert_close(discriminator.normalizer.std, balanced.std(0, correction=0))
    assert "normalizer.mean" in discriminator.state_dict()


def test_the_same_generator_gives_the_same_bits():
    results = []
    for _ in range(2):
        torch.manual_seed(1)
        data = torch.randn(100, 3) + 1, torch.randn(100, 3)
        generator = torch.Generator().manual_seed(2)
        results.append(trained(*data, generator, steps=5, penalty=1.0)[1])
    assert results[0] == results[1]


def test_other_features_and_actions_are_refused():
    blind, seeing = Discriminator(3), Discriminator(3, action_size=2)
    features, actions = torch.zeros(5, 3), torch.zeros(5, 2)
    with pytest.raises(VisuomotorError, match="3 features, not 4"):
        blind(torch.zeros(5, 4))
    with pytest.raises(VisuomotorError, match="sees no actions"):
        blind(features, actions)
    with pytest.raises(VisuomotorError, match="needs the 2 actions"):
        seeing(features)
    for wrong in (actions[:4], actions[:, :1]):
        with pytest.raises(VisuomotorError, match="2 actions for each row"):
            seeing(features, wrong)
    assert seeing(features, actions).shape == (5,)


@pytest.mark.parametrize("bad", [torch.zeros(0, 3), torch.full((5, 3), torch.nan)])
def test_nothing_is_learned_from_bad_features(generator, bad):
    discriminator = Discriminator(3)
    optimizer = torch.optim.Adam(discriminator.parameters())
    for data in ((bad, torch.zeros(5, 3)), (torch.zeros(5, 3), bad)):
        with pytest.raises(VisuomotorError, match="at least one step"):
            discriminator.update(optimizer, *data, generator=generator)
    assert discriminator.normalizer.count == 0
