"""The numbers of a run over time: one JSON row a line, and the same for TensorBoard."""

import json
import math
import sys
import warnings
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from visuomotor.errors import VisuomotorError, one_line
from visuomotor.runs.atomic import write_atomically
from visuomotor.runs.metric_labels import tensorboard_layout


class MetricsLog:
    """`metrics.jsonl` and `tensorboard/` in the folder of a run.

    Args:
        folder: of the run.
    """

    def __init__(self, folder: Path):
        self._path = folder / "metrics.jsonl"
        self._tensorboard_folder = folder / "tensorboard"
        self._file: Any = None
        self._tensorboard: Any = None
        self._lines = len(self._whole_lines())

    @property
    def lines(self) -> int:
        """How many rows there are."""
        return self._lines

    def append(self, row: Mapping[str, Any]) -> None:
        """Write one row.

        Values: numbers, strings, tensors, and lists and dicts of these. What is not finite is written as null, since
        JSON has no word for it. TensorBoard's step is the row's `control_steps`, else its number in the file; with
        a string under `phase` the tags are `<phase>/<name>`, else `<name>`.
        """
        plain = {name: _jsonable(value) for name, value in row.items()}
        try:
            self._write(plain)
        except OSError as error:
            raise VisuomotorError(
                f"cannot write {error.filename or self._path}: {error.strerror or error}; make room on the disk, "
                "check the folder's permissions, and go on with --resume"
            ) from error
        self._lines += 1

    def _write(self, plain: Mapping[str, Any]) -> None:
        if self._file is None:
            self._file = self._open()
        self._file.write(json.dumps(plain) + "\n")
        self._file.flush()
        prefix = f"{plain['phase']}/" if isinstance(plain.get("phase"), str) else ""
        step = plain.get("control_steps", self._lines)
        for name, value in plain.items():
            if isinstance(value, int | float):
                self._writer(step).add_scalar(prefix + name, value, step)

    def rows(self) -> list[dict[str, Any]]:
        """All rows; a last line that a crash cut short is left out."""
        found: list[dict[str, Any]] = []
        for number, line in enumerate(self._whole_lines(), start=1):
            try:
                row = json.loads(line, parse_int=_whole, parse_float=_finite)
            except (ValueError, RecursionError) as error:
                raise VisuomotorError(
                    f"line {number} of {self._path} is not JSON ({one_line(error)}); delete that line"
                ) from error
            if not isinstance(row, dict):
                raise VisuomotorError(f"line {number} of {self._path} is no row of metrics; delete that line")
            found.append(row)
        return found

    def truncate(self, lines: int) -> None:
        """Keep the first `lines` rows."""
        kept = self._whole_lines()[:lines]
        if len(kept) < lines:
            warnings.warn(
                f"{self._path} has {len(kept)} rows where the checkpoint counted {lines}; the curves have a gap",
                stacklevel=3,
            )
        self.close()
        write_atomically(self._path, b"".join(line + b"\n" for line in kept))
        self._lines = len(kept)

    def close(self) -> None:
        """Close the files; the next `append` opens them again."""
        for file in (self._file, self._tensorboard):
            with suppress(OSError):  # it tries again what `append` could not write and has reported
                if file is not None:
                    file.close()
        self._file = self._tensorboard = None

    def _open(self) -> Any:
        if self._path.is_file() and not self._path.read_bytes().endswith(b"\n"):
            self.truncate(self._lines)  # else the new row would continue the line that a crash cut short
        return self._path.open("a", encoding="utf-8")

    def _whole_lines(self) -> list[bytes]:
        if not self._path.is_file():
            return []
        try:
            return self._path.read_bytes().split(b"\n")[:-1]
        except OSError as error:
            raise VisuomotorError(
                f"{self._path} cannot be read: {error.strerror}; check its permissions or delete it"
            ) from error

    def _writer(self, step: int) -> Any:
        if self._tensorboard is None:
            from torch.utils.tensorboard import SummaryWriter

            # TensorBoard hides the steps from here on that an interrupted run has already written.
            self._tensorboard = SummaryWriter(str(self._tensorboard_folder), purge_step=step)
            self._tensorboard.add_custom_scalars(tensorboard_layout())
        return self._tensorboard


def _whole(text: str) -> int | None:
    """A whole number of JSON; None where no float is as large."""
    value = int(text)
    return value if abs(value) <= sys.float_info.max else None


def _finite(text: str) -> float | None:
    """A number of JSON; None where it is larger than any float."""
    return value if math.isfinite(value := float(text)) else None


def _jsonable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _jsonable(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(item) for item in value]
    if hasattr(value, "tolist"):  # tensors and numpy, also their scalars
        return _jsonable(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
