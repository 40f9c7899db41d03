"""Stop after Ctrl-C as soon as the current iteration is finished and saved."""

import contextlib
import signal
import sys
import threading
from types import FrameType, TracebackType
from typing import Any

# Clusters send SIGTERM before they take a machine away, and a terminal that is closed sends SIGHUP.
_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


class GracefulShutdown:
    """Within this context SIGINT, SIGTERM and SIGHUP only set `requested`; a second one raises KeyboardInterrupt.

    Args:
        enabled: False leaves signals as they are, as other threads than the main one must. Ignored ones stay ignored
            (`nohup`).
    """

    def __init__(self, enabled: bool = True):
        self.requested = False
        self._enabled = enabled and threading.current_thread() is threading.main_thread()
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "GracefulShutdown":
        for number in _SIGNALS if self._enabled else ():
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._request)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _request(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
        with contextlib.suppress(OSError):  # the terminal may be closed
            print("\nsaving after this iteration; once more to stop at once", file=sys.stderr, flush=True)
