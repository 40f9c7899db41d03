"""Searches that are compared with each other, and the settings that are tried to tune each."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

Settings = Mapping[str, Any]
"""Changes to a preset, by the names of the command line, such as `{"policy.knots": 10}`."""

SEEDS: Final = (1000, 1001)
"""That searches are tuned with, and not compared on."""
DRAWS_NOTHING: Final = ("ilqg",)
"""Searches that draw no random number: all seeds are one."""

_EPISODIC = {"samples": (10, 30), "initial_std": (0.3, 0.6)}
_LINEAR = {**_EPISODIC, "policy.knots": (5, 20)}
_NETWORK = {**_EPISODIC, "min_std": (0.03, 0.1)}
_CEM = {"elite_fraction": (0.1, 0.25)}
_REPS = {"kl_bound": (0.5, 1.5)}
_RWR = {"inverse_temperature": (3.0, 10.0)}
_GPS = {"trajectory.initial_noise_std": (0.1, 0.2, 0.3), "trajectory.kl_step": (0.5, 1.0)}
GRIDS: Final[Mapping[str, Mapping[str, Sequence[Any]]]] = {
    "gps-trajectories": _GPS,
    "gps-network": _GPS,
    "ilqg": {
        "regularization": (1.0, 100.0, 1e4),
        "regularization_factor": (1.5, 4.0),
        "finite_difference": (1e-3, 1e-2),
    },
    "cem": {**_LINEAR, **_CEM},
    "reps": {**_LINEAR, **_REPS},
    "rwr": {**_LINEAR, **_RWR},
    "cem-network": {**_NETWORK, **_CEM},
    "reps-network": {**_NETWORK, **_REPS},
    "rwr-network": {**_NETWORK, **_RWR},
}
"""Values of each setting; all combinations are tried. Searches whose names end with `-network` train one small network
for four starts, the others one linear controller for one start."""


def points(method: str) -> list[dict[str, Any]]:
    """Every point of a method's grid."""
    combined: list[dict[str, Any]] = [{}]
    for name, values in GRIDS[method].items():
        combined = [{**point, name: value} for point in combined for value in values]
    return combined
