"""Behaviour cloning: every image and reading goes with the action that was taken there."""

from collections.abc import Sequence

import pytest
import torch
from bead_task import Bead, moved, position_in, push

from visuomotor.algorithms.ppo_gail.behavior_cloning import BehaviorCloning
from visuomotor.algorithms.ppo_gail.config import BehaviorCloningConfig
from visuomotor.demos import Episode
from visuomotor.demos.replay import StateReplay
from visuomotor.policies.recurrent_policy import RecurrentPolicy
from visuomotor.runs.distributed import Distributed

# No action is like its neighbours, and no two states of an episode are near each other.
ACTIONS = {-1.0: [0.9, 0.4, 1.0, -0.6, 0.7, 0.3, 0.8], 1.2: [-0.5, -1.0, 0.35, -0.8]}


@pytest.fixture(scope="module")
def episodes() -> list[Episode]:
    return [push(start, actions) for start, actions in ACTIONS.items()]


def positions(start: float) -> torch.Tensor:
    """Of the states in which something was done."""
    found = [torch.tensor(start)]
    for action in ACTIONS[start][:-1]:
        found.append(moved(found[-1], torch.tensor(action)))
    return torch.stack(found)


class Watched(RecurrentPolicy):
    """Keeps what it was given and what it made of it."""

    def encode_images(self, images):
        self.images = images
        return super().encode_images(images)

    def forward_sequence(self, features, proprioception, hidden_state, starts):
        sequence = super().forward_sequence(features, proprioception, hidden_state, starts)
        self.readings, self.hidden_state, self.starts, self.mean = proprioception, hidden_state, starts, sequence.mean
        return sequence


def cloning(episodes: Sequence[Episode], randomize: bool = False, **settings: float) -> BehaviorCloning:
    config = BehaviorCloningConfig(**settings)  # pyright: ignore[reportArgumentType]
    return BehaviorCloning(Bead(), episodes, config, 32, 3, randomize, torch.Generator().manual_seed(0))


def watched(learning_rate: float) -> tuple[Watched, torch.optim.Optimizer]:
    torch.manual_seed(0)
    policy = Watched(1, 1, 1, image_size=32)
    return policy, torch.optim.Adam(policy.parameters(), learning_rate)


def test_images_readings_and_actions_are_of_the_same_step(episodes: list[Episode]):
    policy, optimizer = watched(0.0)
    trained = cloning(episodes, batch_size=6, renders_per_demo=1)
    error = trained.update(policy, optimizer, torch.Generator().manual_seed(0), Distributed())
    assert not policy.starts.any()
    assert not policy.hidden_state.any()
    errors, begun = [], []
    for column in range(6):
        start = min(ACTIONS, key=lambda place: abs(place + 1 - policy.readings[0, column, 0].item()))
        begun.append(start)
        steps = len(ACTIONS[start])
        torch.testing.assert_close(policy.readings[:steps, column, 0] - 1, positions(start), atol=1e-5, rtol=0)
        torch.testing.assert_close(position_in(policy.images[:steps, column]), positions(start), atol=0.02, rtol=0)
        errors.append((policy.mean[:steps, column, 0] - torch.tensor(ACTIONS[start])).square())
    assert set(begun) == set(ACTIONS)
    # The mean over steps that there are: the shorter episodes' rows are filled up, and count for nothing.
    assert error == pytest.approx(torch.cat(errors).mean().item(), rel=1e-5)


def test_two_episodes_are_fitted(episodes: list[Episode]):
    policy, optimizer = watched(2e-3)
    trained = cloning(episodes, batch_size=4, renders_per_demo=1, auxiliary_weight=1.0)
    generator = torch.Generator().manual_seed(0)
    for _ in range(250):
        last = trained.update(policy, optimizer, generator, Distributed())
    assert last < 0.01
    for episode, (start, actions) in zip(episodes, ACTIONS.items(), strict=True):
        images = StateReplay(Bead(), 32, 3).images(episode)[: len(actions)]
        with torch.no_grad():
            features = policy.encode_images(images)
            mean = policy.forward_sequence(
                features[:, None],
                positions(start)[:, None, None] + 1,
                policy.initial_hidden_state(1),
                torch.zeros(len(actions), 1, dtype=torch.bool),
            ).mean
        torch.testing.assert_close(mean[:, 0, 0], torch.tensor(actions), atol=0.2, rtol=0)
        torch.testing.assert_close(policy.predict_keypoints(features)[:, 0, 0], positions(start), atol=0.1, rtol=0)


@pytest.mark.parametrize("randomize", [True, False])
def test_every_rendering_has_an_appearance_of_its_own(episodes: list[Episode], randomize: bool):
    policy, optimizer = watched(0.0)
    trained = cloning(episodes, randomize=randomize, batch_size=40, renders_per_demo=3)
    trained.update(policy, optimizer, torch.Generator().manual_seed(0), Distributed())
    colors = policy.images[:4].amax((2, 3))
    assert (colors == colors[:1]).all()  # the same all along an episode
    assert len(colors[0].unique(dim=0)) == (3 * len(episodes) if randomize else 1)
