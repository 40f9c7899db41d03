"""`visuomotor train`: options, new runs, and what is said of mistakes."""

from pathlib import Path

import pytest
from toy_algorithm import OWN_TASK, Config, Inner

from visuomotor.cli import main
from visuomotor.runs import Run, load_checkpoint

BLIND_TASK = """
from visuomotor.tasks.jaco.lifting import Lifting

class Blind(Lifting):
    name = "blind"
    def __init__(self):
        super().__init__()
        self.camera = "top"
"""
DEMOS = Path(__file__).parents[2] / "demos"


def test_preset_gives_the_defaults_and_options_change_them(made, capsys):
    command = ["train", "toy", "lifting", "--inner.rate", "0.5", "--preset", "paper", "--seed", "7", "--name", "mine"]
    assert main(command) == 0
    [toy] = made
    assert (toy.task.name, toy.task_reference, toy.seed) == ("lifting", "lifting", 7)
    assert (toy.config, toy.count) == (Config(12, inner=Inner(0.5)), 12)
    run = Run.open("runs/mine")
    assert (run.algorithm, run.task, run.task_name, run.preset, run.seed) == ("toy", "lifting", "lifting", "paper", 7)
    assert run.config(Config) == toy.config
    assert run.metadata["command"] == " ".join(["visuomotor", *command])
    assert [row["iteration"] for row in run.metrics()] == list(range(1, 13))
    assert load_checkpoint(run.latest_checkpoint, expect=toy.header())["state"] == {"count": 12, "weights": 7}
    printed = capsys.readouterr().out
    assert "toy 1 cost 2.5" in printed
    assert "next: visuomotor report runs/mine" in printed  # it has no policy that could be evaluated


def test_help_shows_the_presets_defaults(made, capsys):
    with pytest.raises(SystemExit):
        main(["train", "toy", "--preset", "paper", "--help"])
    printed = capsys.readouterr().out
    assert "--preset {laptop,paper}" in printed
    assert "--iterations" in printed
    assert "(default: 12)" in printed
    assert "How fast." in printed


def test_algorithms_are_listed_with_what_they_are(made, capsys):
    assert main(["train"]) == 0
    printed = capsys.readouterr().out
    lines = [" ".join(line.split()) for line in printed.splitlines()]
    assert any(line.startswith("gps guided policy search") for line in lines)
    assert "toy toy:Toy" in lines


def test_the_default_name_is_short(made, tmp_path):
    (tmp_path / "tasks.py").write_text(OWN_TASK)
    assert main(["train", "toy", "tasks.py:Mine"]) == 0
    [folder] = Path("runs").iterdir()
    assert folder.name.startswith("toy-mine-laptop-seed0-20")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["toi", "lifting"], "there is no algorithm 'toi'; choose one of: cem, gps, gps-network"),
        (
            ["--resume", "runs/rs"],
            "'--resume' is no algorithm; the algorithm comes first: visuomotor train ALGORITHM TASK",
        ),
        (["lifting"], "'lifting' is no algorithm; the algorithm comes first"),
        (["hanger", "gps"], "or visuomotor train ALGORITHM --resume RUN; choose one of: cem"),
        (["toy", "lifing"], "there is no task 'lifing'; choose one of: bottle, brick, cube"),
        (["toy", "absent.py:Mine"], "there is no file"),
        (["toy", "broken.py:Mine"], "cannot be imported: SyntaxError: invalid syntax (broken.py, line 1)"),
        (["toy", "json:loads"], "is not a task"),
        (["toy", "lifting", "--preset", "huge"], "there is no preset 'huge'; choose one of: laptop, paper"),
        (["toy", "lifting", "--preset"], "--preset"),
        (["toy", "lifting", "--name", "../x"], "--name must be a plain folder name, not '../x'"),
        (["toy", "lifting", "--seed", "-1"], "--seed must be between 0 and 2147483647"),
        (["toy", "lifting", "--seed", str(2**31)], "--seed must be between 0 and 2147483647"),
        (["toy", "lifting", "--inner.rate", "-1"], "rate must be above 0"),
        (["toy", "--resume", "runs/absent"], "there is no run folder runs/absent"),
        (["toy", "lifting", "--from", "runs/absent"], "there is no run folder runs/absent"),
        (["toy", "lifting", "--time-limit", "soon"], "--time-limit is a length of time such as 90s, 9m or 1h30m"),
        (["toy", "lifting", "--time-limit", "0m"], "--time-limit is a length of time"),
    ],
)
def test_mistakes_are_told_and_leave_nothing(made, tmp_path, capsys, arguments, message):
    (tmp_path / "broken.py").write_text("class Mine(:\n")
    assert main(["train", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert made == []
    assert [path.name for path in tmp_path.iterdir()] == ["broken.py"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["toy", "lifting", "--fails-at", "0"], "something went wrong"),
        (["ppo-gail", "lifting"], "--demos"),
        (["ppo-gail", "lifting", "--demos", "none.hdf5"], "none.hdf5"),
        (["ppo-gail", "lifting", "--demos", str(DEMOS / "stacking.hdf5")], "stacking"),
        (["gps", "insertion2d", "--image.first-layer", "none.npz"], "none.npz"),
        (["gps", "tasks.py:Blind"], "task 'blind': camera is 'top'; expected one of: front"),
    ],
)
def test_what_an_algorithm_refuses_leaves_nothing(made, tmp_path, capsys, arguments, message):
    (tmp_path / "tasks.py").write_text(BLIND_TASK)
    assert main(["train", *arguments, "--root", "new/runs", "--name", "mine"]) == 2
    printed = capsys.readouterr()
    assert message in printed.err
    assert printed.err.count("\n") == 1
    assert printed.out == ""
    assert [path.name for path in tmp_path.iterdir()] == ["tasks.py"]


def test_a_mistake_leaves_no_folder_where_nothing_was_done(made, capsys):
    for iteration in ("0", "1"):
        assert main(["train", "toy", "lifting", "--fails-at", iteration, "--name", "mine"]) == 2
        assert "something went wrong" in capsys.readouterr().err
        assert not Path("runs/mine").exists()
    assert main(["train", "toy", "lifting", "--fails-at", "2", "--name", "mine"]) == 2
    assert len(Run.open("runs/mine").metrics()) == 1


def test_a_mistake_that_torchrun_tries_again_leaves_no_folder_either(made, monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    assert main(["train", "toy", "lifting", "--fails-at", "0", "--name", "mine"]) == 2
    assert main(["train", "toy", "lifting", "--name", "mine"]) == 0
