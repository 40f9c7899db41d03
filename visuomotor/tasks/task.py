"""What every task is: a scene, a robot in it, what the robot reads and does."""

from abc import ABC, abstractmethod
from typing import ClassVar

import mujoco
from torch import Tensor

from visuomotor.engine import CpuEngine, Engine


class Task(ABC):
    """One task for many worlds. All tensors have the world first; SI units.

    A task holds no state of its own: everything that changes lives in the engine.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    steps: ClassVar[int]
    """Control steps of an episode."""
    control_period: ClassVar[float] = 0.05
    """s; actions are held so long."""

    protocols: ClassVar[tuple[str, ...]]
    """Under which circumstances trained policies are tried."""

    model: mujoco.MjModel
    """The compiled scene, with everything that may ever show in it."""
    camera: str
    proprioception_size: int
    action_limits: Tensor
    """`(action,)` float64: the largest magnitude of each action, N m for torques, rad/s for velocities."""

    @property
    def action_size(self) -> int:
        return len(self.action_limits)

    @property
    def substeps(self) -> int:
        return round(self.control_period / self.model.opt.timestep)

    def make_engine(self, worlds: int, threads: int = 0) -> CpuEngine:
        return CpuEngine(self.model, worlds, threads)

    @abstractmethod
    def proprioception(self, engine: Engine) -> Tensor:
        """The robot's own readings `(n, proprioception_size)`: nothing in them tells where the target is."""

    @abstractmethod
    def act(self, engine: Engine, actions: Tensor) -> None:
        """Apply actions `(n, action)`, clipped to the limits, and let one control period pass."""

    @abstractmethod
    def exhibit(self, engine: Engine) -> None:
        """Put every world at a typical start, always the same: for pictures."""
