"""What the critic makes of a rollout: advantages for the policy, targets for itself."""

import torch
from torch import Tensor

from visuomotor.errors import VisuomotorError
from visuomotor.ppo_gail.config import PpoConfig
from visuomotor.ppo_gail.critic import Critic
from visuomotor.ppo_gail.normaliser import moments
from visuomotor.ppo_gail.returns import gae, k_step_advantages
from visuomotor.ppo_gail.rollout import Rollout
from visuomotor.runs.ranks import Ranks


def judge(
    critic: Critic, rollout: Rollout, reward: Tensor, config: PpoConfig, ranks: Ranks
) -> tuple[Tensor, Tensor, Tensor]:
    """Also teaches the critic's normalisers the rollout's states and returns.

    Args:
        reward: `(K, W)`, which the critic values.

    Returns:
        Advantages `(K, W)`, normalised over all processes' steps, 0 for steps whose physics diverged; the critic's
        targets `(N,)` and their states `(N, P)`, on its device, without such steps.

    Raises:
        VisuomotorError: there are no other steps.
    """
    device = critic.inputs.mean.device
    valid = ~rollout.diverged
    states = rollout.privileged.to(device)
    for merged in ranks.everyones(moments(rollout.privileged[valid])):
        critic.inputs.update_from_moments(*(part.to(device) for part in merged))
    with torch.no_grad():
        values = critic(states).cpu()
        final = critic(rollout.reached_privileged.to(device)).cpu()
        last = critic(rollout.last_privileged.to(device)).cpu()
    arguments = (reward, values, final, rollout.ended, rollout.diverged, last, config.discount)
    if config.advantage == "gae":
        advantages, returns = gae(*arguments, config.gae_lambda)
    else:
        advantages, returns = k_step_advantages(*arguments)
    for merged in ranks.everyones(moments(returns[valid][:, None])):
        critic.returns.update_from_moments(*(part.to(device) for part in merged))
    kept = advantages[valid].double()
    count, total, squares = ranks.sum(
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
