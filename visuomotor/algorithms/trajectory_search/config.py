"""Settings that several searches share."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from visuomotor.runs.config import Range, check_settings


@dataclass(frozen=True, kw_only=True)
class SearchConfig:
    """Settings of every search."""

    iterations: Annotated[int, Range(1, 100_000)] = 50
    """Updates of the solution."""
    num_conditions: Annotated[int, Range(1, 10_000)] = 1
    """Starts that are optimised for, drawn once; of a task with the split `training`, the first ones of that."""

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True)
class PolicyConfig:
    """Which parameters an episodic search optimises; see `parametrization`."""

    kind: Literal["linear", "network"] = "linear"
    """A time-varying linear controller, or a small network, on the full state."""
    knots: Annotated[int, Range(1, 1000)] = 5
    """linear: times between which the controller's offset is interpolated."""
    gain_knots: Annotated[int, Range(0, 1000)] = 1
    """linear: likewise of the gain on the state; 1 is a constant gain, 0 none."""
    gain_scale: Annotated[float, Range(1e-6, 100)] = 0.02
    """linear: what a gain of 1 adds to an action (a fraction of its limit) where the state is one deviation away."""
    hidden: Annotated[int, Range(1, 1000)] = 10
    """network: hidden units."""
    input_scale: Annotated[float, Range(1e-6, 100)] = 0.1
    """network: its input where the state is one deviation away, of a few episodes near the start."""


@dataclass(frozen=True, kw_only=True)
class EpisodicConfig(SearchConfig):
    """Settings of a search that draws parameters from a Gaussian, tries each, and refits the Gaussian."""

    samples: Annotated[int, Range(2, 100_000)] = 20
    """Parameter vectors in an iteration; each is tried in one episode a condition."""
    initial_std: Annotated[float, Range(1e-6, 100)] = 0.3
    """Standard deviation of the first Gaussian. A linear controller's parameters are fractions of the action limits."""
    covariance: Literal["diagonal", "full"] = "diagonal"
    """What is fitted of the covariance; a full one needs more samples than there are parameters."""
    smoothing: Annotated[float, Range(1e-3, 1)] = 1.0
    """Share of the new fit in mean and covariance; the rest is the last Gaussian's."""
    min_std: Annotated[float, Range(0, 100)] = 0.1
    """No parameter's standard deviation falls below it, so that the search does not end too soon."""
    policy: PolicyConfig = field(default_factory=PolicyConfig)
