import sys

import numpy as np
import pytest
import torch
from gymnasium.utils import env_checker
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers.vector import RecordEpisodeStatistics

from visuomotor.adapters.gymnasium import VisuomotorVectorEnv
from visuomotor.errors import VisuomotorError
from visuomotor.tasks.jaco.lifting import Lifting
from visuomotor.tasks.pr2.hanger import Hanger

WORLDS = 3


def make(**arguments) -> VisuomotorVectorEnv:
    return VisuomotorVectorEnv("lifting", WORLDS, **({"image_size": 36} | arguments))


@pytest.fixture
def env() -> VisuomotorVectorEnv:
    return make()


def still() -> np.ndarray:
    return np.zeros((WORLDS, 9), dtype=np.float32)


def before_the_end(env: VisuomotorVectorEnv) -> None:
    """Leave the episodes one step from their time limit, world 2 two steps."""
    env.reset(seed=0)
    env.vec_env.episode_length[:] = torch.tensor([99, 99, 98])


@pytest.mark.parametrize("observations", [("image", "proprioception"), ("privileged",), ("image", "privileged")])
def test_observations_lie_in_their_spaces(observations):
    env = make(observations=observations)
    assert set(env.single_observation_space.spaces) == set(observations)
    env.action_space.seed(0)
    seen, _ = env.reset(seed=1)
    assert seen in env.observation_space
    for _ in range(3):
        seen, rewards, terminations, truncations, _ = env.step(env.action_space.sample())
        assert seen in env.observation_space
    assert (rewards.dtype, terminations.dtype, truncations.dtype) == (np.float64, np.bool_, np.bool_)
    assert rewards.shape == terminations.shape == truncations.shape == (WORLDS,)


def test_gymnasiums_own_checks_of_reset(env):
    """Its other checks want the scalars of a single environment."""
    env_checker.check_reset_return_type(env)
    env_checker.check_reset_seed_determinism(env)


def test_the_same_seed_and_actions_give_the_same_episodes(env):
    seen = []
    for each in (env, make(seed=5)):
        each.reset(seed=7)
        each.vec_env.episode_length[0] = 98
        each.action_space.seed(0)
        seen.append([each.step(each.action_space.sample())[:4] for _ in range(4)])
    assert env_checker.data_equivalence(*seen, exact=True)


def test_what_was_returned_is_never_written_again(env):
    first, _ = env.reset(seed=0)
    kept = {name: value.copy() for name, value in first.items()}
    for _ in range(3):
        env.step(np.ones((WORLDS, 9), dtype=np.float32))
    assert all(np.array_equal(value, kept[name]) for name, value in first.items())


def test_the_seed_of_the_constructor_counts_too():
    first, same, other = (make(seed=seed).reset()[0]["image"] for seed in (0, 0, 1))
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)


def test_the_time_limit_truncates_and_tells_the_end_within_the_step(env):
    """Against a twin whose time is not up: it shows the states that the episodes ended in."""
    assert env.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    twin = make()
    before_the_end(env)
    before_the_end(twin)
    twin.vec_env.episode_length[:] = 0
    actions = np.full((WORLDS, 9), 0.5, dtype=np.float32)
    expected = twin.step(actions)
    seen, _, terminations, truncations, infos = env.step(actions)
    assert truncations.tolist() == [True, True, False]
    assert not terminations.any()
    assert infos["_final_obs"].tolist() == infos["_final_info"].tolist() == [True, True, False]
    assert infos["final_obs"][2] is None
    for name in ("image", "proprioception"):
        for world in (0, 1):
            assert np.array_equal(infos["final_obs"][world][name], expected[0][name][world])
            assert not np.array_equal(seen[name][world], expected[0][name][world])
        assert np.array_equal(seen[name][2], expected[0][name][2])
    assert set(infos["final_info"]) == {"stage", "_stage", "success", "_success"}
    assert env.vec_env.episode_length.tolist() == [0, 0, 99]


