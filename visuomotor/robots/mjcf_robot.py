"""What `Robot.from_mjcf` takes from a model or its arguments: joints, actuators, limits, home and gains."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import mujoco
import numpy as np

from visuomotor.errors import VisuomotorError, unknown
from visuomotor.robots.mjcf import (
    Control,
    actuators_of_joint,
    control_of_actuator,
    named,
    per_control,
    pulls_to_a_position,
)

DEFAULT_LEAD = 0.2  # rad or m, of a position actuator's target over its joint
_FASTEST = 1e3  # rad/s
_TOLERANCE = 1e-6  # rad or m, by which home may be outside a range


def joints_of(
    model: mujoco.MjModel, joints: Sequence[str] | None, gripper: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of the arm's joints, by default all with an actuator that are not the gripper's; then of all joints."""
    given: dict[str, Any] = {"joints": () if joints is None else joints, "gripper": gripper}
    for argument, value in given.items():
        if not isinstance(value, list | tuple) or not all(isinstance(name, str) for name in value):
            raise VisuomotorError(f'{argument} must be a list of names, such as ["{argument}"], not {value!r}')
    if joints is None:
        moved = [name for name in named(model, "joint") if actuators_of_joint(model, name)]
        joints = [name for name in moved if name not in gripper]
    if not joints:
        raise VisuomotorError("the model moves no joint of an arm; add actuators to it, or name the joints")
    twice = [name for name, count in Counter((*joints, *gripper)).items() if count > 1]
    if twice:
        raise VisuomotorError(f"joint {twice[0]!r} is named twice; each joint belongs to the arm or to the gripper")
    return tuple(joints), (*joints, *gripper)


def actuators_of(model: mujoco.MjModel, joints: Sequence[str]) -> tuple[str, ...]:
    """The names of the joints' actuators."""
    found: list[str] = []
    for joint in joints:
        if joint not in named(model, "joint"):
            raise unknown("joint", joint, named(model, "joint"))
        moving = actuators_of_joint(model, joint)
        if not moving:
            raise VisuomotorError(f"joint {joint!r} has no actuator; add one to the model, or leave the joint out")
        actuator, *others = (str(model.actuator(index).name) for index in moving)
        if any(pulls_to_a_position(model, index) for index in moving[1:]):
            raise VisuomotorError(
                f"joint {joint!r} has {len(moving)} actuators ({', '.join(map(repr, [actuator, *others]))}), and "
                f"actions are for the first, {actuator!r}; another one is a position actuator, which would pull the "
                "joint to 0: take it out of the model, or put it first"
            )
        if not actuator:
            raise VisuomotorError(f"the actuator of joint {joint!r} has no name; give it one in the model")
        found.append(actuator)
    return tuple(found)


def control_of(model: mujoco.MjModel, actuators: Sequence[str]) -> Control:
    """What the controls of all actuators are."""
    kinds: dict[str, Control] = {name: control_of_actuator(model, name) for name in actuators}
    if len(set(kinds.values())) > 1:
        found = ", ".join(f"{name} {kind}" for name, kind in kinds.items())
        raise VisuomotorError(
            f"a robot's actuators must all be of one kind (motor, velocity or position), not {found}; "
            "change the model, or name fewer joints"
        )
    return next(iter(kinds.values()))


def action_limits_of(
    model: mujoco.MjModel, actuators: Sequence[str], control: Control, max_speed: float | Sequence[float] | None
) -> tuple[float, ...]:
    """The largest action of each actuator: its speed where given, else by its ctrlrange."""
    count = len(actuators)
    if max_speed is not None and control == "torque":
        raise VisuomotorError("max_speed is for servos; actions of motors are limited by their ctrlrange: leave it out")
    if max_speed is not None:
        speeds = _numbers(max_speed, count) or _numbers([max_speed] * count, count)
        if speeds is None or not all(0 < speed < _FASTEST for speed in speeds):
            raise VisuomotorError(
                f"max_speed must be one positive number (rad/s), or {count} of them, not {max_speed!r}"
            )
        return speeds
    if control == "position":
        raise VisuomotorError("position actuators do not tell how fast they are; give max_speed in rad/s")
    limits: list[float] = []
    for name in actuators:
        actuator = model.actuator(name)
        by_range = float(abs(actuator.ctrlrange).max()) if actuator.ctrllimited[0] else 0.0
        if by_range == 0.0:
            raise VisuomotorError(f"actuator {name!r} has no ctrlrange; set it in the model: it limits the actions")
        limits.append(by_range * abs(per_control(model, name)))
    return tuple(limits)


