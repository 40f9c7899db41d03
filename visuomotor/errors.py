"""The one exception that is meant for the user's eyes."""

from collections.abc import Iterable
from numbers import Integral
from typing import Any


class VisuomotorError(Exception):
    """Something the user can fix; the message says how. The CLI prints it without a traceback."""


def one_line(error: BaseException | str) -> str:
    """A text, or an exception's message, without line breaks, to stand inside another message."""
    return " ".join(str(error).split())


def unknown(kind: str, name: str, choices: Iterable[str]) -> VisuomotorError:
    """The error for a name that is not among `choices`, which it lists."""
    listed = ", ".join(sorted(choices))
    return VisuomotorError(f"there is no {kind} {name!r}; {f'choose one of: {listed}' if listed else 'there is none'}")


def check_whole(name: str, value: Any, low: int, high: int) -> None:
    """Raise the error for what is no whole number from `low` to `high`."""
    if type(value) is bool or not isinstance(value, Integral) or not low <= int(value) <= high:
        raise VisuomotorError(f"{name} must be a whole number from {low} to {high}, not {one_line(repr(value)):.80}")
