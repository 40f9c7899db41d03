"""What the critic makes of a rollout: advantages for the policy, targets for itself."""

import torch
from torch import Tensor

from visuomotor.errors import VisuomotorError
from visuomotor.algorithms.ppo_gail.config import PpoConfig
from visuomotor.algorithms.ppo_gail.critic import Critic
from visuomotor.algorithms.ppo_gail.running_mean_std import moments
from visuomotor.algorithms.ppo_gail.returns import gae, k_step_advantages
from visuomotor.algorithms.ppo_gail.rollout import Rollout
from visuomotor.runs.distributed import Distributed


def judge(
    critic: Critic, rollout: Rollout, reward: Tensor, config: PpoConfig, distributed: Distributed, sees_noise: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """Also teaches the critic's normalisers the rollout's states and returns.

    Args:
        reward: `(K, W)`, which the critic values.
        sees_noise: whether the critic's states are privileged states and the noise of the step before.

    Returns:
        Advantages `(K, W)`, normalised over all processes' steps, 0 for steps whose physics diverged; the critic's
        targets `(N,)` and their states `(N, P)`, on its device, without such steps.

    Raises:
        VisuomotorError: there are no other steps.
    """
    device = critic.inputs.mean.device
    valid = ~rollout.diverged

    def state(privileged: Tensor, noise: Tensor) -> Tensor:
        return torch.cat([privileged, noise], -1) if sees_noise else privileged

    seen = state(rollout.privileged, rollout.carried)
    states = seen.to(device)
    for merged in distributed.all_gather(moments(seen[valid])):
        critic.inputs.update_from_moments(*(part.to(device) for part in merged))
    with torch.no_grad():
        values = critic(states).cpu()
        final = critic(state(rollout.next_privileged, rollout.noise).to(device)).cpu()
        last = critic(state(rollout.bootstrap_privileged, rollout.bootstrap_carried).to(device)).cpu()
    arguments = (reward, values, final, rollout.ended, rollout.diverged, last, config.discount)
    if config.advantage == "gae":
        advantages, returns = gae(*arguments, config.gae_lambda)
    else:
        advantages, returns = k_step_advantages(*arguments)
    for merged in distributed.all_gather(moments(returns[valid][:, None])):
        critic.returns.update_from_moments(*(part.to(device) for part in merged))
    kept = advantages[valid].double()
    count, total, squares = distributed.sum(
        torch.stack([torch.tensor(float(len(kept))).double(), kept.sum(), kept.square().sum()])
    ).tolist()
    if count == 0:
        raise VisuomotorError(
            "the physics of every world blew up in every step, so there is nothing to learn from; train anew with "
            "smaller learning rates, or look for what is wrong with the task's model"
        )
    mean = total / count
    deviation = max(squares / count - mean**2, 1e-12) ** 0.5
    normalised = torch.where(valid, (advantages - mean) / deviation, 0.0)
    return normalised, returns[valid].to(device), states[valid.to(device)]
