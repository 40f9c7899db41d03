"""Guided policy search with BADMM: trajectories are optimised on the full state, and a policy learns
from them to act on images."""

from visuomotor.algorithms.gps.config import PRESETS, GpsConfig
from visuomotor.algorithms.gps.gps import Gps

__all__ = ["PRESETS", "Gps", "GpsConfig"]
