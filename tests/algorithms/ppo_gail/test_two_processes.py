"""Two processes with half of the worlds each find what one finds with all of them."""

import copy
import dataclasses

import pytest
import torch
from bead_task import Bead, noise, push
from two_processes import in_two_processes

from visuomotor.algorithms.ppo_gail.adaptive_kl import AdaptiveKl
from visuomotor.algorithms.ppo_gail.auxiliary_task import AuxiliaryTask, object_position_loss
from visuomotor.algorithms.ppo_gail.config import AuxiliaryConfig, CriticConfig, ImitationConfig, PpoConfig
from visuomotor.algorithms.ppo_gail.critic import Critic
from visuomotor.algorithms.ppo_gail.episode_statistics import EpisodeStatistics
from visuomotor.algorithms.ppo_gail.gail_reward import GailReward
from visuomotor.algorithms.ppo_gail.ppo import update_critic, update_policy
from visuomotor.algorithms.ppo_gail.returns import compute_returns
from visuomotor.algorithms.ppo_gail.rollout import Collector, Rollout
from visuomotor.policies.recurrent_policy import RecurrentPolicy
from visuomotor.runs.distributed import Distributed
from visuomotor.tasks import VecEnv

WORLDS, STEPS = 8, 14
BY_WORLD = (
    "initial_hidden_state",
    "bootstrap_privileged",
    "bootstrap_carried",
)  # all else but std has steps before worlds


def share(rollout: Rollout, distributed: Distributed) -> Rollout:
    """The worlds of one of two processes: the first three or the last five. One alone has them all."""
    if distributed.world_size == 1:
        return rollout
    worlds = torch.arange(WORLDS)[slice(0, 3) if distributed.is_main else slice(3, WORLDS)]
    rows = {
        name: value[worlds] if name in BY_WORLD else value[:, worlds]
        for name, value in vars(rollout).items()
        if isinstance(value, torch.Tensor) and name != "std"
    }
    return dataclasses.replace(rollout, **rows)


@pytest.fixture(scope="module")
def rollout() -> Rollout:
    """The worlds of the first process are farther to the right; one of them diverged, in a place of its own."""
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    env = VecEnv(Bead(), WORLDS, generator, image_size=20, init_at_random_ep_len=True)
    policy = RecurrentPolicy(1, 1, 1, image_size=20)
    found, _ = Collector(env, policy, noise(), STEPS, generator).collect()
    found.object_features[:, :3] += 1
    found.privileged[:, :3] += 1
    found.task_reward[:, :3] += 0.5
    found.diverged[6, 1] = found.dones[6, 1] = True
    return found


def test_advantages_and_normalizers_are_those_of_all_worlds(rollout: Rollout):
    torch.manual_seed(0)
    untrained = Critic(1, (16,))

    def computed(distributed: Distributed) -> tuple[torch.Tensor, Critic]:
        critic, mine = copy.deepcopy(untrained), share(rollout, distributed)
        return compute_returns(critic, mine, mine.task_reward, PpoConfig(), distributed, critic_sees_noise=False)[
            0
        ], critic

    advantages, critic = computed(Distributed())
    (first, _), (second, _) = both = in_two_processes(computed)
    torch.testing.assert_close(torch.cat([first, second], 1), advantages)
    for _, other in both:
        for name, value in critic.state_dict().items():
            torch.testing.assert_close(other.state_dict()[name], value)


def test_the_policy_becomes_the_same(rollout: Rollout):
    """With as many minibatches of as many worlds: here all of them. One process has no step that did not diverge."""
    torch.manual_seed(1)
    untrained = RecurrentPolicy(1, 1, 1, image_size=20)
    untrained_noise = noise(-0.3, correlation=0.5)
    advantages = torch.randn(STEPS, WORLDS, generator=torch.Generator().manual_seed(1))
    spoilt = dataclasses.replace(rollout, diverged=rollout.diverged.clone())
    spoilt.diverged[:, :3] = True
    for each in (rollout, spoilt):

        def updated(distributed: Distributed, each: Rollout = each) -> tuple[torch.Tensor, dict[str, float]]:
            policy, own_noise = copy.deepcopy(untrained), copy.deepcopy(untrained_noise)
            networks = torch.nn.ModuleList([policy, own_noise])
            optimizer = torch.optim.SGD(networks.parameters(), 0.01)
            mine = advantages
            if distributed.world_size > 1:
                mine = advantages[:, :3] if distributed.is_main else advantages[:, 3:]
            config = PpoConfig(num_minibatches=1, num_epochs=2, entropy_coef=0.1)
            told = update_policy(
                policy,
                own_noise,
                optimizer,
                share(each, distributed),
                mine,
                config,
                AdaptiveKl(1e-4),
                distributed,
                torch.Generator(),
            )
            return torch.nn.utils.parameters_to_vector(networks.parameters()).detach(), vars(told)

        weights, told = updated(Distributed())
        for found, other in in_two_processes(updated):
            torch.testing.assert_close(found, weights, rtol=1e-4, atol=1e-6)
            assert other == pytest.approx(told, rel=1e-3)


