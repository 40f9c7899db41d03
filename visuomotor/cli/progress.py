"""What a training run is doing, live on a terminal or line by line in a log."""

import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

_LABELS = {
    "cost": "cost of a trajectory",
    "kl": "KL of the update",
    "kl_coefficient": "coefficient of its penalty",
    "predicted_improvement": "improvement predicted",
    "policy_kl": "KL policy to trajectory",
    "noise_std": "exploration noise (std)",
    "success": "success so far",
    "success_random": "success from random starts, noisy_controller",
    "task_return": "task return",
    "imitation_return": "imitation return",
    "auxiliary_error": "error of seen positions (m)",
    "value_loss": "loss of the critic",
    "divergences": "worlds that blew up",
    "discriminator_demonstration_accuracy": "discriminator right on demonstrations",
}
_PARTNERS = {  # shown in the same row, after what they are called there
    "kl": ("kl_bound", "bound"),
    "predicted_improvement": ("actual_improvement", "actual"),
    "task_return": ("demo_return", "demonstrations"),
    "discriminator_demonstration_accuracy": ("discriminator_policy_accuracy", "policy"),
}
_GROUPS = {  # by what their names begin with: one row of shares
    "stage_": "steps by stage",
    "curriculum_": "got on from demonstrated",
    "seconds_": "time",
}
_WHERE = {"phase", "iteration", "iterations", "fraction", "elapsed_seconds"}
_IN_THE_LOG_ONLY = {
    "discriminator_loss",
    "discriminator_penalty",
    "surrogate",
    "gradient_norm",
    "clip_fraction",
    "task_reward",
} | {f"discriminator_{who}_mean" for who in ("demonstration", "policy")}


class Progress:
    """Shows what `update` was told last, with the time elapsed and the time left.

    Use as a context manager. On a terminal a small table is kept up to date; elsewhere each update is one line with all
    numbers.
    """

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._row: dict[str, Any] = {"phase": "starting"}
        self._first: tuple[str | None, float, float] | None = None
        self._live: Any = None

    def __enter__(self) -> "Progress":
        if sys.stdout.isatty():
            from rich.live import Live

            self._live = Live(self, refresh_per_second=2)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def update(self, phase: str = "", iteration: int | None = None, **numbers: Any) -> None:
        """Show a new state.

        Args:
            phase: what is being done, such as `pose pretraining` or `badmm`.
            iteration: its number within the phase.
            numbers: `iterations` (of the phase), `fraction` (of the whole run that is done, 0 to 1), and any other
                number, which is shown under its own name or what `_LABELS` calls it; `success...` are shares.
        """
        self._row = {"phase": phase, "iteration": iteration, **numbers}
        scope, done = self._done()
        if done is not None and (self._first is None or self._first[0] != scope):
            self._first = scope, self._elapsed(), done
        if self._live is None:
            print(self.line(), flush=True)

    def line(self) -> str:
        """The state as one plain line."""
        numbers = (f"{name} {_text(name, value)}" for name, value in self._row.items() if _is_shown(name, value))
        return " ".join(filter(None, (self._times(), self._where(), *numbers)))

    def __rich__(self) -> Any:
        from rich.panel import Panel
        from rich.table import Table

        elsewhere = _IN_THE_LOG_ONLY | {partner for partner, _ in _PARTNERS.values()}
        table = Table.grid(padding=(0, 2))
        table.add_row("time", self._times())
        for name, value in self._row.items():
            group = next((prefix for prefix in _GROUPS if name.startswith(prefix)), None)
            if group is not None:
                if name == next(other for other in self._row if other.startswith(group)):
                    table.add_row(_GROUPS[group], self._shares(group))
            elif _is_shown(name, value) and name not in elsewhere:
                table.add_row(_LABELS.get(name, name.replace("_", " ")), self._with_partner(name, value))
        return Panel(table, title=self._where(), title_align="left", expand=False)

    def _where(self) -> str:
        number, count = self._row.get("iteration"), self._row.get("iterations")
        if number is None:
            return str(self._row["phase"])
        return f"{self._row['phase']} {number}" + (f"/{count}" if count is not None else "")

    def _shares(self, prefix: str) -> str:
        values = {name.removeprefix(prefix): value for name, value in self._row.items() if name.startswith(prefix)}
        whole = sum(values.values()) if prefix == "seconds_" else 1.0
        return ", ".join(f"{name} {100 * value / max(whole, 1e-9):.0f}%" for name, value in values.items())

    def _with_partner(self, name: str, value: Any) -> str:
        partner, called = _PARTNERS.get(name, ("", ""))
        text = _text(name, value)
        return f"{text} ({called} {_text(partner, self._row[partner])})" if self._row.get(partner) is not None else text

    def _times(self) -> str:
        left = self._seconds_left()
        of = "" if "fraction" in self._row else " of this phase"
        return _clock(self._elapsed()) + (f" ({_clock(left)} left{of})" if left is not None else "")

    def _elapsed(self) -> float:
        return time.monotonic() - self._start

    def _done(self) -> tuple[str | None, float | None]:
        """How much of what is done: of the whole run (None) where the row knows, else of the phase."""
        if "fraction" in self._row:
            return None, self._row["fraction"]
        number, count = self._row.get("iteration"), self._row.get("iterations")
        return self._row["phase"], number / count if number is not None and count else None

    def _seconds_left(self) -> float | None:
        scope, done = self._done()
        if self._first is None or done is None or self._first[0] != scope or done <= self._first[2]:
            return None
        # Not from the beginning: what came before has its own pace, and a resumed run begins in the middle.
        return (self._elapsed() - self._first[1]) * (1 - done) / (done - self._first[2])


def show(progress: Progress, row: Mapping[str, Any]) -> None:
    """Tell `progress` a row of metrics; what a table has no room for (lists, dicts) is left out."""
    progress.update(**{name: value for name, value in row.items() if not isinstance(value, list | tuple | dict)})


def _is_shown(name: str, value: Any) -> bool:
    return name not in _WHERE and value is not None


def _text(name: str, value: Any) -> str:
    if isinstance(value, str | int):
        return f"{value:,}" if isinstance(value, int) else value
    if name.startswith("success") or name.endswith("_accuracy"):
        return f"{100 * value:.0f}%"
    return f"{float(value):.4g}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
