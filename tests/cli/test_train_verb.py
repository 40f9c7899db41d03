import sys
import types
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from visuomotor.cli import main, train
from visuomotor.errors import VisuomotorError
from visuomotor.runs import Run


@dataclass(frozen=True)
class Inner:
    rate: float = 0.1
    """How fast."""

    def __post_init__(self):
        if self.rate <= 0:
            raise VisuomotorError(f"rate must be above 0, not {self.rate}")


@dataclass(frozen=True)
class Config:
    iterations: int = 3
    """How often."""
    inner: Inner = field(default_factory=Inner)
    """The rest."""


@dataclass(frozen=True)
class Shown:
    demos: Path | None = None
    """Demonstrations."""
    iterations: int = 3
    """How often."""


@pytest.fixture
def calls(monkeypatch, tmp_path) -> list:
    """A method `toy` whose `train` only notes how it was called."""
    found = []

    def toy_train(task_name, preset, config, run, resume, report):
        found.append((task_name, preset, config, run, resume))
        if config.iterations == 97:
            raise VisuomotorError("before anything was done")
        report({"phase": "toy", "iteration": 1, "cost": 2.5, "per_condition": [1, 2]})
        run.log({"cost": 2.5})
        if config.iterations == 98:
            raise VisuomotorError("too late")
        if config.iterations == 99:
            raise KeyboardInterrupt

    method, config = types.ModuleType("toy"), types.ModuleType("toy.config")
    method.train = toy_train  # type: ignore[attr-defined]
    config.PRESETS = {"laptop": Config(), "paper": Config(iterations=12)}  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "toy", method)
    monkeypatch.setitem(sys.modules, "toy.config", config)
    monkeypatch.setitem(train.METHODS, "toy", ("toy", "for the test"))
    monkeypatch.chdir(tmp_path)
    return found


def test_preset_gives_the_defaults_and_options_change_them(calls, capsys):
    command = ["train", "toy", "hanger", "--inner.rate", "0.5", "--preset", "paper", "--seed", "7", "--name", "mine"]
    assert main(command) == 0
    [(task, preset, config, run, resume)] = calls
    assert (task, preset, config, resume) == ("hanger", "paper", Config(12, Inner(0.5)), False)
    opened = Run.open("runs/mine")
    assert (opened.path.resolve(), opened.seed, opened.preset) == (run.path.resolve(), 7, "paper")
    assert opened.config(Config) == config
    assert opened.facts["command"] == " ".join(["visuomotor", *command])
    printed = capsys.readouterr().out
    assert "toy 1 cost 2.5" in printed
    assert "visuomotor evaluate runs/mine" in printed


def test_help_shows_the_presets_defaults(calls, capsys):
    with pytest.raises(SystemExit):
        main(["train", "toy", "--preset", "paper", "--help"])
    printed = capsys.readouterr().out
    assert "--iterations" in printed
    assert "(default: 12)" in printed
    assert "How fast." in printed


