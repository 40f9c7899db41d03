"""The first table: results of its own cells only, and what is missing of it."""

from dataclasses import replace

import pytest
from finished_runs import log_run, measured

from visuomotor.algorithms.gps import Gps
from visuomotor.errors import VisuomotorError
from visuomotor.reproduction.success_table import TASKS, SuccessTable, trained
from visuomotor.reproduction.training import SPLITS


def test_the_first_table_holds_results_of_its_own_cell_only(where, tmp_path):
    measured(where, successes=50)
    measured(where, seed=1, successes=90, training_seconds=900.0)
    measured(where, seed=2, successes=70)  # more seeds than are asked for
    measured(where, successes=98)
    measured(where, split="spatial", algorithm_version=Gps.version - 1)
    where = replace(where, seeds=2)
    measured(where, split="visual", settings="vision pose-features", successes=50)
    measured(where, split="visual", settings="vision pose-features, num_conditions 9", successes=1)  # another policy
    measured(where, split="spatial", preset="paper", successes=2)
    lines = SuccessTable().write(where, tmp_path / "docs" / "page.md").splitlines()
    rows = {tuple(cell.strip() for cell in line.split("|")[1:3]): line for line in lines}
    assert len(rows) >= 12
    assert rows["hanger", "end to end"].split("|")[3].strip() == "0, 1"
    assert rows["hanger", "end to end"].split("|")[4].strip() == "94.0% (90 to 97); paper 100.0%"
    assert rows["hanger", "end to end"].split("|")[5].strip() == "missing; paper 100.0%"
    assert rows["hanger", "pose features"].split("|")[3].strip() == "0"
    assert rows["hanger", "pose features"].split("|")[6].strip() == "50.0% (40 to 60); paper 83.3%"
    assert rows["bottle", "pose prediction"].split("|")[3:9] == ["  ", *[" missing "] * 5]
    assert rows["hanger", "end to end"].split("|")[8].strip() == "15 min"


def test_what_is_missing_of_the_first_table_is_trained_and_evaluated(where):
    """The hanger's end to end lacks one split; its run is there, so it is resumed."""
    for split in SPLITS[:3]:
        measured(where, split=split)
    run = log_run(where, "hanger", ()).path
    commands = list(SuccessTable().missing(where))
    assert commands[0] == ["train", "gps", "--resume", str(run)]
    assert commands[1] == [
        *("evaluate", str(run), "--split", "background", "--trials", "100", "--results", str(where.results))
    ]
    assert commands[2][:5] == ["train", "gps", "hanger", "--vision", "pose-features"]
    assert len(commands) == 2 + (3 * len(TASKS) - 1) * (1 + len(SPLITS))


def test_results_of_another_version_are_not_overwritten(where):
    measured(where, split="spatial", algorithm_version=Gps.version - 1)
    told = rf"split spatial, seed 0, of version {Gps.version - 1} of gps, which is now {Gps.version}; move it away"
    with pytest.raises(VisuomotorError, match=told):
        next(SuccessTable().missing(where))
    assert next(trained("hanger", "end-to-end").missing(where, 1))[:2] == ["train", "gps"]  # another seed


def test_few_trials_are_measured_again(where):
    for split in SPLITS:
        measured(where, split=split, trials=50, successes=49)
    assert next(SuccessTable().missing(where))[:3] == ["train", "gps", "hanger"]
    enough = replace(where, trials=50)
    assert next(SuccessTable().missing(enough))[4] == "pose-features"
