"""Demonstrations: files of states and actions, and the scripted experts that generate them."""

from visuomotor.demos.dataset import read_demonstrations, write_demonstrations
from visuomotor.demos.episode import Demonstrations, Episode, mean_return
from visuomotor.demos.expert import MotionPlan, ScriptedExpert
from visuomotor.demos.noise import ExpertNoise

__all__ = [
    "Demonstrations",
    "Episode",
    "ExpertNoise",
    "MotionPlan",
    "ScriptedExpert",
    "mean_return",
    "read_demonstrations",
    "write_demonstrations",
]
