"""Grasping a block from above, as often as it takes."""

import numpy as np

from visuomotor.demos.expert import CLOSE, OPEN, ScriptedExpert, MotionPlan

CLEARANCE = 0.09  # m, of the pinch point above a block's centre before it goes down
_ATTEMPTS = 4
_CLOSING = 1.3  # s, for fingers that are wide open
_SHORT = 0.06  # m, above the block's centre: too high to get hold of it


def grasp(hand: ScriptedExpert, block: int, height: float) -> MotionPlan:
    """Take a block and raise it by `height` (m). Where it is not in the hand then, try again, as people do."""
    habits = hand.habits
    misses = hand.happens(habits.first_miss_chance)
    for attempt in range(_ATTEMPTS):
        hand.grip = OPEN
        off = hand.normal(habits.grasp_miss) * (1, 1, 0)
        yaw = hand.yaw_to_grasp(block) + float(hand.normal(habits.grasp_turn, 1)[0])
        yield from hand.move(hand.block(block) + off + (0, 0, CLEARANCE), yaw)
        yield from hand.pause()
        depth = (0, 0, _SHORT if misses and attempt == 0 else 0)
        yield from hand.move(hand.block(block) + off + depth, yaw, via_point=False, speed_scale=0.7)
        yield from hand.pause()
        hand.grip = CLOSE
        yield from hand.wait(_CLOSING * hand.uniform((0.9, 1.2)))
        raised = hand.block(block)[2]
        yield from hand.move(hand.position + np.array([0, 0, height]), via_point=False)
        if hand.block(block)[2] > raised + height / 2:
            return
        yield from hand.wait(hand.uniform(habits.reaction))
