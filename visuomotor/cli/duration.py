"""Lengths of time as text, such as 9m or 1h30m."""

import re

from visuomotor.errors import VisuomotorError

_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "": 1.0}
_PART = r"(\d+(?:\.\d+)?)([hms]?)"


def seconds_of(text: str, option: str) -> float:
    """`90`, `90s`, `9m` or `1h30m` in seconds.

    Args:
        option: that it was given for, for the message.

    Raises:
        VisuomotorError: it is none of these, or zero.
    """
    if re.fullmatch(f"(?:{_PART})+", text):
        seconds = sum(float(number) * _SECONDS[unit] for number, unit in re.findall(_PART, text))
        if 0 < seconds < float("inf"):
            return seconds
    raise VisuomotorError(f"{option} is a length of time such as 90s, 9m or 1h30m, not {text!r}")
