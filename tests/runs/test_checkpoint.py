import errno
import os
import resource
import subprocess
import sys
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch

from visuomotor.errors import VisuomotorError
from visuomotor.runs import generator_states, load_checkpoint, restore_generators, save_checkpoint
from visuomotor.runs.atomic import remove_partials, write_atomically

CONTENT = {
    "algorithm": "gps",
    "task": "hanger",
    "iteration": 3,
    "weights": OrderedDict(w=torch.arange(6.0).reshape(2, 3)),
    "rest": [None, True, ("a", 2.5)],
}


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def test_loaded_is_what_was_saved(tmp_path):
    save_checkpoint(tmp_path / "latest.pt", CONTENT)
    loaded = load_checkpoint(tmp_path / "latest.pt", expect={"algorithm": "gps", "task": "hanger"})
    torch.testing.assert_close(loaded.pop("weights")["w"], CONTENT["weights"]["w"], rtol=0, atol=0)
    assert loaded == {name: value for name, value in CONTENT.items() if name != "weights"}
    assert files(tmp_path) == ["latest.pt"]


@pytest.mark.parametrize("value", [np.float64(1), {"deep": [torch.optim.SGD]}, {(1, 2): 3}, {1, 2}])
def test_what_could_not_be_loaded_is_not_saved(tmp_path, value):
    with pytest.raises(TypeError, match=r"checkpoint\['bad'\]"):
        save_checkpoint(tmp_path / "latest.pt", {"bad": value})
    assert files(tmp_path) == []


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_full_disk_keeps_the_previous_checkpoint(tmp_path, monkeypatch, call):
    save_checkpoint(tmp_path / "latest.pt", CONTENT)
    before = (tmp_path / "latest.pt").read_bytes()

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, call, full)
    with pytest.raises(VisuomotorError, match=r"no room for .*latest\.pt.*previous file is intact.*Free some space"):
        save_checkpoint(tmp_path / "latest.pt", CONTENT | {"iteration": 4})
    assert (tmp_path / "latest.pt").read_bytes() == before
    assert files(tmp_path) == ["latest.pt"]


def test_write_that_the_system_cuts_short_keeps_the_previous_checkpoint(tmp_path):
    """The kernel itself refuses the bytes beyond a limit, half way through the file."""
    save_checkpoint(tmp_path / "latest.pt", CONTENT)
    code = (
        "import resource, sys, torch; from visuomotor.runs import save_checkpoint\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, (20000, {resource.RLIM_INFINITY}))\n"
        "save_checkpoint(sys.argv[1], {'weights': torch.zeros(100_000)})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "latest.pt"], capture_output=True, text=True, check=False
    )
    assert "VisuomotorError: no room for" in done.stderr
    assert load_checkpoint(tmp_path / "latest.pt")["iteration"] == 3
    assert files(tmp_path) == ["latest.pt"]


def test_links_are_not_followed(tmp_path):
    """In a folder from someone else they may lead to any file of this machine."""
    outside, folder = tmp_path / "outside", tmp_path / "run"
    outside.write_text("precious")
    folder.mkdir()
    path = folder / "latest.pt"
    path.symlink_to(outside)
    save_checkpoint(path, CONTENT)
    assert outside.read_text() == "precious"
    assert not path.is_symlink()
    assert load_checkpoint(path)["iteration"] == 3


def test_two_writers_do_not_disturb_each_other(tmp_path, monkeypatch):
    """One is stopped where its bytes are on the disk and its file has no name yet; meanwhile the other one writes."""
    path, replace = tmp_path / "latest.pt", os.replace

    def meanwhile(source, target):
        monkeypatch.setattr(os, "replace", replace)
        save_checkpoint(path, CONTENT | {"iteration": 4})
        replace(source, target)

    monkeypatch.setattr(os, "replace", meanwhile)
    save_checkpoint(path, CONTENT)
    assert load_checkpoint(path)["iteration"] == 3
    assert files(tmp_path) == ["latest.pt"]


def test_what_a_killed_writer_left_is_removed(tmp_path):
    for name in ("latest.pt.0a1b2c3d.partial", "latest.pt", "other.0a1b2c3d.partial"):
        (tmp_path / name).touch()
    remove_partials(tmp_path / "latest.pt")
    assert files(tmp_path) == ["latest.pt", "other.0a1b2c3d.partial"]


def test_a_folder_that_cannot_be_written_is_told(tmp_path, monkeypatch):
    """As on a read-only disk, where nothing can be removed either."""

    def refuse(*_args, **_more):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(VisuomotorError, match=r"cannot write .*latest\.pt: Read-only file system; nothing was written"):
        save_checkpoint(tmp_path / "latest.pt", CONTENT)


def test_what_claims_to_be_larger_than_the_file_is_not_unpacked(tmp_path):
    path = tmp_path / "latest.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(10_000_000))
    with pytest.raises(VisuomotorError, match="its parts are larger than the file"):
        load_checkpoint(path)


