"""A figure as a PNG file."""

from io import BytesIO
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from visuomotor.runs.atomic import write_atomically


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
