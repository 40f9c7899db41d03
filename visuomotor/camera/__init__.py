"""Pixels for many worlds at once."""

from visuomotor.camera.camera import Camera, Frame
from visuomotor.camera.camera_spec import LARGEST_SIDE, LARGEST_SUPERSAMPLING, camera_spec, check_camera_spec

__all__ = ["LARGEST_SIDE", "LARGEST_SUPERSAMPLING", "Camera", "Frame", "camera_spec", "check_camera_spec"]
