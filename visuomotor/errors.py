"""The one exception that is meant for the user's eyes."""

import sys
from collections.abc import Iterable
from numbers import Integral
from traceback import walk_tb
from typing import Any
from unicodedata import category


class VisuomotorError(Exception):
    """Something the user can fix; the message says how. The CLI prints it without a traceback."""


def one_line(error: BaseException | str) -> str:
    """A text, or an exception's message, without line breaks, to stand inside another message."""
    return " ".join(str(error).split())


def brief(value: object) -> str:
    """What a caller gave, to stand inside a message: on one line, at most 80 characters."""
    try:
        text = repr(value)
    except Exception as error:  # a class of a user's, or an int of over 4,300 digits
        text = f"{type(value).__name__} ({error})"
    return f"{one_line(text):.80}"


def is_line(text: str) -> bool:
    """Whether it stands on one line and can be written: no control characters, and no halves of surrogate pairs."""
    return not any(category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in text)


def describe_error(error: BaseException, own: Any) -> str:
    """An exception in one line, with the last line of the file of the class or function `own` in its traceback."""
    return f"{type(error).__name__}{in_own_line(error, own)}: {one_line(error)}"


def in_own_line(error: BaseException, own: Any) -> str:
    """`in line N` after a space, or nothing where no line of that file is in the traceback."""
    file = getattr(sys.modules.get(getattr(own, "__module__", "")), "__file__", None)
    lines = [line for frame, line in walk_tb(error.__traceback__) if frame.f_code.co_filename == file]
    return f" in line {lines[-1]}" if lines else ""


def unknown(kind: str, name: str, choices: Iterable[str], owner: str | None = None) -> VisuomotorError:
    """The error for a name that is not among `choices`, which it lists; `owner` is what lacks it, in words."""
    listed = ", ".join(sorted(choices))
    lacking = "there is no" if owner is None else f"{owner} has no"
    return VisuomotorError(f"{lacking} {kind} {name!r}; {f'choose one of: {listed}' if listed else 'there is none'}")


def whole_number(name: str, value: Any, low: int, high: int) -> int:
    """`value` as an int; raises the error for what is no whole number from `low` to `high`."""
    if type(value) is bool or not isinstance(value, Integral) or not low <= int(value) <= high:
        raise VisuomotorError(f"{name} must be a whole number from {low} to {high}, not {brief(value)}")
    return int(value)
