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
    """Keeps the states of the first trials, and draws those that the video shows. Call `capture` once a control
    period."""

    def __init__(self, engine: Engine, task: Task):
        self._engine, self._recorded = engine, min(_RECORDED, engine.worlds)
        self._camera = Camera(engine, task.camera, _SIDE, _SIDE, _SUPERSAMPLING)
        self._states: list[Tensor] = []
        self._rate = 1 / task.control_dt

    def capture(self) -> None:
        """Keep the state of every recorded world."""
        self._states.append(self._engine.state()[: self._recorded])

    def write(self, path: Path, success: Tensor) -> None:
        """Eight trials, up to four of them failures, as mp4. The engine goes through their states again, and stays in
        the last ones. success: `(worlds or more,)` bool."""
        recorded = success[: self._recorded]
        failures = (~recorded).nonzero()[:_FAILURES_SHOWN, 0]
        successes = recorded.nonzero()[: _SHOWN - len(failures), 0]
        chosen = torch.cat([successes, failures])
        frames: list[Tensor] = []
        worlds = chosen.sort().values  # as engines want them
        for states in self._states:
            self._engine.set_state(states[worlds], worlds)
            frames.append(self._camera.rgb(chosen))
        clips = list(torch.stack(frames, 1).numpy())
        write_video(path, grid(clips, [bool(success[i]) for i in chosen], columns=4), self._rate)
