"""Guided policy search with BADMM: trajectories learn from the full state, the policy from them, to see and act."""

from visuomotor.algorithms.gps.config import PRESETS, GpsConfig
from visuomotor.algorithms.gps.gps import Gps

__all__ = ["PRESETS", "Gps", "GpsConfig"]
