"""Shapes of all colours pasted over training images."""

import math
from typing import Any

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

_SMALLEST, _LARGEST = 0.04, 0.30  # half size of a shape, as a fraction of the image's side
_SHADING = 0.5  # how much lighter or darker its edges may be than its middle


def random_shapes(images: Tensor, most: int, generator: torch.Generator) -> Tensor:
    """Up to `most` shaded rectangles and ellipses on each image, at any place, turn, size and colour.

    A feature that answers to anything bright or to any straight edge is pulled away by them, so what remains
    are features of the objects themselves; objects that were never there in training then distract less.
    Half of the shapes are dark, like things in shadow.

    Args:
        images: `(batch, height, width, rgb)` uint8, in the processor's memory; not changed.
        most: shapes an image gets at most; every image draws how many, from 0.

    Returns:
        A new tensor of the same shape and type.
    """
    if most == 0:
        return images
    batch = len(images)

    def draw(*shape: int) -> Tensor:
        return torch.rand(batch, most, *shape, generator=generator)

    half = _SMALLEST + (_LARGEST - _SMALLEST) * draw(2).square()  # more small ones than large ones
    turn = draw(1) * torch.pi
    color = 255 * draw(3) * draw(1)
    slope = _SHADING * (2 * draw(2) - 1)
    shapes = torch.cat([draw(2), half, turn.cos(), turn.sin(), color, slope, draw(1) < 0.5], -1)
    count = (torch.rand(batch, generator=generator) * (most + 1)).long()
    pasted = images.clone(memory_format=torch.contiguous_format)
    _paint(pasted.numpy(), shapes.numpy(), count.numpy())
    return pasted


@njit(cache=True)
def _paint(images: NDArray[np.uint8], shapes: NDArray[np.float32], counts: NDArray[np.int64]) -> Any:
    """Paint the first `counts` of each image's shapes `(batch, most, 12)`: centre x, y and half sizes in parts of the
    image's width and height, cosine and sine of the turn, rgb of the middle, slopes along both axes, whether an
    ellipse."""
    for index in range(len(images)):
        for number in range(counts[index]):
            _paint_shape(images[index], shapes[index, number])


@njit(cache=True)
def _paint_shape(image: NDArray[np.uint8], shape: NDArray[np.float32]) -> Any:
    height, width, _ = image.shape
    x0, y0, half_x, half_y, cos, sin, red, green, blue, slope_x, slope_y, ellipse = shape
    reach = math.hypot(half_x, half_y)
    for row in range(max(0, int((y0 - reach) * height)), min(height, int((y0 + reach) * height) + 1)):
        y = row / (height - 1) - y0
        for column in range(max(0, int((x0 - reach) * width)), min(width, int((x0 + reach) * width) + 1)):
            x = column / (width - 1) - x0
            along, across = (cos * x + sin * y) / half_x, (cos * y - sin * x) / half_y
            if abs(along) < 1 and abs(across) < 1 and (not ellipse or along**2 + across**2 < 1):
                light = 1 + slope_x * along + slope_y * across
                image[row, column, 0] = min(255, red * light)
                image[row, column, 1] = min(255, green * light)
                image[row, column, 2] = min(255, blue * light)
