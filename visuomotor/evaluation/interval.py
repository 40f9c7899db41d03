"""How far a success rate measured in a few trials may be from the true one."""

import math

from visuomotor.errors import VisuomotorError

_Z = 1.959963984540054  # 97.5% quantile of the standard normal


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """The 95% Wilson score interval of a success rate.

    With p = successes / trials and n = trials, the bounds are

        (p + z^2 / 2n -+ z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n).

    Unlike p -+ z sqrt(p (1 - p) / n) it stays within [0, 1] and does not collapse at 0 or n successes.

    Source: E. B. Wilson, Probable inference, the law of succession, and statistical inference, 1927.

    Raises:
        VisuomotorError: no trials, or successes outside 0 ... trials.
    """
    if trials < 1:
        raise VisuomotorError(f"a success rate needs at least one trial, not {trials}")
    if not 0 <= successes <= trials:
        raise VisuomotorError(f"{successes} successes in {trials} trials cannot be; give 0 to {trials}")
    rate = successes / trials
    shrink = 1 + _Z**2 / trials
    centre = (rate + _Z**2 / (2 * trials)) / shrink
    half_width = _Z / shrink * math.sqrt(rate * (1 - rate) / trials + _Z**2 / (4 * trials**2))
    # In exact arithmetic the bounds at 0 and n successes are 0 and 1; rounding must not cross them.
    low = 0.0 if successes == 0 else max(0.0, centre - half_width)
    high = 1.0 if successes == trials else min(1.0, centre + half_width)
    return low, high
