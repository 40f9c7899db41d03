"""Tasks: a scene with a robot, and many worlds of it stepped together."""

from visuomotor.tasks.cost import Cost, Expansion
from visuomotor.tasks.env import Observations, Transition, VecEnv
from visuomotor.tasks.make import make_env, make_task
from visuomotor.tasks.reset_params import ResetParams
from visuomotor.tasks.task import EpisodeOutcome, Task

__all__ = [
    "Cost",
    "EpisodeOutcome",
    "Expansion",
    "Observations",
    "ResetParams",
    "Task",
    "Transition",
    "VecEnv",
    "make_env",
    "make_task",
]
