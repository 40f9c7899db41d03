import numpy as np
import pytest
import torch
from gymnasium.wrappers.vector import RescaleAction
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecMonitor

from visuomotor.adapters.gymnasium import VisuomotorVectorEnv
from visuomotor.adapters.stable_baselines3 import StableBaselines3VecEnv
from visuomotor.errors import VisuomotorError

WORLDS = 2


@pytest.fixture
def env() -> StableBaselines3VecEnv:
    return StableBaselines3VecEnv(VisuomotorVectorEnv("lifting", WORLDS, image_size=36, autoreset_mode="NextStep"))


def test_its_ppo_trains_on_it(env):
    env.env.vec_env.episode_length_buf[:] = torch.tensor([0, 50])
    model = PPO("MultiInputPolicy", VecMonitor(env), n_steps=64, batch_size=64, n_epochs=1, seed=0)
    before = torch.cat([p.detach().flatten() for p in model.policy.parameters()])
    model.learn(256)
    after = torch.cat([p.detach().flatten() for p in model.policy.parameters()])
    assert model.num_timesteps == 256
    assert after.isfinite().all()
    assert not torch.equal(before, after)
    assert [episode["l"] for episode in model.ep_info_buffer] == [100, 100]
    assert list(model.ep_success_buffer) == [False, False]


def test_the_end_of_an_episode_as_it_wants_to_be_told(env):
    env.seed(3)
    env.reset()
    env.env.vec_env.episode_length_buf[1] = 99
    seen, rewards, dones, infos = env.step(np.full((WORLDS, 9), 0.5, dtype=np.float32))
    assert rewards.dtype == np.float32
    assert dones.tolist() == [False, True]
    assert [info["TimeLimit.truncated"] for info in infos] == [False, True]
    assert "terminal_observation" not in infos[0]
    assert not np.array_equal(infos[1]["terminal_observation"]["image"], seen["image"][1])
    env.env.vec_env.engine.field("qvel")[0, int(env.env.task.model.joint("block").dofadr[0])] = 1e12
    _, _, dones, infos = env.step(np.zeros((WORLDS, 9), dtype=np.float32))
    assert dones.tolist() == [True, False]
    assert infos[0]["TimeLimit.truncated"] is False


def test_success_is_that_of_the_state_an_episode_ended_in(env, monkeypatch):
    env.reset()
    env.env.vec_env.episode_length_buf[1] = 99
    monkeypatch.setattr(
        env.env.task, "success", lambda stage: torch.tensor([env.env.vec_env.episode_length_buf[1] > 0] * 2)
    )
    infos = env.step(np.zeros((WORLDS, 9), dtype=np.float32))[-1]
    assert infos[1]["is_success"] is True


def test_a_recorded_second_lasts_a_second(env):
    """Its video recorder reads the rate from the metadata."""
    assert env.metadata["render_fps"] == 20
    assert env.render_mode == "rgb_array"
    env.reset()
    assert np.array_equal(env.get_images(), env.env.render())
    assert np.array_equal(env.env_method("render", indices=1)[0], env.env.render()[1])


@pytest.mark.parametrize("given", ["lifting", None, VisuomotorVectorEnv])
def test_what_is_no_environment_is_refused(given):
    with pytest.raises(VisuomotorError, match=r"must be a VisuomotorVectorEnv, such as .*\(\"lifting\", 16\), not "):
        StableBaselines3VecEnv(given)


def test_seeds_repeat(env):
    images = []
    for seed in (3, 3, 4):
        env.seed(seed)
        images.append(env.reset()["image"])
    assert np.array_equal(images[0], images[1])
    assert not np.array_equal(images[0], images[2])


def test_single_worlds_cannot_be_changed(env):
    with pytest.raises(VisuomotorError, match="'speed'"):
        env.set_attr("speed", 2)
    with pytest.raises(VisuomotorError, match="no method 'reset'"):
        env.env_method("reset")
    assert env.get_attr("num_envs") == [WORLDS] * WORLDS
    assert env.get_attr("num_envs", indices=[1]) == [WORLDS]
    assert not env.has_attr("speed")
    assert env.env_is_wrapped(object) == [False] * WORLDS


def test_options_of_a_reset_are_refused(env):
    env.set_options({"reset_mask": [True]})
    with pytest.raises(VisuomotorError, match="no options for a reset, such as 'reset_mask'"):
        env.reset()
    env.reset()


def test_a_wrapper_of_gymnasium_ends_episodes_as_the_environment_does():
    worlds = VisuomotorVectorEnv("lifting", WORLDS, observations="privileged", max_episode_steps=2)
    env = StableBaselines3VecEnv(RescaleAction(worlds, -2.0, 2.0))
    assert env.render_mode == "rgb_array"
    env.reset()
    for _ in range(2):
        _, _, dones, infos = env.step(np.zeros((WORLDS, 9), np.float32))
    assert dones.all()
    assert len(infos[0]["terminal_observation"]) == worlds.single_observation_space.shape[0]


@pytest.mark.parametrize("mode", ["NextStep", "Disabled"])
def test_a_wrapper_around_another_mode_is_refused(mode):
    worlds = VisuomotorVectorEnv("lifting", WORLDS, observations="privileged", autoreset_mode=mode)
    with pytest.raises(VisuomotorError, match=f"has the autoreset mode {mode}, and stable-baselines3 needs SameStep"):
        StableBaselines3VecEnv(RescaleAction(worlds, -2.0, 2.0))
    assert worlds.autoreset_mode.value == mode
