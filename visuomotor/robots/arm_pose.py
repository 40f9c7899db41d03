"""Inverse kinematics: the joint angles at which a PR2 hand is somewhere."""

from collections.abc import Sequence
from typing import Final

import mink
import mujoco
import numpy as np
from numpy.typing import NDArray

from visuomotor.errors import VisuomotorError
from visuomotor.robots import pr2_facts as facts

Vector = Sequence[float] | NDArray[np.float64]

POSITION_TOLERANCE: Final = 1e-3  # m
ORIENTATION_TOLERANCE: Final = 1e-2  # rad

# Relaxed arms (right side) to search from, in this order; the first that reaches the target decides.
_STARTS: Final = (
    (-0.4, 0.3, -0.8, -1.4, 0.0, -0.8, 0.0),
    (-0.4, 0.3, -1.6, -1.6, 1.5, -1.0, 0.0),
    (0.2, 0.6, -0.2, -1.8, 0.0, -1.2, 1.5),
    (-1.2, 0.0, -1.8, -1.0, -1.5, -0.6, -1.5),
    (-0.6, 0.9, -2.5, -1.2, 3.0, -1.2, 3.0),
    (0.0, 0.0, 0.4, -1.2, 1.0, -1.6, 0.0),
)
_PAN_AND_ROLLS: Final = np.array([-1, 1, -1, 1, -1, 1, -1])  # the joints that turn the other way on the left
_STEP: Final = 0.3  # rad a joint and iteration, at most
_ITERATIONS: Final = 60


def arm_pose(
    model: mujoco.MjModel,
    side: facts.Side,
    target_position: Vector,
    target_quat: Vector | None = None,
    *,
    orientation_weight: float | Vector = 0.3,
    start: Vector | None = None,
) -> np.ndarray:
    """The `(7,)` joint angles (rad) at which a hand's tool frame takes a pose. The same call gives the same answer.

    Args:
        model: a compiled scene with the PR2.
        side: "r" or "l".
        target_position: m, world.
        target_quat: wxyz, world; None leaves the orientation free.
        orientation_weight: m/rad, against position while the two compete; three values, one an axis of the tool frame,
            of which a 0 leaves the rotation about its axis free.
        start: `(7,)` rad, tried first; near it the answer stays near it. By default a few relaxed poses.

    Raises:
        VisuomotorError: no pose within the joint limits comes within 1 mm and 0.01 rad.
    """
    names = [f"{side}_{joint.name}_joint" for joint in facts.ARM_JOINTS]
    address = model.jnt_qposadr[[model.joint(name).id for name in names]]
    mirror = _PAN_AND_ROLLS if side == "l" else 1
    starts = [np.asarray(pose) * mirror for pose in _STARTS]
    if start is not None:
        starts.insert(0, np.asarray(start, float))

    weights = np.broadcast_to(np.asarray(orientation_weight, float), 3) * (target_quat is not None)
    tool = f"{side}_gripper_tool_frame"
    task = mink.FrameTask(tool, "body", position_cost=1.0, orientation_cost=weights, lm_damping=1e-3)
    rotation = mink.SO3.identity() if target_quat is None else mink.SO3(np.asarray(target_quat, float)).normalize()
    task.set_target(mink.SE3.from_rotation_and_translation(rotation, np.asarray(target_position, float)))
    limits = [mink.ConfigurationLimit(model)]
    configuration = mink.Configuration(model)
    misses = []
    for pose in starts:
        qpos = model.qpos0.copy()
        qpos[address] = pose
        configuration.update(qpos)
        for _ in range(_ITERATIONS):
            position_miss, angle_miss = _miss(task, configuration, weights)
            if position_miss < POSITION_TOLERANCE / 10 and angle_miss < ORIENTATION_TOLERANCE / 10:
                return configuration.q[address].copy()
            velocity = mink.solve_ik(configuration, [task], 1.0, "daqp", damping=1e-4, limits=limits)
            configuration.integrate_inplace(velocity * min(1.0, _STEP / max(np.abs(velocity).max(), 1e-9)), 1.0)
        misses.append(_miss(task, configuration, weights))
        if misses[-1][0] < POSITION_TOLERANCE and misses[-1][1] < ORIENTATION_TOLERANCE:
            return configuration.q[address].copy()
    raise _unreachable(model, side, target_position, target_quat, min(misses))


def _miss(task: mink.FrameTask, configuration: mink.Configuration, weights: np.ndarray) -> tuple[float, float]:
    """Distance (m) and angle (rad, about the axes that matter) from the target."""
    error = task.compute_error(configuration)
    return float(np.linalg.norm(error[:3])), float(np.linalg.norm(error[3:] * (weights > 0)))


def _shoulder(model: mujoco.MjModel, side: facts.Side) -> np.ndarray:
    """World position (m) of the shoulder lift joint at zero angles."""
    x, y, z = facts.ARM_JOINTS[0].offset
    torso = model.body("torso_lift_link").pos
    return np.add(torso, (x + facts.ARM_JOINTS[1].offset[0], y if side == "r" else -y, z))


def _unreachable(
    model: mujoco.MjModel,
    side: facts.Side,
    position: Vector,
    quat: Vector | None,
    miss: tuple[float, float],
) -> VisuomotorError:
    hand = "right" if side == "r" else "left"
    orientation = "a free orientation" if quat is None else f"orientation {np.round(quat, 3).tolist()}"
    shoulder = _shoulder(model, side)
    distance = np.linalg.norm(np.subtract(position, shoulder))
    return VisuomotorError(
        f"the PR2's {hand} hand cannot take position {np.round(position, 3).tolist()} with {orientation}: it misses by "
        f"{miss[0] * 1000:.1f} mm and {miss[1]:.2f} rad. The target is {distance:.2f} m from the shoulder at "
        f"{np.round(shoulder, 2).tolist()}; the arm reaches 0.90 m, and not nearer than its elbow bends. "
        "Move the target into that range or free its orientation"
    )
