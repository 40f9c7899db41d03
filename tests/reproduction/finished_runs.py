"""Runs and results, as if trained."""

from dataclasses import replace

from visuomotor.algorithms.gps import PRESETS, Gps
from visuomotor.evaluation import Result, write_result
from visuomotor.reproduction.training import Training
from visuomotor.runs import Run

RESULT = Result(
    "hanger", "gps", "training", "laptop", 0, 100, 98, 3.0, "a laptop", None, "x", algorithm_version=Gps.version
)


def measured(where, **changes):
    write_result(replace(RESULT, **changes), where.results)


def log_run(where, place, rows, **other):
    """A run in the place of the task's, and of another task, seed or config if so wanted."""
    name = Training(place).run(where, 0).name
    made = {"algorithm": "gps", "task": place, "preset": "laptop", "seed": 0, "config": PRESETS["laptop"]} | other
    run = Run.create(where.root, name=name, **made)
    for success in rows:
        run.log({"phase": "trajectories", "success": success})
    run.close()
    return run


def opened(path):
    """The run there, if any."""
    return Run.open(path) if path.is_dir() else None
