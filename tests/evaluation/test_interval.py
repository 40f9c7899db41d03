import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visuomotor.errors import VisuomotorError
from visuomotor.evaluation import wilson_interval

counts = st.integers(1, 10_000).flatmap(lambda trials: st.tuples(st.integers(0, trials), st.just(trials)))


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        # By hand, with z^2 = 3.8414588. 5 of 10: centre 1/2, half width z sqrt(1/40 + z^2/400) / (1 + z^2/10).
        (5, 10, 0.2365931, 0.7634069),
        # 0 of 10: high = (z^2 / 10) / (1 + z^2 / 10).
        (0, 10, 0.0, 0.2775328),
        # 18 of 18: low = 1 / (1 + z^2 / 18).
        (18, 18, 0.8241208, 1.0),
    ],
)
def test_known_values(successes, trials, low, high):
    assert wilson_interval(successes, trials) == pytest.approx((low, high), abs=1e-6)


@settings(deadline=None)
@given(counts)
def test_solves_the_equation_that_defines_it(count):
    """At each bound q, the measured rate is exactly z standard deviations sqrt(q (1 - q) / n) away."""
    successes, trials = count
    z = 1.959963984540054
    for bound in wilson_interval(successes, trials):
        deviation = (successes / trials - bound) ** 2
        assert deviation == pytest.approx(z**2 * bound * (1 - bound) / trials, abs=1e-9)


@settings(deadline=None)
@given(counts)
def test_holds_the_rate_within_zero_and_one(count):
    low, high = wilson_interval(*count)
    assert 0 <= low <= count[0] / count[1] <= high <= 1
    assert low < high


@settings(deadline=None)
@given(counts)
def test_failures_mirror_successes(count):
    successes, trials = count
    low, high = wilson_interval(successes, trials)
    assert wilson_interval(trials - successes, trials) == pytest.approx((1 - high, 1 - low), abs=1e-12)


@pytest.mark.parametrize(("successes", "trials"), [(0, 0), (-1, 5), (6, 5)])
def test_impossible_counts_are_refused(successes, trials):
    with pytest.raises(VisuomotorError, match="trial"):
        wilson_interval(successes, trials)
