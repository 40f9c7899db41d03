"""Pixels for many worlds at once."""

from visuomotor.camera.camera import Camera, Frame
from visuomotor.camera.camera_spec import check_camera_spec, camera_spec

__all__ = ["Camera", "Frame", "check_camera_spec", "camera_spec"]
