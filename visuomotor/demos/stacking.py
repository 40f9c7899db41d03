"""The expert of stacking."""

import numpy as np

from visuomotor.demos.expert import OPEN, MotionPlan, ScriptedExpert
from visuomotor.demos.grasp import grasp

UPPER, LOWER = 0, 1
_ABOVE = 0.05  # m, between the objects on the way over
_RETREAT = 0.12  # m
_ATTEMPTS = 3


def stack(expert: ScriptedExpert) -> MotionPlan:
    """Grasp the upper object, carry it over the lower one, put it down, let go and retreat upwards."""
    yield from expert.wait(expert.uniform(expert.noise.reaction))
    for _ in range(_ATTEMPTS):
        yield from grasp(expert, UPPER, expert.half_size(LOWER) * 2 + _ABOVE)
        yield from expert.pause()
        yield from _over(expert, _ABOVE, speed_scale=0.7)
        yield from expert.pause()
        yield from _over(expert, 0.002, via_point=False, speed_scale=0.3)
        yield from expert.wait(expert.uniform(expert.noise.reaction))
        expert.grip = OPEN
        yield from expert.wait(expert.uniform(expert.noise.release))
        yield from expert.move(expert.position + np.array([0, 0, _RETREAT]), via_point=False, speed_scale=0.7)
        if looks_stacked(expert):
            return
    yield from expert.wait(0.5)


def looks_stacked(expert: ScriptedExpert) -> bool:
    """Whether the upper object is over the lower one, as far as a person can see."""
    gap = expert.object(UPPER) - expert.object(LOWER)
    return bool(np.linalg.norm(gap[:2]) < 0.018 and gap[2] > expert.half_size(LOWER))


def _over(expert: ScriptedExpert, gap: float, via_point: bool = True, speed_scale: float = 1.0) -> MotionPlan:
    """Bring the upper object over the lower one with that gap (m) between them, however the gripper holds it."""
    held = expert.position - expert.object(UPPER)
    rise = expert.half_size(UPPER) + expert.half_size(LOWER) + gap
    yield from expert.move(expert.object(LOWER) + held + (0, 0, rise), via_point=via_point, speed_scale=speed_scale)
