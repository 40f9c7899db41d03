"""Files that are missing, foreign, cut short, open elsewhere, edited, or made to do harm."""

import errno
import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from visuomotor.demos import read_demonstrations
from visuomotor.demos.reading import not_read
from visuomotor.errors import VisuomotorError


def test_files_that_are_none(tmp_path, path):
    with pytest.raises(VisuomotorError, match=r"there is no file .* visuomotor demos generate TASK"):
        read_demonstrations(tmp_path / "absent.hdf5")
    (tmp_path / "text.hdf5").write_text("hello")
    with pytest.raises(VisuomotorError, match="not an HDF5 file"):
        read_demonstrations(tmp_path / "text.hdf5")
    for share in (1 / 2, 2 / 3):
        (tmp_path / "short.hdf5").write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
        with pytest.raises(VisuomotorError, match="damaged or cut short"):
            read_demonstrations(tmp_path / "short.hdf5")
    os.mkfifo(tmp_path / "pipe.hdf5")
    for place in (tmp_path, tmp_path / "pipe.hdf5"):
        with pytest.raises(VisuomotorError, match="a folder, a pipe or a device"):
            read_demonstrations(place)


def test_texts_that_would_be_read_forever(path):
    """The rest of the first heap gets the size 0, so that HDF5 would read it forever."""
    content = bytearray(path.read_bytes())
    first = content.index(b"GCOL\1") + 16
    rest = first + 16 + -(-int.from_bytes(content[first + 8 : first + 16], "little") // 8) * 8
    assert content[rest : rest + 2] == bytes(2)
    content[rest + 8 : rest + 16] = bytes(8)
    path.write_bytes(content)
    with pytest.raises(VisuomotorError, match=f"damaged or cut short .the text at byte {rest} has the size 0"):
        read_demonstrations(path)


def test_a_file_that_is_open_elsewhere_is_not_called_damaged(path):
    with path.open("r+b") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(VisuomotorError, match="open for writing in another program"):
            read_demonstrations(path)
    read_demonstrations(path)


def test_a_file_whose_writer_was_killed(path):
    code = f"import h5py, os; file = h5py.File({str(path)!r}, 'r+'); os._exit(0)"
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(VisuomotorError, match="h5clear -s"):
        read_demonstrations(path)


def test_files_of_other_simulators(tmp_path):
    with h5py.File(tmp_path / "foreign.hdf5", "w") as file:
        file.create_group("data").attrs["env_args"] = json.dumps({"env_name": "Lift", "type": 2, "env_kwargs": {}})
    with pytest.raises(VisuomotorError, match=r"not recorded with visuomotor .*'Lift'"):
        read_demonstrations(tmp_path / "foreign.hdf5")
    with h5py.File(tmp_path / "other.hdf5", "w") as file:
        file.create_group("weather")
    with pytest.raises(VisuomotorError, match="not recorded with visuomotor;"):
        read_demonstrations(tmp_path / "other.hdf5")


def edit_metadata(path, **changes):
    with h5py.File(path, "a") as file:
        arguments = json.loads(file["data"].attrs["env_args"])
        arguments["env_kwargs"].update(changes)
        file["data"].attrs["env_args"] = json.dumps(arguments)


def test_another_task_or_scene_or_format(path, lifting, monkeypatch):
    edit_metadata(path, model_hash="beefbeefbeefbeef", mujoco="9.1")
    with pytest.raises(
        VisuomotorError,
        match=r"mujoco 9.1, model_hash beef.* \(model_hash differ\).*"
        r"visuomotor demos generate lifting --out .*hdf5 --overwrite$",
    ):
        read_demonstrations(path, lifting)
    assert read_demonstrations(path).metadata["mujoco"] == "9.1"  # enough to look at it
    monkeypatch.setattr(lifting, "name", "juggling", raising=False)
    with pytest.raises(VisuomotorError, match="demonstrations of 'lifting', not of 'juggling'"):
        read_demonstrations(path, lifting)
    edit_metadata(path, format=7)
    with pytest.raises(VisuomotorError, match="has format 7"):
        read_demonstrations(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"state_size": "143"}, "state_size is '143', expected int"),
        ({"state_size": 0}, "state_size is 0, expected 1 to"),
        ({"control_dt": -0.05}, "control_dt is -0.05, expected 0.0001 to 10"),
        ({"control_dt": float("nan")}, "control_dt is nan"),
        ({"max_episode_steps": 10**30}, "max_episode_steps is 1000"),
        ({"action_limits": [1, "x"]}, r"action_limits\[1\] is 'x'"),
        ({"stages": "start"}, "stages is 'start', expected a list"),
        ({"stages": ["a\n", "b", "c"]}, r"stages is \['a\\n'.* can be printed"),
        ({"stage_rewards": [0, 1e30]}, r"stage_rewards is 1e\+30"),
        ({"dynamics": [1]}, "dynamics is a list, expected dict"),
        ({"dynamics": {"block_half": -1}}, "dynamics.block_half is -1, expected a list"),
        ({"mujoco": "4\ud800"}, r"mujoco is '4\\ud800', expected text that can be printed"),
        ({"task": 3}, "task is 3, expected str"),
        ({"success_rate": float("nan")}, "success_rate is nan, expected 0 to 1"),
        ({"success_rate": "all"}, r"success_rate is 'all', expected int \| float"),
    ],
)
def test_metadata_that_are_none(path, changes, message):
    edit_metadata(path, **changes)
    with pytest.raises(VisuomotorError, match=rf"lifting.hdf5: data.env_args.env_kwargs\.{message}"):
        read_demonstrations(path)


