import dataclasses
import json
from pathlib import Path

import h5py
import mujoco
import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from visuomotor.demos import Episode, mean_return, read_demonstrations, write_demonstrations
from visuomotor.demos.metadata import generate_command
from visuomotor.demos.model_hash import model_hash
from visuomotor.errors import VisuomotorError
from visuomotor.tasks.jaco.lifting import Lifting


def assert_equal_episodes(one: Episode, other: Episode) -> None:
    for field in dataclasses.fields(Episode):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if isinstance(a, torch.Tensor):
            assert a.dtype == b.dtype
            assert torch.equal(a, b), field.name
        elif isinstance(a, dict):
            assert a.keys() == b.keys()
            assert all(torch.equal(a[name], b[name]) for name in a), field.name
        elif field.name != "name":  # a file gives its own
            assert a == b, field.name


def test_round_trip_is_exact(path, lifting, episodes):
    read = read_demonstrations(path, lifting)
    assert read.task == "lifting"
    assert read.metadata["seed"] == 3
    assert [episode.name for episode in read.episodes] == ["demo_0", "demo_1"]
    for one, other in zip(read.episodes, episodes, strict=True):
        assert_equal_episodes(one, other)


def test_names_are_those_of_the_file(tmp_path, lifting, episodes):
    """Someone deleted demo_1 and renamed demo_3; demo_10 comes after demo_2."""
    write_demonstrations(tmp_path / "it.hdf5", lifting, [episodes[index % 2] for index in range(11)])
    with h5py.File(tmp_path / "it.hdf5", "a") as file:
        del file["data/demo_1"]
        file.move("data/demo_3", "data/nice")
    read = read_demonstrations(tmp_path / "it.hdf5", lifting).episodes
    kept = [0, 2, *range(4, 11)]
    assert [episode.name for episode in read] == [*(f"demo_{index}" for index in kept), "nice"]
    for episode, index in zip(read, [*kept, 3], strict=True):
        assert_equal_episodes(episode, episodes[index % 2])


def test_actions_and_appearance_may_be_missing(tmp_path, lifting, episodes):
    bare = dataclasses.replace(episodes[0], actions=None, appearance={})
    write_demonstrations(tmp_path / "bare.hdf5", lifting, [bare])
    (read,) = read_demonstrations(tmp_path / "bare.hdf5", lifting).episodes
    assert_equal_episodes(read, bare)
    params = read.reset_params(lifting)
    assert len(params) == 1
    assert torch.equal(params.appearance["table_color"], lifting.randomizer.nominal(1).appearance["table_color"])
    with h5py.File(tmp_path / "bare.hdf5") as file:
        assert "actions" not in file["data/demo_0"]


def test_layout_is_what_robomimics_reader_asks_for(tmp_path, lifting, episodes):
    observed = [
        dataclasses.replace(episode, observations={"image": torch.arange(len(episode) + 1).byte()[:, None, None, None]})
        for episode in episodes
    ]
    write_demonstrations(tmp_path / "it.hdf5", lifting, observed)
    with h5py.File(tmp_path / "it.hdf5", "r", swmr=True, libver="latest") as file:
        assert file["data"].attrs["total"] == 7 + 12
        arguments = json.loads(file["data"].attrs["env_args"])
        assert set(arguments) == {"env_name", "type", "env_kwargs"}
        assert arguments["env_name"] == "lifting"
        assert arguments["type"] == 2  # a number, that of gymnasium's environments
        assert arguments["env_kwargs"]["format"] == 2
        assert sorted(int(name[5:]) for name in file["data"]) == [0, 1]
        for name, episode in zip(("demo_0", "demo_1"), episodes, strict=True):
            demo = file[f"data/{name}"]
            steps = demo.attrs["num_samples"]
            assert steps == len(episode)
            for key in ("states", "actions", "rewards", "dones", "obs/image", "next_obs/image"):
                assert len(demo[key]) == steps, key
            assert_array_equal(demo["states"], episode.states[:-1])
            assert_array_equal(demo["dones"], [0] * (steps - 1) + [1])
            assert demo["obs/image"].dtype == np.uint8
            assert_array_equal(demo["obs/image"][:, 0, 0, 0], range(steps))
            assert_array_equal(demo["next_obs/image"][:, 0, 0, 0], range(1, steps + 1))
        assert [name.decode("utf-8") for name in np.array(file["mask/train"][:])] == ["demo_0"]
        assert [name.decode("utf-8") for name in np.array(file["mask/valid"][:])] == ["demo_1"]


@pytest.mark.parametrize(("count", "valid"), [(1, []), (2, [1]), (9, [8]), (10, [9]), (21, [9, 19])])
def test_every_tenth_episode_is_for_validation(tmp_path, lifting, episodes, count, valid):
    """The last of fewer than ten; a single one is for training."""
    write_demonstrations(tmp_path / "it.hdf5", lifting, [episodes[0]] * count)
    with h5py.File(tmp_path / "it.hdf5") as file:
        assert file["mask/valid"][()].tolist() == [f"demo_{index}".encode() for index in valid]
        assert len(file["mask/train"]) == count - len(valid)
        assert file["mask/success"].shape == (0,)