def home_of(model: mujoco.MjModel, joints: Sequence[str], home: Sequence[float] | None) -> tuple[float, ...]:
    """Where the joints are at home: as given, else in the keyframe "home", the first keyframe, or the zero pose."""
    if home is None:
        keys = [str(model.key(index).name) for index in range(model.nkey)]
        qpos = model.key_qpos[keys.index("home") if "home" in keys else 0] if keys else model.qpos0
        home = [float(qpos[int(model.joint(name).qposadr[0])]) for name in joints]
        if not keys:  # zero may be outside a gripper's range
            return tuple(home)
    given = _numbers(home, len(joints))
    if given is None:
        raise VisuomotorError(f"home must be {len(joints)} finite numbers, one for each joint, not {home!r}")
    for name, at in zip(joints, given, strict=True):
        low, high = (float(end) for end in model.joint(name).range)
        if model.jnt_limited[model.joint(name).id] and not low - _TOLERANCE <= at <= high + _TOLERANCE:
            raise VisuomotorError(f"home has joint {name!r} at {at:g}, outside its range of {low:g} to {high:g}")
    return given


def travel_of(model: mujoco.MjModel, gripper: Sequence[str], start: Sequence[float], travel: float | None) -> float:
    """The gripper's travel: as given, else from `start` to the farther end of its first joint's range."""
    if travel is not None:
        given = _numbers([travel], 1)
        if given is None or given[0] == 0:
            raise VisuomotorError(f"gripper_travel must be a finite number other than 0 (rad or m), not {travel!r}")
        return given[0]
    if not gripper:
        return 0.0
    low, high = (float(end) for end in model.joint(gripper[0]).range)
    if low == high:
        raise VisuomotorError(f"gripper joint {gripper[0]!r} has no range; set it in the model, or give gripper_travel")
    return high - start[0] if high - start[0] > start[0] - low else low - start[0]


def lead_of(lead: float | None, control: Control) -> float:
    """How far targets of position actuators may be from their joints."""
    if lead is None:
        return DEFAULT_LEAD
    if control != "position":
        raise VisuomotorError(f"max_lead is for position actuators, and these are {control} actuators: leave it out")
    given = _numbers([lead], 1)
    if given is None or given[0] <= 0:
        raise VisuomotorError(f"max_lead must be a finite number above 0 (rad or m), not {lead!r}")
    return given[0]


def check_pd_gains(
    gains: tuple[Sequence[float], Sequence[float]] | None, control: Control, joints: int
) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """The gains as numbers."""
    if gains is None:
        return None
    if control != "torque":
        raise VisuomotorError(f"pd_gains are for motors; {control} actuators hold still by themselves: leave them out")
    given: Any = gains
    rows = [_numbers(row, joints) for row in given] if isinstance(given, list | tuple) and len(given) == 2 else []
    found = [row for row in rows if row is not None and min(row) >= 0]
    if len(found) != 2:
        raise VisuomotorError(
            f"pd_gains must be (proportional, derivative), {joints} numbers each, one for each joint and none below "
            f"0, not {gains!r}"
        )
    return found[0], found[1]


def _numbers(values: object, count: int) -> tuple[float, ...] | None:
    """`count` finite numbers, or None where a user gave something else."""
    try:
        array = np.asarray(values)
    except (ValueError, TypeError, RuntimeError):  # rows of several lengths, tensors elsewhere
        return None
    if array.dtype.kind not in "iuf" or array.shape != (count,) or not np.isfinite(array).all():
        return None
    return tuple(float(value) for value in array)
