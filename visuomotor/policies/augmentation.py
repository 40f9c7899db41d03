"""Distraction as augmentation: shapes of all colours pasted over training images."""

import torch
from torch import Tensor

_SMALLEST, _LARGEST = 0.04, 0.30  # half size of a shape, as a fraction of the image's side


def random_shapes(images: Tensor, most: int, generator: torch.Generator) -> Tensor:
    """Up to `most` filled rectangles and ellipses on each image, at any place, turn, size and colour.

    A feature that answers to anything bright or to any straight edge is pulled away by them, so what remains
    are features of the objects themselves; objects that were never there in training then distract less.

    Args:
        images: `(batch, height, width, rgb)` uint8; not changed.
        most: shapes an image gets at most; every image draws how many, from 0.

    Returns:
        A new tensor of the same shape and type.
    """
    if most == 0:
        return images
    batch, height, width, _ = images.shape

    def draw(*shape: int) -> Tensor:
        return torch.rand(batch, most, *shape, generator=generator).to(images.device)

    y = torch.linspace(0, 1, height, device=images.device)[:, None]
    x = torch.linspace(0, 1, width, device=images.device)[None, :]
    center, turn, shade = draw(2), draw() * torch.pi, draw(3)
    half = _SMALLEST + (_LARGEST - _SMALLEST) * draw(2).square()  # more small ones than large ones
    cos, sin = turn.cos()[..., None, None], turn.sin()[..., None, None]
    dx, dy = x - center[..., 0, None, None], y - center[..., 1, None, None]
    along, across = (cos * dx + sin * dy) / half[..., 0, None, None], (cos * dy - sin * dx) / half[..., 1, None, None]
    ellipse = along.square() + across.square() < 1
    rectangle = (along.abs() < 1) & (across.abs() < 1)
    inside = torch.where((draw() < 0.5)[..., None, None], ellipse, rectangle)
    count = (draw()[:, :1] * (most + 1)).long()
    inside &= (torch.arange(most, device=images.device) < count)[..., None, None]
    pasted = images
    for index in range(most):
        color = (shade[:, index] * 255).to(torch.uint8)[:, None, None]
        pasted = torch.where(inside[:, index, ..., None], color, pasted)
    return pasted
