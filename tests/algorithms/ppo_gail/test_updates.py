"""Returns and updates of whole rollouts: what each step led to, and steps whose physics diverged."""

import copy
import math
from pathlib import Path

import pytest
import torch
from small_training import assert_same, make, small

from visuomotor.algorithms.ppo_gail import PpoGail
from visuomotor.algorithms.ppo_gail.config import (
    CriticConfig,
    ExplorationConfig,
)
from visuomotor.algorithms.ppo_gail.ppo import update_critic
from visuomotor.algorithms.ppo_gail.returns import compute_returns
from visuomotor.algorithms.ppo_gail.rollout import Rollout
from visuomotor.errors import VisuomotorError
from visuomotor.runs.distributed import Distributed


def advantages_by_hand(algorithm: PpoGail, rollout: Rollout, reward: torch.Tensor, values: dict) -> torch.Tensor:
    """Generalised advantages `(K, W)`, from the last step to the first; none where the physics diverged. values: of the
    states `now` acted in and of those `reached`, `(K, W)` each."""
    ppo, following = algorithm.config.ppo, torch.zeros(reward.shape[1])
    advantages = torch.empty_like(reward)
    for step in reversed(range(len(reward))):
        error = reward[step] + ppo.gamma * values["reached"][step] - values["now"][step]
        following = error + ppo.gamma * ppo.gae_lambda * following * ~rollout.dones[step]
        advantages[step] = following = following * ~rollout.diverged[step]
    return advantages


@pytest.mark.parametrize("sees_noise", [True, False])
def test_returns_hold_the_value_of_what_each_step_led_to(demos: Path, sees_noise: bool):
    """Also where that is the last state of an episode, which none of the rollout's rows but its own tells."""
    exploration = ExplorationConfig(critic_sees_noise=sees_noise)
    algorithm = make(small(demos, num_envs=16, exploration=exploration))
    algorithm.env.episode_length_buf[::4] = algorithm.task.max_episode_steps - 3  # a time limit within the rollout
    rollout, _ = algorithm.collector.collect()
    rollout.diverged[2, 1] = rollout.dones[2, 1] = True
    ended = rollout.dones & ~rollout.diverged
    assert ended[:-1].any()
    reward = torch.randn(rollout.task_reward.shape, generator=torch.Generator().manual_seed(0))
    ppo, distributed = algorithm.config.ppo, Distributed()
    before = copy.deepcopy(algorithm.critic)
    advantages, returns, states = compute_returns(algorithm.critic, rollout, reward, ppo, distributed, sees_noise)
    of_returns = algorithm.critic.returns
    before.inputs.load_state_dict(algorithm.critic.inputs.state_dict())  # learned before it values
    with torch.no_grad():
        # The noise of the step before is part of a state; only a new episode forgets it.
        previous = torch.cat([rollout.carried[:1], rollout.noise[:-1]]) * ~rollout.episode_starts[..., None]
        now, reached = rollout.privileged, rollout.next_privileged
        if sees_noise:
            now, reached = torch.cat([now, previous], -1), torch.cat([reached, rollout.noise], -1)
        values = {"now": before(now), "reached": before(reached)}
    expected = advantages_by_hand(algorithm, rollout, reward, values)
    valid = ~rollout.diverged
    torch.testing.assert_close(returns, (expected + values["now"])[valid])
    assert torch.equal(states, now[valid])
    assert not advantages[~valid].any()
    # The critic's normalizers know the steps that did not diverge, and no others.
    torch.testing.assert_close(algorithm.critic.inputs.mean, states.double().mean(0))
    torch.testing.assert_close(of_returns.mean[0], returns.double().mean())
    torch.testing.assert_close(of_returns.std[0], returns.double().std(correction=0))
    mean, deviation = expected[valid].mean(), expected[valid].std(correction=0)
    torch.testing.assert_close(advantages[valid], ((expected - mean) / deviation)[valid], rtol=1e-4, atol=1e-5)


def test_a_rollout_that_diverged_in_every_step_is_refused(demos: Path):
    algorithm = make(small(demos))
    rollout, _ = algorithm.collector.collect()
    rollout.diverged[:] = True
    with pytest.raises(VisuomotorError, match="diverged in every step"):
        compute_returns(
            algorithm.critic, rollout, rollout.task_reward, algorithm.config.ppo, Distributed(), critic_sees_noise=False
        )


def test_fewer_steps_than_minibatches_leave_the_critic_finite(demos: Path):
    algorithm = make(small(demos))
    size = algorithm.task.size("privileged")
    states, returns = torch.randn(3, size), torch.randn(3)
    optimizer, config = algorithm.optimizers["critic"], CriticConfig(num_minibatches=4)
    generator = torch.Generator().manual_seed(0)
    loss = update_critic(algorithm.critic, optimizer, states, returns, config, Distributed(), generator)
    assert math.isfinite(loss)
    assert all(parameter.isfinite().all() for parameter in algorithm.critic.parameters())


def test_nothing_is_learned_from_diverged_steps(demos: Path):
    """What was done in such a step and where it led may be anything."""
    learned = []
    for garbage in (0.0, 1.0):
        algorithm = make(small(demos, 1))
        collect = algorithm.collector.collect

        def spoiled(collect=collect, garbage=garbage):
            rollout, timings = collect()
            rollout.diverged[3, ::2] = True
            rollout.dones[3, ::2] = rollout.episode_starts[4, ::2] = True
            rollout.actions[3, ::2] += garbage
            rollout.task_reward[3, ::2] += garbage
            rollout.next_privileged[3, ::2] += 1e6 * garbage
            return rollout, timings

        algorithm.collector.collect = spoiled
        row = next(iter(algorithm.steps()))
        networks = algorithm.recurrent_policy.state_dict(), algorithm.critic.state_dict(), algorithm.gail.state_dict()
        learned.append((*networks, row["kl"]))
    assert_same(learned[0], learned[1])
