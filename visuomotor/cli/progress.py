"""What a training run is doing, live on a terminal or line by line in a log."""

import contextlib
import os
import sys
import threading
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from visuomotor.runs.metric_labels import PROGRESS_KEYS, MetricGroup, groups_of, metric_text

_SILENCE = 30.0  # s, at most, in a log


def say(text: str) -> None:
    """Print a line. When nobody reads on (`train ... | head`, a closed terminal), say so once and print nothing more:
    training must not end with its log."""
    try:
        print(text, flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        with contextlib.suppress(OSError):
            print("visuomotor: nobody reads the output any more; training goes on", file=sys.stderr)


class Progress:
    """Shows the last row of metrics, with the time elapsed and the time left.

    Use as a context manager. On a terminal a small table is kept up to date; elsewhere each row is one line with all
    numbers, and where none comes for half a minute a line says that training goes on.

    Args:
        quiet: show nothing, as of several processes all but one must.
        first_iteration: see `Algorithm.first_iteration`. The display counts the iterations that are done.
    """

    def __init__(self, quiet: bool = False, first_iteration: int = 1) -> None:
        self._quiet, self._uncounted = quiet, 1 - first_iteration
        self._spoken = threading.Event()  # a line was printed; or, with `_over`, there will be no more
        self._over = False
        self._start = time.monotonic()
        self._row: dict[str, Any] = {"phase": "starting"}
        self._first: tuple[str | None, float, float] | None = None
        self._updated = 0.0
        self._live: Any = None
        self._speaker: threading.Thread | None = None

    def __enter__(self) -> "Progress":
        if self._quiet:
            return self
        if sys.stdout is not None and sys.stdout.isatty():  # None where it was closed from the start
            from rich.live import Live

            self._live = Live(self, refresh_per_second=2)
            self._live.start()
        else:
            self._speaker = threading.Thread(target=self._break_silence, daemon=True)
            self._speaker.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over = True
        self._spoken.set()
        if self._speaker is not None:  # it may be about to print, which must not come after what follows
            self._speaker.join(timeout=1.0)
        if self._live is not None:
            with contextlib.suppress(OSError):  # the terminal may be closed
                self._live.stop()

    def _break_silence(self) -> None:
        while not self._over:
            if self._spoken.wait(_SILENCE):
                self._spoken.clear()
            else:
                say(f"{self._times()} {self._where()}: still at work")

    def update(self, row: Mapping[str, Any]) -> None:
        """Show a row of metrics. Lists and dicts in it are left out.

        Args:
            row: `phase`; `iteration`, its number in the phase; `iterations` of the phase; `fraction` of the whole run
                that is done, 0 to 1; and any metrics, see `metric_labels`. All but `phase` may be missing.
        """
        self._row = {name: value for name, value in row.items() if not isinstance(value, list | tuple | dict)}
        self._updated = self._elapsed()
        if self._uncounted and self._row.get("iteration") is not None:
            self._row["iteration"] += self._uncounted
        scope, done = self._done()
        if done is not None and (self._first is None or self._first[0] != scope):
            self._first = scope, self._updated, done
        if self._live is None and not self._quiet:
            self._spoken.set()
            say(self.line())

    def line(self) -> str:
        """The state as one plain line."""
        numbers = (f"{name} {metric_text(name, value)}" for name, value in self._metrics().items())
        return " ".join(filter(None, (self._times(), self._where(), *numbers)))

    def __rich__(self) -> Any:
        from rich.panel import Panel
        from rich.table import Table

        table = Table.grid(padding=(0, 2))
        table.add_row("time", self._times())
        for group, found in groups_of(self._metrics()):
            if group.live:
                table.add_row(group.heading, self._values(group, found))
        return Panel(table, title=self._where(), title_align="left", expand=False)

    def _metrics(self) -> dict[str, Any]:
        return {key: value for key, value in self._row.items() if key not in PROGRESS_KEYS and value is not None}

    def _values(self, group: MetricGroup, found: Mapping[str, str]) -> str:
        """The metrics `found` of a group; called by their names where the group has others."""
        if group.parts_of_whole:
            whole = max(sum(self._row[key] for key in found), 1e-9)
            return ", ".join(f"{label} {100 * self._row[key] / whole:.0f}%" for key, label in found.items())
        texts = {key: metric_text(key, self._row[key]) for key in found}
        alone = list(group.metrics) == list(found) and len(found) == 1
        return ", ".join(text if alone else f"{found[key]} {text}" for key, text in texts.items())

    def _where(self) -> str:
        number, count = self._row.get("iteration"), self._row.get("iterations")
        if number is None:
            return str(self._row.get("phase", ""))
        return f"{self._row.get('phase', '')} {number}" + (f"/{count}" if count is not None else "")

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
        return self._row.get("phase"), number / count if number is not None and count else None

    def _seconds_left(self) -> float | None:
        """It counts down between rows; None where it is not known, or is over."""
        scope, done = self._done()
        if self._first is None or done is None or self._first[0] != scope or done <= self._first[2]:
            return None
        # Not from the beginning: what came before has its own pace, and a resumed run begins in the middle.
        left = (self._updated - self._first[1]) * (1 - done) / (done - self._first[2])
        left -= self._elapsed() - self._updated
        return left if left > 0 else None


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
