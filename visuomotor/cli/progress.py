"""What a training run is doing, live on a terminal or line by line in a log."""

import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

_LABELS = {
    "cost": "cost of a trajectory",
    "kl": "KL of the update / bound",
    "predicted_improvement": "improvement predicted / actual",
    "policy_kl": "KL policy to trajectory",
    "success": "success so far",
    "success_random": "success from random starts",
    "task_return": "task return from random starts",
    "discriminator_demonstration_accuracy": "discriminator right on demonstrations / policy",
}
_PAIRS = {
    "kl": "kl_bound",
    "predicted_improvement": "actual_improvement",
    "discriminator_demonstration_accuracy": "discriminator_policy_accuracy",
}
_HIDDEN = {"phase", "iteration", "iterations", "fraction", *_PAIRS.values()}


class Progress:
    """Shows what `update` was told last, with the time elapsed and the time left.

    Use as a context manager. On a terminal a small table is kept up to date; elsewhere each update is one line.

    Args:
        total_seconds_estimate: how long the whole may take, for the time left until the trainer has reported two
            values of `fraction`.
    """

    def __init__(self, total_seconds_estimate: float | None = None):
        self._estimate = total_seconds_estimate
        self._start = time.monotonic()
        self._row: dict[str, Any] = {"phase": "starting"}
        self._first: tuple[float, float] | None = None
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
            numbers: `cost`, `kl`, `kl_bound`, `predicted_improvement`, `actual_improvement`, `policy_kl`, `success`
                (0 to 1), `iterations` (of the phase), `fraction` (of the whole run that is done), and any other
                number, which is shown under its own name.
        """
        self._row = {"phase": phase, "iteration": iteration, **numbers}
        if self._first is None and "fraction" in numbers:
            self._first = self._elapsed(), numbers["fraction"]
        if self._live is None:
            print(self.line(), flush=True)

    def line(self) -> str:
        """The state as one plain line."""
        numbers = " ".join(f"{name} {text}" for name, text in self._numbers().items())
        left = self._seconds_left()
        times = _clock(self._elapsed()) + (f" ({_clock(left)} left)" if left is not None else "")
        return " ".join(filter(None, (times, self._where(), numbers)))

    def __rich__(self) -> Any:
        from rich.panel import Panel
        from rich.table import Table

        table = Table.grid(padding=(0, 2))
        for name, text in self._numbers().items():
            table.add_row(_LABELS.get(name, name.replace("_", " ")), text)
        left = self._seconds_left()
        table.add_row("elapsed", _clock(self._elapsed()))
        table.add_row("left, about", _clock(left) if left is not None else "unknown")
        return Panel(table, title=self._where(), title_align="left", expand=False)

    def _where(self) -> str:
        number, count = self._row.get("iteration"), self._row.get("iterations")
        if number is None:
            return str(self._row["phase"])
        return f"{self._row['phase']} {number}" + (f"/{count}" if count is not None else "")

    def _numbers(self) -> dict[str, str]:
        """Name and text of what there is to show; a value and its bound share one entry."""
        shown = {}
        for name, value in self._row.items():
            if name in _HIDDEN or value is None:
                continue
            shown[name] = f"{100 * value:.0f}%" if name.startswith("success") else _text(value)
            partner = self._row.get(_PAIRS.get(name, ""))
            if partner is not None:
                shown[name] += f" / {_text(partner)}"
        return shown

    def _elapsed(self) -> float:
        return time.monotonic() - self._start

    def _seconds_left(self) -> float | None:
        fraction = self._row.get("fraction")
        if self._first is not None and fraction is not None and fraction > self._first[1]:
            # Not from the beginning: what came before has its own pace, and a resumed run begins in the middle.
            return (self._elapsed() - self._first[0]) * (1 - fraction) / (fraction - self._first[1])
        return max(0.0, self._estimate - self._elapsed()) if self._estimate is not None else None


def show(progress: Progress, row: Mapping[str, Any]) -> None:
    """Tell `progress` a row of metrics; what a table has no room for (lists, dicts) is left out."""
    progress.update(**{name: value for name, value in row.items() if not isinstance(value, list | tuple | dict)})


def _text(value: Any) -> str:
    return f"{float(value):.4g}" if not isinstance(value, str | int) else str(value)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
