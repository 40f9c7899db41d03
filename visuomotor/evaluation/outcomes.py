"""The outcome of every trial, and which conditions failed most."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from visuomotor.errors import VisuomotorError

_CONDITIONS_SHOWN = 3


@dataclass(frozen=True)
class Outcomes:
    """Parallel lists, in the order of the trials or of the split's conditions; empty where the task has no such thing.

    Raises:
        VisuomotorError: lists of different lengths, or a condition that is not listed.
    """

    success: tuple[bool, ...]
    """Of each trial."""
    condition: tuple[int, ...] = ()
    """Of each trial: an index into `target_m` and `grasp`."""
    target_m: tuple[tuple[float, float, float], ...] = ()
    """Of each condition: the target's x, y and z, rounded to mm."""
    grasp: tuple[int, ...] = ()
    """Of each condition."""
    furthest_stage: tuple[int, ...] = ()
    """Of each trial: the index of the furthest stage that it reached at any time."""

    def __post_init__(self) -> None:
        for name in ("condition", "furthest_stage"):
            if (length := len(getattr(self, name))) not in (0, len(self.success)):
                raise VisuomotorError(f"{name} has {length} entries for {len(self.success)} trials; evaluate again")
        known = range(min(len(self.target_m), len(self.grasp)))
        if missing := set(self.condition) - set(known):
            raise VisuomotorError(f"target_m and grasp lack condition {min(missing)}; evaluate again")

    def failure_summary(self, stages: Sequence[str] = ()) -> str:
        """One line: how many trials failed, and the conditions with the most failures or the stages they reached.

        Args:
            stages: the names of a staged task's stages.
        """
        failed = [trial for trial, success in enumerate(self.success) if not success]
        line = f"{len(failed)} of {len(self.success)} trials failed"
        if failed and self.condition:
            failures, trials = Counter(self.condition[trial] for trial in failed), Counter(self.condition)
            line += f", in {len(failures)} of {len(trials)} conditions; most in "
            line += ", ".join(f"{self._name(c)}: {failures[c]} of {trials[c]}" for c in _by_count(failures))
        elif failed and self.furthest_stage:
            reached = Counter(self.furthest_stage[trial] for trial in failed)
            line += "; their furthest stage: " + ", ".join(f"{stages[s]} {reached[s]}" for s in sorted(reached))
        return line

    def _name(self, condition: int) -> str:
        x, y, z = self.target_m[condition]
        return f"condition {condition} (target {x:g} {y:g} {z:g} m, grasp {self.grasp[condition]})"


def _by_count(failures: Counter[int]) -> list[int]:
    """The first few conditions: most failures first, then by index."""
    return sorted(failures, key=lambda condition: (-failures[condition], condition))[:_CONDITIONS_SHOWN]
