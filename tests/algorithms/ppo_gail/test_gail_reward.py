"""The imitation reward of rollouts, its formulas, and its blend with the task's reward."""

import dataclasses
import math

import pytest
import torch
from bead_task import Bead, moved, noise, push

from visuomotor.algorithms.ppo_gail.config import ImitationConfig
from visuomotor.algorithms.ppo_gail.expert_data import expert_actions, expert_features
from visuomotor.algorithms.ppo_gail.gail_reward import GailReward, hybrid_reward, imitation_reward
from visuomotor.algorithms.ppo_gail.rollout import Collector, Rollout
from visuomotor.errors import VisuomotorError
from visuomotor.policies.recurrent_policy import RecurrentPolicy
from visuomotor.runs.distributed import Distributed
from visuomotor.tasks import VecEnv

ACTIONS = [0.5, -0.2, 0.4, 0.1, -0.3]
SHOWN = [push(0.8, ACTIONS), push(1.0, ACTIONS[::-1])]


@pytest.fixture
def rollout() -> Rollout:
    """Five steps of eight worlds. Episodes begin to the left of 0.3 m, and nobody comes to the demonstrations."""
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    env = VecEnv(Bead(), 8, generator, image_size=20)
    return Collector(env, RecurrentPolicy(1, 1, 1, image_size=20), noise(-1.0), 5, generator).collect()[0]


def gail_reward(**settings: object) -> GailReward:
    torch.manual_seed(0)
    config = ImitationConfig(**{"batch_size": 64, "num_updates": 20, "learning_rate": 1e-2} | settings)  # pyright: ignore[reportArgumentType]
    return GailReward(Bead(), SHOWN, config, Distributed())


def test_expert_features_and_actions_are_of_the_same_steps():
    expected = []
    for start, actions in ((0.8, ACTIONS), (1.0, ACTIONS[::-1])):
        position = torch.tensor(start)
        for action in actions:
            expected.append([position.item(), action])
            position = moved(position, torch.tensor(action))
    positions, actions = torch.tensor(expected).unbind(1)
    torch.testing.assert_close(expert_features(Bead(), SHOWN)[:, 0], positions + 3, atol=1e-5, rtol=0)
    torch.testing.assert_close(expert_features(Bead(), SHOWN, True)[:, 0], positions + 2, atol=1e-5, rtol=0)
    assert torch.equal(torch.cat(expert_actions(SHOWN))[:, 0], actions)


@pytest.mark.parametrize("reward_type", ["gail", "airl"])
@pytest.mark.parametrize("features", ["object-centric", "privileged"])
def test_what_looks_like_the_demonstrations_is_rewarded(rollout: Rollout, reward_type: str, features: str):
    gail = gail_reward(reward_type=reward_type, features=features, weight=1.0)
    generator = torch.Generator().manual_seed(0)
    for _ in range(5):
        _, _, told = gail.reward(rollout, generator)
    assert told["discriminator_mean/demo"] > 0.6 > 0.4 > told["discriminator_mean/policy"]
    right = rollout.object_features.clone(), rollout.privileged.clone()
    for rows, offset in zip(right, (3, 2), strict=True):
        rows[:, ::2] = 0.9 + offset
    mixed = dataclasses.replace(rollout, object_features=right[0], privileged=right[1])
    hybrid, reward, _ = gail.reward(mixed, generator)
    assert reward is not None
    for rewards in (hybrid, reward):
        assert rewards[:, ::2].min() > rewards[:, 1::2].max()


