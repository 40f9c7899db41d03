"""Pose regression: what the vision layers learn first."""

import torch
from torch import Tensor, nn

from visuomotor.policies.vision_encoder import FEATURE_POINTS, VisionEncoder


class PoseNetwork(nn.Module):
    """Feature points and one linear layer to the coordinates of the task's K keypoints, 3 K numbers in metres.

    Trained on images of known target poses, its vision layers initialise the policy's (Levine et al. 2015, V-B). The
    linear layer predicts in units of `scale` about `center`, frozen statistics of the targets.
    """

    center: Tensor
    scale: Tensor

    def __init__(self, coordinates: int = 9) -> None:
        super().__init__()
        self.vision = VisionEncoder()
        self.head = nn.Linear(2 * FEATURE_POINTS, coordinates)
        self.register_buffer("center", torch.zeros(coordinates))
        self.register_buffer("scale", torch.ones(()))

    def set_target_statistics(self, points: Tensor) -> None:
        """Freeze the targets' mean and common deviation, from points `(n, 3 K)`."""
        self.center.copy_(points.mean(0))
        self.scale.copy_((points - points.mean(0)).square().mean().sqrt().clamp(min=1e-6))

    def features(self, images: Tensor) -> Tensor:
        """What the linear layer reads, `(batch, 64)`."""
        return self.vision(images)

    def forward(self, images: Tensor) -> Tensor:
        """Images `(batch, height, width, rgb)` uint8 to keypoints `(batch, 3 K)` in metres."""
        return self.head(self.features(images)) * self.scale + self.center
