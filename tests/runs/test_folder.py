import errno
import json
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from visuomotor.errors import VisuomotorError
from visuomotor.policies import load_policy
from visuomotor.runs import Run, load_checkpoint
from visuomotor.runs.graceful_shutdown import GracefulShutdown
from visuomotor.runs.lock import RunLock
from visuomotor.runs.metrics import MetricsLog


@dataclass(frozen=True)
class Config:
    samples: int = 5
    noise: float = 0.5


def new_run(root, **changes) -> Run:
    told = {"algorithm": "gps", "task": "hanger", "preset": "laptop", "seed": 3, "config": Config(), "name": "first"}
    return Run.create(root, **(told | changes))


def test_opened_run_knows_what_it_was_created_with(tmp_path):
    new_run(tmp_path, command=["visuomotor", "train", "two words"])
    run = Run.open(tmp_path / "first")
    assert (run.algorithm, run.task, run.preset, run.seed, run.name) == ("gps", "hanger", "laptop", 3, "first")
    assert run.config(Config) == Config()
    assert run.metadata["command"] == "visuomotor train 'two words'"
    assert {"python", "torch", "mujoco", "numpy", "visuomotor"} <= run.metadata["versions"].keys()
    assert "core" in run.metadata["hardware"]


def test_a_setting_s_old_word_is_read_as_todays(tmp_path):
    run = new_run(tmp_path)
    path = run.path / "config.json"
    for written, read in (
        ({"curriculum": {"strategy": "frontier", "more": 1}}, {"strategy": "intermediate-difficulty", "more": 1}),
        ({"curriculum": {"strategy": "stages"}}, {"strategy": "stages"}),
        ({"curriculum": "frontier"}, "frontier"),
    ):
        path.write_text(json.dumps(run.metadata | {"config": written}))
        assert Run.open(run.path).metadata["config"]["curriculum"] == read


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"seed": -5}, "seed must be a whole number from 0 to 2147483647, not -5"),
        ({"seed": "x"}, "seed must be a whole number .* not 'x'"),
        ({"task": "nope"}, "there is no task 'nope'; choose one of: bottle"),
        ({"task": None}, "the name of a task is text, not None"),
        ({"algorithm": "nope"}, "there is no algorithm 'nope'; choose one of: cem"),
        ({"preset": None}, "preset must be the name of one of the algorithm's presets, not None"),
        ({"name": 5}, "--name must be a plain folder name, not 5"),
    ],
)
def test_what_no_run_can_be_of(tmp_path, given, told):
    with pytest.raises(VisuomotorError, match=told):
        new_run(tmp_path, **given)
    assert not list(tmp_path.iterdir())


def test_numbers_of_numpy_become_plain_ones(tmp_path):
    run = new_run(tmp_path, seed=np.int64(3), config=Config(samples=np.int32(7), noise=np.float64(0.25)))
    assert Run.open(run.path).seed == 3
    assert Run.open(run.path).config(Config) == Config(7, 0.25)


def test_default_name_says_what_the_run_is(tmp_path):
    assert new_run(tmp_path, name=None).name.startswith("gps-hanger-laptop-seed3-20")
    own = new_run(
        tmp_path, name=None, algorithm="/home/a/mine.py:Mine", task="/home/a/tasks.py:Lift", task_name="my lift"
    )
    assert own.name.startswith("Mine-my-lift-laptop-seed3-20")
    assert (own.algorithm, own.algorithm_name) == ("/home/a/mine.py:Mine", "Mine")
    assert (own.task, own.task_name) == ("/home/a/tasks.py:Lift", "my lift")


@pytest.mark.parametrize("name", ["../x", "..", ".", "", " ", "a/b", "/tmp/x", "a/"])
def test_a_name_that_is_another_place_is_refused(tmp_path, name):
    with pytest.raises(VisuomotorError, match="--name must be a plain folder name"):
        new_run(tmp_path / "runs", name=name)
    assert not any(tmp_path.iterdir())


def test_a_failure_while_a_run_is_made_leaves_its_name_free(tmp_path, monkeypatch):
    def full(*_args, **_more):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(VisuomotorError, match="no room"):
            new_run(tmp_path)
    assert new_run(tmp_path).name == "first"


