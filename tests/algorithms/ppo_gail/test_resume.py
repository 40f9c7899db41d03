"""A run goes on exactly where it was, however it ended."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_training import assert_same, make, new_run, small

from visuomotor.algorithms.ppo_gail.config import (
    AuxiliaryConfig,
    BehaviorCloningConfig,
    ExplorationConfig,
    PolicyConfig,
)
from visuomotor.algorithms.training import train
from visuomotor.demos import Episode, write_demonstrations
from visuomotor.errors import VisuomotorError
from visuomotor.runs import Run, load_checkpoint
from visuomotor.tasks import make_task


def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(demos: Path, tmp_path: Path):
    cloning = BehaviorCloningConfig(num_updates=3, batch_size=2, renders_per_demo=1)
    exploration = ExplorationConfig(critic_sees_noise=True, std_schedule="geometric")
    config = small(
        demos,
        behavior_cloning=cloning,
        auxiliary=AuxiliaryConfig(pretraining_updates=3, batch_size=16, updates_per_iteration=2),
        exploration=exploration,
    )
    whole = new_run(tmp_path, config, "whole")
    train(make(config), whole)
    halves = new_run(tmp_path, config, "halves")

    class Killed(Exception):
        pass

    def stop(row: dict[str, object]) -> None:
        if row["phase"] == "ppo" and row["iteration"] == 3:  # the checkpoint is that of iteration 2
            raise Killed

    with pytest.raises(Killed):
        train(make(config), halves, callback=stop)
    train(make(config), Run.open(halves.path), resume=True)
    assert_same(load_checkpoint(whole.latest_checkpoint), load_checkpoint(halves.latest_checkpoint))
    timed = ("time/", "sps", "elapsed_seconds")
    numbers = [
        [{k: v for k, v in row.items() if not k.startswith(timed)} for row in Run.open(run.path).metrics()]
        for run in (whole, halves)
    ]
    assert numbers[0] == numbers[1]


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Tests that a shell started in its background ignore SIGINT."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_interrupted_runs_are_saved_first(demos: Path, tmp_path: Path):
    config = small(demos, save_interval=1000)
    run = new_run(tmp_path, config, "stopped")

    def interrupt(row: dict[str, object]) -> None:
        if row["iteration"] == 2:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(make(config), run, callback=interrupt)
    assert load_checkpoint(run.latest_checkpoint)["state"]["iteration"] == 2
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    train(make(config), Run.open(run.path), resume=True)
    assert [row["iteration"] for row in Run.open(run.path).metrics()] == [1, 2, 3, 4]


def test_a_run_that_was_killed_before_its_first_checkpoint_begins_anew(demos: Path, tmp_path: Path):
    config = small(demos, save_interval=1000)
    run = new_run(tmp_path, config, "killed")

    def die(row: dict[str, object]) -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        train(make(config), run, callback=die)
    train(make(config), Run.open(run.path), resume=True)
    assert [row["iteration"] for row in Run.open(run.path).metrics()] == [1, 2, 3, 4]


def test_a_checkpoint_of_other_circumstances_is_refused(demos: Path, demonstrations: list[Episode], tmp_path: Path):
    content = make(small(demos)).state_dict()
    other = tmp_path / "other.hdf5"
    write_demonstrations(other, make_task("lifting"), demonstrations[:2])
    with pytest.raises(VisuomotorError, match="does not hold the demonstrations that this run began with"):
        make(small(other)).load_state_dict(content)
    with pytest.raises(VisuomotorError, match=r"another camera \(supersampling 1, now 2\)"):
        make(small(demos, policy=PolicyConfig(supersampling=2))).load_state_dict(content)
    with pytest.raises(VisuomotorError, match="holds 8 worlds, not 16"):
        make(small(demos, num_envs=16)).load_state_dict(content)
    with pytest.raises(VisuomotorError, match="written by 2 processes, this job has 1"):
        make(small(demos)).load_state_dict(content | {"processes": 2 * content["processes"]})
