"""What is drawn when an episode starts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import torch
from torch import Tensor

Rows = dict[str, Tensor]

_BOUNDS: Final = {
    "mass": (1e-6, 1e4),  # kg
    "half": (1e-4, 10.0),  # m
    "friction": (0.0, 1e3),
    "armature": (0.0, 1e3),
    "damping": (0.0, 1e6),
    "gain": (1e-6, 1e6),
}
_OTHER_BOUNDS = (-1e6, 1e6)  # rows of other names, such as where an object is held; SI units


def dynamics_bounds(name: str) -> tuple[float, float]:
    """The least and the largest value of a row of dynamics, by the last word of its name. Of joints they are factors.
    What is read from a file is held to them."""
    return _BOUNDS.get(name.split("_")[-1], _OTHER_BOUNDS)


@dataclass(frozen=True)
class ResetParams:
    """How n worlds start, one row each, by name, float64 `(n, ...)`.

    placement: where robot and objects are at first; it follows from the state afterwards.
    dynamics: what motion depends on beside the state (sizes, masses, friction, drives). A state means little without
    it: demonstrations store it.
    appearance: colours, lights, the camera's pose, clutter that nothing touches. It can be redrawn for any state.
    """

    placement: Rows = field(default_factory=dict[str, Tensor])
    dynamics: Rows = field(default_factory=dict[str, Tensor])
    appearance: Rows = field(default_factory=dict[str, Tensor])

    def __len__(self) -> int:
        for rows in (self.placement, self.dynamics, self.appearance):
            for value in rows.values():
                return len(value)
        return 0

    def __getitem__(self, index: Tensor) -> "ResetParams":
        """The rows `index`, copied."""
        return self._map(lambda value: value[index])

    def clone(self) -> "ResetParams":
        """A copy that shares no memory."""
        return self._map(torch.clone)

    def assign(self, env_ids: Tensor, other: "ResetParams") -> None:
        """Overwrite the rows `env_ids` (int) with those of `other`."""
        for mine, theirs in (
            (self.placement, other.placement),
            (self.dynamics, other.dynamics),
            (self.appearance, other.appearance),
        ):
            for name, value in theirs.items():
                mine[name][env_ids] = value

    @staticmethod
    def cat(parts: Sequence["ResetParams"]) -> "ResetParams":
        """The rows of all parts, one after another."""
        groups = [
            {name: torch.cat([rows[name] for rows in group]) for name in group[0]}
            for group in zip(*(vars(part).values() for part in parts), strict=True)
        ]
        return ResetParams(*groups)

    def _map(self, change: Callable[[Tensor], Tensor]) -> "ResetParams":
        return ResetParams(*({name: change(value) for name, value in rows.items()} for rows in vars(self).values()))
