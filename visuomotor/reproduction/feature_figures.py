"""Where policies look: response maps, their softmax, and feature points before and after training end to end
(Levine et al. 2015, figures 5 to 7)."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from visuomotor.errors import VisuomotorError
from visuomotor.evaluation.feature_point_figures import images_of_an_episode, pose_vision
from visuomotor.figures.feature_points import draw_policy_against_pose
from visuomotor.figures.pictures import draw_pictures
from visuomotor.policies import VisuomotorPolicy, load_policy
from visuomotor.reproduction.part import Command, Where, picture
from visuomotor.reproduction.training import Training
from visuomotor.runs import Run
from visuomotor.runs.atomic import write_atomically
from visuomotor.tasks import make_task

_MOMENT = 2  # of four of an episode
_CHANNELS = 3  # whose response maps are shown
_KEPT = ("images", "policy", "pose", "responses")

Views = dict[str, NDArray[np.generic]]
"""images `(moment, height, width, rgb)` uint8; feature points `(moment, point, xy)` of the policy and of the pose
network; responses `(channel, height, width)` of the policy at one moment."""


@dataclass(frozen=True)
class FeatureFigure:
    """Of the policies of some tasks, seed 0. What is drawn is kept among the results.

    responses: whether to show response maps and their softmax too.
    """

    tasks: tuple[str, ...]
    responses: bool = False

    def missing(self, where: Where) -> Iterator[Command]:
        for task in self.tasks:
            if not _path(where, task).is_file() and Training(task).finished(where, 0) is None:
                yield Training(task).train(where, 0)

    def write(self, where: Where, page: Path) -> str:
        parts: list[str] = []
        for task in self.tasks:
            views = _views(where, task)
            if views is None:
                parts.append(f"The {task}: missing.")
                continue
            path = where.figures / f"feature_points_{task}.png"
            if self.responses:
                maps = where.figures / f"responses_{task}.png"
                _draw_responses(maps, views["images"][_MOMENT], torch.from_numpy(views["responses"]).float())
                parts.append(picture(f"Response maps of the {task}", maps, page))
            draw_policy_against_pose(path, views["images"], views["policy"], views["pose"])
            parts.append(picture(f"Feature points of the {task}", path, page))
        return "\n\n".join(parts)


def _views(where: Where, task: str) -> Views | None:
    """Of the run, where it is finished, else those that are kept."""
    path = _path(where, task)
    run = Training(task).finished(where, 0)
    views = None if run is None else _look(task, run)
    if views is not None:
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **views)
        write_atomically(path, buffer.getvalue())
    return views or _read(path)


def _path(where: Where, task: str) -> Path:
    return where.results / f"levine2015-views-{task}.npz"


@torch.inference_mode()
def _look(task: str, run: Run) -> Views | None:
    """At four moments of an episode; None of a policy without feature points, or without its pose network."""
    policy = load_policy(run.path)
    network, pretrained = policy.network, pose_vision(run)
    if not isinstance(network, VisuomotorPolicy) or pretrained is None:
        return None
    images = images_of_an_episode(make_task(task), policy, "training")
    now, before = (vision(images).unflatten(-1, (-1, 2)) for vision in (network.vision, pretrained))
    maps = network.vision.responses(images)[_MOMENT].half()
    return {"images": images.numpy(), "policy": now.numpy(), "pose": before.numpy(), "responses": maps.numpy()}


def _read(path: Path) -> Views | None:
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as content:
            views = {name: content[name] for name in _KEPT}
        if [views[name].ndim for name in ("images", "policy", "pose", "responses")] != [4, 3, 3, 3]:
            raise ValueError("its arrays have other shapes")
        return views
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise VisuomotorError(f"{path} cannot be read ({error!r}); delete it and measure again") from error


def _draw_responses(path: Path, image: NDArray[np.generic], responses: Tensor) -> None:
    """The channels whose softmax is most certain: maps `(channel, height, width)` of one image."""
    certain = responses.flatten(1).softmax(-1)
    chosen = certain.amax(-1).argsort(descending=True)[:_CHANNELS].tolist()
    maps = [(f"response map {channel}", responses[channel]) for channel in chosen]
    softmax = [(f"its softmax, channel {channel}", certain[channel].view_as(responses[channel])) for channel in chosen]
    draw_pictures(path, [[("image", image), *maps], [("image", image), *softmax]])
