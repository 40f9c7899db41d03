"""Running statistics against numpy's on all data at once."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from visuomotor.algorithms.ppo_gail.running_mean_std import RunningMeanStd, moments
from visuomotor.errors import VisuomotorError


def pieces(seed, lengths, size=3):
    random = np.random.default_rng(seed)
    return [torch.tensor(random.normal(5, [1, 10, 0.1], (n, size)), dtype=torch.float32) for n in lengths]


def check(normalizer, rows):
    rows = rows.double().numpy()
    np.testing.assert_allclose(normalizer.mean, rows.mean(0), rtol=1e-9)
    np.testing.assert_allclose(normalizer.std, rows.std(0), rtol=1e-6, atol=1e-9)
    assert normalizer.count == len(rows)


@settings(deadline=None)
@given(st.integers(0, 10**6), st.lists(st.integers(0, 30), min_size=1, max_size=6))
def test_piece_by_piece_is_all_at_once(seed, lengths):
    data = pieces(seed, [2, *lengths])
    one = RunningMeanStd(3)
    for piece in data:
        one.update_from_moments(*moments(piece))
    check(one, torch.cat(data))


def test_any_batch_shape_and_scaled_rows():
    (rows,) = pieces(0, [600])
    normalizer = RunningMeanStd(3)
    normalizer.update_from_moments(*moments(rows.view(10, 60, 3)))
    check(normalizer, rows)
    scaled = normalizer(rows.view(10, 60, 3))
    assert scaled.shape == (10, 60, 3)
    assert scaled.dtype == torch.float32
    expected = (rows.double() - rows.double().mean(0)) / rows.double().std(0, correction=0)
    torch.testing.assert_close(scaled.view(600, 3).double(), expected.clamp(-10, 10), rtol=1e-4, atol=1e-4)


def test_far_from_zero_digits_are_kept():
    rows = torch.tensor([[1e6 + 1], [1e6 - 1]], dtype=torch.float64).repeat(500, 1)
    normalizer = RunningMeanStd(1)
    for row in rows.split(7):
        normalizer.update_from_moments(*moments(row))
    assert normalizer.std.item() == pytest.approx(1, rel=1e-9)


def test_before_the_first_row_nothing_changes():
    normalizer = RunningMeanStd(2)
    rows = torch.tensor([[1.0, -2.0]])
    assert torch.equal(normalizer(rows), rows)
    normalizer.update_from_moments(*moments(rows[:0]))
    assert torch.equal(normalizer(rows), rows)


def test_outliers_are_clipped_and_constants_are_not_blown_up():
    normalizer = RunningMeanStd(2)
    normalizer.update_from_moments(*moments(torch.stack([torch.linspace(-1, 1, 100), torch.ones(100)], -1)))
    assert normalizer(torch.tensor([[100.0, 1.00001], [-100.0, 1.0]])).tolist() == [
        [10.0, pytest.approx(0.1, abs=0.01)],
        [-10.0, 0.0],
    ]


def test_bad_rows_are_refused_and_leave_no_trace():
    normalizer = RunningMeanStd(3)
    (rows,) = pieces(2, [10])
    normalizer.update_from_moments(*moments(rows))
    rows_with_hole = rows.clone()
    rows_with_hole[4, 1] = torch.nan
    with pytest.raises(VisuomotorError, match="diverged"):
        normalizer.update_from_moments(*moments(rows_with_hole))
    with pytest.raises(VisuomotorError, match="3 numbers a row, not 2"):
        normalizer.update_from_moments(*moments(rows[:, :2]))
    check(normalizer, rows)


def test_moments_of_rows():
    (rows,) = pieces(3, [20])
    count, mean, squares = moments(rows)
    assert count == 20
    np.testing.assert_allclose(mean, rows.double().numpy().mean(0))
    np.testing.assert_allclose(squares, 20 * rows.double().numpy().var(0))


@pytest.mark.parametrize("name", ["count", "m2"])
def test_negative_statistics_are_not_loaded(name):
    content = RunningMeanStd(3).state_dict()
    content[name] -= 1
    fresh = RunningMeanStd(3)
    with pytest.raises(VisuomotorError, match="a negative count or sum of squares"):
        torch.nn.Sequential(fresh).load_state_dict({f"0.{key}": value for key, value in content.items()})
    assert fresh.count == 0
    assert not fresh.m2.any()
