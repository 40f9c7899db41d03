"""A video of the first trials, successes and failures side by side."""

from pathlib import Path

import torch
from torch import Tensor

from visuomotor.camera import Camera
from visuomotor.engine import Engine
from visuomotor.figures.video import grid, write_video
from visuomotor.tasks import Task

_RECORDED, _SHOWN, _FAILURES_SHOWN = 48, 8, 4
_SIDE, _SUPERSAMPLING = 144, 2


class VideoRecorder:
    """Frames of the first trials, larger than the policy's images. Call `capture` once a control period."""

    def __init__(self, engine: Engine, task: Task):
        self._worlds = torch.arange(min(_RECORDED, engine.worlds))
        self._camera = Camera(engine, task.camera, _SIDE, _SIDE, _SUPERSAMPLING)
        self._frames: list[Tensor] = []
        self._rate = 1 / task.control_dt

    def capture(self) -> None:
        """Add a frame of every recorded world."""
        self._frames.append(self._camera.rgb(self._worlds))

    def write(self, path: Path, success: Tensor) -> None:
        """Eight trials, up to four of them failures, as mp4. success: `(worlds or more,)` bool."""
        recorded = success[self._worlds]
        failures = (~recorded).nonzero()[:_FAILURES_SHOWN, 0]
        successes = recorded.nonzero()[: _SHOWN - len(failures), 0]
        chosen = torch.cat([successes, failures])
        clips = torch.stack(self._frames, 1)[chosen].numpy()
        write_video(path, grid(list(clips), [bool(success[i]) for i in chosen], columns=4), self._rate)
