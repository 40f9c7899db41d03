"""The imitation reward of rollouts: what looks like the demonstrations is rewarded; blow-ups teach nothing."""

import dataclasses

import pytest
import torch
from bead_task import Bead, moved, push

from visuomotor.policies.recurrent_policy import RecurrentPolicy
from visuomotor.ppo_gail.config import ImitationConfig
from visuomotor.ppo_gail.demonstrated import demonstrated_actions, demonstrated_features
from visuomotor.ppo_gail.imitation import Imitation
from visuomotor.ppo_gail.rollout import Collector, Rollout
from visuomotor.runs.ranks import Ranks
from visuomotor.tasks import Episodes

ACTIONS = [0.5, -0.2, 0.4, 0.1, -0.3]
SHOWN = [push(0.8, ACTIONS), push(1.0, ACTIONS[::-1])]


@pytest.fixture
def rollout() -> Rollout:
    """Five steps of eight worlds. Episodes begin to the left of 0.3 m, and nobody comes to the demonstrations."""
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    episodes = Episodes(Bead(), 8, generator, image_size=20)
    return Collector(episodes, RecurrentPolicy(1, 1, 1, image_size=20), 5, generator).collect()[0]


def imitation(**settings: object) -> Imitation:
    torch.manual_seed(0)
    config = ImitationConfig(**{"batch": 64, "updates": 20, "learning_rate": 1e-2} | settings)  # pyright: ignore[reportArgumentType]
    return Imitation(Bead(), SHOWN, config, Ranks())


def test_demonstrated_features_and_actions_are_of_the_same_steps():
    expected = []
    for start, actions in ((0.8, ACTIONS), (1.0, ACTIONS[::-1])):
        position = torch.tensor(start)
        for action in actions:
            expected.append([position.item(), action])
            position = moved(position, torch.tensor(action))
    positions, actions = torch.tensor(expected).unbind(1)
    torch.testing.assert_close(demonstrated_features(Bead(), SHOWN)[:, 0], positions + 3, atol=1e-5, rtol=0)
    torch.testing.assert_close(demonstrated_features(Bead(), SHOWN, True)[:, 0], positions + 2, atol=1e-5, rtol=0)
    assert torch.equal(torch.cat(demonstrated_actions(SHOWN))[:, 0], actions)


@pytest.mark.parametrize("form", ["gail", "airl", "negative"])
@pytest.mark.parametrize("features", ["object-centric", "privileged"])
def test_what_looks_like_the_demonstrations_is_rewarded(rollout: Rollout, form: str, features: str):
    teacher = imitation(form=form, features=features, weight=1.0)
    generator = torch.Generator().manual_seed(0)
    for _ in range(5):
        _, _, told = teacher.reward(rollout, generator)
    assert told["discriminator_demonstration_mean"] > 0.6 > 0.4 > told["discriminator_policy_mean"]
    right = rollout.features.clone(), rollout.privileged.clone()
    for rows, offset in zip(right, (3, 2), strict=True):
        rows[:, ::2] = 0.9 + offset
    mixed = dataclasses.replace(rollout, features=right[0], privileged=right[1])
    hybrid, reward, _ = teacher.reward(mixed, generator)
    assert reward is not None
    for rewards in (hybrid, reward):
        assert rewards[:, ::2].min() > rewards[:, 1::2].max()


def test_actions_can_be_what_is_imitated(rollout: Rollout):
    """Everyone is where the demonstrations are; half act as they do, and beyond the limits an action counts as 1."""
    teacher = imitation(actions=True, weight=1.0)
    generator = torch.Generator().manual_seed(0)
    features = demonstrated_features(Bead(), SHOWN)
    places = torch.randint(len(features), (5, 8), generator=generator)
    actions = torch.cat(demonstrated_actions(SHOWN))[places]
    far = dataclasses.replace(rollout, features=features[places], actions=torch.full_like(actions, -1.0))
    for _ in range(5):
        teacher.reward(far, generator)
    actions[:, 1::2] = -1.0
    _, reward, _ = teacher.reward(dataclasses.replace(far, actions=actions), generator)
    assert reward is not None
    assert reward[:, ::2].min() > reward[:, 1::2].max()
    rewards = [
        imitation(actions=True).reward(dataclasses.replace(far, actions=torch.full_like(actions, value)), seeded())[0]
        for value in (-1.0, -5.0)
    ]
    assert torch.equal(*rewards)


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_the_hybrid_is_the_blend_of_the_equation(rollout: Rollout):
    task = torch.rand(5, 8, generator=seeded())
    hybrid, reward, _ = imitation(weight=0.3).reward(dataclasses.replace(rollout, task_reward=task), seeded())
    assert reward is not None
    torch.testing.assert_close(hybrid, 0.3 * (reward - reward.mean()) + 0.7 * task)


def test_nothing_is_learned_of_blow_ups(rollout: Rollout):
    """Neither the discriminator nor the mean that is subtracted depends on the features of such steps."""
    found = []
    for garbage in (0.0, 100.0):
        diverged = torch.zeros(5, 8, dtype=torch.bool)
        diverged[2, ::2] = True
        features = torch.where(diverged[..., None], garbage, rollout.features)
        spoilt = dataclasses.replace(rollout, features=features, diverged=diverged)
        teacher = imitation(weight=1.0)
        hybrid, _, told = teacher.reward(spoilt, seeded())
        found.append((hybrid[~diverged], told))
        torch.testing.assert_close(hybrid[~diverged].mean(), torch.tensor(0.0), atol=1e-5, rtol=0)
    assert torch.equal(found[0][0], found[1][0])
    assert found[0][1] == found[1][1]
