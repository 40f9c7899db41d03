"""Ctrl-C as a wish: finish what is under way, save, stop."""

import signal
import sys
import threading
from types import FrameType, TracebackType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)  # clusters send SIGTERM before they take a machine away


class GracefulShutdown:
    """Within this context SIGINT and SIGTERM only set `requested`; a second one raises KeyboardInterrupt at once.

    Args:
        enabled: False leaves signals as they are; so does any thread but the main one. Ignored signals (`nohup`) stay
            ignored.
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
        print("\nsaving after this iteration; once more to stop at once", file=sys.stderr, flush=True)
