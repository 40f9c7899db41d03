"""The value function: its units, its loss, and that it learns returns."""

import pytest
import torch

from visuomotor.algorithms.ppo_gail.config import CriticConfig
from visuomotor.algorithms.ppo_gail.critic import Critic
from visuomotor.algorithms.ppo_gail.ppo import update_critic
from visuomotor.algorithms.ppo_gail.running_mean_std import moments
from visuomotor.runs.distributed import Distributed

# Returns far from 0 and from unit size, a smooth function of states in other units.
STATES = 5 + 3 * torch.randn(400, 2, generator=torch.Generator().manual_seed(0))
RETURNS = 50 + 20 * torch.sin((STATES[:, 0] - 5) / 3) + 3 * STATES[:, 1]


def critic() -> Critic:
    """It knows the statistics of states and returns, and has learned nothing."""
    torch.manual_seed(0)
    made = Critic(2, (32, 32))
    made.inputs.update_from_moments(*moments(STATES))
    made.returns.update_from_moments(*moments(RETURNS[:, None]))
    return made


def test_values_are_in_units_of_reward_and_losses_in_those_of_the_returns_variance():
    one = critic()
    mean, deviation = RETURNS.mean(), RETURNS.std(correction=0)
    scaled = one.layers((STATES - STATES.mean(0)) / STATES.std(0, correction=0))[:, 0]
    values = mean + deviation * scaled
    torch.testing.assert_close(one(STATES), values, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(one.loss(STATES, RETURNS), ((values - RETURNS) / deviation).square())


def test_it_learns_the_returns():
    one = critic()
    optimizer = torch.optim.Adam(one.parameters(), 1e-2)
    loss = update_critic(
        one,
        optimizer,
        STATES,
        RETURNS,
        CriticConfig(num_epochs=60, num_minibatches=8),
        Distributed(),
        torch.Generator().manual_seed(0),
    )
    assert loss < 0.01
    assert (one(STATES) - RETURNS).abs().mean() < 0.1 * RETURNS.std()


def test_an_update_tells_the_mean_loss_of_its_last_epoch():
    one = critic()
    optimizer = torch.optim.SGD(one.parameters(), 0.0)
    loss = update_critic(
        one, optimizer, STATES, RETURNS, CriticConfig(num_epochs=3, num_minibatches=8), Distributed(), torch.Generator()
    )
    assert loss == pytest.approx(one.loss(STATES, RETURNS).mean().item(), rel=1e-4)