def test_resume_goes_on_with_the_runs_own_config(calls):
    main(["train", "toy", "hanger", "--iterations", "5", "--seed", "3", "--name", "mine"])
    assert main(["train", "toy", "--resume", "runs/mine"]) == 0
    assert main(["train", "toy", "hanger", "--resume", "runs/mine"]) == 0
    for task, preset, config, run, resume in calls[1:]:
        assert (task, preset, config, run.seed, resume) == ("hanger", "laptop", Config(5), 3, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["toi", "hanger"], "there is no method 'toi'; did you mean 'toy'?"),
        (["toy", "hangar"], "there is no task 'hangar'; choose one of: "),
        (["toy", "hanger", "--preset", "huge"], "there is no preset 'huge'; choose one of: laptop, paper"),
        (["toy", "hanger", "--preset"], "--preset"),
        (["toy", "--resume", "runs/absent"], "there is no run folder runs/absent"),
        (["toy", "--resume", "runs/mine", "--iterations", "9"], "keeps its task (hanger), preset, seed and config"),
        (["toy", "cube", "--resume", "runs/mine"], "leave out cube"),
        (["gps", "--resume", "runs/mine"], "is a run of toy"),
        (["toy", "hanger", "--name", "mine"], "is there already"),
    ],
)
def test_mistakes_are_told(calls, capsys, monkeypatch, arguments, message):
    presets = types.ModuleType("visuomotor.algorithms.gps.config")
    presets.PRESETS = {"laptop": Config()}  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "visuomotor.algorithms.gps.config", presets)
    main(["train", "toy", "hanger", "--name", "mine"])
    capsys.readouterr()
    assert main(["train", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert len(calls) == 1


def test_a_mistake_leaves_no_folder_where_nothing_was_done(calls, capsys):
    assert main(["train", "toy", "hanger", "--iterations", "97", "--name", "mine"]) == 2
    assert "before anything was done" in capsys.readouterr().err
    assert main(["train", "toy", "hanger", "--iterations", "98", "--name", "mine"]) == 2
    assert len(Run.open("runs/mine").metrics()) == 1


def test_a_mistake_that_torchrun_tries_again_leaves_no_folder_either(calls, monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    assert main(["train", "toy", "hanger", "--iterations", "97", "--name", "mine"]) == 2
    assert main(["train", "toy", "hanger", "--iterations", "3", "--name", "mine"]) == 0


def test_moved_demonstrations_can_be_told_to_a_resumed_run(calls, capsys):
    shown = ["--demos", "elsewhere/lifting.hdf5"]
    Run.create(method="toy", task="lifting", preset="laptop", seed=0, config=Shown(), name="shown").close()
    sys.modules["toy.config"].PRESETS = {"laptop": Shown()}  # type: ignore[attr-defined]
    assert main(["train", "toy", "--resume", "runs/shown", *shown]) == 0
    assert calls[-1][2] == Shown(Path("elsewhere/lifting.hdf5"))
    Run.create(method="toy", task="hanger", preset="laptop", seed=0, config=Config(), name="mine").close()
    assert main(["train", "toy", "--resume", "runs/mine", *shown]) == 2
    assert "leave out --demos" in capsys.readouterr().err


def test_a_resumed_run_keeps_its_folder_whatever_goes_wrong(calls):
    Run.create(method="toy", task="hanger", preset="laptop", seed=0, config=Config(97), name="mine").close()
    assert main(["train", "toy", "--resume", "runs/mine"]) == 2
    assert Run.open("runs/mine").config(Config) == Config(97)


def test_interrupt_tells_how_to_go_on(calls, capsys):
    assert main(["train", "toy", "hanger", "--iterations", "99", "--name", "a"]) == 130
    assert "no checkpoint yet" in capsys.readouterr().err
    (Run.open("runs/a").latest_checkpoint).touch()
    assert main(["train", "toy", "--resume", "runs/a"]) == 130
    assert "visuomotor train toy --resume runs/a" in capsys.readouterr().err


def test_value_out_of_range_is_told(calls, capsys):
    assert main(["train", "toy", "hanger", "--inner.rate", "-1"]) == 2
    assert "rate must be above 0" in capsys.readouterr().err
    assert calls == []


def test_a_job_that_torchrun_restarted_goes_on_with_its_own_run_only(calls, capsys, monkeypatch):
    command = ["train", "toy", "hanger", "--name", "mine"]
    assert main([*command, "--iterations", "5"]) == 0
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    assert main([*command, "--iterations", "5"]) == 0
    for other in (["--iterations", "6"], ["--iterations", "5", "--seed", "1"]):
        assert main([*command, *other]) == 2
        assert "mine is there already" in capsys.readouterr().err
    assert [resume for *_, resume in calls] == [False, True]


@pytest.mark.parametrize("seed", [-1, 2**31])
def test_seeds_that_no_generator_takes_leave_no_folder(calls, tmp_path, capsys, seed):
    assert main(["train", "toy", "hanger", "--seed", str(seed)]) == 2
    assert "--seed must be between 0 and 2147483647" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()
