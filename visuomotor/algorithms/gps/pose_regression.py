"""Pose regression: the vision layers learn to see the target from images of known poses."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from visuomotor.algorithms.gps.config import ImageConfig, PoseConfig
from visuomotor.camera import Camera
from visuomotor.errors import VisuomotorError
from visuomotor.policies import PoseNetwork, random_shapes
from visuomotor.tasks import Task

_WORLDS = 50
_WARM_UP = 0.05  # of training, over which the learning rate rises from 0
_LAST_RATE = 0.02  # the learning rate's floor, as a fraction of its largest
_SMOOTHING = 0.01  # deviations of the targets: distances below it count as their square


@dataclass(frozen=True)
class PoseData:
    """images `(n, h, w, rgb)` uint8; points `(n, 3 K)` m, float32; the last `held_out` rows are for testing."""

    images: Tensor
    points: Tensor
    held_out: int


def collect_pose_dataset(task: Task, count: int, image: ImageConfig, generator: torch.Generator) -> PoseData:
    """Images of the target at random places, the robot's own arm anywhere between its start and the target."""
    engine = task.make_engine(min(_WORLDS, count))
    task.reset_for_pose_data(engine, torch.Generator().manual_seed(0))  # fields of worlds before the camera
    camera = Camera(engine, task.camera, image.size, image.size, image.supersampling)
    images: list[Tensor] = []
    points: list[Tensor] = []
    while len(images) * engine.worlds < count:
        task.reset_for_pose_data(engine, generator)
        images.append(camera.rgb())
        points.append(task.keypoints(engine).flatten(1))
    return PoseData(torch.cat(images)[:count], torch.cat(points)[:count], held_out=count // 10)


class PoseTraining:
    """Adam on the mean distance, an epoch at a time; its state can be saved between epochs.

    Distances, not their squares (Levine et al. 2015, V-B): those would be ruled by images whose target is hidden.
    """

    def __init__(self, network: PoseNetwork, data: PoseData, config: PoseConfig, num_shapes: int):
        self.network, self._data, self._config, self._num_shapes = network, data, config, num_shapes
        train = len(data.images) - data.held_out
        with torch.no_grad():
            network.vision.pixel_mean.copy_(data.images[:train].float().mean((0, 1, 2)) / 255)
            network.set_target_statistics(data.points[:train])
        self.optimizer = torch.optim.Adam(network.parameters(), lr=config.learning_rate, fused=True)
        self.epoch = 0

    def run_epoch(self, generator: torch.Generator) -> dict[str, float]:
        """One pass over the training images; returns losses and the mean error in metres, on held-out images too."""
        data, config, network = self._data, self._config, self.network
        device = next(network.parameters()).device
        train = len(data.images) - data.held_out
        batches = torch.randperm(train, generator=generator).split(config.batch)
        total = 0.0
        network.train()
        for number, rows in enumerate(batches):
            for group in self.optimizer.param_groups:
                group["lr"] = self._learning_rate((self.epoch + number / len(batches)) / config.epochs)
            images = random_shapes(data.images[rows], self._num_shapes, generator)
            predicted = network(images.to(device))
            gap = (predicted - data.points[rows].to(device)) / network.scale
            distance = (gap.unflatten(-1, (-1, 3)).square().sum(-1) + _SMOOTHING**2).sqrt()
            loss = distance.mean()
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            total += loss.item() * len(rows)
        network.eval()
        self.epoch += 1
        if not total < float("inf"):
            raise VisuomotorError("the pose network's loss is no longer finite; lower pose.learning-rate")
        return {"pose_loss": total / train, "pose_error_m": self.error(train, len(data.images))}

    def _learning_rate(self, fraction: float) -> float:
        """After `fraction` of training."""
        cosine = 0.5 * (1 + math.cos(math.pi * fraction))
        return self._config.learning_rate * min(1, fraction / _WARM_UP) * max(_LAST_RATE, cosine)

    @torch.inference_mode()
    def error(self, first: int, last: int) -> float:
        """Mean distance (m) between predicted and true points over images first..last."""
        device = next(self.network.parameters()).device
        gaps: list[Tensor] = []
        for rows in torch.arange(first, last).split(256):
            gap = self.network(self._data.images[rows].to(device)).cpu() - self._data.points[rows]
            gaps.append(gap.unflatten(-1, (-1, 3)).norm(dim=-1))
        return torch.cat(gaps).mean().item()
