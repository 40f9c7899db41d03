"""Pixels for many worlds at once."""

from visuomotor.camera.camera import Camera, Frame

__all__ = ["Camera", "Frame"]
