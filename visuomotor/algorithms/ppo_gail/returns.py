"""Advantages and returns of rollouts that hold several episodes.

Rows are `(time, world)`. `dones[t]` says that the episode was cut off after step t, by a limit of time: what would have
followed is worth `final_values[t]`. `diverged[t]` says that the physics diverged in step t. Nothing may be learned from
such a step, so the episode is treated as if it had been cut before it: the step before bootstraps with V(s_t), the
value of the state in which the diverged step began. The diverged step itself has the advantage 0 and the return V(s_t).
"""

import torch
from torch import Tensor

from visuomotor.algorithms.ppo_gail.config import PpoConfig
from visuomotor.algorithms.ppo_gail.critic import Critic
from visuomotor.algorithms.ppo_gail.rollout import Rollout
from visuomotor.algorithms.ppo_gail.running_mean_std import moments
from visuomotor.errors import VisuomotorError
from visuomotor.runs.distributed import Distributed


def gae(
    rewards: Tensor,
    values: Tensor,
    final_values: Tensor,
    dones: Tensor,
    diverged: Tensor,
    bootstrap_values: Tensor,
    gamma: float,
    gae_lambda: float,
) -> tuple[Tensor, Tensor]:
    """Generalised advantages (Schulman et al. 2016):

        A_t = sum_i (gamma lambda)^i delta_{t+i},      delta_t = r_t + gamma V(s_{t+1}) - V(s_t)

    With lambda = 1 this is the K-step return of Zhu et al. 2018, III-B, less V(s_t), for a rollout of K steps:

        A_t = sum_{i=1..K} gamma^{i-1} r_{t+i} + gamma^K V(s_{t+K}) - V(s_t)

    They print gamma^{K-1} before V(s_{t+K}); with rewards counted from r_{t+1} it is gamma^K.

    Args:
        rewards: r `(T, W)`, for step t. values: V(s_t) `(T, W)`.
        final_values: `(T, W)`, where an episode is done: the value of the state it ended in. Elsewhere never read.
        dones, diverged: `(T, W)` bool; a diverged step ends the episode whether `dones` says so or not. Its reward and
            its final value are never read.
        bootstrap_values: `(W,)`, of the states after the last step.
        gamma: discount.

    Returns:
        Advantages and returns, `(T, W)`; returns are the targets of the values.
    """
    next_values = torch.where(dones, final_values, torch.cat([values[1:], bootstrap_values[None]]))
    td_errors = rewards + gamma * next_values - values
    advantages = torch.empty_like(td_errors)
    advantage = torch.zeros_like(bootstrap_values)
    for t in reversed(range(len(rewards))):
        advantage = td_errors[t] + gamma * gae_lambda * torch.where(dones[t], 0.0, advantage)
        advantage = advantages[t] = torch.where(diverged[t], 0.0, advantage)
    return advantages, advantages + values


def compute_returns(
    critic: Critic,
    rollout: Rollout,
    reward: Tensor,
    config: PpoConfig,
    distributed: Distributed,
    critic_sees_noise: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """Advantages of a rollout under the critic. Also updates the critic's normalisers with its states and returns.

    Args:
        reward: `(K, W)`, which the critic values.
        critic_sees_noise: whether the critic's input is the privileged state and the noise of the step before.

    Returns:
        Advantages `(K, W)`, normalised over all processes' steps, 0 for steps whose physics diverged; the critic's
        targets `(N,)` and their states `(N, P)`, on its device, without such steps.

    Raises:
        VisuomotorError: there are no other steps.
    """
    device = critic.inputs.mean.device
    valid = ~rollout.diverged

    def critic_input(privileged: Tensor, noise: Tensor) -> Tensor:
        return torch.cat([privileged, noise], -1) if critic_sees_noise else privileged

    inputs = critic_input(rollout.privileged, rollout.carried)
    states = inputs.to(device)
    for merged in distributed.all_gather(moments(inputs[valid])):
        critic.inputs.update_from_moments(*(part.to(device) for part in merged))
    with torch.no_grad():
        values = critic(states).cpu()
        final = critic(critic_input(rollout.next_privileged, rollout.noise).to(device)).cpu()
        bootstrap = critic(critic_input(rollout.bootstrap_privileged, rollout.bootstrap_carried).to(device)).cpu()
    advantages, returns = gae(
        reward, values, final, rollout.dones, rollout.diverged, bootstrap, config.gamma, config.gae_lambda
    )
    for merged in distributed.all_gather(moments(returns[valid][:, None])):
        critic.returns.update_from_moments(*(part.to(device) for part in merged))
    kept = advantages[valid].double()
    count, total, squares = distributed.sum(
        torch.stack([torch.tensor(float(len(kept))).double(), kept.sum(), kept.square().sum()])
    ).tolist()
    if count == 0:
        raise VisuomotorError(
            "the physics of every world diverged in every step, so there is nothing to learn from; train again with "
            "smaller learning rates, or look for what is wrong with the task's model"
        )
    mean = total / count
    std = max(squares / count - mean**2, 1e-12) ** 0.5
    normalized = torch.where(valid, (advantages - mean) / std, 0.0)
    return normalized, returns[valid].to(device), states[valid.to(device)]
