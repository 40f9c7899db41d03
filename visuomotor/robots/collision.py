"""Who may touch whom, as MuJoCo's contype and conaffinity bits.

Two geoms collide where one's contype meets the other's conaffinity. With these bits robots touch targets, held objects
touch targets, and nothing else touches anything: no self-collision, and no contact between a hand and what it holds (a
weld or a fixed joint holds it, which is both faster and steadier than friction). What has to be grasped has its own
bits (`props.blocks`).
"""

from typing import Final

ROBOT: Final = 1
TARGET: Final = 2
HELD: Final = 4

NOTHING: Final = {"contype": 0, "conaffinity": 0}
AS_ROBOT: Final = {"contype": ROBOT, "conaffinity": 0}
AS_TARGET: Final = {"contype": TARGET, "conaffinity": ROBOT | HELD}
AS_HELD: Final = {"contype": HELD, "conaffinity": 0}

STIFF_CONTACT: Final = {"solref": (0.01, 1.0), "solimp": (0.99, 0.999, 0.001, 0.5, 2.0)}
"""Nearly rigid contacts: those of dm_control's Jaco."""