@pytest.mark.parametrize(
    ("entry", "change", "message"),
    [
        ("states", lambda it: it[:-1], r" has the shape \(11, 143\), expected \(12, 143\)"),
        ("states", lambda it: it[:, :-1], r" has the shape \(12, 142\)"),
        ("states", lambda it: np.where(it == it[1, 3], np.nan, it), r"\[1, 3\] is nan"),
        ("final_state", lambda it: it * 0 + 1e300, r"\[0\] is 1e\+300, expected a number from -1e\+10 to 1e\+10"),
        ("final_state", lambda it: it.astype("S"), " holds bytes"),
        ("actions", lambda it: it[:-2], r" has the shape \(10, 9\)"),
        ("actions", lambda it: np.where(it == it.max(), 1.001, it), r"\[.*\] is 1.001, expected a number from -1 to 1"),
        ("actions", lambda it: np.where(it == it.min(), -1.001, it), r"\[.*\] is -1.001"),
        ("rewards", lambda it: it[:, None], r" has the shape \(12, 1\)"),
        ("rewards", lambda it: it - np.inf, r"\[0\] is -inf"),
        ("stages", lambda it: it + 3, r"\[0\] is 3, expected a number from 0 to 2"),
        ("stages", lambda it: it * 0.5, " holds float.*, expected whole numbers"),
        ("dones", lambda it: it + 1, r"\[11\] is 2"),
        ("appearance/robot_grey", lambda it: it * np.nan, " is nan"),
        ("appearance/table_color", lambda it: it * 0 + 1e30, r"\[0\] is 1e\+30"),
        ("dynamics/block_mass", lambda it: np.append(it, 1.0), r" has the shape \(2,\), expected \(1,\)"),
        ("dynamics/block_mass", lambda it: -it / it, r"\[0\] is -1, expected a number from 1e-06 to 10000"),
        ("dynamics/block_mass", lambda it: 1e30 * it / it, r"\[0\] is 1e\+30"),
        ("dynamics/block_half", lambda it: 0 * it, r"\[0\] is 0"),
        ("dynamics/actuator_gain", lambda it: -1e6 * it / it, r"\[0\] is -1e\+06"),
        ("dynamics/joint_damping", lambda it: -100 * it / it, r"\[0\] is -100"),
        ("dynamics/joint_friction", lambda it: -it, r"\[0\] is -"),
        ("dynamics/joint_armature", lambda it: it * 1e30, r"\[0\] is "),
    ],
)
def test_arrays_of_another_form_or_out_of_bounds(path, entry, change, message):
    with h5py.File(path, "a") as file:
        demo = file["data/demo_1"]
        old = demo[entry][()]
        del demo[entry]
        demo[entry] = change(old)
    with pytest.raises(VisuomotorError, match=rf"lifting.hdf5: data/demo_1/{entry}{message}"):
        read_demonstrations(path)


