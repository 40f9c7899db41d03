"""The PR2's published numbers: kinematics, limits and masses of its URDF (`pr2_description`), SI units.

Offsets are from the parent joint's frame; each arm points along +x at zero angles.
"""

import math
from dataclasses import dataclass
from typing import Final, Literal

Side = Literal["r", "l"]
Vector = tuple[float, float, float]

X: Final = (1.0, 0.0, 0.0)
Y: Final = (0.0, 1.0, 0.0)
Z: Final = (0.0, 0.0, 1.0)


@dataclass(frozen=True)
class Link:
    """One body. `inertia` is the diagonal about the centre of mass, in the link's axes."""

    name: str
    mass: float
    centre_of_mass: Vector = (0.0, 0.0, 0.0)
    inertia: Vector = (0.01, 0.01, 0.01)


@dataclass(frozen=True)
class ArmJoint:
    """One arm joint with the links that it moves: the first carries the joint, the others are fixed to it.

    `limits` are the right arm's; None means that the joint turns without end.
    `mirrored` says whether the left arm's limits are the right's with the sign turned.
    """

    name: str
    offset: Vector
    axis: Vector
    limits: tuple[float, float] | None
    effort: float
    damping: float
    links: tuple[Link, ...]
    mirrored: bool = False

    def limits_of(self, side: Side) -> tuple[float, float] | None:
        """`(lower, upper)` in rad for one side."""
        if self.limits is None or side == "r" or not self.mirrored:
            return self.limits
        return -self.limits[1], -self.limits[0]


ARM_JOINTS: Final = (
    ArmJoint(
        "shoulder_pan",
        (0, -0.188, 0),  # of the right arm, from torso_lift_link; the left arm's y is turned
        Z,
        (-math.pi / 4 - 1.5, -math.pi / 4 + 1.5),
        30,
        10.0,
        (Link("shoulder_pan_link", 25.799322, (-0.001201, 0.024513, -0.098231), (0.86618, 0.87422, 0.27354)),),
        mirrored=True,
    ),
    ArmJoint(
        "shoulder_lift",
        (0.1, 0, 0),
        Y,
        (-0.5236, 1.3963),
        30,
        10.0,
        (Link("shoulder_lift_link", 2.74988, (0.02195, -0.02664, -0.03127), (0.021056, 0.021272, 0.019758)),),
    ),
    ArmJoint(
        "upper_arm_roll",
        (0, 0, 0),
        X,
        (-3.90, 0.80),
        30,
        0.1,
        (
            Link("upper_arm_roll_link", 0.1),
            Link("upper_arm_link", 6.01769, (0.21398, -0.01621, -0.00020), (0.015377, 0.074737, 0.076088)),
        ),
        mirrored=True,
    ),
    ArmJoint(
        "elbow_flex",
        (0.4, 0, 0),
        Y,
        (-2.3213, 0.0),
        30,
        1.0,
        (Link("elbow_flex_link", 1.90327, (0.01014, 0.00032, -0.01211), (0.0034654, 0.0044161, 0.0035916)),),
    ),
    ArmJoint(
        "forearm_roll",
        (0, 0, 0),
        X,
        None,
        30,
        0.1,
        (
            Link("forearm_roll_link", 0.1),
            Link("forearm_link", 2.57968, (0.18791, -0.00017, -0.00912), (0.0036486, 0.0150774, 0.0165931)),
        ),
    ),
    ArmJoint(
        "wrist_flex",
        (0.321, 0, 0),
        Y,
        (-2.18, 0.0),
        10,
        0.1,
        (Link("wrist_flex_link", 0.61402, (-0.00157, 0, -0.00075), (0.00065166, 0.00019824, 0.00064451)),),
    ),
    ArmJoint(
        "wrist_roll",
        (0, 0, 0),
        X,
        None,
        10,
        0.1,
        (
            Link("wrist_roll_link", 0.1),
            # Only Ixx is published; the others are those of a box of the palm's size.
            Link("gripper_palm_link", 0.58007, (0.06623, 0.00053, -0.00119), (0.00035224, 0.00065, 0.00085)),
        ),
    ),
)

TORSO_OFFSET: Final = (-0.05, 0.0, 0.739675)  # torso_lift_link from base_link, lift 0
TORSO_TRAVEL: Final = (0.0, 0.33)

TOOL_OFFSET: Final = (0.18, 0.0, 0.0)  # tool frame from the palm
FINGER_OFFSET: Final = (0.07691, 0.01, 0.0)  # left finger from the palm; the right finger's y is turned
FINGER_MASS: Final = {"l": 0.17126 + 0.04419, "r": 0.17389 + 0.04419}  # with its tip
GAP: Final = 0.09  # widest distance between the finger tips

HEAD_PAN_OFFSET: Final = (-0.01707, 0.0, 0.38145)  # from torso_lift_link
HEAD_TILT_OFFSET: Final = (0.068, 0.0, 0.0)
HEAD_PLATE_OFFSET: Final = (0.0232, 0.0, 0.0645)
KINECT_OFFSET: Final = (-0.137376, 0.0, 0.091746)  # from the plate
HEAD_PAN_LIMITS: Final = (-3.007, 3.007)
HEAD_TILT_LIMITS: Final = (-0.471238, 1.39626)
