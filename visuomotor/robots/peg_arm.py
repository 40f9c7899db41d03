"""Arms without weight that hold a peg: chains of hinges with motors, of which some have a link of 1 m behind them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import mujoco

from visuomotor.robots.collision import AS_HELD
from visuomotor.robots.geoms import capsule
from visuomotor.robots.robot import Robot

LINK: Final = 1.0  # m, upper arm and forearm
PEG_LENGTH: Final = 0.5  # m
PEG_RADIUS: Final = 0.05  # m
PEG_TIP, PEG_TOP = "peg_tip", "peg_top"
"""Sites at the ends of the peg. The tip's z axis points out of it."""
_LINK_RADIUS, _LINK_MASS, _PEG_MASS = 0.06, 1.0, 0.3  # m, kg
_ARMATURE, _DAMPING = 0.1, 1.0  # kg m^2, N m s/rad: of motor and gear
_LINK_COLOR, _PEG_COLOR = (0.30, 0.34, 0.42, 1.0), (0.90, 0.45, 0.10, 1.0)

_X, _Y, _Z = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)


@dataclass(frozen=True)
class PegJoint:
    """A hinge with a motor, both of its name."""

    name: str
    axis: tuple[float, float, float]
    torque: float
    """N m, the largest."""
    home: float
    """rad, where episodes start."""
    stiffness: float
    """N m/rad, by which torques hold a pose."""
    damping: float
    """N m s/rad, likewise."""
    link: bool = False
    """Whether a link along x is behind it; else the next joint has the same place."""


PLANAR: Final = (
    PegJoint("shoulder", _Y, 20.0, -0.836, 12.0, 6.0, link=True),
    PegJoint("elbow", _Y, 10.0, 2.277, 8.0, 4.0, link=True),
    PegJoint("wrist", _Y, 5.0, 0.130, 3.0, 1.0),
)
"""In the plane of x and z. At home the peg points down."""

SPATIAL: Final = (
    PegJoint("shoulder_pan", _Z, 20.0, 0.25, 12.0, 6.0),
    PegJoint("shoulder_lift", _Y, 20.0, -0.836, 12.0, 6.0),
    PegJoint("upper_arm_roll", _X, 10.0, 0.0, 8.0, 4.0, link=True),
    PegJoint("elbow", _Y, 10.0, 2.277, 8.0, 4.0),
    PegJoint("forearm_roll", _X, 5.0, 0.0, 3.0, 1.0, link=True),
    PegJoint("wrist", _Y, 5.0, 0.130, 3.0, 1.0),
)
"""The same arm with three joints more, turned a little to its left."""


def add_peg_arm(spec: mujoco.MjSpec, joints: Sequence[PegJoint], shoulder: tuple[float, float, float]) -> Robot:
    """Add an arm whose first joint is at `shoulder` (m), with the peg along the last body's x axis. Only the peg
    touches anything."""
    body: Any = spec.worldbody.add_body(name="upper_arm", pos=shoulder)
    geoms: list[str] = []
    for joint in joints:
        body.add_joint(
            name=joint.name,
            type=mujoco.mjtJoint.mjJNT_HINGE,
            axis=joint.axis,
            armature=_ARMATURE,
            damping=[_DAMPING, 0, 0],
        )
        motor = spec.add_actuator(name=joint.name, target=joint.name, trntype=mujoco.mjtTrn.mjTRN_JOINT)
        motor.set_to_motor()
        motor.ctrllimited, motor.ctrlrange = True, (-joint.torque, joint.torque)
        if joint.link:
            geoms.append(f"{joint.name}_link")
            capsule(body, geoms[-1], (0, 0, 0), (LINK, 0, 0), _LINK_RADIUS, _LINK_COLOR, mass=_LINK_MASS)
            body = body.add_body(name=f"after_{joint.name}", pos=(LINK, 0, 0))
    end = (PEG_LENGTH - PEG_RADIUS, 0.0, 0.0)  # its tip is round
    capsule(body, "peg", (0, 0, 0), end, PEG_RADIUS, _PEG_COLOR, AS_HELD, mass=_PEG_MASS, condim=1)
    for name, x in ((PEG_TIP, PEG_LENGTH), (PEG_TOP, 0.0)):
        body.add_site(name=name, pos=(x, 0, 0), quat=(0.7071068, 0, 0.7071068, 0), size=[0.01, 0, 0], group=4)
    names = tuple(joint.name for joint in joints)
    return Robot(
        joints=names,
        gripper=(),
        actuators=names,
        control="torque",
        action_limits=tuple(joint.torque for joint in joints),
        end_effector=PEG_TIP,
        home=tuple(joint.home for joint in joints),
        geoms=(*geoms, "peg"),
        pd_gains=(tuple(joint.stiffness for joint in joints), tuple(joint.damping for joint in joints)),
    )