def test_a_value_at_its_bound_is_taken(path):
    with h5py.File(path, "a") as file:
        demo = file["data/demo_1"]
        demo["states"][3, 5] = -1e10
        demo["actions"][4] = -1
        demo["stages"][3] = 2
        demo["dynamics/block_mass"][0] = 1e-6
        demo["dynamics/joint_friction"][...] = 0
    second = read_demonstrations(path).episodes[1]
    assert second.states[3, 5] == -1e10
    assert second.dynamics["block_mass"] == 1e-6


@pytest.mark.parametrize("entry", ["states", "final_state", "rewards", "stages", "dynamics/block_mass", "dynamics"])
def test_what_is_missing_is_named(path, entry):
    with h5py.File(path, "a") as file:
        del file[f"data/demo_1/{entry}"]
    with pytest.raises(VisuomotorError, match=rf"data/demo_1/{entry}.* is missing"):
        read_demonstrations(path)


def test_dynamics_that_nobody_knows_are_refused(path):
    with h5py.File(path, "a") as file:
        file["data/demo_1/dynamics/sunset"] = 1.0
    with pytest.raises(VisuomotorError, match="data/demo_1/dynamics/sunset is not among the dynamics"):
        read_demonstrations(path)


@pytest.mark.parametrize(
    ("attribute", "value", "message"),
    [
        ("num_samples", 11, r"/.* expected \(11,"),
        ("num_samples", -1, r"\.num_samples is .*-1.*, expected a whole number, 1 to"),
        ("num_samples", 2**62, r"\.num_samples is .*, expected a whole number, 1 to"),
        ("num_samples", 12.0, r"\.num_samples is .*, expected a whole number"),
        ("num_samples", "12", r"\.num_samples is '12'"),
        ("num_samples", [12, 12], r"\.num_samples has the shape \(2,\)"),
        ("num_samples", h5py.Empty("i8"), r"\.num_samples has the shape None"),
        ("success", 2, r"\.success is .*2.*, expected a whole number, 0 to 1"),
        ("success", None, r"\.success is missing"),
    ],
)
def test_attributes_that_are_none(path, attribute, value, message):
    with h5py.File(path, "a") as file:
        del file["data/demo_1"].attrs[attribute]
        if value is not None:
            file["data/demo_1"].attrs[attribute] = value
    with pytest.raises(VisuomotorError, match=rf"lifting.hdf5: data/demo_1{message}"):
        read_demonstrations(path)


def replaced(path: Path, entry: str, put) -> None:
    with h5py.File(path, "a") as file:
        parent, _, name = entry.rpartition("/")
        group = file[parent or "/"]
        del group[name]
        put(group, name)


@pytest.mark.parametrize("entry", ["data/demo_1", "data/demo_1/states", "data/demo_1/dynamics/block_mass", "mask"])
def test_links_are_not_followed(path, entry):
    """A soft one, and one into a pipe, to open which would wait for ever."""
    os.mkfifo(path.parent / "pipe")
    for link in (h5py.SoftLink("/data/demo_0"), h5py.ExternalLink("pipe", "/x")):
        replaced(path, entry, lambda group, name, link=link: group.__setitem__(name, link))
        with pytest.raises(VisuomotorError, match=rf"{entry} is a link to somewhere else"):
            read_demonstrations(path)


