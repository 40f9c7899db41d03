"""Files in which another program has recorded our environments become demonstrations."""

import h5py
import numpy as np
import pytest
import torch

from visuomotor.adapters.gymnasium import VisuomotorEnv
from visuomotor.cli import main
from visuomotor.demos import read_demonstrations, recordings
from visuomotor.demos.recordings import simulate_recordings
from visuomotor.errors import VisuomotorError
from visuomotor.tasks import make_task

LENGTHS = (12, 20)
SEEDS = (7, 3)


@pytest.fixture(scope="module")
def recorded() -> list[dict[str, np.ndarray]]:
    """Actions, readings of all states, and rewards, as any program would record them."""
    env = VisuomotorEnv("lifting", image_size=8)
    episodes = []
    for seed, length in zip(SEEDS, LENGTHS, strict=True):
        observation, _ = env.reset(seed=seed)
        seen, rewards = [observation["proprioception"]], []
        actions = 0.5 * np.random.default_rng(seed).standard_normal((length, 9)).astype(np.float32)
        for action in actions:
            observation, reward, *_ = env.step(action)
            seen.append(observation["proprioception"])
            rewards.append(reward)
        episodes.append({"actions": actions, "proprioception": np.stack(seen), "rewards": np.array(rewards)})
    return episodes


def write(path, episodes, layout: str, seeds=SEEDS):
    with h5py.File(path, "w") as file:
        for number, (episode, seed) in enumerate(zip(episodes, seeds, strict=True)):
            group = file.create_group(f"data/demo_{number}" if layout == "robomimic" else f"episode_{number}")
            group.attrs["seed"] = seed
            group["actions"] = episode["actions"]
            if layout == "robomimic":
                group["obs/proprioception"] = episode["proprioception"][:-1]
            else:
                group["observations/proprioception"] = episode["proprioception"]


@pytest.mark.parametrize("layout", ["robomimic", "minari"])
def test_they_are_simulated_again(tmp_path, monkeypatch, recorded, layout):
    monkeypatch.chdir(tmp_path)
    write("theirs.hdf5", recorded, layout)
    assert main(["demos", "import", "theirs.hdf5", "lifting", "--out", "ours.hdf5"]) == 0
    episodes = read_demonstrations(tmp_path / "ours.hdf5", make_task("lifting")).episodes
    assert [len(episode) for episode in episodes] == list(LENGTHS)
    for episode, theirs in zip(episodes, recorded, strict=True):
        assert torch.equal(episode.actions, torch.from_numpy(theirs["actions"]).clamp(-1, 1))
        np.testing.assert_allclose(episode.rewards, theirs["rewards"], atol=1e-6)
    assert main(["demos", "verify", "ours.hdf5"]) == 0
    assert main(["demos", "import", "theirs.hdf5", "lifting", "--out", "ours.hdf5"]) == 2


def test_what_goes_another_way_is_told(tmp_path, recorded):
    task = make_task("lifting")
    write(tmp_path / "seeds.hdf5", recorded, "minari", seeds=(7, 4))
    with pytest.raises(VisuomotorError, match="episode_1 goes another way here from step 0 on"):
        simulate_recordings(tmp_path / "seeds.hdf5", task)
    turned = [
        recorded[0],
        {**recorded[1], "actions": recorded[1]["actions"] * np.where(np.arange(20) == 9, -1, 1)[:, None]},
    ]
    write(tmp_path / "turned.hdf5", turned, "robomimic")
    with pytest.raises(VisuomotorError, match="data/demo_1 goes another way here from step 10 on"):
        simulate_recordings(tmp_path / "turned.hdf5", task)
    write(tmp_path / "right.hdf5", recorded, "minari")
    with pytest.raises(VisuomotorError, match=r"goes another way .* the other of --randomize"):
        simulate_recordings(tmp_path / "right.hdf5", task, randomize=False)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda file: file["episode_0"].attrs.__delitem__("seed"), "episode_0 has no attribute seed"),
        (
            lambda file: file["episode_0"].attrs.__setitem__("seed", "None"),
            "episode_0.seed is 'None', expected a whole",
        ),
        (lambda file: file.__delitem__("episode_0/actions"), None),
        (
            lambda file: [file.__delitem__(f"episode_{i}/actions") for i in (0, 1)],
            "there is no recording: no group data",
        ),
        (lambda file: replace(file, "episode_1/actions", np.zeros((4, 8))), r"the shape \(4, 8\), expected \(T, 9\)"),
        (
            lambda file: replace(file, "episode_1/actions", np.full((20, 9), np.nan)),
            r"actions\[0, 0\] is nan, expected a finite",
        ),
        (
            lambda file: replace(file, "episode_1/observations/proprioception", np.zeros((3, 2))),
            r"has proprioception \(3,",
        ),
    ],
)
def test_files_that_are_no_recordings(tmp_path, recorded, change, message):
    path = tmp_path / "odd.hdf5"
    write(path, recorded, "minari")
    with h5py.File(path, "a") as file:
        change(file)
    if message is None:  # an episode without actions is none
        assert len(simulate_recordings(path, make_task("lifting"))) == 1
        return
    with pytest.raises(VisuomotorError, match=rf"odd\.hdf5: .*{message}"):
        simulate_recordings(path, make_task("lifting"))


