"""Searches that are compared with each other, and the settings that are tried to tune each."""

from collections.abc import Mapping
from typing import Any, Final

import torch

from visuomotor import registry
from visuomotor.algorithms.trajectory_search.config import SearchConfig
from visuomotor.algorithms.trajectory_search.search import TrajectorySearch

Settings = Mapping[str, Any]
"""Changes to a preset, by the names of the command line, such as `{"policy.knots": 10}`."""
Space = Mapping[str, tuple[float, float]]
"""From where to where each setting is drawn; an int where both are ints."""

POINTS: Final = 16
"""Settings that are tried of each method."""
SEEDS: Final = (1000, 1001, 1002)
"""That searches are tuned with, and not compared on: the first with all settings, the others with the best quarter."""
DRAWS_NOTHING: Final = ("ilqg",)
"""Searches that draw no random number: all seeds are one."""

_EPISODIC: Space = {"samples": (8, 60), "initial_std": (0.1, 1.0), "min_std": (0.02, 0.3)}
_LINEAR: Space = {**_EPISODIC, "policy.knots": (2, 20), "policy.gain_scale": (0.005, 0.2)}
_NETWORK: Space = {**_EPISODIC, "policy.hidden": (5, 40), "policy.input_scale": (0.03, 1.0)}
_CEM: Space = {"elite_fraction": (0.05, 0.5)}
_REPS: Space = {"kl_bound": (0.2, 3.0)}
_RWR: Space = {"inverse_temperature": (1.0, 30.0)}
_GPS: Space = {"samples": (3, 8), "trajectory.initial_noise_std": (0.1, 0.5), "trajectory.kl_step": (0.3, 3.0)}
SPACES: Final[Mapping[str, Space]] = {
    "gps-trajectories": _GPS,
    "gps-network": {**_GPS, "hidden": (5, 40)},
    "ilqg": {
        "regularization": (1.0, 1e8),
        "regularization_factor": (1.5, 10.0),
        "finite_difference": (1e-4, 1e-2),
        "step_sizes": (1, 8),
    },
    "cem": {**_LINEAR, **_CEM},
    "reps": {**_LINEAR, **_REPS},
    "rwr": {**_LINEAR, **_RWR},
    "cem-network": {**_NETWORK, **_CEM},
    "reps-network": {**_NETWORK, **_REPS},
    "rwr-network": {**_NETWORK, **_RWR},
}
"""Searches whose names end with `-network` train one small network for four starts, the others one linear controller
for one start."""


def points(method: str) -> list[dict[str, Any]]:
    """`POINTS` settings of a method's space, always the same ones: a scrambled Sobol sequence, even in the logarithm.

    Random settings find better ones than a grid of as many, of which each tries few values (Bergstra and Bengio 2012).
    """
    space = SPACES[method]
    sequence = torch.quasirandom.SobolEngine(len(space), scramble=True, seed=0)
    return [
        {name: _between(*ends, share) for (name, ends), share in zip(space.items(), row, strict=True)}
        for row in sequence.draw(POINTS, dtype=torch.float64).tolist()
    ]


def algorithm_of(method: str) -> tuple[type[TrajectorySearch], SearchConfig]:
    """The algorithm of a method in `SPACES`, and the preset that its settings change."""
    both = method not in registry.BUILT_IN["algorithm"]  # it searches linear controllers or networks
    kind = registry.load("algorithm", method.removesuffix("-network") if both else method, TrajectorySearch)
    return kind, kind.presets["network" if both else "laptop"]


def _between(low: float, high: float, share: float) -> float:
    """That share of the way from `low` to `high`, to two digits, or to a whole number between whole ones."""
    value = low * (high / low) ** share
    return round(value) if isinstance(low, int) else float(f"{value:.2g}")
