"""Grasp an object from above, as often as it takes."""

import numpy as np

from visuomotor.demos.expert import CLOSE, OPEN, MotionPlan, ScriptedExpert, downwards

CLEARANCE = 0.09  # m, of the end effector above the object's centre before it goes down
_ATTEMPTS = 4
_MISS_HEIGHT = 2 / 3  # of the clearance: too high to grasp it


def grasp(
    expert: ScriptedExpert, index: int, height: float, clearance: float = CLEARANCE, aside: float = 0.0
) -> MotionPlan:
    """Grasp an object and raise it by `height` (m). If the grasp failed, try again.

    Args:
        clearance: m, of the end effector above the object's centre before it goes down.
        aside: m, of the end effector from the object's centre along its own x axis, for a gripper that does not close
            about its end effector: one of whose jaws stands still.
    """
    noise = expert.noise
    misses = expert.happens(noise.first_miss_chance)
    for attempt in range(_ATTEMPTS):
        expert.grip = OPEN
        off = expert.normal(noise.grasp_miss) * (1, 1, 0)
        rotation = downwards(expert.yaw_to_grasp(index) + float(expert.normal(noise.grasp_turn, 1)[0]))
        off += aside * rotation.as_matrix()[:, 0]
        yield from expert.move(expert.object(index) + off + (0, 0, clearance), rotation)
        yield from expert.pause()
        depth = (0, 0, _MISS_HEIGHT * clearance if misses and attempt == 0 else 0)
        yield from expert.move(expert.object(index) + off + depth, rotation, via_point=False, speed_scale=0.7)
        yield from expert.pause()
        expert.grip = CLOSE
        yield from expert.wait(expert.grip_time * expert.uniform((0.9, 1.2)))
        raised = expert.object(index)[2]
        yield from expert.move(expert.position + np.array([0, 0, height]), via_point=False)
        if expert.object(index)[2] > raised + height / 2:
            return
        yield from expert.wait(expert.uniform(noise.reaction))
