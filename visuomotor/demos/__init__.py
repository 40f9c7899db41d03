"""Demonstrations: files of states and actions, and the scripted experts that generate them."""

from visuomotor.demos.dataset import write_demonstrations
from visuomotor.demos.episode import Demonstrations, Episode, mean_return
from visuomotor.demos.expert import CLOSE, OPEN, STILL, MotionPlan, ScriptedExpert
from visuomotor.demos.noise import ExpertNoise
from visuomotor.demos.reading import read_demonstrations

__all__ = [
    "CLOSE",
    "OPEN",
    "STILL",
    "Demonstrations",
    "Episode",
    "ExpertNoise",
    "MotionPlan",
    "ScriptedExpert",
    "mean_return",
    "read_demonstrations",
    "write_demonstrations",
]
