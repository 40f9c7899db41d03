"""What an episode holds: type, shape and bounds of every array. Files are written and read by these rules."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any, Final

import numpy as np

from visuomotor.errors import VisuomotorError
from visuomotor.tasks.reset_params import dynamics_bounds

MAX_STEPS: Final = 100_000
"""Of an episode; at 20 steps a second that is more than an hour."""

_OPTIONAL = {"actions", "dones"}  # arrays that an episode can do without
_LARGEST = 1e10  # of any number of a state; MuJoCo itself takes larger ones for a simulation that has diverged


@dataclass(frozen=True)
class Numbers:
    """What an array must be.

    Attributes:
        dtype: of the array in memory. In a file a number of another size is taken too, another kind is not; None for
            any kind of number.
        shape: None for any.
        low, high: the least and the largest number; NaN is neither.
    """

    dtype: Any = None
    shape: tuple[int, ...] | None = None
    low: float = -inf
    high: float = inf

    def check_form(self, dtype: np.dtype, shape: tuple[int, ...], where: str) -> None:
        """Raise an error where an array of this type and shape is another one. Nothing needs to be read for it."""
        kinds = "fiub" if self.dtype is None else "f" if np.dtype(self.dtype).kind == "f" else "iub"
        if dtype.kind not in kinds:
            expected = "whole numbers" if kinds == "iub" else "floating-point numbers" if kinds == "f" else "numbers"
            raise VisuomotorError(f"{where} holds {dtype.name}, expected {expected}")
        if self.shape is not None and shape != self.shape:
            raise VisuomotorError(f"{where} has the shape {shape}, expected {self.shape}")

    def check_values(self, values: np.ndarray, where: str) -> None:
        """Raise an error that names the first number which is out of bounds."""
        low, high = np.float64(self.low), np.float64(self.high)  # not of the array's type, which may be too small
        wrong = ~((values >= low) & (values <= high) & np.isfinite(values))
        if wrong.any():
            index = np.argwhere(wrong)[0].tolist()
            place = f"{where}{index}" if index else where
            expected = "a finite number" if self.high == inf else f"a number from {self.low:g} to {self.high:g}"
            raise VisuomotorError(f"{place} is {float(values[tuple(index)]):g}, expected {expected}")


APPEARANCE: Final = Numbers(np.float64, None, -1e6, 1e6)
"""A row of appearance. Of any shape: the task's may have changed since, and other appearances can be given."""


def episode_schema(steps: int, metadata: Mapping[str, Any]) -> dict[str, Numbers]:
    """The arrays of an episode of that many steps, by their place in its group; `APPEARANCE` and observations beside.

    Args:
        metadata: of the file, see `metadata.describe`.
    """
    actions, last_stage = len(metadata["action_limits"]), len(metadata["stages"]) - 1
    return {
        "states": Numbers(np.float64, (steps, metadata["state_size"]), -_LARGEST, _LARGEST),
        "final_state": Numbers(np.float64, (metadata["state_size"],), -_LARGEST, _LARGEST),
        "actions": Numbers(np.float32, (steps, actions), -1, 1),
        "rewards": Numbers(np.float32, (steps,), -_LARGEST, _LARGEST),
        "dones": Numbers(np.uint8, (steps,), 0, 1),
        "stages": Numbers(np.uint8, (steps + 1,), 0, last_stage),
        **{
            f"dynamics/{name}": Numbers(np.float64, tuple(shape), *dynamics_bounds(name))
            for name, shape in metadata["dynamics"].items()
        },
    }


def check_names(names: Iterable[str], schema: Mapping[str, Numbers], where: str) -> None:
    """Raise an error where an episode with arrays of these names lacks one of the schema, or has an unknown one."""
    found = set(names)
    if missing := sorted(schema.keys() - found - _OPTIONAL):
        raise VisuomotorError(f"{where}/{missing[0]} is missing")
    if unknown := sorted(name for name in found - schema.keys() if not name.startswith("appearance/")):
        raise VisuomotorError(f"{where}/{unknown[0]} is not among the dynamics that the metadata name")
