"""The expert of hanging a coat hanger on a rack."""

import numpy as np

from visuomotor.demos.expert import MotionPlan, ScriptedExpert

HANGER, HOOK, BAR_ENDS = "hanger", "hanger_hook_inside", (0, 1)
"""The hanger's body, the site inside its hook, and the keypoints at the ends of the bar."""

# m, from the bar's axis to the inside of the hook, forwards and upwards: behind the bar, with the hook's tip above and
# the neck below it; over it; and lower than the bar allows, so that the hook comes to rest on it.
_BEHIND, _OVER, _ON = (-0.07, 0.045), (0.0, 0.045), (0.0, -0.008)


def hang(expert: ScriptedExpert) -> MotionPlan:
    """Bring the hook behind the bar, upright, move it over the bar, and lower it."""
    yield from expert.wait(expert.uniform(expert.noise.reaction))
    upright = expert.body_rotation(HANGER).inverse() @ expert.rotation
    yield from expert.move(_target(expert, _BEHIND), upright, tolerance=0.03)
    yield from expert.move(_target(expert, _OVER), upright, via_point=False)
    yield from expert.move(_target(expert, _ON), upright, via_point=False, speed_scale=0.7)
    yield from expert.wait(0.2)


def _target(expert: ScriptedExpert, offset: tuple[float, float]) -> np.ndarray:
    """Where the end effector must be, m, for an upright hanger's hook to be at `offset` from the bar's middle."""
    bar = np.mean([expert.keypoint(index) for index in BAR_ENDS], axis=0)
    hook = expert.body_rotation(HANGER).inverse().apply(expert.site(HOOK) - expert.position)
    return bar + np.array([offset[0], 0.0, offset[1]]) - hook