def test_stage_and_success_are_of_the_final_state(env, monkeypatch):
    before_the_end(env)
    before, after = torch.tensor([2, 1, 2]), torch.tensor([0, 0, 2])
    monkeypatch.setattr(env.task, "stage", lambda engine: after if env.vec_env.episode_length.eq(0).any() else before)
    _, rewards, _, _, infos = env.step(still())
    assert rewards.tolist() == [1.0, 0.125, 1.0]
    assert infos["final_info"]["stage"].tolist() == [2, 1, 0]
    assert infos["final_info"]["success"].tolist() == [True, False, False]
    assert infos["stage"].tolist() == [0, 0, 2]
    assert infos["success"].tolist() == [False, False, True]


def test_a_world_that_blows_up_is_terminated(env):
    env.reset(seed=0)
    env.vec_env.engine.field("qvel")[1, int(env.task.model.joint("block").dofadr[0])] = 1e12
    seen, rewards, terminations, truncations, infos = env.step(still())
    assert terminations.tolist() == [False, True, False]
    assert not truncations.any()
    assert rewards[1] == 0
    assert infos["_final_obs"].tolist() == [False, True, False]
    assert seen in env.observation_space


def test_gymnasiums_wrappers_see_whole_episodes(env):
    wrapped = RecordEpisodeStatistics(env)
    wrapped.reset(seed=0)
    lengths = []
    for _ in range(env.task.max_episode_steps):
        infos = wrapped.step(still())[-1]
        if "final_info" in infos:
            lengths += infos["final_info"].get("episode", infos.get("episode"))["l"].tolist()
    assert lengths == [env.task.max_episode_steps] * WORLDS


def test_every_world_is_rendered(env):
    seen, _ = env.reset(seed=0)
    assert np.array_equal(np.stack(env.render()), seen["image"])


def test_mistakes_are_told(env):
    with pytest.raises(VisuomotorError, match="no observation 'images'; choose one of: image, privileged"):
        make(observations=["images"])
    with pytest.raises(VisuomotorError, match="no task 'hangar'"):
        VisuomotorVectorEnv("hangar", 2)
    with pytest.raises(VisuomotorError, match=r"shape \(3, 9\), not \(9,\)"):
        env.step(np.zeros(9, dtype=np.float32))


class Mine(Lifting):
    """A task of a user's own."""

    name = "mine"
    max_episode_steps = 2


@pytest.mark.parametrize("task", ["hanger", Hanger(), Mine()], ids=["name", "object", "own"])
def test_any_task_by_name_or_object(task):
    env = VisuomotorVectorEnv(task, 2, image_size=32, observations=("image", "privileged"))
    seen, infos = env.reset(seed=0)
    assert seen in env.observation_space
    assert infos["stage"].tolist() == [0, 0]
    seen, rewards, _, _, _ = env.step(np.zeros(env.action_space.shape, dtype=np.float32))
    assert seen in env.observation_space
    assert rewards.tolist() == [0.0, 0.0]
    if isinstance(task, Mine):
        assert env.task is task
        assert env.step(np.zeros((2, 9), dtype=np.float32))[3].tolist() == [True, True]


def test_without_randomization_worlds_look_alike():
    plain = make(randomize=False)
    params = plain.vec_env.params
    for rows in (params.dynamics, params.appearance):
        for value in rows.values():
            assert torch.equal(value, value[:1].expand_as(value))
    varied = make().vec_env.params.dynamics
    assert not all(torch.equal(value, value[:1].expand_as(value)) for value in varied.values())


def test_a_missing_gymnasium_is_named_with_the_extra(monkeypatch):
    monkeypatch.delitem(sys.modules, "visuomotor.adapters.gymnasium")
    monkeypatch.setitem(sys.modules, "gymnasium.spaces", None)
    with pytest.raises(VisuomotorError, match=r"pip install 'visuomotor\[gym\]'"):
        import visuomotor.adapters.gymnasium  # noqa: F401
