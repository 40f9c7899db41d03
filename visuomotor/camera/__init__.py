"""Pixels for many worlds at once."""

from visuomotor.camera.camera import Camera, Frame
from visuomotor.camera.view import check_view, describe_view

__all__ = ["Camera", "Frame", "check_view", "describe_view"]
