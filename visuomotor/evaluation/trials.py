"""What trials of a policy came to, whatever kind of policy it is."""

from dataclasses import dataclass

from torch import Tensor

from visuomotor.evaluation.film import Film


@dataclass(frozen=True)
class Trials:
    """Success `(n,)` bool of n trials, and what else there is to tell of them; see `Result`. film: of the first.
    control_steps: that the policy was trained for; circumstances: of its training, that its config does not tell."""

    success: Tensor
    mean_final_distance_m: float | None = None
    stages: dict[str, int] | None = None
    mean_return: float | None = None
    control_steps: int | None = None
    circumstances: tuple[str, ...] = ()
    film: Film | None = None
