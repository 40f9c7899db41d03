"""What a policy was trained to look through: another camera's images mean something else to it."""

from collections.abc import Mapping
from typing import Any

import mujoco
import numpy as np

from visuomotor.errors import VisuomotorError

LARGEST_SIDE, LARGEST_SUPERSAMPLING = 4096, 8
"""Side of an image in pixels; rays along each side of a pixel."""


def camera_spec(model: mujoco.MjModel, camera: str, size: int, supersampling: int) -> dict[str, Any]:
    """A camera of a model and how its images are made, in plain containers."""
    seen = model.camera(camera)
    return {
        "renderer": "cpu",
        "size": size,
        "supersampling": supersampling,
        "position": [round(float(value), 4) for value in seen.pos],
        "quaternion": [round(float(value), 4) for value in seen.quat],
        "field_of_view": round(float(seen.fovy[0]), 4),
    }


def check_camera_spec(trained: Mapping[str, Any], now: Mapping[str, Any], whose: str) -> None:
    """Raise a VisuomotorError where the view that a policy was trained with is not the one it would get.

    Args:
        whose: policy, in words, such as `runs/x`.
    """
    different = [name for name in now if not _same(trained.get(name), now[name])]
    if different:
        text = "; ".join(f"{name.replace('_', ' ')} {trained.get(name)}, now {now[name]}" for name in different)
        raise VisuomotorError(
            f"the policy of {whose} was trained with another camera ({text}). Restore the run's config.json, use the "
            "visuomotor that trained it, or train again"
        )


def _same(a: Any, b: Any) -> bool:
    if isinstance(b, list | float):  # other machines round otherwise
        return a is not None and bool(np.allclose(a, b, atol=2e-4))
    return a == b
