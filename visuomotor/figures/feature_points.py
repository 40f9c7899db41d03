"""Where a network looks: its feature points drawn over the camera's image.

A feature point is the expected position of one channel of the spatial softmax: x runs along the columns and y along
the rows, each from -1 (the response map's first pixel) to 1 (its last). A map's pixels are centred on pixels of the
image: see `receptive_centers`.
"""

from collections.abc import Sequence
from colorsys import hsv_to_rgb
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from visuomotor.errors import VisuomotorError
from visuomotor.figures.png import write_png
from visuomotor.policies.vision_encoder import receptive_centers

POLICY_COLOUR = (0.12, 0.35, 1.0)
POSE_COLOUR = (0.92, 0.12, 0.12)

_DOTS_PER_INCH = 100
_GOLDEN_RATIO = 0.61803398875


def to_pixels(points: Any, height: int, width: int) -> NDArray[np.float64]:
    """Feature points `(..., xy)` in [-1, 1] as `(..., column-row)` in pixels of the image; 0 is the centre of the first
    pixel."""
    first, last = np.array([receptive_centers(width), receptive_centers(height)]).T
    return first + (np.asarray(points, dtype=np.float64) + 1) / 2 * (last - first)


def point_colours(count: int) -> NDArray[np.float64]:
    """`(count, rgb)` in [0, 1]: point number i has the same colour in every picture, unlike its neighbours' colours."""
    return np.array([hsv_to_rgb(i * _GOLDEN_RATIO % 1, (0.95, 0.6)[i // 3 % 2], 0.95) for i in range(count)])


def draw_feature_points(path: Path | str, images: Any, points: Any, scale: int | None = None) -> Path:
    """A PNG of images side by side with their feature points, each point in its own colour throughout.

    Args:
        images: `(height, width, rgb)` uint8, or `(time, height, width, rgb)` for several moments.
        points: `(point, xy)` or `(time, point, xy)`.
        scale: side of a pixel in the PNG; by default such that an image is about 320 high.
    """
    points = _with_time(points, 2)
    style = {"s": 48, "c": point_colours(points.shape[1]), "linewidths": 0.8, "edgecolors": "white"}
    return _draw(path, images, [(points, style)], scale)


def draw_policy_against_pose(
    path: Path | str, images: Any, policy_points: Any, pose_points: Any, scale: int | None = None
) -> Path:
    """A PNG of images side by side with the feature points of the policy (blue dots) and of the pose network (red
    rings).

    Arguments as for `draw_feature_points`; the two networks may have different numbers of points.
    """
    ring = {"s": 90, "facecolors": "none", "edgecolors": [POSE_COLOUR], "linewidths": 1.8}
    dot = {"s": 22, "c": [POLICY_COLOUR], "linewidths": 0.6, "edgecolors": "white"}
    return _draw(path, images, [(pose_points, ring), (policy_points, dot)], scale)


def _draw(path: Path | str, images: Any, layers: Sequence[tuple[Any, dict[str, Any]]], scale: int | None) -> Path:
    """Layers: points, and how they are drawn (of matplotlib's `scatter`)."""
    pictures = _with_time(images, 3)
    if pictures.dtype != np.uint8 or pictures.shape[-1] != 3:
        raise VisuomotorError(f"images are uint8 (time, height, width, 3), not {pictures.dtype} {pictures.shape}")
    time, height, width, _ = pictures.shape
    scale = scale or max(1, round(320 / height))
    strip = np.concatenate(list(pictures), axis=1)
    figure = Figure(
        figsize=(time * width * scale / _DOTS_PER_INCH, height * scale / _DOTS_PER_INCH), dpi=_DOTS_PER_INCH
    )
    axes = figure.add_axes((0, 0, 1, 1))  # the image fills the figure, so that a pixel is exactly scale x scale dots
    axes.imshow(strip, interpolation="nearest", aspect="auto")
    axes.set_axis_off()
    for points, style in layers:
        positions = to_pixels(_with_time(points, 2), height, width)
        if len(positions) != time:
            raise VisuomotorError(f"{time} images need the feature points of as many moments, not {len(positions)}")
        for moment, spots in enumerate(positions):
            axes.scatter(spots[:, 0] + moment * width, spots[:, 1], **style)
    return write_png(figure, path)


def _with_time(values: Any, without: int) -> NDArray[Any]:
    """`values` with a time axis in front, which `without` axes lack."""
    array = np.asarray(values)
    return array[None] if array.ndim == without else array
