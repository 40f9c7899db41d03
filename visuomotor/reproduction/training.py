"""A policy that a paper's page reports on: the command that trains it, and the results that are its own."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from visuomotor.algorithms.gps import PRESETS, Gps
from visuomotor.errors import VisuomotorError
from visuomotor.evaluation import Result, read_results
from visuomotor.evaluation.evaluate import run_settings
from visuomotor.evaluation.interval import wilson_interval
from visuomotor.policies import load_policy
from visuomotor.policies.policy import FILE_NAME
from visuomotor.reproduction.part import Command, Where
from visuomotor.runs import Run

SPLITS = ("training", "spatial", "visual", "background")


@dataclass(frozen=True)
class Training:
    """Training of one policy with guided policy search."""

    task: str
    name: str = "end-to-end"
    """In the names of its run folders."""
    preset: str = "laptop"
    settings: tuple[tuple[str, str | int | float | bool], ...] = ()
    """What differs from the preset, by the names of the config, in its order; a bool is True."""

    def run(self, where: Where, seed: int) -> Path:
        """The run's folder."""
        return where.root / f"levine2015-{self.task}-{self.name}-seed{seed}"

    def train(self, where: Where, seed: int) -> Command:
        """Train, or go on with a run that is there; nothing happens if it is done."""
        run = self.run(where, seed)
        if (run / "config.json").is_file():
            self._check(Run.open(run), seed)
            return ["train", "gps", "--resume", str(run)]
        preset = [] if self.preset == "laptop" else ["--preset", self.preset]
        options = [word for name, value in self.settings for word in _option(name, value)]
        return [
            *("train", "gps", self.task, *preset, *options, "--seed", str(seed)),
            *("--root", str(where.root), "--name", run.name),
        ]

    def finished(self, where: Where, seed: int) -> Run | None:
        """The run, where this version of gps has trained it to its end."""
        path = self.run(where, seed)
        if not (path / FILE_NAME).is_file():
            return None
        run = Run.open(path)
        self._check(run, seed)
        training = load_policy(path).spec.training
        stopped_early = bool(training.get("notes"))
        return None if stopped_early or training.get("algorithm_version") != Gps.version else run

    def _check(self, run: Run, seed: int) -> None:
        """Raise a VisuomotorError where the run under this name is another one: nothing must be made of it."""
        settings = ", ".join(run_settings(run, PRESETS)) if run.preset in PRESETS else ""
        found = (run.task_name, run.algorithm, run.preset, settings, run.seed)
        wanted = (self.task, "gps", self.preset, self._settings, seed)
        if found != wanted:
            raise VisuomotorError(
                f"{run.path} is a run of {found}, not of {wanted} (task, algorithm, preset, settings, seed); rename it"
            )

    @property
    def _settings(self) -> str:
        """As results have them."""
        return ", ".join(f"{name} {value}" for name, value in self.settings)

    def missing(self, where: Where, seed: int, splits: Sequence[str] = SPLITS) -> Iterator[Command]:
        """What trains and evaluates it where a split has no result of this seed, or one of too few trials.

        Raises:
            VisuomotorError: another version of gps has a result there, which would be overwritten.
        """
        every = read_results(where.results) if where.results.is_dir() else []
        for one in self.results(every):
            if one.seed == seed and one.split in splits and one.algorithm_version != Gps.version:
                raise VisuomotorError(
                    f"{where.results} holds a result of {self.task} ({self.preset} {self._settings}), split "
                    f"{one.split}, seed {seed}, of version {one.algorithm_version} of gps, which is now {Gps.version}; "
                    "move it away to measure again"
                )
        results = self.results(measured_results(where))
        measured = {one.split for one in results if one.seed == seed and one.trials >= where.trials}
        left = [split for split in splits if split not in measured]
        if left:
            yield self.train(where, seed)
        for split in left:
            run, trials = str(self.run(where, seed)), str(where.trials)
            yield ["evaluate", run, "--split", split, "--trials", trials, "--results", str(where.results)]

    def results(self, results: Iterable[Result], split: str | None = None) -> list[Result]:
        """Those of this policy, for all seeds."""
        wanted = (self.task, "gps", self.preset, self._settings)
        return [
            one
            for one in results
            if (one.task, one.algorithm, one.preset, one.settings) == wanted and split in (None, one.split)
        ]


def measured_results(where: Where) -> list[Result]:
    """What has been measured of the seeds that are asked for, with gps as it is now: policies that an older version
    trained are to be trained again."""
    results = read_results(where.results) if where.results.is_dir() else []
    return [one for one in results if one.algorithm_version == Gps.version and one.seed < where.seeds]


def success_cell(found: Sequence[Result]) -> str:
    """Mean over seeds, and Wilson's interval of all trials together."""
    if not found:
        return "missing"
    low, high = wilson_interval(sum(one.successes for one in found), sum(one.trials for one in found))
    return f"{100 * mean(one.success_rate for one in found):.1f}% ({100 * low:.0f} to {100 * high:.0f})"


def time_cell(found: Sequence[Result]) -> str:
    """How long the trainings took, mean of those that were timed."""
    seconds = [one.training_seconds for one in found if one.training_seconds is not None]
    return f"{mean(seconds) / 60:.0f} min" if seconds else "missing"


def _option(name: str, value: str | int | float | bool) -> list[str]:
    option = "--" + name.replace("_", "-")
    return [option] if value is True else [option, str(value)]
