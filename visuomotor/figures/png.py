"""Figures as PNG files."""

from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import imread

from visuomotor.runs.atomic import write_atomically

_SAME: Final = 0.01  # of the whole range: fonts and edges differ by so much from machine to machine


def write_png(figure: Figure, path: Path | str) -> Path:
    """Write `figure` to `path`, whole or not at all; its folder is made.

    Raises:
        VisuomotorError: `path` is a folder or cannot be written.
    """
    picture = BytesIO()
    FigureCanvasAgg(figure).print_png(picture)
    path = Path(path)
    write_atomically(path, picture.getvalue())
    return path


def same_picture(first: Path, second: Path) -> bool:
    """Whether two PNG files look alike: they are of one size, and their pixels differ by at most a hundredth of the
    range in the mean. A file that is missing or damaged is like none."""
    try:
        one, other = imread(first), imread(second)
    except (OSError, SyntaxError, ValueError):  # what pillow raises for a file that is no PNG
        return False
    return one.shape == other.shape and float(np.abs(one - other).mean()) < _SAME
