"""How a person puts one block on the other."""

import numpy as np

from visuomotor.demos.grasp import grasp
from visuomotor.demos.expert import OPEN, ScriptedExpert, MotionPlan

UPPER, LOWER = 0, 1
_ABOVE = 0.05  # m, between the blocks on the way over
_RETREAT = 0.12  # m
_ATTEMPTS = 3


def stack(hand: ScriptedExpert) -> MotionPlan:
    """Grasp the upper block, carry it over the lower one, put it down, let go and retreat upwards."""
    yield from hand.wait(hand.uniform(hand.habits.reaction))
    for _ in range(_ATTEMPTS):
        yield from grasp(hand, UPPER, hand.half(LOWER) * 2 + _ABOVE)
        yield from hand.pause()
        yield from _over(hand, _ABOVE, speed_scale=0.7)
        yield from hand.pause()
        yield from _over(hand, 0.002, via_point=False, speed_scale=0.3)
        yield from hand.wait(hand.uniform(hand.habits.reaction))
        hand.grip = OPEN
        yield from hand.wait(hand.uniform((1.0, 1.4)))
        yield from hand.move(hand.position + np.array([0, 0, _RETREAT]), via_point=False, speed_scale=0.7)
        if looks_stacked(hand):
            return
    yield from hand.wait(0.5)


def looks_stacked(hand: ScriptedExpert) -> bool:
    """Whether the upper block is over the lower one, as far as the eye can tell."""
    gap = hand.block(UPPER) - hand.block(LOWER)
    return bool(np.linalg.norm(gap[:2]) < 0.018 and gap[2] > hand.half(LOWER))


def _over(hand: ScriptedExpert, gap: float, via_point: bool = True, speed_scale: float = 1.0) -> MotionPlan:
    """Bring the upper block over the lower one with that gap (m) between them, as it sits in the hand."""
    held = hand.position - hand.block(UPPER)
    rise = hand.half(UPPER) + hand.half(LOWER) + gap
    yield from hand.move(hand.block(LOWER) + held + (0, 0, rise), via_point=via_point, speed_scale=speed_scale)
