"""Videos of trials as mp4, and many trials in one picture."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from visuomotor.errors import VisuomotorError
from visuomotor.runs.atomic import check_writable_file, write_atomically

Frames = NDArray[np.uint8]

_CODECS = ("libx264", "libopenh264", "mpeg4")  # the first that this build of ffmpeg has; browsers play the first two
_SUCCESS = (46, 160, 67)
_FAILURE = (215, 58, 73)


def write_video(path: Path | str, frames: Any, frames_per_second: float = 20.0, scale: int = 1) -> Path:
    """Write an mp4.

    Args:
        frames: `(time, height, width, rgb)` uint8, array or tensor.
        scale: each pixel becomes a square of that many; small images are hard to see otherwise.

    Raises:
        VisuomotorError: the frames have another shape or type, or there are none; or `path` does not end in .mp4, is a
            folder, or cannot be written.
    """
    check_video_name(path)
    clip = enlarge(_checked(frames), scale)
    height, width = clip.shape[1:3]
    # The codecs halve the colour's resolution, so both sides must be even.
    clip = np.pad(clip, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    path = Path(path)
    with TemporaryDirectory() as folder:  # PyAV writes to files, in several goes
        whole = Path(folder) / "video.mp4"
        _encode(whole, clip, frames_per_second)
        write_atomically(path, whole.read_bytes())
    return path


def check_video_name(path: Path | str) -> None:
    """Raise a VisuomotorError where a video's name promises another format, or cannot be written."""
    if Path(path).suffix.lower() != ".mp4":
        raise VisuomotorError(
            f"videos are written as mp4, and {path} has another ending; give a name that ends in .mp4"
        )
    check_writable_file(Path(path))


def read_video(path: Path | str) -> Frames:
    """The frames of a video, `(time, height, width, rgb)` uint8."""
    with av.open(str(path)) as container:
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return np.stack(pictures).astype(np.uint8, copy=False)


def enlarge(frames: Frames, scale: int) -> Frames:
    """Repeat each pixel `scale` times along both sides of `(time, height, width, rgb)`."""
    return frames.repeat(scale, axis=1).repeat(scale, axis=2)


def grid(
    clips: Sequence[Any], successes: Sequence[bool] | None = None, columns: int | None = None, border: int = 2
) -> Frames:
    """Several clips side by side.

    Args:
        clips: each `(time, height, width, rgb)` uint8, of one height and width. The last frame of a
            shorter clip stays to the end.
        successes: draws a green border around a clip that succeeded, a red one around one that failed.
        columns: clips in a row; by default as square as it gets.
        border: width of the border and of the gap between clips, in pixels.

    Returns:
        `(time, height, width, rgb)` uint8 of the whole; what is left over in the last row is white.
    """
    arrays = [_checked(clip) for clip in clips]
    if not arrays:
        raise VisuomotorError("a grid needs at least one clip")
    if len({array.shape[1:] for array in arrays}) > 1:
        raise VisuomotorError(f"the clips of a grid must have one size, not {[array.shape[1:3] for array in arrays]}")
    if successes is not None and len(successes) != len(arrays):
        raise VisuomotorError(f"{len(arrays)} clips need as many successes, not {len(successes)}")
    columns = columns or int(np.ceil(np.sqrt(len(arrays))))
    rows = -(-len(arrays) // columns)
    time = max(len(array) for array in arrays)
    height, width = (side + 3 * border for side in arrays[0].shape[1:3])
    whole = np.full((time, rows * height + border, columns * width + border, 3), 255, dtype=np.uint8)
    for index, array in enumerate(arrays):
        top, left = index // columns * height + border, index % columns * width + border
        tile = whole[:, top : top + height - border, left : left + width - border]
        if successes is not None:
            tile[:] = _SUCCESS if successes[index] else _FAILURE
        inside = tile[:, border : tile.shape[1] - border, border : tile.shape[2] - border]
        inside[: len(array)] = array
        inside[len(array) :] = array[-1]
    return whole


def _checked(frames: Any) -> Frames:
    array = np.asarray(frames)
    if array.dtype != np.uint8 or array.ndim != 4 or array.shape[-1] != 3 or 0 in array.shape:
        raise VisuomotorError(f"a clip is uint8 (time, height, width, 3), not {array.dtype} {array.shape}")
    return array


def _encode(path: Path, clip: Frames, frames_per_second: float) -> None:
    with av.open(str(path), mode="w", format="mp4", options={"movflags": "faststart"}) as container:
        stream = container.add_stream(_codec(), rate=round(frames_per_second))
        stream.height, stream.width = clip.shape[1:3]
        stream.pix_fmt = "yuv420p"  # the one that every player knows
        for picture in clip:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def _codec() -> Any:
    for name in _CODECS:
        if name in av.codecs_available:
            return name
    raise VisuomotorError(
        f"this PyAV has none of the video codecs {', '.join(_CODECS)}; install it with pip install av"
    )
