"""Pose regression: the vision layers learn to see the target from images of known poses."""

from dataclasses import dataclass

import torch
from torch import Tensor

from visuomotor.algorithms.gps.config import ImageConfig, PoseConfig
from visuomotor.camera import Camera
from visuomotor.errors import VisuomotorError
from visuomotor.policies import AugmentationConfig, PoseNetwork, augment, keypoint_loss, learning_rate_factor
from visuomotor.tasks import Task

_WORLDS = 50
_SMOOTHING = 0.01  # of the loss, in deviations of the targets


@dataclass(frozen=True)
class PoseData:
    """images `(n, h, w, rgb)` uint8; points `(n, 3 K)` m, float32; the last `held_out` rows are for testing."""

    images: Tensor
    points: Tensor
    held_out: int


def collect_pose_dataset(
    task: Task,
    count: int,
    image: ImageConfig,
    generator: torch.Generator,
    held_out: int | None = None,
    randomize: bool = False,
) -> PoseData:
    """Images of the target at random places, the robot's own arm anywhere between its start and the target.

    Args:
        randomize: whether every image has an appearance of its own.
        held_out: how many of them are for testing; by default a tenth.
    """
    engine = task.make_engine(min(_WORLDS, count))
    task.reset_for_pose_data(engine, torch.Generator().manual_seed(0))  # fields of worlds before the camera
    camera = Camera(engine, task.camera, image.size, image.size, image.supersampling)
    images: list[Tensor] = []
    points: list[Tensor] = []
    while len(images) * engine.worlds < count:
        task.reset_for_pose_data(engine, generator)
        if randomize:
            task.randomize_appearance(engine, generator)
            engine.update_view()
        images.append(camera.rgb())
        points.append(task.keypoints(engine).flatten(1))
    return PoseData(torch.cat(images)[:count], torch.cat(points)[:count], count // 10 if held_out is None else held_out)


class PoseTraining:
    """Adam on `keypoint_loss`, an epoch at a time; its state can be saved between epochs."""

    def __init__(self, network: PoseNetwork, data: PoseData, config: PoseConfig, augmentation: AugmentationConfig):
        self.network, self._data, self._config, self._augmentation = network, data, config, augmentation
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
                fraction = (self.epoch + number / len(batches)) / config.epochs
                group["lr"] = config.learning_rate * learning_rate_factor(fraction)
            images = augment(data.images[rows], self._augmentation, generator)
            predicted = network(images.to(device))
            gap = (predicted - data.points[rows].to(device)) / network.scale
            loss = keypoint_loss(gap.unflatten(-1, (-1, 3)), _SMOOTHING)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            total += loss.item() * len(rows)
        network.eval()
        self.epoch += 1
        if not total < float("inf"):
            raise VisuomotorError("the pose network's loss is no longer finite; lower pose.learning-rate")
        return {"pose_loss": total / train, "pose_error_m": self.errors(train, len(data.images)).mean().item()}

    @torch.inference_mode()
    def errors(self, first: int, last: int) -> Tensor:
        """Distance (m) between predicted and true points, mean over the points, of each of the images first..last."""
        device = next(self.network.parameters()).device
        gaps: list[Tensor] = []
        for rows in torch.arange(first, last).split(256):
            gap = self.network(self._data.images[rows].to(device)).cpu() - self._data.points[rows]
            gaps.append(gap.unflatten(-1, (-1, 3)).norm(dim=-1))
        return torch.cat(gaps).mean(-1)
