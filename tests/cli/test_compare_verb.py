import dataclasses
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from visuomotor.cli import main
from visuomotor.cli.compare import group_seeds
from visuomotor.runs import Run


@dataclass(frozen=True)
class Gail:
    weight: float = 0.5


@dataclass(frozen=True)
class Config:
    demos: Path
    total_steps: int = 100
    gail: Gail = field(default_factory=Gail)


@pytest.fixture
def runs(tmp_path):
    made = []
    for name, weight, seed in (("a", 0.5, 0), ("b", 0.5, 1), ("c", 0.0, 0)):
        folder = tmp_path / name  # where a file lies does not matter
        config = Config(folder / "lifting.hdf5", gail=Gail(weight))
        run = Run.create(
            tmp_path, algorithm="ppo-gail", task="stacking", preset="laptop", seed=seed, config=config, name=name
        )
        for step in range(1, 6):
            run.log({"phase": "ppo", "control_steps": 10 * step, "success_rate": step * (seed + 1) / 10})
        run.close()
        made.append(run)
    return made


def test_runs_that_differ_in_their_seed_only_share_a_line(runs):
    groups = group_seeds(runs)
    assert {label: [run.name for run in members] for label, members in groups.items()} == {
        "gail.weight 0.5": ["a", "b"],
        "gail.weight 0.0": ["c"],
    }
    assert list(group_seeds(runs[:2])) == ["ppo-gail stacking"]
    assert list(group_seeds(runs, by_name=True)) == ["a", "c"]


@pytest.mark.parametrize("change", [{"demos": Path("five.hdf5")}, {"total_steps": 7}])
def test_what_else_differs_makes_a_line_of_its_own(runs, tmp_path, change):
    """Also how long they go on: learning rates fall with that."""
    config = dataclasses.replace(runs[0].config(Config), **change)
    other = Run.create(
        tmp_path, algorithm="ppo-gail", task="stacking", preset="laptop", seed=2, config=config, name="d"
    )
    assert [[run.name for run in members] for members in group_seeds([*runs[:2], other]).values()] == [
        ["a", "b"],
        ["d"],
    ]


def test_runs_without_the_metric_are_left_out_and_named(runs, tmp_path, capsys):
    young = Run.create(
        tmp_path,
        algorithm="ppo-gail",
        task="stacking",
        preset="laptop",
        seed=2,
        config=runs[0].config(Config),
        name="young",
    )
    young.log({"phase": "vision_pretraining", "object_position_error_m": 0.01})
    out = tmp_path / "figure.png"
    assert main(["compare", str(runs[0].path), str(young.path), "--out", str(out)]) == 0
    assert "ppo-gail stacking: a\nleft out, as it has no success_rate (yet): young\n" in capsys.readouterr().out


def test_a_figure_cannot_be_a_folder(runs, tmp_path, capsys):
    assert main(["compare", str(runs[0].path), "--out", str(tmp_path)]) == 2
    assert "it is a folder; give the name of a file" in capsys.readouterr().err
    assert main(["compare", str(runs[0].path), "--out", str(runs[0].path / "config.json" / "x.png")]) == 2
    assert "cannot write" in capsys.readouterr().err


def test_the_figure_is_drawn(runs, tmp_path, capsys):
    out = tmp_path / "figure.png"
    assert main(["compare", *(str(run.path) for run in runs), "--out", str(out)]) == 0
    assert out.read_bytes().startswith(b"\x89PNG")
    assert "gail.weight 0.5: a, b" in capsys.readouterr().out


def test_a_metric_that_is_no_number(runs, tmp_path, capsys):
    out = tmp_path / "figure.png"
    assert main(["compare", str(runs[0].path), "--metric", "phase", "--out", str(out)]) == 2
    error = capsys.readouterr().err
    assert "no run has the metric 'phase' as a number; there are: control_steps, success_rate\n" in error
    assert not out.exists()


def test_where_the_default_metric_is_missing_another_one_is_suggested(runs, tmp_path, capsys):
    told = {"algorithm": "gps", "task": "hanger", "preset": "laptop", "seed": 0, "config": runs[0].config(Config)}
    run = Run.create(tmp_path, **told, name="searched")
    assert main(["compare", str(run.path)]) == 2
    assert "no run has the metric 'success_rate' as a number; there is none yet" in capsys.readouterr().err
    run.log({"phase": "policy", "iteration": 0, "success": 0.5, "policy_success": 0.25, "each": [1, 2]})
    assert main(["compare", str(run.path)]) == 2
    error = capsys.readouterr().err
    assert "as a number; try --metric policy_success; there are: policy_success, success\n" in error
    assert main(["compare", str(run.path), str(runs[0].path)]) == 2
    assert "several tasks: hanger, stacking; name runs of one of them only" in capsys.readouterr().err


def test_a_metric_that_no_run_has(runs, tmp_path, capsys):
    out = tmp_path / "figure.png"
    assert main(["compare", str(runs[0].path), "--metric", "beauty", "--out", str(out)]) == 2
    assert "no run has the metric 'beauty' as a number; there are: control_steps" in capsys.readouterr().err
    assert not out.exists()
