"""Changes of training images, so that clutter and colours distract the policy less."""

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from visuomotor.policies.random_shapes import random_shapes
from visuomotor.runs.config import Range

_GREY = 128


@dataclass(frozen=True)
class AugmentationConfig:
    """What is done to a training image; every image draws its own changes."""

    num_shapes: Annotated[int, Range(0, 100)] = 0
    """Random shapes pasted over it, at most."""
    color: Annotated[float, Range(0, 1)] = 0.0
    """Its contrast and each of its channels are multiplied by factors from 1 - color to 1 + color."""
    cutout: Annotated[float, Range(0, 1)] = 0.0
    """Side of a grey square at a random place, as a fraction of the image's side."""
    shift: Annotated[float, Range(0, 0.5)] = 0.0
    """How far it is moved along both axes at most, as a fraction of its side; its border is repeated. The target moves
    with it, so that a policy learns to tolerate a camera that is a little turned."""

    @property
    def changes(self) -> bool:
        """Whether images change at all."""
        return self != AugmentationConfig()


def augment(images: Tensor, config: AugmentationConfig, generator: torch.Generator) -> Tensor:
    """Change images as the config says.

    Args:
        images: `(batch, height, width, rgb)` uint8, in the processor's memory; not changed.

    Returns:
        The same shape and type.
    """
    if config.color:
        images = vary_colors(images, config.color, generator)
    images = random_shapes(images, config.num_shapes, generator)
    if config.cutout:
        images = cut_out(images, config.cutout, generator)
    if config.shift:
        images = random_shift(images, config.shift, generator)
    return images


def vary_colors(images: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Multiply each image's contrast about its mean, then each channel, by factors of 1 - strength to 1 + strength."""
    factors = 1 + strength * (2 * torch.rand(len(images), 4, generator=generator) - 1)
    contrast, gain = factors[:, 0, None, None, None], factors[:, None, None, 1:]
    pixels = images.float()
    mean = pixels.mean((1, 2, 3), keepdim=True)
    return (((pixels - mean) * contrast + mean) * gain).round().clamp(0, 255).byte()


def cut_out(images: Tensor, side: float, generator: torch.Generator) -> Tensor:
    """A grey square of `side` (a fraction) on each image, with its middle anywhere in it (DeVries and Taylor 2017)."""
    inside: list[Tensor] = []
    for size in images.shape[1:3]:
        middle = size * torch.rand(len(images), 1, generator=generator)
        inside.append((torch.arange(size) + 0.5 - middle).abs() < side * size / 2)
    return images.masked_fill((inside[0][:, :, None] & inside[1][:, None, :])[..., None], _GREY)


def random_shift(images: Tensor, most: float, generator: torch.Generator) -> Tensor:
    """Move each image by whole pixels, up to `most` (as a fraction) along both axes; what is uncovered repeats its
    border (Kostrikov et al. 2021)."""
    batch, height, width, _ = images.shape

    def source(size: int) -> Tensor:
        pixels = int(most * size)
        moved = torch.randint(-pixels, pixels + 1, (batch, 1), generator=generator)
        return (torch.arange(size) + moved).clamp(0, size - 1)

    rows, columns = source(height), source(width)
    return images[torch.arange(batch)[:, None, None], rows[:, :, None], columns[:, None, :]]
