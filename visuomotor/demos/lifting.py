"""The expert of lifting."""

from visuomotor.demos.expert import MotionPlan, ScriptedExpert
from visuomotor.demos.grasp import grasp

HEIGHT = (0.09, 0.13)
"""m, how far the object is raised; the task asks for 5 cm."""


def lift(expert: ScriptedExpert) -> MotionPlan:
    """Grasp the first object, raise it, hold it for a second."""
    yield from expert.wait(expert.uniform(expert.noise.reaction))
    yield from grasp(expert, 0, expert.uniform(HEIGHT))
    yield from expert.wait(1.0)
