"""What trials of a policy came to, whatever kind of policy it is."""

from dataclasses import dataclass

from visuomotor.evaluation.film import VideoRecorder
from visuomotor.evaluation.outcomes import Outcomes


@dataclass(frozen=True)
class TrialResults:
    """The outcomes of trials, and what else there is to tell of them; see `Result`. film: of the first.
    control_steps: that the policy was trained for; circumstances: of its training, that its config does not tell."""

    outcomes: Outcomes
    mean_final_distance_m: float | None = None
    stages: dict[str, int] | None = None
    mean_return: float | None = None
    control_steps: int | None = None
    circumstances: tuple[str, ...] = ()
    film: VideoRecorder | None = None
