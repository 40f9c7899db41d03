"""One measured cell of a results table, as one JSON file."""

import hashlib
import json
import os
import re
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from math import isinf
from pathlib import Path
from typing import Annotated, Any

from visuomotor.errors import VisuomotorError, brief, is_line
from visuomotor.evaluation.interval import wilson_interval
from visuomotor.evaluation.outcomes import Outcomes
from visuomotor.runs.atomic import write_atomically
from visuomotor.runs.config import Range, check_range, check_settings, config_from_dict
from visuomotor.runs.metadata import LARGEST_SEED

SPLITS = ("training", "spatial", "visual", "background", "random")
"""The order in which tables list them; a task may have others, which come last."""

_OLD_NAMES = {"method": "algorithm", "protocol": "split"}
_MANY = sys.float_info.max  # finite
_LONGEST_NAME = 100  # of settings in the name of a file


@dataclass(frozen=True)
class Result:
    """What one trained policy did in the trials of one split."""

    task: str
    """Short name of the task."""
    algorithm: str
    """Short name of the algorithm that trained the policy."""
    split: str
    """Distribution of starts, one of the task's `splits`."""
    preset: str
    """Preset that the policy was trained with."""
    seed: Annotated[int, Range(0, LARGEST_SEED)]
    """Seed of the training run."""
    trials: Annotated[int, Range(1, _MANY)]
    """How many trials were run."""
    successes: Annotated[int, Range(0, _MANY)]
    """How many of them succeeded."""
    wall_seconds: Annotated[float, Range(0, _MANY)]
    """How long the trials took."""
    hardware: str
    """The machine in words."""
    commit: str | None
    """Commit of the code that ran the trials, None outside a checkout."""
    command: str
    """What was typed."""
    settings: str = ""
    """What the run's config changes in its preset, such as `imitation.weight 0.0`; several processes; an early stop."""
    training_commit: str | None = None
    """Commit of the code that trained the policy, where known."""
    algorithm_version: int | None = None
    """`Algorithm.version` of the training, where known: results of different versions are not averaged."""
    trial_seed: Annotated[int, Range(0, LARGEST_SEED)] = 0
    """Seed of the trials."""
    control_steps: Annotated[int | None, Range(0, _MANY)] = None
    """How long the policy was trained, in control steps, where the algorithm counts these."""
    mean_final_distance_m: Annotated[float | None, Range(-_MANY, _MANY)] = None
    """Mean distance to the goal when a trial's actions ended (`EpisodeOutcome.distance`)."""
    training_seconds: Annotated[float | None, Range(0, _MANY)] = None
    """How long the training took, where known."""
    stages: dict[str, int] | None = None
    """How many trials reached each stage of the task or a later one, at any time."""
    mean_return: Annotated[float | None, Range(-_MANY, _MANY)] = None
    """Mean sum of task rewards of a trial."""
    num_diverged: Annotated[int | None, Range(0, _MANY)] = None
    """How many trials failed because their physics diverged."""
    outcomes: Outcomes | None = None
    """The outcome of every trial; None for a result of an older version."""

    def __post_init__(self) -> None:
        check_settings(self)
        for name in ("task", "algorithm", "split", "preset", "settings", "hardware", "command"):
            if not is_line(getattr(self, name)):
                raise VisuomotorError(f"{name} is {brief(getattr(self, name))}, expected one line of text")
        wilson_interval(self.successes, self.trials)  # refuses impossible counts
        for stage, reached in (self.stages or {}).items():
            check_range(f"stages.{stage}", reached, 0, self.trials)
        success = self.outcomes.success if self.outcomes else ()
        if self.outcomes and (sum(success), len(success)) != (self.successes, self.trials):
            raise VisuomotorError(
                f"outcomes have {sum(success)} successes in {len(success)} trials, "
                f"not {self.successes} in {self.trials}; evaluate again"
            )

    @property
    def success_rate(self) -> float:
        return self.successes / self.trials

    @property
    def interval(self) -> tuple[float, float]:
        """The 95% Wilson interval of the success rate."""
        return wilson_interval(self.successes, self.trials)

    @property
    def file_name(self) -> str:
        """Measuring the same cell again replaces it."""
        words = [self.algorithm, self.task, self.preset, *self._settings_words, self.split, f"seed{self.seed}"]
        return "-".join(_file_word(word) for word in words) + ".json"

    @property
    def _settings_words(self) -> list[str]:
        name = _file_word(self.settings)
        if len(name) > _LONGEST_NAME:
            name = "settings-" + hashlib.sha256(self.settings.encode()).hexdigest()[:10]
        return [name] if name else []


def _file_word(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._]+", "-", text).strip("-")


def write_result(result: Result, folder: Path | str) -> Path:
    """Write `result` into `folder`, atomically; returns the file."""
    path = Path(folder) / result.file_name
    derived = {"success_rate": result.success_rate, "interval_95": list(result.interval)}
    write_atomically(path, json_text(asdict(result) | derived) + "\n")
    return path


def check_writable(folder: Path) -> None:
    """Make a folder for results.

    Raises:
        VisuomotorError: it cannot be made, or nothing can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise VisuomotorError(f"cannot make the folder {folder}: {error.strerror}; name another one") from error
    if not os.access(folder, os.W_OK):
        raise VisuomotorError(f"cannot write into {folder}; check its permissions, or copy it to another disk")


def json_text(value: Any, indent: str = "") -> str:
    """JSON with a line for each field; a list is one line, however long."""
    if not isinstance(value, dict) or not value:
        return json.dumps(value)
    inner = indent + "  "
    lines = [f"{inner}{json.dumps(name)}: {json_text(item, inner)}" for name, item in value.items()]
    return "{\n" + ",\n".join(lines) + f"\n{indent}}}"


def read_results(folder: Path | str) -> list[Result]:
    """All results in `folder`, ordered by file name; other JSON files (those without `split`) and links are left out.

    Raises:
        VisuomotorError: a result file is damaged or lacks a field.
    """
    files = [path for path in sorted(Path(folder).glob("*.json")) if path.is_file() and not path.is_symlink()]
    found: dict[str, tuple[Path, Result]] = {}
    for path, result in _read_files(files):
        if result.file_name in found:
            raise VisuomotorError(f"{found[result.file_name][0]} and {path} measure the same; delete one")
        found[result.file_name] = path, result
    return [result for _, result in found.values()]


def _read_files(paths: Iterable[Path]) -> Iterable[tuple[Path, Result]]:
    names = {field.name for field in fields(Result)}
    for path in paths:
        try:
            text = path.read_text(encoding="utf-8")
            values = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
        except (OSError, ValueError, RecursionError) as error:
            raise VisuomotorError(f"{path} cannot be read ({error}); delete it and evaluate again") from error
        values = _renamed(values) if isinstance(values, dict) else {}
        if "split" in values:
            known = {name: value for name, value in values.items() if name in names}
            yield path, config_from_dict(Result, known, where=str(path))


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def _finite(text: str) -> float:
    if isinf(number := float(text)):
        raise ValueError(f"{text} is too large a number")
    return number


def _renamed(values: dict[str, Any]) -> dict[str, Any]:
    """The fields of an older file by their names of today; outcomes in an older form are left out."""
    values = {_OLD_NAMES.get(name, name): value for name, value in values.items()}
    outcomes = values.get("outcomes")
    if isinstance(outcomes, dict) and "target_m" in outcomes:
        del values["outcomes"]
    return values
