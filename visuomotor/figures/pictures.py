"""Pictures side by side, with titles."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from visuomotor.figures.png import write_png

_SIDE = 2.4  # inches of a picture


def draw_pictures(path: Path | str, rows: Sequence[Sequence[tuple[str, Any]]]) -> Path:
    """A PNG with rows of titled pictures: `(height, width, rgb)` uint8, or `(height, width)` numbers as brightness."""
    columns = max(map(len, rows))
    figure = Figure(
        figsize=(_SIDE * columns, (_SIDE + 0.3) * len(rows)), dpi=100, layout="constrained", facecolor="white"
    )
    for i, row in enumerate(rows):
        for j, (title, picture) in enumerate(row):
            axes = figure.add_subplot(len(rows), columns, i * columns + j + 1)
            axes.imshow(np.asarray(picture), cmap="gray", interpolation="nearest")
            axes.set_title(title, fontsize=9)
            axes.set_axis_off()
    return write_png(figure, path)
