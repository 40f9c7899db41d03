import sys
import types
from dataclasses import dataclass

import pytest
from toy_algorithm import OWN_TASK

from visuomotor import evaluation
from visuomotor.cli import main
from visuomotor.errors import VisuomotorError
from visuomotor.evaluation import Outcomes, Result, read_results, write_result
from visuomotor.runs import Run

SPLITS = ("training", "spatial", "visual", "background", "random")
CONDITIONS = ({"target": (0.5, -0.1, 1.0)}, {"target": (0.6, 0.0, 1.0)})


@dataclass(frozen=True)
class Config:
    iterations: int = 3


@pytest.fixture
def asked(monkeypatch, tmp_path) -> list:
    """A run `runs/mine`, and an evaluation that only notes what it was asked; its second trial succeeds."""
    found = []

    def evaluate(run, split, trials, seed, video):
        found.append((run.name, split, trials, seed, video))
        success, condition = zip(*((trial == 1, trial % 2) for trial in range(trials)), strict=True)
        told = {"outcomes": Outcomes(success, condition, CONDITIONS)}
        return Result(run.task_name, run.algorithm, split, run.preset, run.seed, trials, 1, 2.0, "a", None, "", **told)

    module = types.ModuleType("visuomotor.evaluation.evaluate")
    module.evaluate = evaluate  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "visuomotor.evaluation.evaluate", module)
    pictures = types.ModuleType("visuomotor.evaluation.feature_point_figures")
    pictures.draw_feature_point_figures = lambda run: found.append((run.name, "pictures")) or []  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "visuomotor.evaluation.feature_point_figures", pictures)
    monkeypatch.chdir(tmp_path)
    Run.create(algorithm="gps", task="hanger", preset="laptop", seed=4, config=Config(), name="mine")
    return found


def test_all_splits_by_default(asked, capsys):
    assert main(["evaluate", "runs/mine", "--trials", "5", "--video"]) == 0
    trials = [("mine", split, 5, 0, True) for split in SPLITS]
    assert asked == [*trials, ("mine", "pictures")]
    results = read_results("runs/mine/results")
    assert {(r.split, r.seed, r.trials) for r in results} == {(split, 4, 5) for split in SPLITS}
    assert results[0].command == "visuomotor evaluate runs/mine --trials 5 --video"
    printed = capsys.readouterr().out
    assert "| hanger | gps | laptop | spatial | 1 | 1 / 5 |" in printed
    [line] = [line for line in printed.splitlines() if line.startswith("background: ")]
    assert line.startswith("background: 4 of 5 trials failed, in 2 of 2 conditions; most in condition 0 (")


def test_results_for_the_readme_are_written_on_demand_only(asked, tmp_path):
    main(["evaluate", "runs/mine", "--split", "visual"])
    assert not (tmp_path / "results").exists()
    main(["evaluate", "runs/mine", "--split", "visual", "--results", "results"])
    assert [r.split for r in read_results("results")] == ["visual"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["runs/mine", "--trials", "0"], "--trials must be between 1 and"), (["runs/other"], "runs in runs: mine")],
)
def test_mistakes_are_told(asked, capsys, arguments, message):
    assert main(["evaluate", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert asked == []


def test_a_place_for_results_is_found_before_the_trials(asked, tmp_path, capsys):
    (tmp_path / "file").touch()
    assert main(["evaluate", "runs/mine", "--results", "file"]) == 2
    assert "cannot make the folder file" in capsys.readouterr().err
    assert asked == []


def test_what_was_measured_is_printed_though_it_cannot_be_written(asked, monkeypatch, capsys):
    def fail(result, folder):
        if result.split == "visual":
            raise VisuomotorError("no room")
        return write_result(result, folder)

    monkeypatch.setattr(evaluation, "write_result", fail)
    assert main(["evaluate", "runs/mine", "--trials", "5"]) == 2
    printed = capsys.readouterr()
    assert "no room" in printed.err
    told = [split for split in SPLITS if f"| laptop | {split} | 1 |" in printed.out]
    assert told == ["training", "spatial", "visual"]


def test_the_task_of_a_run_may_have_moved(asked, tmp_path, capsys):
    (tmp_path / "tasks.py").write_text(OWN_TASK)
    Run.create(
        algorithm="gps", task="gone.py:Mine", task_name="mine", preset="laptop", seed=4, config=Config(), name="a"
    )
    assert main(["evaluate", "runs/a", "--trials", "2"]) == 2
    assert "if the task of runs/a has moved: --task" in capsys.readouterr().err
    assert main(["evaluate", "runs/a", "--task", "tasks.py:Mine", "--trials", "2"]) == 0
    assert asked == [("a", "random", 2, 0, False)]
    assert Run.open("runs/a").task == f"{tmp_path / 'tasks.py'}:Mine"


def test_training_time_is_the_last_that_was_logged(asked):
    run = Run.open("runs/mine")
    for seconds in (60, 120, "x"):
        run.log({"elapsed_seconds": seconds})
    main(["evaluate", "runs/mine", "--split", "training"])
    assert read_results("runs/mine/results")[0].training_seconds == 120
