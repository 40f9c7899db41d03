"""Actions that make an end effector follow a pose, for any robot and any of the three ways to control it."""

import mink
import mujoco
import numpy as np
from numpy.typing import NDArray

from visuomotor.engine import Engine
from visuomotor.errors import VisuomotorError
from visuomotor.tasks import Task

Array = NDArray[np.float64]

_INTEGRAL_TIME = 0.5  # s, in which torques correct a standing error, such as by the weight of a thing in hand
_LARGEST_INTEGRAL = 0.2  # rad


class EndEffectorTracker:
    """Follows a pose in one world by differential inverse kinematics.

    Its joint velocities are the action of a robot that obeys velocities or moves the targets of position actuators;
    these targets, not the joints, are then where the arm is thought to be, as it lags behind them. A robot that obeys
    torques follows the velocities by `Task.pd_gains`, with a reference that starts where the joints are.

    Args:
        engine: the world is row `world` of it; its fields are read at each use.
    """

    def __init__(self, task: Task, engine: Engine, world: int):
        robot, model = task.robot, task.model
        self._engine, self._world, self._dt = engine, world, task.control_dt
        self._control, self._site_id = robot.robot.control, robot.end_effector_id
        arm = slice(robot.arm_size)
        self._qpos, self._dofs = robot.qpos[arm].numpy(), robot.dofs[arm].numpy()
        self._actuators, self._limits = robot.actuator_ids[arm].numpy(), robot.action_limits[arm].numpy()
        self._configuration = mink.Configuration(model, self.field("qpos"))
        self._reference = self._configuration.q[self._qpos]
        self._integral, self._last_velocity = np.zeros((2, len(self._qpos)))
        self._damping = model.dof_damping[self._dofs].reshape(-1)
        self._frame = mink.FrameTask(
            robot.robot.end_effector, "site", position_cost=1.0, orientation_cost=0.2, lm_damping=1e-3
        )
        self._gains = [gains[arm].numpy() for gains in task.pd_gains()]
        if self._control == "torque" and not self._gains[0].all():
            raise VisuomotorError(
                f"the expert of task {task.name!r} moves its arm by torques with PD gains, and the robot has none; "
                "give it some: Robot.from_mjcf(..., pd_gains=(proportional, derivative))"
            )
        self._bounds: list[mink.Limit] = [mink.ConfigurationLimit(model)]
        if self._control != "torque":
            speeds = dict(zip(robot.robot.joints, self._limits.tolist(), strict=True))
            self._bounds.append(mink.VelocityLimit(model, speeds))
        others = _other_dofs(model, self._site_id, self._dofs.tolist())
        self._frozen = [mink.DofFreezingTask(model, others)] if others else None

    def field(self, name: str) -> Array:
        """A field of the engine in this world."""
        return self._engine.field(name)[self._world].numpy()

    @property
    def position(self) -> Array:
        """Where the end effector is, m."""
        return self.field("site_xpos")[self._site_id].copy()

    @property
    def rotation(self) -> mink.SO3:
        """Its orientation in the world."""
        return mink.SO3.from_matrix(self.field("site_xmat")[self._site_id].reshape(3, 3))

    def action(self, position: Array, rotation: mink.SO3, tremor: Array, gain: float) -> Array:
        """`(arm,)`: the next action of the arm's joints; beyond [-1, 1] where it cannot follow that fast.

        Args:
            position, rotation: the pose, m. tremor: m, added to the position. gain: part of the way there that is to be
                gone in this control step.
        """
        qpos = self.field("qpos").copy()
        if self._control == "position":
            qpos[self._qpos] = self.field("ctrl")[self._actuators]
        elif self._control == "torque":
            qpos[self._qpos] = self._reference
        self._configuration.update(qpos)
        self._frame.gain = gain
        self._frame.set_target(mink.SE3.from_rotation_and_translation(rotation, position + tremor))
        velocity = self._solve()
        return self._torques(velocity) if self._control == "torque" else velocity / self._limits

    def _torques(self, velocity: Array) -> Array:
        """`(arm,)`: torques, as fractions of their limits, by which the joints follow velocities.

        A PID controller about the reference, plus what damping and inertia need: without it heavy arms lag by 10 cm.
        """
        proportional, derivative = self._gains
        self._reference = self._reference + self._dt * velocity
        error = self._reference - self.field("qpos")[self._qpos]
        integral = self._integral + self._dt / _INTEGRAL_TIME * error
        self._integral = np.clip(integral, -_LARGEST_INTEGRAL, _LARGEST_INTEGRAL)
        lag = velocity - self.field("qvel")[self._dofs]
        forward = self._damping * velocity + self._inertia((velocity - self._last_velocity) / self._dt)
        self._last_velocity = velocity
        return proportional * (error + self._integral) + derivative * lag + forward / self._limits

    def _inertia(self, acceleration: Array) -> Array:
        """`(arm,)` N m: the torques that joint accelerations (rad/s^2) take."""
        model, data = self._configuration.model, self._configuration.data
        whole, torques = np.zeros(model.nv), np.zeros(model.nv)
        whole[self._dofs] = acceleration
        mujoco.mj_makeM(model, data)
        mujoco.mj_mulM(model, data, torques, whole)
        return torques[self._dofs]

    def _solve(self) -> Array:
        """`(arm,)` rad/s: the joint velocities that bring the configuration nearer to the target.

        Zero where there are none: a joint is so far outside its range that its speed does not bring it back at once.
        """
        try:
            velocity = mink.solve_ik(
                self._configuration,
                [self._frame],
                self._dt,
                "daqp",
                damping=1e-4,
                limits=self._bounds,
                constraints=self._frozen,
            )
        except mink.NoSolutionFound:
            return np.zeros(len(self._dofs))
        return velocity[self._dofs]


def _other_dofs(model: mujoco.MjModel, site: int, arm: list[int]) -> list[int]:
    """The degrees of freedom that move a site besides those of the arm."""
    found: list[int] = []
    body = int(model.site_bodyid[site])
    while body:
        first = int(model.body_dofadr[body])
        found += [dof for dof in range(first, first + int(model.body_dofnum[body])) if dof not in arm]
        body = int(model.body_parentid[body])
    return found
