"""All algorithms and wrappers of stable-baselines3 and sb3-contrib that take continuous actions run on our worlds."""

import tempfile
from pathlib import Path

import av
import gymnasium
import numpy as np
from sb3_contrib import ARS, TQC, TRPO, CrossQ, RecurrentPPO
from stable_baselines3 import A2C, DDPG, PPO, SAC, TD3
from stable_baselines3.common import vec_env as wrappers
from stable_baselines3.common.callbacks import EvalCallback
from stable_baselines3.common.env_checker import check_env
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy

from visuomotor.adapters.gymnasium import VisuomotorVectorEnv
from visuomotor.adapters.stable_baselines3 import StableBaselines3VecEnv

FOLDER = Path(tempfile.mkdtemp())


def make(num_envs: int = 2, **options) -> StableBaselines3VecEnv:
    return StableBaselines3VecEnv(VisuomotorVectorEnv("lifting", num_envs, image_size=36, **options))


def main() -> None:
    check_env(gymnasium.make("visuomotor/lifting-v0").unwrapped)
    small = {"n_steps": 64, "batch_size": 64}
    replay = {"buffer_size": 500, "learning_starts": 40, "train_freq": 20, "batch_size": 16}
    for algorithm, options in (
        (PPO, small | {"n_epochs": 1}),
        (A2C, {}),
        (TRPO, small),
        (SAC, replay),
        (TD3, replay),
        (DDPG, replay),
        (TQC, replay),
    ):
        model = algorithm("MultiInputPolicy", wrappers.VecMonitor(make()), seed=0, **options)
        model.learn(240)
        assert len(model.ep_success_buffer) == len(model.ep_info_buffer) == 2, algorithm
        print(algorithm.__name__, "runs")
    for algorithm, options in ((CrossQ, replay), (ARS, {"n_delta": 1, "n_eval_episodes": 2})):  # vectors only
        algorithm("MlpPolicy", wrappers.VecMonitor(make(observations="privileged")), seed=0, **options).learn(240)
        print(algorithm.__name__, "runs")
    RecurrentPPO("MultiInputLstmPolicy", make(), n_steps=32, batch_size=32, n_epochs=1).learn(64)

    model = PPO("CnnPolicy", wrappers.VecFrameStack(make(observations="image"), 3), **small)
    model.learn(128)
    model.save(FOLDER / "model")
    loaded = PPO.load(FOLDER / "model", env=wrappers.VecFrameStack(make(observations="image"), 3))
    loaded.learn(64)

    for wrap in (
        wrappers.VecNormalize,
        wrappers.VecTransposeImage,
        wrappers.VecCheckNan,
        wrappers.VecMonitor,
        lambda env: wrappers.VecExtractDictObs(env, "proprioception"),
    ):
        env = wrap(make())
        env.seed(1)
        env.reset()
        for _ in range(102):
            env.step(np.zeros((2, 9), dtype=np.float32))

    evaluation = EvalCallback(wrappers.VecMonitor(make()), n_eval_episodes=2, eval_freq=50, log_path=str(FOLDER))
    PPO("MultiInputPolicy", wrappers.VecMonitor(make()), **small).learn(128, callback=evaluation)
    assert "successes" in np.load(FOLDER / "evaluations.npz")
    evaluate_policy(PPO("MultiInputPolicy", make()), wrappers.VecMonitor(make()), n_eval_episodes=2)
    for kind in (wrappers.DummyVecEnv, wrappers.SubprocVecEnv):  # of single worlds
        envs = make_vec_env("visuomotor/lifting-v0", n_envs=2, env_kwargs={"image_size": 36}, vec_env_cls=kind)
        PPO("MultiInputPolicy", envs, **small).learn(128)
        envs.close()

    recorder = wrappers.VecVideoRecorder(
        make(), str(FOLDER), record_video_trigger=lambda step: step == 0, video_length=20
    )
    recorder.reset()
    for _ in range(21):
        recorder.step(np.zeros((2, 9), dtype=np.float32))
    recorder.close()
    with av.open(str(next(FOLDER.glob("*.mp4")))) as video:
        assert float(video.streams.video[0].average_rate) == 20


if __name__ == "__main__":  # SubprocVecEnv imports this file again
    main()
