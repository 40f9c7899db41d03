"""Changes of training images: what each does to every pixel, and to how many images."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from visuomotor.policies import AugmentationConfig, augment
from visuomotor.policies.augmentation import cut_out, random_shift, vary_colors
from visuomotor.policies.random_shapes import random_shapes

SEEDS = st.integers(0, 10_000)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(batch: int = 50, height: int = 20, width: int = 30) -> Tensor:
    return torch.randint(0, 256, (batch, height, width, 3), generator=seeded(99), dtype=torch.uint8)


def test_nothing_changes_by_default():
    images = noise()
    assert not AugmentationConfig().changes
    assert augment(images, AugmentationConfig(), seeded()) is images
    for change in ({"num_shapes": 1}, {"color": 0.1}, {"cutout": 0.1}, {"shift": 0.1}):
        config = AugmentationConfig(**change)
        assert config.changes
        changed = augment(images, config, seeded())
        assert (changed.shape, changed.dtype) == (images.shape, torch.uint8)
        assert (changed != images).any()
        assert torch.equal(changed, augment(images, config, seeded()))  # the same draws
    assert torch.equal(images, noise())  # the original stays


def test_all_changes_follow_one_another():
    """Colours are those of the scene; shapes and the square keep theirs; all moves together in the end."""
    images, one, other = noise(), seeded(1), seeded(1)
    expected = random_shift(cut_out(random_shapes(vary_colors(images, 0.3, one), 2, one), 0.4, one), 0.2, one)
    config = AugmentationConfig(num_shapes=2, color=0.3, cutout=0.4, shift=0.2)
    assert torch.equal(augment(images, config, other), expected)


@given(SEEDS)
def test_colors_are_multiplied_channel_by_channel(seed: int):
    """Of a uniform image the contrast does nothing: what is left are the factors of its channels."""
    images = torch.tensor([100, 60, 200], dtype=torch.uint8).expand(400, 4, 4, 3)
    images = torch.stack([images, images], 0).flatten(0, 1)
    grey = torch.full((400, 4, 4, 3), 100, dtype=torch.uint8)
    factors = vary_colors(grey, 0.2, seeded(seed))[:, 0, 0].float() / 100
    assert factors.min() >= 0.8
    assert factors.max() <= 1.2
    assert factors.amin(0).max() < 0.82
    assert factors.amax(0).min() > 1.18
    assert torch.corrcoef(factors.T)[0, 1].abs() < 0.2  # each channel has its own


def test_contrast_stretches_about_the_mean():
    """Dark and light halves: their mean gets the channel's factor, their distance that and the contrast's."""
    images = torch.full((1000, 2, 2, 3), 80, dtype=torch.uint8)
    images[:, 1] = 120
    changed = vary_colors(images, 0.3, seeded()).float()
    gain = changed.mean((1, 2)) / 100
    contrast = (changed[:, 1] - changed[:, 0]).mean(1) / 40 / gain
    assert gain.sub(1).abs().max() < 0.31
    assert ((contrast - contrast.mean(-1, keepdim=True)).abs() < 0.1).all()  # one for all channels
    assert 0.6 < contrast.min() < 0.75
    assert 1.25 < contrast.max() < 1.4


def test_colors_do_not_wrap_around():
    white = torch.full((200, 3, 3, 3), 255, dtype=torch.uint8)
    assert vary_colors(white, 0.5, seeded()).min() >= 127


@given(SEEDS, st.sampled_from([0.2, 0.5, 0.8]))
def test_a_square_is_cut_out_and_nothing_else_changes(seed: int, side: float):
    images = torch.full((100, 20, 40, 3), 7, dtype=torch.uint8)
    grey = (cut_out(images, side, seeded(seed)) == 128).all(-1)
    assert ((cut_out(images, side, seeded(seed)) == 7).all(-1) == ~grey).all()
    rows, columns = grey.any(2), grey.any(1)
    assert torch.equal(grey, rows[:, :, None] & columns[:, None, :])  # a rectangle
    for inside, size in ((rows, 20), (columns, 40)):
        count = inside.sum(1)
        assert side * size - 1 <= count.max() <= side * size + 1
        assert count.min() >= side * size / 2 - 1  # its middle is in the image
        assert inside.any(0).all()  # anywhere
        assert ((inside[:, 1:] != inside[:, :-1]).sum(1) <= 2).all()  # in one piece


@given(SEEDS)
def test_shifted_images_repeat_their_border(seed: int):
    images = noise(batch=30)
    moved = random_shift(images, 0.2, seeded(seed))
    found = set()
    padded = torch.nn.functional.pad(images.permute(0, 3, 1, 2).float(), (6, 6, 4, 4), mode="replicate")
    padded = padded.permute(0, 2, 3, 1).byte()
    for image, whole in zip(moved, padded, strict=True):
        places = [(y, x) for y in range(9) for x in range(13) if torch.equal(whole[y : y + 20, x : x + 30], image)]
        assert len(places) == 1
        found.add(places[0])
    assert len(found) > 15


def test_shifts_go_both_ways_and_as_far_as_they_may():
    row = torch.arange(100, dtype=torch.uint8)
    images = (row[:, None] + row[None, :]).to(torch.uint8)[None, ..., None].expand(2000, 100, 100, 3)
    middle = random_shift(images, 0.1, seeded())[:, 50, 50, 0].long() - 100
    assert middle.min() == pytest.approx(-20, abs=2)
    assert middle.max() == pytest.approx(20, abs=2)
    assert middle.float().mean().abs() < 1
