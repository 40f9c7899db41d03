"""Many worlds on CPU threads, through `mujoco.batch`."""

import contextlib
import re
import sys
import warnings

import mujoco
import numpy as np
import torch
from mujoco.batch import Batch, SimulationError
from numpy.typing import NDArray
from torch import Tensor

from visuomotor.engine.world_ids import check_world_ids
from visuomotor.errors import VisuomotorError, brief, one_line, whole_number

_POSITION_STAGE = int(mujoco.mjtStage.mjSTAGE_POS)
_VELOCITY_STAGE = int(mujoco.mjtStage.mjSTAGE_VEL)
_MOST_WORLDS = 10_000_000
_INSTABILITIES = [
    int(mujoco.mjtWarning.mjWARN_BADQPOS),
    int(mujoco.mjtWarning.mjWARN_BADQVEL),
    int(mujoco.mjtWarning.mjWARN_BADQACC),
]


class CpuEngine:
    """The `Engine` on CPU threads. The same calls give bit-equal results at any thread count.

    Args:
        model: the compiled scene. Models whose constraint Jacobian may turn sparse are refused: MuJoCo 4.0.0 solves
            them wrongly (fixed in 4.0.1).
        worlds: how many copies.
        threads: 0 for all cores.
    """

    def __init__(self, model: mujoco.MjModel, worlds: int, threads: int = 0):
        if not isinstance(model, mujoco.MjModel):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise VisuomotorError(
                f"the engine takes a compiled mujoco.MjModel, not {brief(model)}; compile a file with "
                'load_mjcf(path).compile(), or a spec with compile_scene(spec, "the scene"), both of '
                "visuomotor.robots.mjcf"
            )
        worlds = whole_number("the number of worlds", worlds, 1, _MOST_WORLDS)
        threads = whole_number("threads (0 for all cores)", threads, 0, 10_000)
        if model.opt.jacobian != mujoco.mjtJacobian.mjJAC_DENSE:
            raise VisuomotorError(
                "the constraint Jacobian of this model may be sparse; set spec.option.jacobian = "
                "mujoco.mjtJacobian.mjJAC_DENSE, or load the model with visuomotor.robots.mjcf.load_mjcf"
            )
        if mujoco.get_mju_user_warning() is None:
            mujoco.set_mju_user_warning(_warn_once)
        self._batch = Batch(model, worlds, threads)
        self._fields: dict[str, Tensor] = {}
        self._model_fields: dict[str, Tensor] = {}
        self._num_diverged = 0
        self._diverged = torch.zeros(worlds, dtype=torch.bool)
        self.reset()

    @property
    def model(self) -> mujoco.MjModel:
        return self._batch.model

    @property
    def worlds(self) -> int:
        return self._batch.nsim

    @property
    def diverged(self) -> Tensor:
        return self._diverged

    @property
    def num_diverged(self) -> int:
        return self._num_diverged

    def field(self, name: str) -> Tensor:
        if name not in self._fields:
            try:
                array = self._batch.bind(name)
            except (AttributeError, ValueError) as error:
                raise VisuomotorError(f"the engine has no field {name!r}: {error}") from error
            self._fields[name] = _as_tensor(array)
            if not array.flags.writeable:  # an output: filled by the next call, so make it true now
                self.forward()
        return self._fields[name]

    def model_field(self, name: str) -> Tensor:
        if name not in self._model_fields:
            try:
                self._model_fields[name] = _as_tensor(self._batch.expand(name))
            except (AttributeError, ValueError) as error:
                raise VisuomotorError(f"the model has no field {name!r}: {error}") from error
        return self._model_fields[name]

    def is_per_world(self, name: str) -> bool:
        return self._batch.expanded(name) is not None

    def set_const(self, worlds: Tensor | None = None) -> None:
        try:
            self._batch.set_const(ids=self._ids(worlds))
        except SimulationError as error:
            raise VisuomotorError(
                f"the model fields of worlds {error.ids.tolist()[:8]} hold values that cannot be: {one_line(error)}"
            ) from error

    def step(self, frame_skip: int = 1) -> None:
        self._batch.step(nstep=frame_skip, stage=_VELOCITY_STAGE)
        self._diverged = self._reset_unstable()

    def _reset_unstable(self) -> Tensor:
        """Reset the worlds that have diverged, by MuJoCo's own counters, which that sets to zero; returns which,
        `(world,)` bool."""
        unstable = torch.from_numpy(self._batch.warning[:, _INSTABILITIES, 1].any(axis=1))
        if unstable.any():
            self._num_diverged += int(unstable.sum())
            self.reset(unstable.nonzero()[:, 0])
        return unstable

    def forward(self, worlds: Tensor | None = None) -> None:
        self._batch.forward(ids=self._ids(worlds))
        self._reset_unstable()

    def update_view(self) -> None:
        self._batch.forward(stage=_POSITION_STAGE)

    def reset(self, worlds: Tensor | None = None) -> None:
        keyframe = 0 if self.model.nkey else -1
        self._batch.reset(ids=self._ids(worlds), keyframe=keyframe)

    def _ids(self, worlds: Tensor | None) -> NDArray[np.int64] | None:
        return None if worlds is None else check_world_ids(worlds, self.worlds, ascending=True)

    def state(self) -> Tensor:
        return torch.from_numpy(self._batch.state.copy())

    def set_state(self, state: Tensor, worlds: Tensor | None = None) -> None:
        if not isinstance(state, Tensor):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise VisuomotorError(f"a state is a tensor, not {brief(state)}")
        ids = self._ids(worlds)
        rows = slice(None) if ids is None else ids
        expected = (self.worlds if ids is None else len(ids), self._batch.nstate)
        if tuple(state.shape) != expected:
            raise VisuomotorError(
                f"a state of shape {tuple(state.shape)} does not fit this scene, which needs {expected}; "
                "it was recorded in another scene or number of worlds"
            )
        if not torch.isfinite(state).all():
            raise VisuomotorError("the state holds NaN or infinity; record it again")
        self._batch.state[rows] = state.numpy()
        self.forward(worlds)


_printed: set[str] = set()
"""MuJoCo's warnings that were printed, without their numbers."""


def _warn_once(warning: str) -> None:
    """Print each kind of MuJoCo's warnings once. By default MuJoCo writes a line for each world and step, to the
    terminal and to a file in the current folder. Warnings of worlds that diverge are not printed, since `diverged` has
    them."""
    kind = re.sub(r"\d", "", warning)
    if "simulation is unstable" in warning or kind in _printed:
        return
    _printed.add(kind)
    with contextlib.suppress(Exception):  # none must pass through MuJoCo
        print(f"visuomotor: MuJoCo warns: {one_line(warning)}", file=sys.stderr)


def _as_tensor(array: np.ndarray) -> Tensor:
    """A tensor on the array's own memory."""
    with warnings.catch_warnings():  # torch warns about read-only arrays; `Engine.field` says which ones these are
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array)