def test_numbers_in_other_files_are_not_read(path, tmp_path):
    (tmp_path / "secret").write_bytes(np.ones(143).tobytes())
    entry = "data/demo_1/final_state"
    for external in (str(tmp_path / "secret"), "pipe"):
        form = {"shape": (143,), "dtype": "f8", "external": [(external, 0, 8 * 143)]}
        replaced(path, entry, lambda group, name, form=form: group.create_dataset(name, **form))
        with pytest.raises(VisuomotorError, match=f"{entry} keeps its numbers in another file"):
            read_demonstrations(path)
    layout = h5py.VirtualLayout((143,), "f8")
    layout[:] = h5py.VirtualSource("other.hdf5", "x", (143,))
    replaced(path, entry, lambda group, name: group.create_virtual_dataset(name, layout))
    with pytest.raises(VisuomotorError, match=f"{entry} keeps its numbers in another file"):
        read_demonstrations(path)


@pytest.mark.parametrize("entry", ["data/demo_1/states", "data/demo_1/appearance/robot_grey", "mask/train"])
@pytest.mark.parametrize("chunks", [None, True])
def test_a_tebibyte_is_not_asked_for(path, entry, chunks):
    dtype = "S1048576" if "mask" in entry else "f8"
    shape = (2**20,) if "mask" in entry else (2**20, 2**17)
    replaced(path, entry, lambda group, name: group.create_dataset(name, shape, dtype, chunks=chunks))
    with pytest.raises(VisuomotorError, match=rf"{entry} has the shape \(1048576"):
        read_demonstrations(path)


def test_nor_is_a_large_chunk_of_few_numbers(path):
    form = {"shape": (12, 143), "dtype": "f8", "chunks": (2**14, 2**14), "maxshape": (None, None)}
    replaced(path, "data/demo_1/states", lambda group, name: group.create_dataset(name, **form))
    with pytest.raises(VisuomotorError, match=r"states has the shape .* in chunks of \(16384, 16384\)"):
        read_demonstrations(path)


def test_all_that_is_read_is_bounded(path, monkeypatch):
    """Each array fits, both episodes do not."""
    states = 7 * 143 * 8
    monkeypatch.setattr("visuomotor.demos.hdf5._LARGEST", 2 * states)
    with pytest.raises(VisuomotorError, match=r"data/demo_1/.* is too large"):
        read_demonstrations(path)


@pytest.mark.parametrize("entry", ["data/demo_1/states", "data/demo_0/rewards", "mask/train"])
def test_groups_in_the_place_of_numbers(path, entry):
    replaced(path, entry, lambda group, name: group.create_group(name))
    with pytest.raises(VisuomotorError, match=f"{entry} is a Group, expected a Dataset"):
        read_demonstrations(path)


@pytest.mark.parametrize(
    "make", [lambda data: data.create_group("notes/more"), lambda data: data.create_dataset("notes", data=[1])]
)
def test_what_a_user_keeps_beside_the_episodes_is_told(path, make):
    with h5py.File(path, "r+") as file:
        make(file)  # the top of a file is the user's
        make(file["data"])
    told = r"data/notes is no episode, .* one; keep what is no episode outside of data, or delete it$"
    with pytest.raises(VisuomotorError, match=told):
        read_demonstrations(path)
    with h5py.File(path, "r+") as file:
        del file["data/notes"]
    read_demonstrations(path)


def test_a_users_own_metadata_are_json(path):
    edit_metadata(path, note={"loss": [1.0, float("inf")]})
    with pytest.raises(VisuomotorError, match=r"env_kwargs has NaN or infinity under 'note', which is no JSON; copy"):
        read_demonstrations(path)


def test_success_that_the_stages_contradict(path):
    with h5py.File(path, "r+") as file:
        file["data/demo_1"].attrs["success"] = 1
    with pytest.raises(VisuomotorError, match=r"data/demo_1\.success is 1, and its last state in stage 'start'; copy"):
        read_demonstrations(path)
    with h5py.File(path, "r+") as file:
        file["data/demo_1/stages"][-1] = 2
    read_demonstrations(path)


