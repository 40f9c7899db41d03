"""Physics for many worlds at once: one interface, one engine a device."""

from visuomotor.engine.cpu import CpuEngine
from visuomotor.engine.interface import Engine

__all__ = ["CpuEngine", "Engine"]