def test_never_overwrites(tmp_path):
    new_run(tmp_path)
    with pytest.raises(VisuomotorError, match="first is there already"):
        new_run(tmp_path, seed=4)
    assert Run.open(tmp_path / "first").seed == 3


def test_folder_that_is_no_run_is_named_with_the_runs_beside(tmp_path):
    new_run(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(VisuomotorError, match=r"empty is no run folder.*config\.json.*first"):
        Run.open(tmp_path / "empty")
    with pytest.raises(VisuomotorError, match=r"no run folder .*absent.*first"):
        Run.open(tmp_path / "absent")
    (tmp_path / "elsewhere" / "demos").mkdir(parents=True)
    with pytest.raises(VisuomotorError, match=r"no config\.json; give the folder of a run, such as runs/NAME"):
        Run.open(tmp_path / "elsewhere" / "demos")


@pytest.mark.parametrize("name", ["policy.safetensors", "checkpoints/latest.pt"])
def test_a_file_of_a_run_is_told_with_its_folder(tmp_path, name):
    run = new_run(tmp_path)
    (run.path / name).parent.mkdir(exist_ok=True)
    (run.path / name).touch()
    with pytest.raises(VisuomotorError, match=rf"{name} is no folder; give the folder of its run, {run.path}$"):
        Run.open(run.path / name)
    (tmp_path / "notes.txt").touch()
    with pytest.raises(VisuomotorError, match=r"notes.txt is no folder; a run is named by its folder$"):
        Run.open(tmp_path / "notes.txt")


def test_a_run_of_an_older_version_is_refused_in_one_line(tmp_path):
    (tmp_path / "config.json").write_text('{"method": "gps", "task": "hanger", "config": {}}')
    with pytest.raises(VisuomotorError, match="was trained by an older version of visuomotor; use that one") as told:
        Run.open(tmp_path)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("field", ["algorithm", "task", "task_name", "preset", "seed", "config"])
@pytest.mark.parametrize("value", [None, ["/../evil"], 1.5])
def test_entries_of_the_wrong_type_are_named(tmp_path, field, value):
    run = new_run(tmp_path)
    (run.path / "config.json").write_text(json.dumps(run.metadata | {field: value}))
    with pytest.raises(VisuomotorError, match=rf"config\.json\.{field} is .*, expected"):
        Run.open(run.path)


@pytest.mark.parametrize("text", ["{", '{"algorithm": "gps"}', "[1]"])
def test_broken_config_is_refused(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(VisuomotorError, match=r"config\.json"):
        Run.open(tmp_path)


@pytest.mark.parametrize("name", ["config.json", "metrics.jsonl", "checkpoints", "checkpoints/latest.pt", "figures"])
def test_a_run_with_links_is_refused(tmp_path, name):
    """It may come from someone else, and lead to any file of this machine."""
    run = new_run(tmp_path)
    run.log({"cost": 1.0})
    run.close()
    path = run.path / name
    path.parent.mkdir(exist_ok=True)
    if path.exists():
        path.rename(tmp_path / "moved")
    path.symlink_to(tmp_path / "moved")
    with pytest.raises(VisuomotorError, match=rf"first holds links \({name}\)"):
        Run.open(run.path)


def test_a_lock_is_held_once_and_a_killed_process_lets_go_of_it(tmp_path):
    code = (
        "import sys, time; from pathlib import Path; from visuomotor.runs.lock import RunLock\n"
        "with RunLock(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    other = subprocess.Popen([sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    assert other.stdout.readline() == "held\n"
    with pytest.raises(VisuomotorError, match="another process is training into"), RunLock(tmp_path):
        pass
    with RunLock(tmp_path, enabled=False):  # such as another process of the same job
        pass
    other.kill()
    other.wait()
    for _ in range(2):
        with RunLock(tmp_path):
            pass


def test_a_lock_that_is_a_link_is_not_followed(tmp_path):
    (tmp_path / ".lock").symlink_to(tmp_path / "outside")
    with pytest.raises(VisuomotorError, match="cannot write"), RunLock(tmp_path):
        pass
    assert not (tmp_path / "outside").exists()


def test_a_folder_that_is_gone_is_told(tmp_path):
    run = new_run(tmp_path)
    run.log({"cost": 1.0})
    run.close()
    shutil.rmtree(run.path)
    with pytest.raises(VisuomotorError, match="first was deleted or moved while it was being trained"):
        run.log({"cost": 2.0})


@pytest.mark.parametrize("text", [b"[1]", b"3", b'{"cost": 1', b"\xff\xfe", b"[" * 100_000])
def test_a_line_of_metrics_that_is_no_row_is_named(tmp_path, text):
    run = new_run(tmp_path)
    (run.path / "metrics.jsonl").write_bytes(b'{"cost": 1.0}\n' + text + b"\n")
    with pytest.raises(VisuomotorError, match=r"line 2 of .*metrics\.jsonl is .*; delete that line"):
        Run.open(run.path).metrics()


def test_metrics_are_read_as_logged(tmp_path):
    run = new_run(tmp_path)
    run.log({"phase": "policy", "cost": torch.tensor(1.5), "kl": [1, 2.0], "success": float("nan")})
    assert run.metrics() == [{"phase": "policy", "cost": 1.5, "kl": [1, 2.0], "success": None}]
    assert run.metrics_lines == 1
    assert list((run.path / "tensorboard").iterdir())


def test_tensorboard_counts_control_steps_where_there_are_some(tmp_path):
    """Also after a resume, which hides what came after the checkpoint."""
    run = new_run(tmp_path)
    run.log({"phase": "vision_pretraining", "error": 0.5})
    for steps in (100, 200, 300):
        run.log({"phase": "ppo", "control_steps": steps, "kl": float(steps)})
    run.close()
    time.sleep(1)  # TensorBoard reads the files in the order of their names, which tell the second
    resumed = Run.open(run.path)
    resumed.truncate_metrics(2)
    resumed.log({"phase": "ppo", "control_steps": 200, "kl": -1.0})
    resumed.close()
    events = EventAccumulator(str(run.path / "tensorboard")).Reload()
    assert [(event.step, event.value) for event in events.Scalars("ppo/kl")] == [(100, 100.0), (200, -1.0)]
    assert [event.step for event in events.Scalars("vision_pretraining/error")] == [0]


def test_resumed_metrics_have_no_duplicates(tmp_path):
    run = new_run(tmp_path)
    for iteration in range(5):
        run.log({"iteration": iteration})
    run.close()
    resumed = Run.open(run.path)
    resumed.truncate_metrics(3)
    resumed.log({"iteration": 3})
    assert [row["iteration"] for row in resumed.metrics()] == [0, 1, 2, 3]
    assert resumed.metrics_lines == 4


def test_line_cut_short_by_a_crash_is_dropped(tmp_path):
    run = new_run(tmp_path)
    run.log({"iteration": 0})
    run.close()
    with (run.path / "metrics.jsonl").open("ab") as file:
        file.write('{"note": "ä'.encode()[:-1])
    reopened = Run.open(run.path)
    assert reopened.metrics() == [{"iteration": 0}]
    reopened.log({"iteration": 1})
    assert [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()] == reopened.metrics()
    assert reopened.metrics() == [{"iteration": 0}, {"iteration": 1}]


def test_truncating_to_more_rows_than_there_are_warns(tmp_path):
    run = new_run(tmp_path)
    with pytest.warns(UserWarning, match="has 0 rows where the checkpoint counted 2"):
        run.truncate_metrics(2)


def test_a_full_disk_is_told_and_the_folder_is_closed(tmp_path):
    """/dev/full takes no byte, and closing tries again."""
    run = new_run(tmp_path)
    (run.path / "metrics.jsonl").symlink_to("/dev/full")
    with pytest.raises(VisuomotorError, match=r"cannot write .*metrics\.jsonl: No space left .* make room"):
        run.log({"cost": 1.0})
    run.close()


def test_a_file_in_place_of_the_tensorboard_folder_is_named(tmp_path):
    run = new_run(tmp_path)
    (run.path / "tensorboard").touch()
    with pytest.raises(VisuomotorError, match=r"cannot write .*/tensorboard: File exists"):
        run.log({"cost": 1.0})
    run.close()


def test_shared_rows_are_counted(tmp_path):
    run = new_run(tmp_path)
    run.log_shared([{"cost": 1.0}, {"cost": 0.5}])
    run.log({"cost": 0.25})
    again = Run.open(run.path)
    assert [row["cost"] for row in again.metrics()] == [1.0, 0.5, 0.25]
    assert again.shared_rows == 2


@pytest.fixture(params=["SIGINT", "SIGTERM", "SIGHUP"])
def number(request):
    """Of a signal that is not ignored, as jobs in the background may ignore some."""
    found = getattr(signal, request.param)
    before = signal.signal(found, signal.SIG_DFL)
    yield found
    signal.signal(found, before)


def test_a_signal_asks_and_a_second_one_stops(number, capsys):
    with GracefulShutdown() as shutdown:
        assert not shutdown.requested
        signal.raise_signal(number)
        assert shutdown.requested
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
    assert signal.getsignal(number) == signal.SIG_DFL
    assert "saving after this iteration" in capsys.readouterr().err
    signal.signal(number, signal.SIG_IGN)
    with GracefulShutdown() as shutdown:
        signal.raise_signal(number)
        assert not shutdown.requested  # what nohup ignores stays ignored


def test_a_number_beyond_all_floats_is_no_number(tmp_path):
    (tmp_path / "metrics.jsonl").write_text(f'{{"kl": {10**400}, "cost": -1e999, "reward": 1}}\n')
    assert MetricsLog(tmp_path).rows() == [{"kl": None, "cost": None, "reward": 1}]


@pytest.mark.parametrize("path", [None, 5, b"run"])
def test_what_is_no_path_of_a_run(path):
    with pytest.raises(VisuomotorError, match="a run is opened by the path of its folder, not by"):
        Run.open(path)


@pytest.mark.parametrize(
    ("name", "told"),
    [("pretraining", "share pretraining"), ("x" * 201, "has over 200 bytes"), ("q\udcff", "cannot be written")],
)
def test_names_that_no_run_can_have(tmp_path, name, told):
    with pytest.raises(VisuomotorError, match=told):
        new_run(tmp_path, name=name)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"shared_rows": -5}, r"config\.json\.shared_rows must be between 0"),
        ({"changes": [{"row": -1, "before": {}}]}, r"config\.json\.changes\.row must be between 0"),
        ({"seed": -1}, r"config\.json\.seed must be between 0"),
        ({"command": "\ud800"}, r"config\.json\.command is .*, expected text that can be written"),
    ],
)
def test_metadata_that_no_run_has(tmp_path, change, told):
    run = new_run(tmp_path)
    (run.path / "config.json").write_text(json.dumps(run.metadata | change))
    with pytest.raises(VisuomotorError, match=told):
        Run.open(run.path)


def test_what_may_not_be_read_is_not_called_damaged(tmp_path, monkeypatch):
    run = new_run(tmp_path)
    for path, read in (
        (run.path / "config.json", lambda: Run.open(run.path)),
        (run.latest_checkpoint, lambda: load_checkpoint(run.latest_checkpoint)),
        (run.path / "policy.safetensors", lambda: load_policy(run.path)),
    ):
        path.parent.mkdir(exist_ok=True)
        path.touch()
        monkeypatch.setattr("os.access", lambda asked, _, path=path: asked != path)
        with pytest.raises(VisuomotorError, match=f"{path} may not be read; check its permissions"):
            read()


def test_a_command_of_any_bytes_is_kept(tmp_path):
    run = new_run(tmp_path, command=["visuomotor", "--demos", "caf\udce9.hdf5"])
    assert Run.open(run.path).metadata["command"] == "visuomotor --demos 'caf\\xe9.hdf5'"


def test_names_in_other_scripts(tmp_path):
    assert Run.open(new_run(tmp_path, name="\u540d\u3000x\u00a0\u00e4").path).seed == 3
