"""Advantages and returns, held to hand-made numbers and to a slow loop over single worlds."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from visuomotor.algorithms.ppo_gail.returns import gae

GAMMA = 0.9


def k_step_advantages(rewards, values, final, dones, diverged, bootstrap, gamma):
    """The K-step return of Zhu et al. 2018, III-B, less V(s_t), backwards from the last step."""
    returns, following = torch.empty_like(rewards), bootstrap
    for t in reversed(range(len(rewards))):
        following = rewards[t] + gamma * torch.where(dones[t], final[t], following)
        following = returns[t] = torch.where(diverged[t], values[t], following)
    return returns - values, returns


def column(*numbers):
    return torch.tensor(numbers)[:, None]


def draw(seed, steps=12, worlds=5):
    """A rollout with many ends and divergences; what nobody may look at is NaN: final values where no episode ended,
    final values and rewards of diverged steps."""
    generator = torch.Generator().manual_seed(seed)
    rewards, values, final = torch.randn(3, steps, worlds, generator=generator)
    ends, diverged = torch.rand(2, steps, worlds, generator=generator) < torch.tensor([0.3, 0.15])[:, None, None]
    final = torch.where(ends & ~diverged, final, torch.nan)
    rewards = torch.where(diverged, torch.nan, rewards)
    last = torch.randn(worlds, generator=generator)
    return rewards, values, final, ends, diverged, last


def slow_advantages(rewards, values, final, ends, diverged, last, gamma, gae_lambda):
    """A_t = sum over later steps of the same episode of (gamma lambda)^i delta, one world and step after another. A
    diverged step adds nothing; the step before it looks ahead to the value of the state in which it began."""
    steps, worlds = rewards.shape
    advantages = torch.zeros_like(rewards)
    for w in range(worlds):
        for start in range(steps):
            weight = 1.0
            for t in range(start, steps):
                if diverged[t, w]:
                    break
                if ends[t, w]:
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
    advantages, returns = gae(rewards, values, final, none, none, torch.tensor([40.0]), GAMMA, 1.0)
    expected = column(1 + 0.9 * 2 + 0.81 * 3 + 0.729 * 40, 2 + 0.9 * 3 + 0.81 * 40, 3 + 0.9 * 40)
    torch.testing.assert_close(returns, expected)
    torch.testing.assert_close(advantages, expected - values)


def test_a_time_limit_is_worth_the_value_of_the_state_it_cuts_at():
    rewards, values, final = column(1.0, 2.0, 3.0), column(10.0, 20.0, 30.0), column(torch.nan, 7.0, torch.nan)
    ends, none = column(False, True, False), column(False, False, False)
    _, returns = gae(rewards, values, final, ends, none, torch.tensor([40.0]), GAMMA, 1.0)
    torch.testing.assert_close(returns, column(1 + 0.9 * 2 + 0.81 * 7, 2 + 0.9 * 7, 3 + 0.9 * 40))


@pytest.mark.parametrize("ends_too", [True, False])
def test_a_diverged_step_teaches_nothing(ends_too):
    """The third of four steps diverges. It has no advantage; the two before it see the value of the state in which it
    began, 30, and nothing of what came of it; the step after it is the first of a new episode."""
    rewards, values = column(1.0, 2.0, torch.nan, 4.0), column(10.0, 20.0, 30.0, 40.0)
    final, diverged = column(*4 * [torch.nan]), column(False, False, True, False)
    arguments = rewards, values, final, diverged & ends_too, diverged, torch.tensor([50.0]), GAMMA
    advantages, returns = gae(*arguments, gae_lambda=1.0)
    expected = column(1 + 0.9 * 2 + 0.81 * 30, 2 + 0.9 * 30, 30.0, 4 + 0.9 * 50)
    torch.testing.assert_close(returns, expected)
    torch.testing.assert_close(advantages, expected - values)
    advantages, returns = gae(*arguments, gae_lambda=0.5)
    last = 2 + 0.9 * 30 - 20
    expected = column(1 + 0.9 * 20 - 10 + 0.9 * 0.5 * last, last, 0.0, 4 + 0.9 * 50 - 40)
    torch.testing.assert_close(advantages, expected)
    torch.testing.assert_close(returns, expected + values)


def test_a_step_that_diverges_first_in_its_episode_leaves_the_last_episode_alone():
    """The first of two steps is cut by a time limit in a state worth 7; the second diverges."""
    rewards, values, final = column(1.0, torch.nan), column(10.0, 20.0), column(7.0, torch.nan)
    ends, diverged, last = column(True, True), column(False, True), torch.tensor([50.0])
    expected = column(1 + 0.9 * 7 - 10, 0.0)
    torch.testing.assert_close(gae(rewards, values, final, ends, diverged, last, GAMMA, 1.0)[0], expected)
    torch.testing.assert_close(gae(rewards, values, final, ends, diverged, last, GAMMA, 0.97)[0], expected)


@pytest.mark.parametrize("value", [5.0, -5.0])
def test_a_divergence_is_neither_a_loss_nor_a_gain(value):
    """Where the value of every state is the same and there is no reward, going on is worth (gamma - 1) V a step."""
    none, diverged = column(False, False, False), column(False, True, False)
    rewards, values, last = torch.zeros(3, 1), torch.full((3, 1), value), torch.tensor([value])
    advantages, _ = gae(rewards, values, values, none, diverged, last, GAMMA, 0.95)
    torch.testing.assert_close(advantages, column((GAMMA - 1) * value, 0.0, (GAMMA - 1) * value))


def test_one_step_of_gae_is_the_temporal_difference():
    rewards, values, final, ends, diverged, last = draw(0)
    advantages, returns = gae(rewards, values, final, ends, diverged, last, GAMMA, 0.0)
    ahead = torch.where(ends, final, torch.cat([values[1:], last[None]]))
    expected = torch.where(diverged, 0.0, rewards + GAMMA * ahead - values)
    torch.testing.assert_close(advantages, expected)
    torch.testing.assert_close(returns, expected + values)


@settings(deadline=None)
@given(st.integers(0, 10**6), st.floats(0, 1), st.floats(0, 1))
def test_the_same_as_a_slow_loop(seed, gamma, gae_lambda):
    rollout = draw(seed)
    expected = slow_advantages(*rollout, gamma, gae_lambda)
    advantages, returns = gae(*rollout, gamma, gae_lambda)
    torch.testing.assert_close(advantages, expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(returns, expected + rollout[1], rtol=1e-4, atol=1e-4)


@settings(deadline=None)
@given(st.integers(0, 10**6), st.floats(0, 1))
def test_gae_with_lambda_one_is_the_k_step_advantage(seed, gamma):
    rollout = draw(seed)
    for long, short in zip(gae(*rollout, gamma, 1.0), k_step_advantages(*rollout, gamma), strict=True):
        torch.testing.assert_close(long, short, rtol=1e-4, atol=1e-4)


def test_nothing_leaks_over_an_end():
    rewards, values, final, ends, diverged, last = draw(3)
    ends[6], final[6], rewards[6], diverged[6] = True, 1.0, 1.0, False
    before = gae(rewards, values, final, ends, diverged, last, GAMMA, 0.95)[0]
    rewards[7:] += 100
    values[7:] -= 100
    after = gae(rewards, values, final, ends, diverged, last + 100, GAMMA, 0.95)[0]
    assert torch.equal(before[:7], after[:7])
    assert torch.equal(torch.isclose(before[7:], after[7:]), diverged[7:])
