"""What a rollout of the real task holds: the probabilities, the noise, and the ends of episodes."""

import dataclasses
import math
from pathlib import Path

import pytest
import torch
from small_training import make, small

from visuomotor.algorithms.ppo_gail.config import (
    ExplorationConfig,
    PpoConfig,
)
from visuomotor.algorithms.ppo_gail.ppo import policy_loss
from visuomotor.runs.distributed import Distributed


@pytest.mark.parametrize("form", ["white", "marginal", "carried", "exact"])
def test_a_rollout_is_replayed_with_the_same_probabilities(demos: Path, form: str):
    """What minibatches compute of whole sequences is what was computed step by step while acting: every ratio is 1."""
    exploration = ExplorationConfig(noise=form, correlation=0.7)  # pyright: ignore[reportArgumentType]
    algorithm = make(small(demos, exploration=exploration))
    with torch.no_grad():
        algorithm.noise.log_std += 0.1 * torch.arange(algorithm.task.action_size)
    algorithm.env.episode_length_buf[:] = (
        torch.arange(8) + algorithm.task.max_episode_steps - 7
    )  # episodes end all along the rollout
    before, _ = algorithm.collector.collect()
    last = before.noise[-1].clone()
    algorithm.env.episode_length_buf[:4] = algorithm.task.max_episode_steps - 3
    algorithm.env.episode_length_buf[4] = algorithm.task.max_episode_steps - 6  # ends with the last step
    rollout, _ = algorithm.collector.collect()
    assert rollout.episode_starts[1:].any()
    assert (~rollout.episode_starts).any()
    assert algorithm.collector.episode_starts[4]
    part = torch.tensor([6, 1, 3])
    sequence = algorithm.recurrent_policy.forward_sequence(
        algorithm.recurrent_policy.encode_images(rollout.images[:, part]),
        rollout.proprioception[:, part],
        rollout.initial_hidden_state[part],
        rollout.episode_starts[:, part],
    )
    torch.testing.assert_close(
        rollout.image_features, algorithm.recurrent_policy.encode_images(rollout.images), atol=1e-5, rtol=1e-4
    )
    torch.testing.assert_close(sequence.mean, rollout.means[:, part], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(rollout.actions, rollout.means + rollout.noise)
    # What is carried is the step before's noise, nothing at an episode's start.
    before, carried = (
        torch.cat([last[None], rollout.noise]),
        torch.cat([rollout.carried, rollout.bootstrap_carried[None]]),
    )
    starts = torch.cat([rollout.episode_starts, algorithm.collector.episode_starts[None]])
    torch.testing.assert_close(carried, before * ~starts[..., None])
    part, distributed = torch.arange(8), Distributed()
    advantages = torch.ones(rollout.episode_starts.shape)
    config = dataclasses.replace(algorithm.config.ppo, clip_range=1e-3)
    _, sums = policy_loss(
        algorithm.recurrent_policy, algorithm.noise, rollout, advantages, part, config, algorithm.kl, distributed
    )
    count, surrogate, divergence, clipped, _ = sums.tolist()
    assert surrogate / count == pytest.approx(1, abs=1e-5)
    assert clipped == 0
    assert divergence / count == pytest.approx(0, abs=1e-6)


def test_exploration_noise_is_correlated_and_has_the_configs_deviation(demos: Path):
    ppo, exploration = PpoConfig(num_steps=40, num_minibatches=2), ExplorationConfig(correlation=0.7)
    config = small(demos, num_envs=64, ppo=ppo, exploration=exploration, randomize=False)
    algorithm = make(config)
    algorithm.env.episode_length_buf[:] = -1000  # no episode ends
    algorithm.collector.collect()
    rollout, _ = algorithm.collector.collect()
    noise = (rollout.actions - rollout.means).flatten(1)
    assert noise.std() == pytest.approx(math.exp(algorithm.config.exploration.initial_log_std), rel=0.03)
    for lag in (1, 2):
        found = (noise[lag:] * noise[:-lag]).mean() / noise.square().mean()
        assert found == pytest.approx(0.7**lag, abs=0.03)


def test_what_a_rollout_tells_of_ends(demos: Path):
    """An episode's last state is kept apart from the next episode's first one."""
    algorithm = make(small(demos))
    algorithm.env.episode_length_buf[:] = algorithm.task.max_episode_steps - 3  # all end with the third of six steps
    algorithm.env._outside_limit[:] = 1000
    around_reset: list[torch.Tensor] = []
    reset = algorithm.env.reset

    def remember(env_ids: torch.Tensor) -> None:
        before = algorithm.env.observe()["privileged"]
        reset(env_ids)
        if len(env_ids):
            around_reset.extend([before, algorithm.env.observe()["privileged"]])

    algorithm.env.reset = remember  # pyright: ignore[reportAttributeAccessIssue]
    rollout, _ = algorithm.collector.collect()
    assert rollout.dones.tolist() == [[step == 2] * 8 for step in range(6)]
    assert rollout.episode_starts.tolist() == [[step in (0, 3)] * 8 for step in range(6)]
    last, first = around_reset
    assert torch.equal(rollout.next_privileged[2], last)
    assert torch.equal(rollout.privileged[3], first)
    assert not torch.equal(last, first)
    going_on = torch.tensor([0, 1, 3, 4])
    assert torch.equal(rollout.next_privileged[going_on], rollout.privileged[going_on + 1])
    assert torch.equal(rollout.next_stage[going_on], rollout.stage[going_on + 1])
    assert torch.equal(rollout.bootstrap_privileged, rollout.next_privileged[-1])
