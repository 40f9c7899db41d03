"""How a person lifts the block."""

from visuomotor.demos.grasp import grasp
from visuomotor.demos.expert import ScriptedExpert, MotionPlan

HEIGHT = (0.09, 0.13)
"""m, how far the block is raised; 5 cm are asked for."""


def lift(hand: ScriptedExpert) -> MotionPlan:
    """Grasp the block, raise it, hold it for a second."""
    yield from hand.wait(hand.uniform(hand.habits.reaction))
    yield from grasp(hand, 0, hand.uniform(HEIGHT))
    yield from hand.wait(1.0)