def test_actions_can_be_what_is_imitated(rollout: Rollout):
    """Everyone is where the demonstrations are; half act as they do, and beyond the limits an action counts as 1."""
    gail = gail_reward(actions=True, weight=1.0)
    generator = torch.Generator().manual_seed(0)
    features = expert_features(Bead(), SHOWN)
    places = torch.randint(len(features), (5, 8), generator=generator)
    actions = torch.cat(expert_actions(SHOWN))[places]
    far = dataclasses.replace(rollout, object_features=features[places], actions=torch.full_like(actions, -1.0))
    for _ in range(5):
        gail.reward(far, generator)
    actions[:, 1::2] = -1.0
    _, reward, _ = gail.reward(dataclasses.replace(far, actions=actions), generator)
    assert reward is not None
    assert reward[:, ::2].min() > reward[:, 1::2].max()
    rewards = [
        gail_reward(actions=True).reward(dataclasses.replace(far, actions=torch.full_like(actions, value)), seeded())[0]
        for value in (-1.0, -5.0)
    ]
    assert torch.equal(*rewards)


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_the_hybrid_is_the_blend_of_the_equation(rollout: Rollout):
    task = torch.rand(5, 8, generator=seeded())
    hybrid, reward, _ = gail_reward(weight=0.3).reward(dataclasses.replace(rollout, task_reward=task), seeded())
    assert reward is not None
    torch.testing.assert_close(hybrid, 0.3 * (reward - reward.mean()) + 0.7 * task)


def test_nothing_is_learned_from_diverged_steps(rollout: Rollout):
    """Neither the discriminator nor the mean that is subtracted depends on the features of such steps."""
    found = []
    for garbage in (0.0, 100.0):
        diverged = torch.zeros(5, 8, dtype=torch.bool)
        diverged[2, ::2] = True
        features = torch.where(diverged[..., None], garbage, rollout.object_features)
        spoilt = dataclasses.replace(rollout, object_features=features, diverged=diverged)
        gail = gail_reward(weight=1.0)
        hybrid, _, told = gail.reward(spoilt, seeded())
        found.append((hybrid[~diverged], told))
        torch.testing.assert_close(hybrid[~diverged].mean(), torch.tensor(0.0), atol=1e-5, rtol=0)
    assert torch.equal(found[0][0], found[1][0])
    assert found[0][1] == found[1][1]


LOGITS = torch.linspace(-8, 8, 33)


def test_both_types_are_those_of_the_probability():
    d = LOGITS.double().sigmoid()
    for reward_type, expected in (("gail", -(1 - d).log()), ("airl", d.log() - (1 - d).log())):
        torch.testing.assert_close(imitation_reward(LOGITS, reward_type).double(), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("reward_type", "low", "high"), [("gail", 0, 10), ("airl", -10, 10)])
def test_huge_logits_give_the_bounds(reward_type, low, high):
    assert imitation_reward(torch.tensor([-1e30, -1e3, 1e3, 1e30]), reward_type).tolist() == [low, low, high, high]


def test_the_clip_of_the_paper_is_at_its_probability():
    logit = math.log(math.expm1(10))  # where D = 1 - exp(-10), 0.99995460
    rewards = imitation_reward(torch.tensor([logit - 0.01, logit + 0.01]))
    assert rewards[0] < 10
    assert rewards[1] == 10
    assert imitation_reward(torch.tensor([5.0]), clip=2).item() == 2


def test_small_probabilities_are_not_rounded_to_nothing():
    assert imitation_reward(torch.tensor([-30.0])).item() == pytest.approx(math.exp(-30), rel=1e-5)


def test_unknown_types_are_refused():
    with pytest.raises(VisuomotorError, match=r"gail.*airl|airl.*gail"):
        imitation_reward(LOGITS, "wgan")


def test_the_blend():
    task, imitation = torch.tensor([1.0, 2.0]), torch.tensor([10.0, 0.0])
    torch.testing.assert_close(hybrid_reward(task, imitation, 0.3), torch.tensor([3.7, 1.4]))


def test_at_the_ends_the_other_reward_does_not_matter():
    good, bad = torch.tensor([1.0, 2.0]), torch.tensor([torch.nan, torch.inf])
    assert torch.equal(hybrid_reward(good, bad, 0), good)
    assert torch.equal(hybrid_reward(bad, good, 1), good)


@pytest.mark.parametrize("weight", [-0.01, 1.01, math.nan, math.inf])
def test_weights_that_make_no_sense_are_refused(weight):
    with pytest.raises(VisuomotorError, match=r"between 0 .* and 1"):
        hybrid_reward(LOGITS, LOGITS, weight)
