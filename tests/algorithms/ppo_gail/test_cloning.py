"""Behaviour cloning: every image and reading goes with the action that was taken there."""

from collections.abc import Sequence

import pytest
import torch
from bead_task import Bead, moved, position_in, push

from visuomotor.demos import Episode
from visuomotor.demos.replay import Replay
from visuomotor.policies.recurrent_policy import RecurrentPolicy
from visuomotor.ppo_gail.cloning import Cloning
from visuomotor.ppo_gail.config import CloningConfig
from visuomotor.runs.ranks import Ranks

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

    def see(self, images):
        self.images = images
        return super().see(images)

    def unroll(self, features, proprioception, state, starts):
        unrolled = super().unroll(features, proprioception, state, starts)
        self.readings, self.state, self.starts, self.mean = proprioception, state, starts, unrolled.mean
        return unrolled


def cloning(episodes: Sequence[Episode], vary: bool = False, **settings: float) -> Cloning:
    config = CloningConfig(**settings)  # pyright: ignore[reportArgumentType]
    return Cloning(Bead(), episodes, config, 32, 3, vary, torch.Generator().manual_seed(0))


def watched(learning_rate: float) -> tuple[Watched, torch.optim.Optimizer]:
    torch.manual_seed(0)
    policy = Watched(1, 1, 1, image_size=32)
    return policy, torch.optim.Adam(policy.parameters(), learning_rate)


def test_images_readings_and_actions_are_of_the_same_step(episodes: list[Episode]):
    policy, optimiser = watched(0.0)
    teacher = cloning(episodes, batch=6, renderings=1)
    error = teacher.update(policy, optimiser, torch.Generator().manual_seed(0), Ranks())
    assert not policy.starts.any()
    assert not policy.state.any()
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
    policy, optimiser = watched(2e-3)
    teacher = cloning(episodes, batch=4, renderings=1, auxiliary_weight=1.0)
    generator = torch.Generator().manual_seed(0)
    for _ in range(250):
        last = teacher.update(policy, optimiser, generator, Ranks())
    assert last < 0.01
    for episode, (start, actions) in zip(episodes, ACTIONS.items(), strict=True):
        images = Replay(Bead(), 32, 3).images(episode)[: len(actions)]
        with torch.no_grad():
            features = policy.see(images)
            mean = policy.unroll(
                features[:, None],
                positions(start)[:, None, None] + 1,
                policy.initial_state(1),
                torch.zeros(len(actions), 1, dtype=torch.bool),
            ).mean
        torch.testing.assert_close(mean[:, 0, 0], torch.tensor(actions), atol=0.2, rtol=0)
        torch.testing.assert_close(policy.locate(features)[:, 0, 0], positions(start), atol=0.1, rtol=0)


@pytest.mark.parametrize("vary", [True, False])
def test_every_rendering_has_looks_of_its_own(episodes: list[Episode], vary: bool):
    policy, optimiser = watched(0.0)
    teacher = cloning(episodes, vary=vary, batch=40, renderings=3)
    teacher.update(policy, optimiser, torch.Generator().manual_seed(0), Ranks())
    colors = policy.images[:4].amax((2, 3))
    assert (colors == colors[:1]).all()  # the same all along an episode
    assert len(colors[0].unique(dim=0)) == (3 * len(episodes) if vary else 1)
