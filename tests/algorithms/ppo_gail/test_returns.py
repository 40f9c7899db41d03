"""Advantages and returns, held to hand-made numbers and to a slow loop over single worlds."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from visuomotor.algorithms.ppo_gail.returns import gae, k_step_advantages

GAMMA = 0.9


def column(*numbers):
    return torch.tensor(numbers)[:, None]


def draw(seed, steps=12, worlds=5):
    """A rollout with many ends; values where no episode ended are NaN, as nobody may look at them."""
    generator = torch.Generator().manual_seed(seed)
    rewards, values, final = torch.randn(3, steps, worlds, generator=generator)
    chance = torch.rand(steps, worlds, generator=generator)
    ends, terminal = chance < 0.3, chance < 0.15
    final = torch.where(ends & ~terminal, final, torch.nan)
    last = torch.randn(worlds, generator=generator)
    return rewards, values, final, ends, terminal, last


def slow_advantages(rewards, values, final, ends, terminal, last, gamma, gae_lambda):
    """A_t = sum over later steps of the same episode of (gamma lambda)^i delta, one world and step after another."""
    steps, worlds = rewards.shape
    advantages = torch.zeros_like(rewards)
    for w in range(worlds):
        for start in range(steps):
            weight = 1.0
            for t in range(start, steps):
                if terminal[t, w]:
                    following = 0.0
                elif ends[t, w]:
                    following = final[t, w].item()
                else:
                    following = values[t + 1, w].item() if t + 1 < steps else last[w].item()
                advantages[start, w] += weight * (rewards[t, w].item() + gamma * following - values[t, w].item())
                weight *= gamma * gae_lambda
                if ends[t, w]:
                    break
    return advantages


def test_one_episode_by_hand():
    none = column(False, False, False)
    rewards, values, final = column(1.0, 2.0, 3.0), column(10.0, 20.0, 30.0), column(*3 * [torch.nan])
    advantages, returns = k_step_advantages(rewards, values, final, none, none, torch.tensor([40.0]), GAMMA)
    expected = column(1 + 0.9 * 2 + 0.81 * 3 + 0.729 * 40, 2 + 0.9 * 3 + 0.81 * 40, 3 + 0.9 * 40)
    torch.testing.assert_close(returns, expected)
    torch.testing.assert_close(advantages, expected - values)


@pytest.mark.parametrize(("terminal", "ahead"), [(False, 7.0), (True, 0.0)])
def test_what_an_end_is_worth(terminal, ahead):
    ends, terminals = column(False, True, False), column(False, terminal, False)
    rewards, values, final = column(1.0, 2.0, 3.0), column(10.0, 20.0, 30.0), column(torch.nan, 7.0, torch.nan)
    _, returns = k_step_advantages(rewards, values, final, ends, terminals, torch.tensor([40.0]), GAMMA)
    torch.testing.assert_close(returns, column(1 + 0.9 * 2 + 0.81 * ahead, 2 + 0.9 * ahead, 3 + 0.9 * 40))


def test_a_terminal_step_ends_an_episode_whatever_its_value():
    final = column(torch.nan, torch.nan)  # physics that diverged
    none, terminal = column(False, False), column(True, False)
    rewards, values, last = column(1.0, 5.0), column(0.0, 0.0), torch.tensor([0.0])
    for returns in (
        k_step_advantages(rewards, values, final, none, terminal, last, GAMMA)[1],
        gae(rewards, values, final, none, terminal, last, GAMMA, 0.97)[1],
    ):
        assert returns[0].item() == 1.0


def test_one_step_of_gae_is_the_temporal_difference():
    rewards, values, final, ends, terminal, last = draw(0)
    advantages, returns = gae(rewards, values, final, ends, terminal, last, GAMMA, 0.0)
    ahead = torch.cat([values[1:], last[None]])
    ahead = torch.where(terminal, 0.0, torch.where(ends, final, ahead))
    torch.testing.assert_close(advantages, rewards + GAMMA * ahead - values)
    torch.testing.assert_close(returns, rewards + GAMMA * ahead)


@given(st.integers(0, 10**6), st.floats(0, 1), st.floats(0, 1))
def test_the_same_as_a_slow_loop(seed, gamma, gae_lambda):
    rollout = draw(seed)
    expected = slow_advantages(*rollout, gamma, gae_lambda)
    advantages, returns = gae(*rollout, gamma, gae_lambda)
    torch.testing.assert_close(advantages, expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(returns, expected + rollout[1], rtol=1e-4, atol=1e-4)


@given(st.integers(0, 10**6), st.floats(0, 1))
def test_gae_with_lambda_one_is_the_k_step_advantage(seed, gamma):
    rollout = draw(seed)
    for long, short in zip(gae(*rollout, gamma, 1.0), k_step_advantages(*rollout, gamma), strict=True):
        torch.testing.assert_close(long, short, rtol=1e-4, atol=1e-4)


def test_nothing_leaks_over_an_end():
    rewards, values, final, ends, terminal, last = draw(3)
    ends[6], final[6] = True, 1.0
    terminal[6] = False
    before = gae(rewards, values, final, ends, terminal, last, GAMMA, 0.95)[0]
    rewards[7:] += 100
    values[7:] -= 100
    after = gae(rewards, values, final, ends, terminal, last + 100, GAMMA, 0.95)[0]
    assert torch.equal(before[:7], after[:7])
    assert not torch.isclose(before[7:], after[7:]).any()
