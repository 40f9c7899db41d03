"""Inverse kinematics: the joint positions at which a frame of a robot has a pose."""

from collections.abc import Sequence
from typing import Final, Literal

import mink
import mujoco
import numpy as np
from numpy.typing import NDArray

from visuomotor.errors import VisuomotorError

Vector = Sequence[float] | NDArray[np.float64]

POSITION_TOLERANCE: Final = 1e-3  # m
ORIENTATION_TOLERANCE: Final = 1e-2  # rad
_STEP: Final = 0.3  # rad a joint and iteration, at most
_ITERATIONS: Final = 60


def solve_ik(
    model: mujoco.MjModel,
    joints: Sequence[str],
    frame: str,
    frame_type: Literal["body", "site"],
    position: Vector,
    quat: Vector | None = None,
    *,
    starts: Sequence[Vector] = (),
    orientation_weight: float | Vector = 0.3,
) -> NDArray[np.float64]:
    """The `(len(joints),)` positions (rad or m) of joints at which a frame takes a pose; always the same ones.

    Args:
        model: a compiled scene with the robot.
        joints: those that may move; all others keep the model's `qpos0`.
        frame: name of a body or site.
        position: m, world. quat: wxyz, world; None leaves the orientation free.
        starts: joint positions to search from, in this order; the first that reaches the target decides. By default
            the middle of the joints' ranges.
        orientation_weight: m/rad, against position while the two compete; three values, one an axis of the frame, of
            which a 0 leaves the rotation about its axis free.

    Raises:
        VisuomotorError: no start leads to within 1 mm and 0.01 rad inside the joint limits.
    """
    address = model.jnt_qposadr[[model.joint(name).id for name in joints]]
    weights = np.broadcast_to(np.asarray(orientation_weight, float), 3) * (quat is not None)
    task = mink.FrameTask(frame, frame_type, position_cost=1.0, orientation_cost=weights, lm_damping=1e-3)
    rotation = mink.SO3.identity() if quat is None else mink.SO3(np.asarray(quat, float)).normalize()
    task.set_target(mink.SE3.from_rotation_and_translation(rotation, np.asarray(position, float)))
    limits = [mink.ConfigurationLimit(model)]
    configuration = mink.Configuration(model)
    moving = np.isin(np.arange(model.nv), [model.jnt_dofadr[model.joint(name).id] for name in joints])
    misses: list[tuple[float, float]] = []
    for start in starts or (_middle(model, joints),):
        qpos = model.qpos0.copy()
        qpos[address] = start
        configuration.update(qpos)
        for _ in range(_ITERATIONS):
            position_miss, angle_miss = _miss(task, configuration, weights)
            if position_miss < POSITION_TOLERANCE / 10 and angle_miss < ORIENTATION_TOLERANCE / 10:
                return configuration.q[address].copy()
            velocity = mink.solve_ik(configuration, [task], 1.0, "daqp", damping=1e-4, limits=limits) * moving
            configuration.integrate_inplace(velocity * min(1.0, _STEP / max(np.abs(velocity).max(), 1e-9)), 1.0)
        misses.append(_miss(task, configuration, weights))
        if misses[-1][0] < POSITION_TOLERANCE and misses[-1][1] < ORIENTATION_TOLERANCE:
            return configuration.q[address].copy()
    raise _unreachable(frame, position, quat, min(misses))


def _miss(task: mink.FrameTask, configuration: mink.Configuration, weights: NDArray[np.float64]) -> tuple[float, float]:
    """Distance (m) and angle (rad, about the axes that matter) from the target."""
    error = task.compute_error(configuration)
    return float(np.linalg.norm(error[:3])), float(np.linalg.norm(error[3:] * (weights > 0)))


def _middle(model: mujoco.MjModel, joints: Sequence[str]) -> NDArray[np.float64]:
    ranges = np.array([model.joint(name).range for name in joints])
    return ranges.mean(1)


def _unreachable(frame: str, position: Vector, quat: Vector | None, miss: tuple[float, float]) -> VisuomotorError:
    orientation = "any orientation" if quat is None else f"orientation {np.round(quat, 3).tolist()}"
    fix = "" if quat is None else " or free its orientation"
    return VisuomotorError(
        f"{frame!r} cannot take position {np.round(position, 3).tolist()} with {orientation}: it misses by "
        f"{miss[0] * 1000:.1f} mm and {miss[1]:.2f} rad. Move the target nearer to the robot{fix}"
    )