def test_the_imitation_reward_is_centred_over_all_worlds(rollout: Rollout):
    shown, config = [push(0.8, [0.5, 0.2, -0.1])], ImitationConfig(weight=1.0, batch_size=16)
    untrained = GailReward(Bead(), shown, config, Distributed()).state_dict()

    def rewarded(distributed: Distributed) -> tuple[torch.Tensor, GailReward, dict[str, float]]:
        gail = GailReward(Bead(), shown, config, distributed)
        gail.load_state_dict(untrained)
        mine = share(rollout, distributed)
        reward, _, told = gail.reward(mine, torch.Generator().manual_seed(distributed.rank))
        return reward[~mine.diverged], gail, told

    (first, one, told), (second, other, others) = in_two_processes(rewarded)
    assert told == others
    assert torch.cat([first, second]).mean().item() == pytest.approx(0, abs=1e-5)
    assert abs(first.mean().item()) > 1e-3
    for name, value in one.discriminator.state_dict().items():
        assert torch.equal(other.discriminator.state_dict()[name], value)
    _, alone, _ = rewarded(Distributed())
    for name in ("mean", "m2", "count"):
        merged, whole = (getattr(each.discriminator.normalizer, name) for each in (one, alone))
        torch.testing.assert_close(merged, whole)


def test_the_critics_gradient_is_the_mean_of_both(rollout: Rollout):
    """Each takes steps of its own; with as many steps and one minibatch that is what one process finds."""
    states = rollout.privileged.flatten(0, 1)
    returns = torch.randn(len(states), generator=torch.Generator().manual_seed(1))

    torch.manual_seed(0)
    untrained = Critic(1, (16,))

    def updated(distributed: Distributed) -> tuple[torch.Tensor, float]:
        critic = copy.deepcopy(untrained)
        optimizer = torch.optim.SGD(critic.parameters(), 0.1)
        mine = slice(distributed.rank, None, distributed.world_size)
        config = CriticConfig(num_epochs=1, num_minibatches=1)
        loss = update_critic(critic, optimizer, states[mine], returns[mine], config, distributed, torch.Generator())
        return torch.nn.utils.parameters_to_vector(critic.parameters()).detach(), loss

    weights, loss = updated(Distributed())
    for found, other in in_two_processes(updated):
        torch.testing.assert_close(found, weights)
        assert other == pytest.approx(loss)


def test_the_vision_layers_gradient_is_the_mean_of_both(rollout: Rollout):
    """Each is given images of its own, as many as the other one."""
    torch.manual_seed(0)
    untrained = RecurrentPolicy(1, 1, 1, image_size=20)
    images, objects = rollout.images.flatten(0, 1)[:12], rollout.keypoints.flatten(0, 1)[:12]

    def updated(distributed: Distributed) -> tuple[torch.Tensor, float]:
        policy, mine = copy.deepcopy(untrained), slice(distributed.rank, None, distributed.world_size)
        distance = AuxiliaryTask(policy, AuxiliaryConfig(), distributed).update(images[mine], objects[mine], 0.0)
        gradients = [parameter.grad for parameter in policy.parameters() if parameter.grad is not None]
        return torch.nn.utils.parameters_to_vector(gradients), distance

    gradient, _ = updated(Distributed())
    (first, one), (second, other) = in_two_processes(updated)
    for found in (first, second):
        torch.testing.assert_close(found, gradient, rtol=1e-4, atol=1e-5)
    with torch.no_grad():
        halves = [
            object_position_loss(untrained, untrained.encode_images(images[i::2]), objects[i::2])[1].item()
            for i in range(2)
        ]
    assert one == other == pytest.approx(sum(halves) / 2)


def test_statistics_of_episodes_are_of_all_worlds(rollout: Rollout):
    def told(distributed: Distributed) -> dict[str, float]:
        mine = share(rollout, distributed)
        return EpisodeStatistics(Bead(), torch.ones(mine.dones.shape[1], dtype=torch.bool), distributed).update(
            mine, None
        )

    alone = told(Distributed())
    assert alone["task_return"] > 0
    for found in in_two_processes(told):
        assert found == pytest.approx(alone)
