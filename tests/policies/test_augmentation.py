"""Shapes pasted over images: what they cover, and what they leave alone."""

import torch

from visuomotor.policies import random_shapes


def _grey(batch=64, height=40, width=56):
    return torch.full((batch, height, width, 3), 100, dtype=torch.uint8)


def test_some_pixels_change_and_most_stay():
    images = _grey()
    pasted = random_shapes(images, 6, torch.Generator().manual_seed(0))
    covered = (pasted != images).any(-1).double().mean()
    assert pasted.shape == images.shape
    assert pasted.dtype == torch.uint8
    assert 0.05 < covered < 0.5
    assert (images == 100).all()  # the originals are left alone


def test_every_count_from_none_to_most_occurs():
    """One colour a shape: the colours in an image count the shapes that can be seen."""
    pasted = random_shapes(_grey(batch=300), 3, torch.Generator().manual_seed(1))
    colors = [len(torch.unique(image.flatten(0, 1), dim=0)) - 1 for image in pasted]
    assert min(colors) == 0
    assert max(colors) == 3
    assert 0.15 < sum(c == 0 for c in colors) / 300 < 0.45  # a quarter has none; a few shapes lie outside or hide


def test_none_means_the_images_themselves():
    images = _grey()
    assert random_shapes(images, 0, torch.Generator()) is images


def test_the_same_generator_pastes_the_same():
    first, second = (random_shapes(_grey(), 4, torch.Generator().manual_seed(2)) for _ in range(2))
    assert torch.equal(first, second)


def test_shapes_lie_everywhere():
    changed = (random_shapes(_grey(batch=2000), 4, torch.Generator().manual_seed(3)) != 100).any(-1).double().mean(0)
    assert changed.min() > 0.01  # no part of the image is never covered
    assert changed.max() < 4 * changed.mean()
