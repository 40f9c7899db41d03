"""Shipped demonstrations, and old ones in format 1, which the first version wrote.

The states and stages of old ones still hold. Their actions do not lead from state to state any more: the constants that
follow from a world's own masses and armatures (`Engine.set_const`) were not brought up to date then.
"""

from pathlib import Path

import h5py
import pytest
import torch

from visuomotor.demos import Demonstrations, read_demonstrations, write_demonstrations
from visuomotor.demos.verify import verify
from visuomotor.tasks import make_task

HERE = Path(__file__).parent
SHIPPED = HERE.parents[1] / "demos"
OLD_NAMES = {
    "dynamics/block_half": "physics/block_half",
    "dynamics/actuator_gain": "physics/motor_gain",
    "appearance/robot_grey": "looks/arm_grey",
    "appearance/light_brightness": "looks/lamp_brightness",
    "appearance/light_tilt": "looks/lamp_tilt",
    "appearance/camera_zoom": "looks/camera_zoom",
}


@pytest.mark.parametrize("name", ["lifting", "stacking"])
def test_old_files_are_read(name):
    task = make_task(name)
    read = read_demonstrations(HERE / f"format1_{name}.hdf5", task)
    (episode,) = read.episodes
    assert episode.success
    assert read.metadata["control_dt"] == 0.05
    assert read.metadata["max_episode_steps"] == task.max_episode_steps
    nominal = task.sample_reset(1, torch.Generator(), randomize=False)
    params = episode.reset_params(task)
    assert params.dynamics.keys() == nominal.dynamics.keys()
    assert params.appearance.keys() == nominal.appearance.keys()
    (result,) = verify(read, task)
    assert result.wrong_stages == result.wrong_rewards == 0
    assert result.succeeded


def test_each_number_has_its_new_name(tmp_path, lifting):
    old, new = HERE / "format1_lifting.hdf5", tmp_path / "new.hdf5"
    read = read_demonstrations(old, lifting)
    write_demonstrations(new, lifting, read.episodes, read.metadata)
    assert read_demonstrations(new, lifting).metadata["format"] == 2
    with h5py.File(old) as before, h5py.File(new) as after:
        for name, old_name in OLD_NAMES.items():
            assert (after[f"data/demo_0/{name}"][()] == before[f"data/demo_0/{old_name}"][()]).all(), name


@pytest.mark.parametrize("name", ["lifting", "stacking", "hanger"])
def test_shipped_files_reproduce(name):
    task = make_task(name)
    read = read_demonstrations(SHIPPED / f"{name}.hdf5", task)
    assert len(read.episodes) == 30
    assert all(episode.success for episode in read.episodes)
    for result in verify(Demonstrations(name, read.episodes[::10], read.metadata), task):
        assert result.passed, result
