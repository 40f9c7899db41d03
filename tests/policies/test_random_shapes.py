"""Shapes pasted over images: what they cover, how they are shaded, and what they leave alone."""

from math import cos, pi, sin

import numpy as np
import pytest
import torch

from visuomotor.policies.random_shapes import _paint, random_shapes


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


def test_every_count_from_none_to_most_occurs(monkeypatch):
    """Without shading the colours in an image count the shapes that can be seen."""
    monkeypatch.setattr("visuomotor.policies.random_shapes._SHADING", 0.0)
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


def painted(*shapes, count=1, height=101, width=101):
    """Two grey images; the shapes on the second one."""
    images = np.full((2, height, width, 3), 100, np.uint8)
    shapes = np.tile(np.array(shapes, np.float32), (2, 1, 1))
    _paint(images, shapes, np.array([0, count]))
    assert (images[0] == 100).all()
    return images[1].astype(int)


def shape(x=0.5, y=0.5, half=(0.203, 0.103), turn=0.0, color=(50, 20, 200), slope=(0, 0), ellipse=0):
    return (x, y, *half, cos(turn), sin(turn), *color, *slope, ellipse)


@pytest.mark.parametrize("turn", [0.0, pi / 6, pi / 2])
@pytest.mark.parametrize(("ellipse", "area"), [(0, 4 * 0.203 * 0.103), (1, pi * 0.203 * 0.103)])
def test_a_shape_has_its_area_at_any_turn(turn, ellipse, area):
    image = painted(shape(turn=turn, ellipse=ellipse))
    covered = (image == (50, 20, 200)).all(-1)
    assert covered.sum() == pytest.approx(area * 100**2, rel=0.05)
    assert (image[~covered] == 100).all()


def test_a_shape_lies_where_it_should_and_turns_from_x_to_y():
    rows, columns = (painted(shape(0.3, 0.6, half=(0.2, 0.02), turn=pi / 4)) != 100).any(-1).nonzero()
    assert (rows.mean(), columns.mean()) == pytest.approx((60, 30), abs=0.5)
    assert np.corrcoef(rows, columns)[0, 1] > 0.9
    rows, columns = (painted(shape(0.3, 0.6), height=51) != 100).any(-1).nonzero()  # in parts of height and width
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (25, 35, 10, 50)


def test_shading_is_linear_along_both_axes():
    image = painted(shape(half=(0.2, 0.1), color=(100, 200, 0), slope=(0.5, -0.25)))
    assert image[50, 50].tolist() == pytest.approx([100, 200, 0], abs=1)
    assert image[50, 60].tolist() == pytest.approx([125, 250, 0], abs=1)  # half of the way to the right edge
    assert image[55, 50].tolist() == pytest.approx([87.5, 175, 0], abs=1)  # half of the way down
    assert image[50, 68].tolist() == pytest.approx([145, 255, 0], abs=1)  # no brighter than white


def test_later_shapes_hide_earlier_ones_and_no_more_than_the_count_are_painted():
    wide, narrow, outside = shape(color=(1, 1, 1)), shape(half=(0.1, 0.1), color=(2, 2, 2)), shape(color=(3, 3, 3))
    image = painted(wide, narrow, outside, count=2)
    assert image[50, 50].tolist() == [2, 2, 2]
    assert image[50, 35].tolist() == [1, 1, 1]


def test_half_of_the_shapes_are_dark():
    images = torch.zeros(400, 40, 40, 3, dtype=torch.uint8)
    brightest = random_shapes(images, 1, torch.Generator().manual_seed(4)).amax((1, 2, 3))
    dark = (brightest[brightest > 0] < 100).double().mean()
    assert 0.35 < dark < 0.65  # of colours drawn evenly from the cube it would be 6%