def test_interrupt_while_writing_leaves_no_rubbish(tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(tmp_path / "latest.pt", CONTENT)
    assert files(tmp_path) == []


def test_missing_checkpoint(tmp_path):
    with pytest.raises(VisuomotorError, match="there is no checkpoint"):
        load_checkpoint(tmp_path / "latest.pt")


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_what_is_no_file_is_not_read(tmp_path, make):
    make(tmp_path / "latest.pt")
    with pytest.raises(VisuomotorError, match=r"latest\.pt is a folder, a pipe or a device, no checkpoint; put back"):
        load_checkpoint(tmp_path / "latest.pt")


class Evil:
    def __reduce__(self):
        return os.system, ("touch touched",)


def test_a_program_in_a_file_is_not_run_and_nobody_is_advised_to(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"format": Evil()}, "latest.pt")
    with pytest.raises(VisuomotorError, match="holds other things than tensors and plain data") as refused:
        load_checkpoint("latest.pt")
    assert "weights_only" not in str(refused.value)
    assert not Path("touched").exists()


def test_every_truncation_is_noticed(tmp_path):
    path = tmp_path / "latest.pt"
    save_checkpoint(path, CONTENT)
    whole = path.read_bytes()
    for length in range(0, len(whole), 97):
        path.write_bytes(whole[:length])
        with pytest.raises(VisuomotorError, match=r"cannot be read as a checkpoint: found \d+ bytes.*expected"):
            load_checkpoint(path)


def test_flipped_bits_in_the_numbers_are_noticed(tmp_path):
    path = tmp_path / "latest.pt"
    save_checkpoint(path, {"weights": torch.full((1000,), 7.0)})
    damaged = bytearray(path.read_bytes())
    position = damaged.index(torch.full((4,), 7.0).numpy().tobytes())
    damaged[position + 2000] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(VisuomotorError, match="does not match its checksum"):
        load_checkpoint(path)


def test_foreign_files_are_named(tmp_path):
    path = tmp_path / "latest.pt"
    torch.save({"state_dict": {}}, path)
    with pytest.raises(VisuomotorError, match="not a checkpoint of visuomotor: found a dict with 'state_dict'"):
        load_checkpoint(path)
    torch.save(torch.zeros(2), path)
    with pytest.raises(VisuomotorError, match="found a Tensor"):
        load_checkpoint(path)
    torch.save(torch.nn.Linear(1, 1), path)  # a pickled object: must not be executed
    with pytest.raises(VisuomotorError, match="cannot be read"):
        load_checkpoint(path)
    path.write_text("hello")
    with pytest.raises(VisuomotorError, match="cannot be read"):
        load_checkpoint(path)


def test_checkpoint_of_something_else_is_refused(tmp_path):
    path = tmp_path / "latest.pt"
    save_checkpoint(path, CONTENT)
    with pytest.raises(VisuomotorError, match="written for algorithm 'gps', expected algorithm 'ppo_gail'"):
        load_checkpoint(path, expect={"algorithm": "ppo_gail"})


@pytest.mark.parametrize("version", [1, 99, None])
def test_checkpoints_of_other_versions_are_refused_in_one_line(tmp_path, version):
    """Version 1 was that of visuomotor before algorithms had one interface."""
    path = tmp_path / "latest.pt"
    torch.save({"format": "visuomotor checkpoint", "format_version": version, "algorithm": "gps"}, path)
    message = f"version {version}, expected version 2; use the visuomotor that wrote it, or train again"
    with pytest.raises(VisuomotorError, match=message) as told:
        load_checkpoint(path, expect={"algorithm": "gps"})
    assert "\n" not in str(told.value)


def test_restored_generators_continue_where_they_stood(tmp_path):
    generators = {"noise": torch.Generator().manual_seed(1), "batches": torch.Generator().manual_seed(2)}
    torch.randn(7, generator=generators["noise"])
    save_checkpoint(tmp_path / "latest.pt", {"generators": generator_states(generators)})
    expected = {name: torch.randn(5, generator=generator) for name, generator in generators.items()}

    fresh = {name: torch.Generator() for name in generators}
    restore_generators(fresh, load_checkpoint(tmp_path / "latest.pt")["generators"])
    for name, generator in fresh.items():
        assert torch.equal(torch.randn(5, generator=generator), expected[name])


def test_generators_must_be_the_same_ones():
    with pytest.raises(VisuomotorError, match=r"\['a'\], expected \['b'\]"):
        restore_generators({"b": torch.Generator()}, generator_states({"a": torch.Generator()}))


@pytest.mark.parametrize("links", [True, False])
def test_a_new_file_replaces_none(tmp_path, monkeypatch, links):
    """Also where another writer was faster after the name was found free, and on disks without hard links."""
    if not links:
        monkeypatch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(OSError(errno.EPERM, "not permitted")))
    write_atomically(tmp_path / "a.txt", "first", new=True)
    with pytest.raises(VisuomotorError, match=r"cannot write .*a\.txt: File exists"):
        write_atomically(tmp_path / "a.txt", "second", new=True)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a.txt", "first")]


def test_a_pipe_is_not_replaced(tmp_path):
    """Nor is a device: as root, `--out /dev/null` would make it a file."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(VisuomotorError, match="pipe: it is no regular file"):
        write_atomically(tmp_path / "pipe", "text")
    assert (tmp_path / "pipe").is_fifo()
