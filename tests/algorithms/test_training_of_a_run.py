"""A run's config.json is true of what is trained in it."""

import itertools
from dataclasses import make_dataclass, replace

import numpy as np
import pytest
import torch

from visuomotor.algorithms.algorithm import Algorithm
from visuomotor.algorithms.ppo_gail import PRESETS, PpoGail
from visuomotor.algorithms.training import train
from visuomotor.errors import VisuomotorError
from visuomotor.runs import Run
from visuomotor.tasks import make_task
from visuomotor.tasks.jaco.lifting import Lifting

PRESET = PRESETS["laptop"]
CONFIG = replace(
    PRESET,
    total_steps=24,
    num_envs=4,
    device="cpu",
    ppo=replace(PRESET.ppo, num_steps=3, num_epochs=1, num_minibatches=2),
    imitation=replace(PRESET.imitation, weight=0.0),
    curriculum=replace(PRESET.curriculum, random_start_fraction=1.0),
    auxiliary=replace(PRESET.auxiliary, pretraining_updates=0, updates_per_iteration=0),
)


@pytest.mark.parametrize(
    ("of_run", "told"),
    [
        ({"seed": 5}, "is a run of seed 5, and this is 0"),
        ({"task": "stacking"}, "is a run of task 'stacking', and this is 'lifting'"),
        ({"algorithm": "gps"}, "is a run of algorithm 'gps', and this is 'ppo-gail'"),
        ({"preset": "huge"}, "there is no preset 'huge'; choose one of: gpu, laptop, paper"),
        ({"config": replace(CONFIG, total_steps=12)}, r"for another config .*: total_steps 12 \(now 24\)"),
    ],
)
def test_another_run_is_refused(tmp_path, of_run, told):
    named = {"algorithm": "ppo-gail", "task": "lifting", "preset": "laptop", "seed": 0, "config": CONFIG, **of_run}
    run = Run.create(tmp_path, name="run", **named)
    with pytest.raises(VisuomotorError, match=told):
        train(PpoGail(make_task("lifting"), CONFIG, 0), run)
    assert not run.latest_checkpoint.exists()


class Mine(Lifting):
    """A task of a user's own, whose class has another name than the task."""

    name = "mine"


def test_a_run_that_was_made_without_the_tasks_short_name_says_to_give_it(tmp_path):
    task, named = Mine(), {"algorithm": "ppo-gail", "preset": "laptop", "seed": 0, "config": CONFIG}
    run = Run.create(tmp_path, name="run", task=f"{__file__}:Mine", **named)
    told = r"is a run of task 'Mine', and this is 'mine'; if .* give Run.create\(..., task_name=task.name\)$"
    with pytest.raises(VisuomotorError, match=told):
        train(PpoGail(task, CONFIG, 0), run)
    run = Run.create(tmp_path, name="other", task=f"{__file__}:Mine", task_name="theirs", **named)
    with pytest.raises(VisuomotorError, match=r"is a run of task 'theirs', and this is 'mine'$"):
        train(PpoGail(task, CONFIG, 0), run)


def test_a_trained_run_is_not_trained_from_the_start_again(tmp_path):
    named = {"algorithm": "ppo-gail", "task": "lifting", "preset": "laptop", "seed": 0, "config": CONFIG}
    run = Run.create(tmp_path, name="run", **named)
    assert train(PpoGail(make_task("lifting"), CONFIG, 0), str(run.path))
    before = run.latest_checkpoint.read_bytes()
    with pytest.raises(VisuomotorError, match="is trained already; give resume=True to go on, or make a new run"):
        train(PpoGail(make_task("lifting"), CONFIG, 0), Run.open(run.path))
    assert run.latest_checkpoint.read_bytes() == before
    assert train(PpoGail(make_task("lifting"), CONFIG, 0), Run.open(run.path), resume=True)


@pytest.mark.parametrize("limit", [-1, float("nan"), "9m"])
def test_a_time_limit_that_is_none(tmp_path, limit):
    run = Run.create(tmp_path, algorithm="ppo-gail", task="lifting", preset="laptop", seed=0, config=CONFIG)
    with pytest.raises(VisuomotorError, match=r"time_limit \(s\) must be between 0 and inf"):
        train(PpoGail(make_task("lifting"), CONFIG, 0), run, time_limit=limit)
    assert not run.metrics()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"task": "lifting"}, "an algorithm is made for a task, such as make_task.*not 'lifting'"),
        ({"config": {}}, r"the config of ppo-gail is one like its presets, not \{\}"),
        ({"seed": -1}, "seed must be a whole number from 0 to 2147483647, not -1"),
        ({"seed": None}, "seed must be a whole number .* not None"),
    ],
)
def test_what_an_algorithm_is_not_made_for(change, told):
    with pytest.raises(VisuomotorError, match=told):
        PpoGail(**{"task": make_task("lifting"), "config": CONFIG, "seed": 0, **change})


def test_a_seed_of_numpy_is_a_seed():
    ours, theirs = (PpoGail(make_task("lifting"), CONFIG, seed) for seed in (3, np.int64(3)))
    assert type(theirs.seed) is int
    for name, weights in ours.recurrent_policy.state_dict().items():
        assert torch.equal(theirs.recurrent_policy.state_dict()[name], weights)


def config_class(name: str) -> type:
    return make_dataclass(name, [("x", int, 1)], frozen=True)


def test_a_config_from_a_file_that_was_imported_twice_is_taken():
    presets = {"laptop": config_class("Config")()}
    mine = type("Mine", (Algorithm,), {"name": "mine", "version": 1, "presets": presets})
    mine.__abstractmethods__ = frozenset()
    again = config_class("Config")()
    assert mine(make_task("lifting"), again, 0).config is again
    with pytest.raises(VisuomotorError, match=r"the config of mine is one like its presets, not Other\(x=1\)"):
        mine(make_task("lifting"), config_class("Other")(), 0)


def test_fewer_steps_between_checkpoints_after_a_crash(tmp_path):
    """The rows that will be done again were logged with the number before."""
    config = replace(CONFIG, total_steps=48)
    run = Run.create(tmp_path, algorithm="ppo-gail", task="lifting", preset="laptop", seed=0, config=config)
    crashing = PpoGail(make_task("lifting"), config, 0)
    steps = crashing.steps()
    crashing.steps = lambda: itertools.chain(itertools.islice(steps, 2), raising())
    with pytest.raises(ZeroDivisionError):
        train(crashing, run)
    assert run.metrics_lines == 2
    assert train(PpoGail(make_task("lifting"), replace(config, save_interval=1), 0), run, resume=True)


def raising():
    yield 1 / 0