@pytest.mark.parametrize("entry", ["data/demo_1/dynamics", "mask"])
def test_numbers_in_the_place_of_groups(path, entry):
    replaced(path, entry, lambda group, name: group.__setitem__(name, 1.0))
    with pytest.raises(VisuomotorError, match=f"{entry} is a Dataset, expected a Group"):
        read_demonstrations(path)


def test_numbers_of_another_size_are_taken(path, lifting, episodes):
    replaced(path, "data/demo_0/stages", lambda group, name: group.__setitem__(name, episodes[0].stages.int().numpy()))
    swapped = episodes[0].actions.numpy().astype(">f8")
    replaced(path, "data/demo_0/actions", lambda group, name: group.__setitem__(name, swapped))
    first = read_demonstrations(path, lifting).episodes[0]
    assert torch.equal(first.stages, episodes[0].stages)
    assert torch.equal(first.actions, episodes[0].actions)
    assert first.actions.dtype == torch.float32


def test_masks_are_those_of_the_episodes_that_are_left(path):
    with h5py.File(path, "a") as file:
        file.move("data/demo_1", "data/b\u00e4r")
        file["mask/mine"] = ["demo_0", "demo_1", "b\u00e4r", "demo_0"]  # that one is gone, this one stands twice
    read = read_demonstrations(path)
    assert read.masks == {"mine": ["demo_0", "b\u00e4r"], "success": [], "train": ["demo_0"], "valid": []}


def test_names_with_which_a_message_would_have_two_lines(path):
    with h5py.File(path, "a") as file:
        file.move("data/demo_1", "data/de\nmo")
    with pytest.raises(VisuomotorError, match=r"data has an entry with the unreadable name 'de\\nmo'"):
        read_demonstrations(path)


@pytest.mark.parametrize(
    ("obs", "next_obs", "message"),
    [
        (np.ones((12, 2)), None, "next_obs is missing; visuomotor demos render"),
        (np.ones((12, 2)), np.ones((12, 3)), r"next_obs/x has the shape \(12, 3\), expected \(12, 2\)"),
        (np.ones((11, 2)), np.ones((11, 2)), "next_obs/x is not obs/x a step later, for 12 steps"),
        (np.arange(12.0), np.arange(12.0), "next_obs/x is not obs/x a step later"),
        (np.full(12, np.nan), np.ones(12), r"obs/x\[0\] is nan"),
        (np.full(12, b"x"), np.ones(12), "obs/x holds bytes.*, expected numbers"),
        (np.array(1.0), np.array(1.0), "next_obs/x is not obs/x a step later"),
    ],
)
def test_observations_that_are_none(path, obs, next_obs, message):
    with h5py.File(path, "a") as file:
        file["data/demo_1/obs/x"] = obs
        if next_obs is not None:
            file["data/demo_1/next_obs/x"] = next_obs
    read_demonstrations(path)
    with pytest.raises(VisuomotorError, match=f"data/demo_1/{message}"):
        read_demonstrations(path, observations=True)


def test_the_file_with_an_unreadable_name_in_it_is_named(path):
    with h5py.File(path, "a") as file:
        file.create_group("two\nlines")
    with pytest.raises(VisuomotorError, match=f"^{path}: .*unreadable name .*; delete it"):
        not_read(path)


def test_a_file_that_may_not_be_read(path, monkeypatch):
    monkeypatch.setattr(h5py, "File", lambda *_, **__: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))
    with pytest.raises(VisuomotorError, match=f"{path} may not be read: Permission denied"):
        read_demonstrations(path)


def test_a_file_system_without_locks(path, monkeypatch):
    open_file = h5py.File

    def without_locks(name, mode, locking=True):
        if locking:
            raise OSError(errno.ENOLCK, "unable to lock file")
        return open_file(name, mode, locking=False)

    monkeypatch.setattr(h5py, "File", without_locks)
    assert read_demonstrations(path).episodes
