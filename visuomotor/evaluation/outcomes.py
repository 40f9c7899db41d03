"""The outcome of every trial, and which conditions failed most."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from visuomotor.errors import VisuomotorError

_CONDITIONS_SHOWN = 3


@dataclass(frozen=True)
class Outcomes:
    """One entry a trial, in order; lists are empty where nothing is known.

    Raises:
        VisuomotorError: lists of different lengths, or a condition that is not listed.
    """

    success: tuple[bool, ...]
    condition: tuple[int, ...] = ()
    """Index into `conditions` for each trial of a split with fixed conditions."""
    conditions: tuple[dict[str, tuple[float, ...]], ...] = ()
    """What sets each condition apart: parts of `ResetParams` by name, in SI units, rounded to 0.001."""
    furthest_stage: tuple[int, ...] = ()
    """Index of the furthest stage that each trial reached at any time."""

    def __post_init__(self) -> None:
        for name in ("condition", "furthest_stage"):
            if (length := len(getattr(self, name))) not in (0, len(self.success)):
                raise VisuomotorError(f"{name} has {length} entries for {len(self.success)} trials; evaluate again")
        if missing := set(self.condition) - set(range(len(self.conditions))):
            raise VisuomotorError(f"conditions lack number {min(missing)}; evaluate again")

    def failure_summary(self, stages: Sequence[str] = ()) -> str:
        """One line: how many trials failed; the conditions with the most failures, or else the stages they reached.

        Args:
            stages: the names of the task's stages.
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
        parts = (f"{name} {' '.join(f'{v:g}' for v in value)}" for name, value in self.conditions[condition].items())
        return f"condition {condition} ({', '.join(parts)})"


def _by_count(failures: Counter[int]) -> list[int]:
    """The first few conditions: most failures first, then by index."""
    return sorted(failures, key=lambda condition: (-failures[condition], condition))[:_CONDITIONS_SHOWN]
