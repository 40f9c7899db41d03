"""Advantages and returns of rollouts that hold several episodes.

Rows are `(time, world)`. `ends[t]` says that the episode ended with step t: at its time limit, where what would have
followed is worth `final_values[t]`, or because it is `terminal`, where nothing follows.
"""

import torch
from torch import Tensor


def k_step_advantages(
    rewards: Tensor,
    values: Tensor,
    final_values: Tensor,
    ends: Tensor,
    terminal: Tensor,
    last_values: Tensor,
    gamma: float,
) -> tuple[Tensor, Tensor]:
    """Discounted rewards up to the end of the episode or the rollout, whichever comes first, after K steps:

        A_t = sum_{i=1..K} gamma^{i-1} r_{t+i} + gamma^K V(s_{t+K}) - V(s_t)

    Zhu et al. 2018, III-B. They print gamma^{K-1} before V(s_{t+K}); with rewards counted from r_{t+1} it is gamma^K.

    Args:
        rewards: r `(T, W)`, for step t. values: V(s_t) `(T, W)`.
        final_values: `(T, W)`, where an episode ended: the value of the state it ended in. Elsewhere never looked at.
        ends, terminal: `(T, W)` bool; a terminal step is an end whether `ends` says so or not.
        last_values: `(W,)`, of the states after the last step.
        gamma: discount.

    Returns:
        Advantages and returns, `(T, W)`; returns are what the values should have been.
    """
    following, ended = _values_at_ends(final_values, ends, terminal)
    returns = torch.empty_like(rewards)
    ahead = last_values
    for t in reversed(range(len(rewards))):
        ahead = rewards[t] + gamma * torch.where(ended[t], following[t], ahead)
        returns[t] = ahead
    return returns - values, returns


def gae(
    rewards: Tensor,
    values: Tensor,
    final_values: Tensor,
    ends: Tensor,
    terminal: Tensor,
    last_values: Tensor,
    gamma: float,
    gae_lambda: float,
) -> tuple[Tensor, Tensor]:
    """Generalised advantages (Schulman et al. 2016), arguments and results as above:

        A_t = sum_i (gamma lambda)^i delta_{t+i},      delta_t = r_t + gamma V(s_{t+1}) - V(s_t)

    With lambda = 1 they are the K-step advantages.
    """
    following, ended = _values_at_ends(final_values, ends, terminal)
    following = torch.where(ended, following, torch.cat([values[1:], last_values[None]]))
    errors = rewards + gamma * following - values
    advantages = torch.empty_like(errors)
    ahead = torch.zeros_like(last_values)
    for t in reversed(range(len(rewards))):
        ahead = errors[t] + gamma * gae_lambda * torch.where(ended[t], 0.0, ahead)
        advantages[t] = ahead
    return advantages, advantages + values


def _values_at_ends(final_values: Tensor, ends: Tensor, terminal: Tensor) -> tuple[Tensor, Tensor]:
    return torch.where(terminal, 0.0, final_values), ends | terminal
