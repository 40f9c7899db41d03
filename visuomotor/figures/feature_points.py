"""Where a network looks: its feature points drawn over the camera's image.

A feature point is the expected position of one channel of the spatial softmax: x runs along the columns and y along
the rows, each from -1 (centre of the first pixel) to 1 (centre of the last).
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

POLICY_COLOUR = (0.12, 0.35, 1.0)
POSE_COLOUR = (0.92, 0.12, 0.12)

_DOTS_PER_INCH = 100
_GOLDEN_RATIO = 0.61803398875


def to_pixels(points: Any, height: int, width: int) -> NDArray[np.float64]:
    """Feature points `(..., xy)` in [-1, 1] as `(..., column-row)` in pixels; 0 is the centre of the first pixel."""
    return (np.asarray(points, dtype=np.float64) + 1) / 2 * np.array([width - 1, height - 1])


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
    return _draw(path, images, [(points, point_colours(points.shape[1]))], scale)


def draw_policy_against_pose(
    path: Path | str, images: Any, policy_points: Any, pose_points: Any, scale: int | None = None
) -> Path:
    """A PNG of images side by side with the feature points of the policy in blue and of the pose network in red.

    Arguments as for `draw_feature_points`; the two networks may have different numbers of points.
    """
    return _draw(path, images, [(pose_points, POSE_COLOUR), (policy_points, POLICY_COLOUR)], scale)


def _draw(path: Path | str, images: Any, layers: Sequence[tuple[Any, Any]], scale: int | None) -> Path:
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
    for points, colours in layers:
        positions = to_pixels(_with_time(points, 2), height, width)
        if len(positions) != time:
            raise VisuomotorError(f"{time} images need the feature points of as many moments, not {len(positions)}")
        for moment, spots in enumerate(positions):
            axes.scatter(
                spots[:, 0] + moment * width,
                spots[:, 1],
                s=48,
                c=_one_each(colours, len(spots)),
                linewidths=0.8,
                edgecolors="white",
            )
    return write_png(figure, path)


def _one_each(colours: Any, count: int) -> NDArray[np.float64]:
    return np.broadcast_to(np.asarray(colours, dtype=np.float64), (count, 3))


def _with_time(values: Any, without: int) -> NDArray[Any]:
    """`values` with a time axis in front, which `without` axes lack."""
    array = np.asarray(values)
    return array[None] if array.ndim == without else array
