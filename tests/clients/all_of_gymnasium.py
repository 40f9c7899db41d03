"""All wrappers of gymnasium run on our environments; videos of them have the right speed."""

import os
import tempfile
from pathlib import Path

os.environ["SDL_VIDEODRIVER"] = "dummy"  # windows that nobody sees

import av
import gymnasium
import numpy as np
from gymnasium import wrappers
from gymnasium.utils.env_checker import check_env
from gymnasium.wrappers import vector

import visuomotor

gymnasium.register_envs(visuomotor)
NAME, FOLDER = "visuomotor/lifting-v0", tempfile.mkdtemp()
BOX = gymnasium.spaces.Box
DICT = ("image", "proprioception")

# What each wrapper observes, and how it is made. Those of jax, of Atari games, and for discrete actions are left out.
VECTOR = {
    "VectorizeTransformObservation": (
        "image",
        lambda env: vector.VectorizeTransformObservation(env, wrappers.ReshapeObservation, shape=(24 * 24, 3)),
    ),
    "VectorizeTransformAction": (DICT, lambda env: vector.VectorizeTransformAction(env, wrappers.ClipAction)),
    "VectorizeTransformReward": (
        DICT,
        lambda env: vector.VectorizeTransformReward(env, wrappers.ClipReward, min_reward=0.0, max_reward=1.0),
    ),
    "DictInfoToList": (DICT, vector.DictInfoToList),
    "TransformObservation": (DICT, lambda env: vector.TransformObservation(env, lambda seen: seen)),
    "FilterObservation": (DICT, lambda env: vector.FilterObservation(env, ["image"])),
    "FlattenObservation": (DICT, vector.FlattenObservation),
    "GrayscaleObservation": ("image", vector.GrayscaleObservation),
    "ResizeObservation": ("image", lambda env: vector.ResizeObservation(env, (12, 12))),
    "ReshapeObservation": ("image", lambda env: vector.ReshapeObservation(env, (24 * 24, 3))),
    "RescaleObservation": ("image", lambda env: vector.RescaleObservation(env, 0.0, 1.0)),
    "DtypeObservation": ("privileged", lambda env: vector.DtypeObservation(env, np.float64)),
    "NormalizeObservation": ("privileged", vector.NormalizeObservation),
    "TransformAction": (DICT, lambda env: vector.TransformAction(env, lambda action: action)),
    "ClipAction": (DICT, vector.ClipAction),
    "RescaleAction": (DICT, lambda env: vector.RescaleAction(env, -2.0, 2.0)),
    "TransformReward": (DICT, lambda env: vector.TransformReward(env, lambda reward: 2 * reward)),
    "ClipReward": (DICT, lambda env: vector.ClipReward(env, 0.0, 1.0)),
    "NormalizeReward": (DICT, vector.NormalizeReward),
    "RecordEpisodeStatistics": (DICT, vector.RecordEpisodeStatistics),
    "RecordVideo": (DICT, lambda env: vector.RecordVideo(env, f"{FOLDER}/vector", step_trigger=lambda step: step == 0)),
    "HumanRendering": (DICT, vector.HumanRendering),
    "NumpyToTorch": (DICT, vector.NumpyToTorch),
}
SINGLE = {
    "DelayObservation": (DICT, lambda env: wrappers.DelayObservation(env, 2)),
    "DtypeObservation": ("privileged", lambda env: wrappers.DtypeObservation(env, np.float64)),
    "FilterObservation": (DICT, lambda env: wrappers.FilterObservation(env, ["image"])),
    "FlattenObservation": (DICT, wrappers.FlattenObservation),
    "FrameStackObservation": (DICT, lambda env: wrappers.FrameStackObservation(env, 3)),
    "GrayscaleObservation": ("image", wrappers.GrayscaleObservation),
    "MaxAndSkipObservation": ("image", wrappers.MaxAndSkipObservation),
    "NormalizeObservation": ("privileged", wrappers.NormalizeObservation),
    "AddRenderObservation": ("privileged", wrappers.AddRenderObservation),
    "RescaleObservation": ("image", lambda env: wrappers.RescaleObservation(env, np.float32(0), np.float32(1))),
    "ReshapeObservation": ("image", lambda env: wrappers.ReshapeObservation(env, (24 * 24, 3))),
    "ResizeObservation": ("image", lambda env: wrappers.ResizeObservation(env, (12, 12))),
    "TimeAwareObservation": (DICT, wrappers.TimeAwareObservation),
    "TransformObservation": (DICT, lambda env: wrappers.TransformObservation(env, lambda seen: seen, None)),
    "RecordVideo": (DICT, lambda env: wrappers.RecordVideo(env, f"{FOLDER}/single")),
    "Autoreset": (DICT, wrappers.Autoreset),
    "TimeLimit": (DICT, lambda env: wrappers.TimeLimit(env, 20)),
}


def run_vector(name: str) -> None:
    observations, wrap = VECTOR[name]
    env = wrap(
        gymnasium.make_vec(NAME, num_envs=2, image_size=24, observations=observations, autoreset_mode="NextStep")
    )
    env.reset(seed=0)
    for _ in range(103):  # beyond the end of an episode
        seen = env.step(env.action_space.sample() if name != "NumpyToTorch" else torch_actions(env))[0]
    assert name == "NumpyToTorch" or seen in env.observation_space, name
    env.close()


def torch_actions(env):
    import torch

    return torch.from_numpy(env.action_space.sample())


def run_single(name: str) -> None:
    observations, wrap = SINGLE[name]
    env = wrap(gymnasium.make(NAME, image_size=24, observations=observations, render_mode="rgb_array"))
    seen, _ = env.reset(seed=0)
    for _ in range(103):
        seen, _, terminated, truncated, _ = env.step(env.action_space.sample())
        if (terminated or truncated) and name != "Autoreset":
            seen, _ = env.reset()
    assert seen in env.observation_space, name
    env.close()


check_env(gymnasium.make(NAME, observations="image").unwrapped)
left_out = {"ArrayConversion", "JaxToNumpy", "JaxToTorch"}
assert set(vector.__all__) == VECTOR.keys() | left_out, set(vector.__all__) ^ (VECTOR.keys() | left_out)
ours = {name for name in wrappers.__all__ if name.endswith("Observation")} - {"DiscretizeObservation"}
assert ours <= SINGLE.keys(), ours - SINGLE.keys()
for name in VECTOR:
    run_vector(name)
for name in SINGLE:
    run_single(name)
for kind in ("vector", "single"):
    with av.open(str(next(Path(FOLDER, kind).glob("*.mp4")))) as video:
        assert float(video.streams.video[0].average_rate) == 20, kind
sync = gymnasium.make_vec(NAME, num_envs=2, vectorization_mode="sync", image_size=24)
images = sync.reset()[0]["image"]
assert not np.array_equal(images[0], images[1])
