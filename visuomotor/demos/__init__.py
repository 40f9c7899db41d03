"""Demonstrations: files of states, and scripted demonstrators that make them."""

from visuomotor.demos.dataset import read_demonstrations, write_demonstrations
from visuomotor.demos.episode import Demonstrations, Episode, mean_return

__all__ = ["Demonstrations", "Episode", "mean_return", "read_demonstrations", "write_demonstrations"]
