from collections.abc import Callable

import pytest

from visuomotor.evaluation import Result


def _result(**changes) -> Result:
    values = {
        "task": "hanger",
        "method": "gps",
        "protocol": "training",
        "preset": "laptop",
        "seed": 0,
        "trials": 10,
        "successes": 5,
        "wall_seconds": 2.5,
        "hardware": "a laptop, 2 cores",
        "commit": "0123456789abcdef",
        "command": "visuomotor evaluate runs/x",
        "mean_final_distance_m": 0.012,
    }
    return Result(**(values | changes))


@pytest.fixture
def result() -> Callable[..., Result]:
    """Makes a result with some fields changed."""
    return _result
