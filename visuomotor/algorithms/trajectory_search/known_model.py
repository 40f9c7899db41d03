"""The simulator as a known model: derivatives of its steps and of the observed state, by finite differences."""

from typing import NamedTuple

import mujoco
import numpy as np
import torch
from torch import Tensor

from visuomotor.engine import Engine
from visuomotor.errors import VisuomotorError
from visuomotor.tasks import ResetParams, Task


class Derivatives(NamedTuple):
    """Along one trajectory: transition `(T, D, D + U)` of the coordinates after a control step by those before it and
    the actions; observation `(T, X, D)` of `Task.state` by the coordinates."""

    transition: Tensor
    observation: Tensor


class KnownModel:
    """Coordinates in which a task's simulator is a Markov process, and its derivatives in them.

    The D coordinates are those of the tangent space at a state: a rotation counts three, not the four of its
    quaternion. First positions, then velocities, then the targets of position actuators, which are a state of their
    own. Derivatives are central differences over whole control steps, contacts included; all perturbed states of a
    time step are worlds of one engine.

    Args:
        epsilon: half of a difference, in rad, m, their velocities, and fractions of the action limits. A larger one
            blurs contacts.
    """

    def __init__(self, task: Task, epsilon: float = 1e-5):
        model = task.model
        if model.na:
            raise VisuomotorError(f"task {task.name!r} has actuators with a state of their own, which ilqg cannot take")
        self._task, self._model, self._epsilon = task, model, epsilon
        self._targets = task.robot.actuator_ids if task.robot.robot.control == "position" else torch.zeros(0).long()
        self.size = 2 * model.nv + len(self._targets)
        """D."""
        self._directions = self.size + task.action_size
        self.worlds = 2 * self._directions
        """Each control step of a trajectory is simulated so many times."""
        self._engine = task.make_engine(self.worlds)

    def read(self, engine: Engine) -> Tensor:
        """What the coordinates are about, of all worlds: qpos, qvel and ctrl, `(n, S)`, copied."""
        return torch.cat([engine.field(name) for name in ("qpos", "qvel", "ctrl")], dim=1)

    def coordinates(self, states: Tensor, about: Tensor) -> Tensor:
        """Coordinates `(n, D)` of states `(n, S)` about others `(n, S)`, both from `read`."""
        model, split = self._model, [self._model.nq, self._model.nv, self._model.nu]
        (qpos, qvel, ctrl), (qpos0, qvel0, ctrl0) = states.split(split, dim=1), about.split(split, dim=1)
        positions = np.empty((len(states), model.nv))
        for row, start, end in zip(positions, qpos0.numpy(), qpos.numpy(), strict=True):
            mujoco.mj_differentiatePos(model, row, 1.0, start, end)
        return torch.cat([torch.from_numpy(positions), qvel - qvel0, (ctrl - ctrl0)[:, self._targets]], dim=1)

    def differentiate(self, start: ResetParams, states: Tensor, actions: Tensor) -> Derivatives:
        """Derivatives along a trajectory.

        Args:
            start: its row. states: what `read` gave before each control step, `(T, S)`. actions: `(T, U)`.
        """
        engine, worlds = self._engine, self.worlds
        self._task.reset(engine, torch.arange(worlds), start[torch.zeros(worlds, dtype=torch.int64)])
        transitions: list[Tensor] = []
        observations: list[Tensor] = []
        for state, action in zip(states, actions, strict=True):
            pushed = self._push(engine, state, action)
            width = torch.full((self._directions,), 2 * self._epsilon, dtype=torch.float64)
            width[self.size :] = (pushed[::2] - pushed[1::2])[self.size :].diagonal()
            observations.append(_differences(self._task.state(engine), width)[: self.size].mT)
            self._task.step(engine, pushed)
            reached = self.read(engine)
            transitions.append(_differences(self.coordinates(reached, reached[:1].expand(worlds, -1)), width).mT)
        return Derivatives(torch.stack(transitions), torch.stack(observations))

    def _push(self, engine: Engine, state: Tensor, action: Tensor) -> Tensor:
        """Put all worlds at a state `(S,)`, but world 2i a little forward along direction i and world 2i + 1 back;
        returns their actions `(n, U)`. At a limit an action is pushed to one side only."""
        model = self._model
        pushes = torch.eye(self._directions, dtype=torch.float64).repeat_interleave(2, dim=0)
        pushes[1::2] *= -1
        pushes *= self._epsilon
        positions, velocities, targets, actions = pushes.split(
            [model.nv, model.nv, len(self._targets), len(action)], dim=1
        )
        qpos, qvel, ctrl = (engine.field(name) for name in ("qpos", "qvel", "ctrl"))
        qpos[:], qvel[:], ctrl[:] = state.expand(len(pushes), -1).split([model.nq, model.nv, model.nu], dim=1)
        engine.field("qacc_warmstart")[:] = 0.0  # else each world's solver begins somewhere else
        for world, push in enumerate(positions.numpy()):
            mujoco.mj_integratePos(model, qpos[world].numpy(), push, 1.0)
        qvel += velocities
        ctrl[:, self._targets] += targets
        engine.forward()
        return (action.clamp(-1, 1) + actions).clamp(-1, 1)


def _differences(values: Tensor, width: Tensor) -> Tensor:
    """Quotients `(D + U, k)` of values `(2 (D + U), k)` in pushed worlds, which are `width` `(D + U,)` apart."""
    return (values[::2] - values[1::2]) / width[:, None]