def replace(file, name: str, value: np.ndarray) -> None:
    del file[name]
    file[name] = value


def test_an_observation_that_is_one_array_is_not_compared(tmp_path, recorded):
    """As Minari stores it, with an environment of one observation."""
    path = tmp_path / "array.hdf5"
    with h5py.File(path, "w") as file:
        group = file.create_group("episode_0")
        group.attrs["seed"] = SEEDS[0]
        group["actions"], group["observations"] = recorded[0]["actions"], recorded[0]["proprioception"]
    (episode,) = simulate_recordings(path, make_task("lifting"))
    np.testing.assert_allclose(episode.rewards, recorded[0]["rewards"], atol=1e-6)


def test_a_recording_that_goes_on_in_the_next_episode(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with h5py.File("theirs.hdf5", "w") as file:
        file["data/demo_0/actions"] = np.zeros((101, 9), np.float32)
        file["data/demo_0"].attrs["seed"] = 3
    command = ["demos", "import", "theirs.hdf5", "lifting", "--out", "ours.hdf5"]
    assert main(command) == 2
    assert "data/demo_0 has 101 actions, and an episode ends after 100: cut off" in capsys.readouterr().err
    assert main([*command, "--max-episode-steps", "101"]) == 0
    assert len(read_demonstrations(tmp_path / "ours.hdf5").episodes[0]) == 101


def test_numbers_of_recordings_stay(tmp_path, monkeypatch, recorded):
    monkeypatch.chdir(tmp_path)
    write("theirs.hdf5", recorded, "minari")
    with h5py.File("theirs.hdf5", "a") as file:
        file.move("episode_1", "episode_10")
        file.move("episode_0", "episode_3")
    assert main(["demos", "import", "theirs.hdf5", "lifting", "--out", "ours.hdf5"]) == 0
    assert [it.name for it in read_demonstrations(tmp_path / "ours.hdf5").episodes] == ["demo_3", "demo_10"]
    with h5py.File("theirs.hdf5", "a") as file:
        file.copy("episode_3", "data/demo_3")
    with pytest.raises(VisuomotorError, match="two recordings of the number of demo_3"):
        simulate_recordings(tmp_path / "theirs.hdf5", make_task("lifting"))


def test_a_recording_whose_physics_diverges_is_named(tmp_path, monkeypatch, recorded):
    path = tmp_path / "theirs.hdf5"
    write(path, recorded, "robomimic")
    run = recordings.run_episodes
    monkeypatch.setattr(recordings, "run_episodes", lambda *given: [None, *run(*given)[1:]])
    with pytest.warns(UserWarning, match=r"left out of .*theirs\.hdf5, since the physics diverges: data/demo_0$"):
        (episode,) = simulate_recordings(path, make_task("lifting"))
    assert episode.name == "demo_1"


def test_whole_numbers_are_actions_and_the_largest_seed_is_one(tmp_path):
    env = VisuomotorEnv("lifting", image_size=8)
    env.reset(seed=2**64 - 1)
    rewards = [env.step(np.ones(9, np.float32))[1] for _ in range(5)]
    with h5py.File(tmp_path / "theirs.hdf5", "w") as file:
        file["data/demo_0/actions"] = np.ones((5, 9), np.int8)
        file["data/demo_0"].attrs["seed"] = np.array([2**64 - 1], np.uint64)  # as of a list of seeds
    (episode,) = simulate_recordings(tmp_path / "theirs.hdf5", make_task("lifting"))
    np.testing.assert_allclose(episode.rewards, rewards, atol=1e-6)
