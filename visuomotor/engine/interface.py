"""What every engine offers, on any device."""

from typing import Protocol

import mujoco
from torch import Tensor


class Engine(Protocol):
    """`worlds` copies of one model. All tensors have the world as first axis.

    Fields carry MuJoCo's names and shapes (SI units, quaternions wxyz): `field("qpos")` is `(world, nq)`.
    Reading a field never copies; writing a state field (`qpos`, `qvel`, `ctrl`, `eq_active`, `mocap_pos`, ...) sets
    it for the next call. After `step`, `forward`, `reset` and `set_state` the fields that follow from positions and
    velocities are those of the new state. `worlds` is `(n,)` int, ascending; None for all.
    """

    @property
    def model(self) -> mujoco.MjModel: ...

    @property
    def worlds(self) -> int: ...

    @property
    def diverged(self) -> Tensor:
        """`(world,)` bool: worlds that diverged in the last `step`. They were reset, and the caller must not learn
        from the step."""
        ...

    @property
    def num_diverged(self) -> int:
        """How many worlds have diverged so far."""
        ...

    def field(self, name: str) -> Tensor:
        """The live `(world, ...)` tensor of an MjData field."""
        ...

    def model_field(self, name: str) -> Tensor:
        """The live `(world, ...)` tensor of an MjModel field; from the first call on, each world has its own values."""
        ...

    def is_per_world(self, name: str) -> bool:
        """Whether the worlds may differ in an MjModel field: `model_field(name)` has been asked for, or `set_const`
        computes it."""
        ...

    def set_const(self, worlds: Tensor | None = None) -> None:
        """Bring the constants of `worlds` up to date with what was written into their model fields, as `mj_setConst`
        does: weights that contacts and friction are regularized by (`body_invweight0`, `dof_invweight0`) follow from
        masses and armatures, bounds from sizes. The state stays as it is.

        Raises:
            VisuomotorError: MuJoCo cannot compute them from what was written.
        """
        ...

    def step(self, frame_skip: int = 1) -> None:
        """Advance every world by `frame_skip` physics steps with the controls held."""
        ...

    def forward(self, worlds: Tensor | None = None) -> None:
        """Bring all derived fields up to date with the state. Worlds whose state is not finite, or huge, are reset and
        count in `num_diverged`."""
        ...

    def update_view(self) -> None:
        """Bring cameras, lights and geoms of all worlds up to date with their model fields, for images of the same
        states: nothing that depends on velocities or forces is computed, and physics goes on as if nothing had been
        called."""
        ...

    def reset(self, worlds: Tensor | None = None) -> None:
        """Put worlds back to the model's first keyframe, or to its defaults where it has none."""
        ...

    def state(self) -> Tensor:
        """A copy of everything the future depends on, `(world, state)` float64."""
        ...

    def set_state(self, state: Tensor, worlds: Tensor | None = None) -> None:
        """Restore what `state()` returned, `(n, state)` for the n worlds of the call."""
        ...
