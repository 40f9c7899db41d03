"""Where policies look: response maps, their softmax, and feature points before and after training end to end
(Levine et al. 2015, figures 5 to 7)."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from visuomotor.evaluation.feature_point_figures import images_of_an_episode, pose_vision
from visuomotor.figures.feature_points import draw_policy_against_pose
from visuomotor.figures.pictures import draw_pictures
from visuomotor.policies import VisuomotorPolicy, load_policy
from visuomotor.policies.policy import FILE_NAME
from visuomotor.reproduction.part import Command, Where, picture
from visuomotor.reproduction.training import Training
from visuomotor.runs import Run
from visuomotor.tasks import make_task

_MOMENT = 2  # of four of an episode
_CHANNELS = 3  # whose response maps are shown


@dataclass(frozen=True)
class FeatureFigure:
    """Of the policies of some tasks, seed 0.

    responses: whether to show response maps and their softmax too.
    """

    tasks: tuple[str, ...]
    responses: bool = False

    def missing(self, where: Where) -> Iterator[Command]:
        for task in self.tasks:
            drawn = all(path.is_file() for path in self._paths(where, task))
            if not drawn and not (Training(task).run(where, 0) / FILE_NAME).is_file():
                yield Training(task).train(where, 0)

    def write(self, where: Where, page: Path) -> str:
        parts: list[str] = []
        for task in self.tasks:
            run = Training(task).run(where, 0)
            if (run / FILE_NAME).is_file():
                self._draw(where, task, Run.open(run))
            parts += [
                picture(f"Feature points of the {task}", path, page) if path.is_file() else f"The {task}: missing."
                for path in self._paths(where, task)
            ]
        return "\n\n".join(parts)

    def _paths(self, where: Where, task: str) -> list[Path]:
        names = (["responses"] if self.responses else []) + ["feature_points"]
        return [where.figures / f"{name}_{task}.png" for name in names]

    def _draw(self, where: Where, task: str, run: Run) -> None:
        policy = load_policy(run.path)
        network, pretrained = policy.network, pose_vision(run)
        if not isinstance(network, VisuomotorPolicy) or pretrained is None:
            return
        images = images_of_an_episode(make_task(task), policy, "training")
        with torch.inference_mode():
            now, before = (vision(images).unflatten(-1, (-1, 2)) for vision in (network.vision, pretrained))
            draw_policy_against_pose(self._paths(where, task)[-1], images, now, before)
            if self.responses:
                _draw_responses(self._paths(where, task)[0], images[_MOMENT], network.vision.responses(images)[_MOMENT])


def _draw_responses(path: Path, image: Tensor, responses: Tensor) -> None:
    """The channels whose softmax is most certain: maps `(channel, height, width)` of one image."""
    certain = responses.flatten(1).softmax(-1)
    chosen = certain.amax(-1).argsort(descending=True)[:_CHANNELS].tolist()
    maps = [(f"response map {channel}", responses[channel]) for channel in chosen]
    softmax = [(f"its softmax, channel {channel}", certain[channel].view_as(responses[channel])) for channel in chosen]
    draw_pictures(path, [[("image", image), *maps], [("image", image), *softmax]])
