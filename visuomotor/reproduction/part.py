"""One table or figure of a paper."""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from visuomotor.errors import VisuomotorError

Measured = TypeVar("Measured")
Command = list[str]
"""The words of a command after `visuomotor`."""


@dataclass(frozen=True)
class Where:
    """How much to measure, and where runs, results and figures are."""

    seeds: int = 3
    trials: int = 100
    root: Path = Path("runs")
    results: Path = Path("results")
    figures: Path = Path("docs/figures/levine2015")
    keep: bool = True
    """Whether what figures show of finished runs is kept among the results."""


class Part(Protocol):
    """Measured by commands that anyone can type, and written from their results alone."""

    def missing(self, where: Where) -> Iterator[Command]:
        """The commands that measure what is missing, one after the other; each is run before the next is asked for."""
        ...

    def write(self, where: Where, page: Path) -> str:
        """Markdown for the page, and the figures that it shows, of what has been measured. What is missing is said."""
        ...


def picture(what: str, path: Path, page: Path) -> str:
    """Markdown that shows a figure on a page."""
    return f"![{what}]({Path(os.path.relpath(path, page.parent)).as_posix()})"


def check_measured(path: Path, content: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Raise a VisuomotorError where a file was measured with other settings: it is neither used nor overwritten."""
    for name, value in wanted.items():
        if content[name] != value:
            raise VisuomotorError(
                f"{path} was measured with {name} {content[name]}, and {value} is needed; move it away to measure again"
            )


def read_measured(path: Path, read: Callable[[dict[str, Any]], Measured]) -> Measured | None:
    """What `read` makes of a file that a bench wrote; None without the file.

    Raises:
        VisuomotorError: it is damaged, or lacks what `read` needs, or was measured with other settings.
    """
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return read(content)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise VisuomotorError(f"{path} cannot be read ({error!r}); delete it and measure again") from error
