"""The Kinova Jaco's published numbers (j2n6s300, six joints and three fingers), SI units.

Kinematics and limits are those of Kinova's URDF, masses, friction and motor limits those of dm_control's model of the
same arm. Every joint turns about its own z axis; the arm stands upright with joints 2 and 3 at 180 degrees.
"""

import math
from dataclasses import dataclass
from typing import Final

Vector = tuple[float, float, float]
Quat = tuple[float, float, float, float]

_HALF: Final = math.sqrt(0.5)


@dataclass(frozen=True)
class ArmJoint:
    """One joint with the link that it moves.

    Attributes:
        offset, quat: the joint's frame in the one before (m, wxyz).
        limits: rad; None where the joint turns without end.
        speed: rad/s, the fastest.
        force: N m, what the motor gives.
        armature: kg m^2, the motor's inertia seen from the joint.
        friction: N m, dry.
        mass: kg, of the link.
    """

    name: str
    offset: Vector
    quat: Quat
    limits: tuple[float, float] | None
    speed: float
    force: float
    armature: float
    friction: float
    mass: float


_SLOW: Final = math.radians(36)
_FAST: Final = math.radians(48)
_LARGE: Final = (_SLOW, 30.5, 4.0, 2.0)  # speed, force, armature, friction of the large motors
_SMALL: Final = (_FAST, 6.8, 2.0, 1.0)
_WRIST_OFFSET: Final = (0.0, -0.03703, -0.06414)
_WRIST_QUAT: Final = (0.0, 0.0, 0.5, math.sqrt(0.75))  # the wrist's axes meet at 60 degrees

ARM_JOINTS: Final = (
    ArmJoint("1", (0, 0, 0.15675), (0, 0, 1, 0), None, *_LARGE, mass=0.643205),
    ArmJoint("2", (0, 0.0016, -0.11875), (0, 0, -_HALF, _HALF), (0.820305, 5.462881), *_LARGE, mass=1.16915),
    ArmJoint("3", (0, -0.41, 0), (0, 0, 1, 0), (0.331613, 5.951573), *_LARGE, mass=0.673443),
    ArmJoint("4", (0, 0.2073, -0.0114), (0, 0, -_HALF, _HALF), None, *_SMALL, mass=0.221432),
    ArmJoint("5", _WRIST_OFFSET, _WRIST_QUAT, None, *_SMALL, mass=0.221432),
    ArmJoint("6", _WRIST_OFFSET, _WRIST_QUAT, None, *_SMALL, mass=0.54719),  # the last link is the hand
)
BASE_MASS: Final = 0.718306
ARM_DAMPING: Final = 0.01  # N m s/rad
ARM_GAIN: Final = 500.0  # N m s/rad, of the velocity servos

# The hand's frame is joint 6's; the fingers point along -z.
TOOL_QUAT: Final = (0.0, _HALF, _HALF, 0.0)  # the published end effector: z out of the hand
FINGER_OFFSETS: Final = ((0.00279, 0.03126, -0.11467), (0.02226, -0.02707, -0.11482), (-0.02226, -0.02707, -0.11482))
FINGER_TILT: Final = math.pi / 2 - 0.649262  # rad from -z outwards, at joint angle 0
KNUCKLE: Final = (0.044, -0.003, 0.0)  # where the finger's second link begins, in the first's frame
PINCH_HEIGHT: Final = -0.193  # m, where a block is held
FINGER_LIMITS: Final = (0.15, 1.35)  # rad, open and closed
FINGER_MASSES: Final = (0.0255204, 0.0132655)  # of its two links
FINGER_ARMATURE: Final = 0.1
FINGER_DAMPING: Final = 0.75
FINGER_FRICTION: Final = 0.1
FINGER_GAIN: Final = 10.0  # N m s/rad
# N m. dm_control has 1 for all; then two fingers push the first aside at 0.02 rad/s with whatever they hold. As strong
# as both it keeps still, and the motors of the real hand do not give way either.
FINGER_FORCES: Final = (2.0, 1.0, 1.0)
FINGER_SPEED: Final = 1.0  # rad/s: from open to closed in 1.4 s, as the servo lags by 8%
