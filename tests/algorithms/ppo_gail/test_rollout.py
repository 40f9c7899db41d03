"""Rollouts of a task whose every reading follows from one position: each row is of one state and its one action."""

import pytest
import torch
from bead_task import Bead, moved, noise, position_in, push, stage_at

from visuomotor.algorithms.ppo_gail.curriculum import Curriculum
from visuomotor.algorithms.ppo_gail.rollout import Collector, Rollout
from visuomotor.engine import Engine
from visuomotor.policies.recurrent_policy import RecurrentPolicy
from visuomotor.tasks import VecEnv

WORLDS, STEPS = 6, 20


def collector(task: Bead, initial_states: Curriculum | None = None) -> Collector:
    generator = torch.Generator().manual_seed(0)
    env = VecEnv(
        task,
        WORLDS,
        generator,
        image_size=32,
        supersampling=3,
        initial_states=initial_states,
        init_at_random_ep_len=initial_states is None,
    )
    torch.manual_seed(0)
    policy = RecurrentPolicy(1, 1, 1, image_size=32)
    return Collector(env, policy, noise(correlation=0.5), STEPS, generator, rerandomize=True)


@pytest.fixture(scope="module")
def rollouts() -> list[Rollout]:
    """Two in a row, without their images, which are one buffer's."""
    collecting = collector(Bead())
    return [collecting.collect()[0] for _ in range(2)]


@pytest.fixture(scope="module")
def rollout(rollouts: list[Rollout]) -> Rollout:
    return rollouts[-1]


def test_every_row_is_of_one_state(rollout: Rollout):
    position = rollout.keypoints[..., 0, 0]
    for reading, offset in ((rollout.proprioception, 1), (rollout.privileged, 2), (rollout.object_features, 3)):
        torch.testing.assert_close(reading[..., 0] - offset, position, atol=1e-5, rtol=0)
    assert torch.equal(rollout.stage, stage_at(position))
    assert rollout.rerandomized_images is not None
    for images in (rollout.images, rollout.rerandomized_images):
        torch.testing.assert_close(position_in(images), position, atol=0.02, rtol=0)
    assert (position.diff(dim=0).abs() > 0.05).float().mean() > 0.5  # of another step they would differ


def test_an_episode_has_one_appearance_and_every_rerandomized_image_its_own(rollout: Rollout):
    assert rollout.rerandomized_images is not None
    colors = rollout.images.amax((2, 3)).int()
    others = rollout.rerandomized_images.amax((2, 3)).int()
    going_on = ~rollout.episode_starts[1:]
    assert torch.equal((colors[1:] == colors[:-1]).all(-1), going_on)
    assert (others[1:] != others[:-1]).any(-1).all()
    assert (others != colors).any(-1).all()


def test_every_step_leads_where_its_action_says(rollouts: list[Rollout]):
    for rollout in rollouts:
        position, reached = rollout.privileged[..., 0] - 2, rollout.next_privileged[..., 0] - 2
        torch.testing.assert_close(reached, moved(position, rollout.actions[..., 0]), atol=1e-5, rtol=0)
        assert torch.equal(rollout.next_stage, stage_at(reached))
        rewards = torch.tensor(Bead.stage_rewards)
        assert torch.equal(rollout.task_reward, rewards[stage_at(reached)])
        assert len(rollout.task_reward.unique()) == 3
        assert not rollout.diverged.any()


def test_rows_of_rollouts_follow_each_other(rollouts: list[Rollout]):
    """Within an episode a step begins where the last one led; an episode begins in the task's starts."""
    first, second = rollouts
    assert first.episode_starts[0].all()
    privileged = torch.cat([first.privileged, second.privileged])
    reached = torch.cat([first.next_privileged, second.next_privileged])[:-1]
    ended = torch.cat([first.dones, second.dones])[:-1]
    assert torch.equal(torch.cat([first.episode_starts, second.episode_starts])[1:], ended)
    assert torch.equal(privileged[1:][~ended], reached[~ended])
    assert (privileged[1:][ended] != reached[ended]).all()
    assert ((privileged[1:][ended] - 2 >= -0.5) & (privileged[1:][ended] - 2 <= 0.3)).all()
    assert torch.equal(second.privileged[0], first.bootstrap_privileged)
    # Every episode but a world's first one lasts twelve steps.
    for world in range(WORLDS):
        assert set(ended[:, world].nonzero()[:, 0].diff().tolist()) == {Bead.max_episode_steps}


class Fragile(Bead):
    """World 2 diverges in the fifth step."""

    taken = 0

    def velocity(self, engine: Engine, actions: torch.Tensor) -> torch.Tensor:
        self.taken += 1
        velocity = super().velocity(engine, actions)
        if self.taken == 5:
            velocity[2] = 1e12
        return velocity


def test_a_divergence_ends_an_episode():
    rollout, _ = collector(Fragile()).collect()
    expected = torch.zeros(STEPS, WORLDS, dtype=torch.bool)
    expected[4, 2] = True
    assert torch.equal(rollout.diverged, expected)
    assert rollout.dones[4, 2]
    assert rollout.episode_starts[5, 2]
    assert rollout.task_reward[4, 2] == 0
    assert rollout.privileged[4, 2] == rollout.next_privileged[3, 2]  # the state that it began in is finite


def test_random_starts_are_told_from_demonstrated_ones():
    """Demonstrations begin where no random start is."""
    shown = [push(0.6, [0.5] * 6), push(0.7, [0.5] * 6)]
    initial_states = Curriculum(
        shown, 3, random_start_fraction=0.5, max_episode_steps=4, random_episode_steps=Bead.max_episode_steps
    )
    rollout, _ = collector(Bead(), initial_states).collect()
    position = rollout.privileged[..., 0] - 2
    began_at_random = position < 0.5
    assert torch.equal(rollout.random_starts[rollout.episode_starts], began_at_random[rollout.episode_starts])
    going_on = ~rollout.episode_starts[1:]
    assert torch.equal(rollout.random_starts[1:][going_on], rollout.random_starts[:-1][going_on])
    assert 0 < rollout.random_starts[rollout.episode_starts].float().mean() < 1
