import numpy as np
import pytest
import torch

from visuomotor.errors import VisuomotorError
from visuomotor.figures.video import grid, read_video, write_video


def flat(time, colour, height=32, width=48):
    return np.full((time, height, width, 3), colour, dtype=np.uint8)


def test_video_reads_back_as_it_was_written(tmp_path):
    clip = np.concatenate([flat(1, (40 * t, 100, 200 - 30 * t)) for t in range(6)])
    path = write_video(tmp_path / "new" / "clip.mp4", torch.from_numpy(clip))
    read = read_video(path)
    assert read.shape == clip.shape
    assert np.abs(read.astype(int) - clip).max() < 12  # the codec loses a little
    assert [file.name for file in path.parent.iterdir()] == ["clip.mp4"]


def test_odd_sides_and_scale(tmp_path):
    path = write_video(tmp_path / "clip.mp4", flat(3, (200, 30, 30), height=21, width=33), scale=3)
    assert read_video(path).shape == (3, 64, 100, 3)


def test_another_format_is_not_promised(tmp_path):
    write_video(tmp_path / "clip.MP4", flat(2, (0, 0, 0)))
    with pytest.raises(VisuomotorError, match=r"clip.mp4.gif has another ending"):
        write_video(tmp_path / "clip.mp4.gif", flat(2, (0, 0, 0)))
    assert [file.name for file in tmp_path.iterdir()] == ["clip.MP4"]


@pytest.mark.parametrize(
    "frames", [np.zeros((0, 8, 8, 3), np.uint8), np.zeros((2, 8, 8, 3)), np.zeros((8, 8, 3), np.uint8)]
)
def test_what_is_no_clip_is_refused(tmp_path, frames):
    with pytest.raises(VisuomotorError, match="a clip is uint8"):
        write_video(tmp_path / "clip.mp4", frames)
    assert list(tmp_path.iterdir()) == []


def test_grid_places_clips_and_colours_borders():
    whole = grid(
        [flat(2, 10, 4, 6), flat(3, 20, 4, 6), flat(1, 30, 4, 6)], successes=[True, False, True], columns=2, border=2
    )
    assert whole.shape == (3, 2 * (4 + 6) + 2, 2 * (6 + 6) + 2, 3)
    inside = [whole[:, top : top + 4, left : left + 6] for top, left in [(4, 4), (4, 16), (14, 4)]]
    assert [set(tile.flatten()) for tile in inside] == [{10}, {20}, {30}]
    green, red = whole[0, 2, 2], whole[0, 2, 14]
    assert green[1] > max(green[0], green[2])
    assert red[0] > max(red[1], red[2])
    assert (whole[:, 12:, 14:] == 255).all()  # the unused place


def test_short_clip_stands_still_at_its_end():
    short = np.concatenate([flat(1, 10, 4, 4), flat(1, 90, 4, 4)])
    whole = grid([short, flat(4, 0, 4, 4)], border=0)
    assert [int(frame[0, 0, 0]) for frame in whole] == [10, 90, 90, 90]


def test_grid_refuses_what_does_not_fit():
    with pytest.raises(VisuomotorError, match="one size"):
        grid([flat(1, 0, 4, 4), flat(1, 0, 4, 6)])
    with pytest.raises(VisuomotorError, match="1 clips need as many successes, not 2"):
        grid([flat(1, 0)], successes=[True, True])
    with pytest.raises(VisuomotorError, match="at least one clip"):
        grid([])
