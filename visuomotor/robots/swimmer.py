"""A swimmer of three links in a plane, with a torque at each of its two joints."""

from typing import Final

import mujoco

from visuomotor.robots.collision import NOTHING
from visuomotor.robots.geoms import capsule
from visuomotor.robots.robot import Robot

LINK: Final = 0.4  # m
ROOT: Final = ("root_x", "root_y", "root_yaw")
"""Joints of the first link in the plane; nothing moves them but the medium."""
HEAD: Final = "head"
"""Site at the swimmer's front; it swims along its z axis."""
TORSO: Final = "front_link"
"""Body whose subtree is the whole swimmer."""
_RADIUS, _MASS = 0.04, 2.0  # m; kg of a link
_TORQUE = 10.0  # N m
_RANGE = 100.0  # degrees, MjSpec's unit of ranges
_HOME = (0.5, -0.5)  # rad: bent, since from a straight line no torque leads ahead to first order
_ARMATURE, _DAMPING = 0.02, 0.1  # kg m^2, N m s/rad
_STIFFNESS, _HOLD_DAMPING = 3.0, 1.0  # N m/rad, N m s/rad: by which torques hold a pose
_COLORS = ((0.90, 0.45, 0.10, 1.0), (0.30, 0.34, 0.42, 1.0), (0.30, 0.34, 0.42, 1.0))
_AHEAD = (0.7071068, 0.0, 0.7071068, 0.0)  # turns z to x


def add_swimmer(spec: mujoco.MjSpec, height: float) -> Robot:
    """Add the swimmer, its head at the origin, in the plane at `height` (m); it swims towards +x."""
    body = spec.worldbody.add_body(name=TORSO, pos=(0, 0, height))
    slide, hinge = mujoco.mjtJoint.mjJNT_SLIDE, mujoco.mjtJoint.mjJNT_HINGE
    for name, kind, axis in zip(ROOT, (slide, slide, hinge), ((1, 0, 0), (0, 1, 0), (0, 0, 1)), strict=True):
        body.add_joint(name=name, type=kind, axis=axis)
    body.add_site(name=HEAD, pos=(0, 0, 0), quat=_AHEAD, size=[0.01, 0, 0], group=4)
    names = ("front_joint", "rear_joint")
    for link, color in enumerate(_COLORS):
        if link:
            body = body.add_body(name=f"link_{link}", pos=(-LINK, 0, 0))
            body.add_joint(
                name=names[link - 1],
                type=hinge,
                axis=(0, 0, 1),
                limited=True,
                range=(-_RANGE, _RANGE),
                armature=_ARMATURE,
                damping=[_DAMPING, 0, 0],
            )
        capsule(body, f"swimmer_{link}", (0, 0, 0), (-LINK, 0, 0), _RADIUS, color, NOTHING, mass=_MASS)
    for name in names:
        motor = spec.add_actuator(name=name, target=name, trntype=mujoco.mjtTrn.mjTRN_JOINT)
        motor.set_to_motor()
        motor.ctrllimited, motor.ctrlrange = True, (-_TORQUE, _TORQUE)
    return Robot(
        joints=names,
        gripper=(),
        actuators=names,
        control="torque",
        action_limits=(_TORQUE, _TORQUE),
        end_effector=HEAD,
        home=_HOME,
        geoms=tuple(f"swimmer_{link}" for link in range(len(_COLORS))),
        pd_gains=((_STIFFNESS, _STIFFNESS), (_HOLD_DAMPING, _HOLD_DAMPING)),
    )
