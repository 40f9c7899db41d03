"""Advantages and returns of rollouts that hold several episodes.

Rows are `(time, world)`. `ends[t]` says that the episode ended with step t, at a time limit: what would have followed
is worth `final_values[t]`. `diverged[t]` says that the physics blew up in step t. Nothing may be learned from such a
step, so the episode is treated as if it had been cut before it: the step before bootstraps with V(s_t), the value of
the state in which the diverged step began. The diverged step itself has the advantage 0 and the return V(s_t).
"""

import torch
from torch import Tensor


def k_step_advantages(
    rewards: Tensor,
    values: Tensor,
    final_values: Tensor,
    ends: Tensor,
    diverged: Tensor,
    last_values: Tensor,
    gamma: float,
) -> tuple[Tensor, Tensor]:
    """Discounted rewards up to the end of the episode or the rollout, whichever comes first, after K steps:

        A_t = sum_{i=1..K} gamma^{i-1} r_{t+i} + gamma^K V(s_{t+K}) - V(s_t)

    Zhu et al. 2018, III-B. They print gamma^{K-1} before V(s_{t+K}); with rewards counted from r_{t+1} it is gamma^K.

    Args:
        rewards: r `(T, W)`, for step t. values: V(s_t) `(T, W)`.
        final_values: `(T, W)`, where an episode ended: the value of the state it ended in. Elsewhere never looked at.
        ends, diverged: `(T, W)` bool; a diverged step is an end whether `ends` says so or not. Its reward and its final
            value are never looked at.
        last_values: `(W,)`, of the states after the last step.
        gamma: discount.

    Returns:
        Advantages and returns, `(T, W)`; returns are what the values should have been.
    """
    returns = torch.empty_like(rewards)
    following = last_values
    for t in reversed(range(len(rewards))):
        ahead = rewards[t] + gamma * torch.where(ends[t], final_values[t], following)
        following = returns[t] = torch.where(diverged[t], values[t], ahead)
    return returns - values, returns


def gae(
    rewards: Tensor,
    values: Tensor,
    final_values: Tensor,
    ends: Tensor,
    diverged: Tensor,
    last_values: Tensor,
    gamma: float,
    gae_lambda: float,
) -> tuple[Tensor, Tensor]:
    """Generalised advantages (Schulman et al. 2016), arguments and results as above:

        A_t = sum_i (gamma lambda)^i delta_{t+i},      delta_t = r_t + gamma V(s_{t+1}) - V(s_t)

    With lambda = 1 they are the K-step advantages.
    """
    following = torch.where(ends, final_values, torch.cat([values[1:], last_values[None]]))
    errors = rewards + gamma * following - values
    advantages = torch.empty_like(errors)
    ahead = torch.zeros_like(last_values)
    for t in reversed(range(len(rewards))):
        ahead = errors[t] + gamma * gae_lambda * torch.where(ends[t], 0.0, ahead)
        ahead = advantages[t] = torch.where(diverged[t], 0.0, ahead)
    return advantages, advantages + values
