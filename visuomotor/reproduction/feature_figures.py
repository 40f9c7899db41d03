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

from visuomotor.algorithms.gps import Gps
from visuomotor.errors import VisuomotorError
from visuomotor.evaluation.feature_point_figures import images_of_an_episode, pose_vision
from visuomotor.figures.feature_points import draw_feature_points, draw_policy_against_pose
from visuomotor.figures.pictures import draw_pictures
from visuomotor.policies import VisuomotorPolicy, load_policy
from visuomotor.policies.vision_encoder import receptive_centers
from visuomotor.reproduction.part import Command, Where, check_measured, picture
from visuomotor.reproduction.training import Training
from visuomotor.runs import Run
from visuomotor.runs.atomic import write_atomically
from visuomotor.tasks import make_task

_MOMENT = 2  # of four of an episode
_QUANTILES = (0.0, 0.25, 0.5)  # of the channels, from the most certain one: whose response maps are drawn
_DIMENSIONS = {"images": 4, "policy": 3, "pose": 3, "responses": 3, "algorithm_version": 0}

Views = dict[str, NDArray[np.generic]]
"""images `(moment, height, width, rgb)` uint8; feature points `(moment, point, xy)` of the policy and of the pose
network; responses `(channel, height, width)` of the policy at one moment; algorithm_version, of gps."""


@dataclass(frozen=True)
class FeatureFigure:
    """The policies of some tasks, seed 0. What is drawn is kept among the results."""

    tasks: tuple[str, ...]

    def missing(self, where: Where) -> Iterator[Command]:
        for task in self.tasks:
            if _read(_path(where, task)) is None and Training(task).finished(where, 0) is None:
                yield Training(task).train(where, 0)

    def write(self, where: Where, page: Path) -> str:
        parts: list[str] = []
        for task in self.tasks:
            views = _views(where, task)
            if views is None:
                parts.append(f"The {task}: missing.")
                continue
            images, points = views["images"], views["policy"]
            maps, compared, followed = (
                where.figures / f"{name}_{task}.png" for name in ("responses", "feature_points", "followed_points")
            )
            _draw_responses(maps, images[_MOMENT], torch.from_numpy(views["responses"]).float())
            draw_policy_against_pose(compared, images, points, views["pose"])
            draw_feature_points(followed, images, points)
            parts += [
                picture(f"Response maps of the {task}", maps, page),
                picture(f"Feature points of the {task}, policy and pose network", compared, page),
                picture(f"Feature points of the {task}, each in its own colour", followed, page),
            ]
        return "\n\n".join(parts)


def _views(where: Where, task: str) -> Views | None:
    """Of the run, where it is finished, else those that are kept."""
    path = _path(where, task)
    run = Training(task).finished(where, 0)
    views = None if run is None else _look(task, run)
    kept = _read(path)
    if views is not None and where.keep:
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **views)
        write_atomically(path, buffer.getvalue())
    return views or kept


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
    views = {"images": images.numpy(), "policy": now.numpy(), "pose": before.numpy(), "responses": maps.numpy()}
    return views | {"algorithm_version": np.array(Gps.version)}


def _read(path: Path) -> Views | None:
    """None where there is no file."""
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as content:
            views = {name: content[name] for name in _DIMENSIONS}
        if {name: array.ndim for name, array in views.items()} != _DIMENSIONS:
            raise ValueError("its arrays have other shapes")
        check_measured(path, views, {"algorithm_version": Gps.version})
        return views
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise VisuomotorError(f"{path} cannot be read ({error!r}); delete it and measure again") from error


def _draw_responses(path: Path, image: NDArray[np.generic], responses: Tensor) -> None:
    """Maps `(channel, height, width)` at their places in an image: channels from the most certain to the middle one."""
    certain = responses.flatten(1).softmax(-1)
    order = certain.amax(-1).argsort(descending=True).tolist()
    chosen = [order[int(quantile * len(order))] for quantile in _QUANTILES]
    softmax = certain.view_as(responses)
    draw_pictures(
        path,
        [
            [
                ("image", image),
                *((f"response map {channel}", _in_image(responses[channel], image)) for channel in chosen),
            ],
            [
                ("image", image),
                *((f"its softmax, {channel}", _in_image(softmax[channel], image)) for channel in chosen),
            ],
        ],
    )


def _in_image(values: Tensor, image: NDArray[np.generic]) -> NDArray[np.float32]:
    """A map `(height', width')` at the size of the image, NaN (white) where no pixel of the map is centred."""
    placed = np.full(image.shape[:2], np.nan, dtype=np.float32)
    rows, columns = (
        np.linspace(*receptive_centers(side), count) for side, count in zip(placed.shape, values.shape, strict=True)
    )
    for dy in (0, 1):
        for dx in (0, 1):
            placed[np.ix_(rows.astype(int) - dy, columns.astype(int) - dx)] = values.numpy()
    return placed