def test_returns_are_over_the_tasks_steps(episodes):
    """Steps pay 0, 1/8, 1: cut after two; continued at 1 up to five."""
    episode = dataclasses.replace(episodes[0], rewards=torch.tensor([0.0, 0.125, 1.0]))
    assert episode.episode_return(2) == 0.125
    assert episode.episode_return(5) == 3.125
    assert mean_return([episode, dataclasses.replace(episode, rewards=torch.zeros(4))], 5) == 3.125 / 2


def test_returns_follow_the_task_of_today(path, lifting, episodes, monkeypatch):
    monkeypatch.setattr(lifting, "max_episode_steps", 5, raising=False)
    assert read_demonstrations(path, lifting).mean_return == mean_return(episodes, 5)
    monkeypatch.setattr(lifting, "stage_rewards", (0.0, 0.5, 1.0), raising=False)
    with pytest.raises(VisuomotorError, match=r"stage_rewards differ"):
        read_demonstrations(path, lifting)


def test_the_hash_depends_on_physics_and_not_on_appearance():
    one, other = Lifting().model, Lifting().model
    same = model_hash(one)
    other.geom_rgba[:] = 0.5
    other.cam_pos[:] += 1
    assert model_hash(other) == same
    other.dof_frictionloss[2] *= 1 + 1e-12
    assert model_hash(other) == same
    other.dof_frictionloss[2] *= 1.001
    assert model_hash(other) != same


@pytest.mark.parametrize(
    "change",
    [
        lambda model: setattr(model.opt, "viscosity", 0.1),
        lambda model: setattr(model.opt, "wind", [0.0, 0.0, 1.0]),
        lambda model: setattr(model.opt, "disableflags", 1),
        lambda model: model.qpos_spring.__setitem__(3, 0.5),
        lambda model: model.dof_solref.__setitem__((2, 0), 0.03),
        lambda model: model.jnt_actfrcrange.__setitem__((1, 1), 5.0),
        lambda model: model.geom_solmix.__setitem__(0, 2.0),
    ],
)
def test_what_few_models_use_counts_too(change):
    model = Lifting().model
    same = model_hash(model)
    change(model)
    assert model_hash(model) != same


def test_a_tendon_counts():
    spec = mujoco.MjSpec.from_string(
        "<mujoco><worldbody><body><joint name='a'/><geom size='.1'/></body></worldbody>"
        "<tendon><fixed stiffness='1'><joint joint='a' coef='2'/></fixed></tendon></mujoco>"
    )
    model = spec.compile()
    same = model_hash(model)
    model.tendon_stiffness[0] = 2.0
    other = model_hash(model)
    model.wrap_prm[0] = 3.0
    assert len({same, other, model_hash(model)}) == 3


def test_the_command_that_generates_a_file_can_be_run(path):
    assert generate_command("lifting", path).endswith(f"{path} --overwrite")  # else the file would be refused
    assert generate_command("lifting", path.with_name("new.hdf5")).endswith("new.hdf5")


def test_a_file_that_is_there_is_to_be_used_and_not_to_be_replaced(tmp_path, lifting, episodes, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(lifting, "name", "hanger", raising=False)
    given, usual = Path("demos/lifting.hdf5"), Path("demos/hanger.hdf5")
    write_demonstrations(given, lifting, episodes)
    monkeypatch.setattr(lifting, "name", "pushing", raising=False)
    with pytest.raises(
        VisuomotorError, match=r"of 'hanger', not of 'pushing'; make some with `.*/pushing.hdf5` and give"
    ):
        read_demonstrations(given, lifting)
    usual.with_name("pushing.hdf5").write_bytes(b"")
    with pytest.raises(VisuomotorError, match=r"of 'hanger', not of 'pushing'; give --demos demos/pushing.hdf5$"):
        read_demonstrations(given, lifting)
    given.rename("demos/pushing.hdf5")
    with pytest.raises(
        VisuomotorError, match=r"of 'hanger', not of 'pushing'; make some with .*pushing.hdf5 --overwrite`"
    ):
        read_demonstrations(Path("demos/pushing.hdf5").absolute(), lifting)


def test_nothing_damaged_is_written(tmp_path, lifting, episodes):
    states = episodes[0].states.clone()
    states[2, 5] = torch.nan
    for bad in ([], [episodes[1], dataclasses.replace(episodes[0], states=states)]):
        with pytest.raises(VisuomotorError):
            write_demonstrations(tmp_path / "it.hdf5", lifting, bad)
    assert not list(tmp_path.iterdir())
