"""Pixels for many worlds at once."""

from visuomotor.camera.camera import Camera, Frame
from visuomotor.camera.camera_spec import camera_spec, check_camera_spec

__all__ = ["Camera", "Frame", "camera_spec", "check_camera_spec"]
