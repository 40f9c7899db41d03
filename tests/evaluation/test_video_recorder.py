"""The video shows what happened in the trials that it shows."""

from pathlib import Path

import torch

from visuomotor.camera import Camera
from visuomotor.evaluation import video_recorder
from visuomotor.evaluation.video_recorder import VideoRecorder
from visuomotor.figures.video import grid
from visuomotor.tasks import VecEnv, make_task


def test_frames_are_those_of_the_time_of_capture(monkeypatch, tmp_path):
    """Six worlds of different appearance, of which two succeed and the last is not recorded."""
    monkeypatch.setattr(video_recorder, "_RECORDED", 5)
    monkeypatch.setattr(video_recorder, "_FAILURES_SHOWN", 2)
    monkeypatch.setattr(video_recorder, "_SHOWN", 4)
    written = {}

    def keep(path, frames, rate):
        written[path] = frames, rate

    monkeypatch.setattr(video_recorder, "write_video", keep)
    generator = torch.Generator().manual_seed(0)
    env = VecEnv(make_task("stacking"), 6, generator, observations=("stage",), randomize=True)
    recorder = VideoRecorder(env.engine, env.task)
    camera = Camera(env.engine, env.task.camera, 144, 144, 2)
    seen = []
    for _ in range(4):
        recorder.capture()
        seen.append(camera.rgb())
        env.step(2 * torch.rand(6, env.task.action_size, generator=generator) - 1)
    success = torch.tensor([False, True, False, False, True, True])
    recorder.write(tmp_path / "video.mp4", success)
    frames, rate = written[Path(tmp_path / "video.mp4")]
    clips = [torch.stack([images[world] for images in seen]).numpy() for world in (1, 4, 0, 2)]
    assert (clips[0][0] != clips[0][-1]).any()
    assert (frames == grid(clips, [True, True, False, False], columns=4)).all()
    assert rate == 20
