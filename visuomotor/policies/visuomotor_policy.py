"""The visuomotor policy of Levine et al. 2015: pixels and joint readings to torques, 92,143 parameters."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from visuomotor.errors import VisuomotorError
from visuomotor.policies.vision_encoder import FEATURE_POINTS, SMALLEST_SIDE, VisionEncoder

_HIDDEN = 40


class VisuomotorPolicy(nn.Module):
    """pi(u | image, proprioception) = N(mean, covariance): the covariance is one matrix for all observations.

    Feature points are joined with the robot's readings and go through two rectified layers of 40 to the actions.
    Buffers, not parameters: the readings' mean and scale, set once from data, the actions' scale, and the covariance.

    Args:
        predicted_coordinates: of the target's points, which then take the place of the feature points: `pose_head`
            predicts them, as the pose network's last layer does. 0 for the policy that is trained end to end.
    """

    smallest_image_size: ClassVar[int] = SMALLEST_SIDE
    proprioception_mean: Tensor
    proprioception_scale: Tensor
    action_scale: Tensor
    covariance: Tensor

    def __init__(self, proprioception_size: int, action_size: int, predicted_coordinates: int = 0) -> None:
        super().__init__()
        self.vision = VisionEncoder()
        self.pose_head = nn.Linear(2 * FEATURE_POINTS, predicted_coordinates) if predicted_coordinates else None
        features = predicted_coordinates or 2 * FEATURE_POINTS
        self.control_head = control_layers(features + proprioception_size, action_size)
        self.register_buffer("proprioception_mean", torch.zeros(proprioception_size))
        self.register_buffer("proprioception_scale", torch.ones(proprioception_size))
        self.register_buffer("action_scale", torch.ones(action_size))
        self.register_buffer("covariance", torch.eye(action_size, dtype=torch.float64))

    @property
    def settings(self) -> dict[str, int]:
        """The constructor's arguments."""
        return {
            "proprioception_size": len(self.proprioception_mean),
            "action_size": len(self.action_scale),
            "predicted_coordinates": 0 if self.pose_head is None else self.pose_head.out_features,
        }

    def initial_hidden_state(self, n: int) -> Tensor:
        """`(n, 0)`: this network remembers nothing."""
        return self.action_scale.new_zeros(n, 0)

    def act(self, images: Tensor, proprioception: Tensor, hidden_state: Tensor) -> tuple[Tensor, Tensor]:
        """Mean actions `(n, A)`, and the hidden state for the next step."""
        return self(images, proprioception), hidden_state

    def forward(self, images: Tensor, proprioception: Tensor) -> Tensor:
        """Mean actions `(batch, action)` for images `(batch, height, width, rgb)` uint8 and readings `(batch, P)`."""
        return self.act_from_features(self.features(images), proprioception)

    def features(self, images: Tensor) -> Tensor:
        """What the control layers get of images: feature points `(batch, 64)`, or the target's predicted coordinates
        `(batch, predicted_coordinates)` in the pose network's units."""
        points = self.vision(images)
        return points if self.pose_head is None else self.pose_head(points)

    def act_from_features(self, features: Tensor, proprioception: Tensor) -> Tensor:
        """Mean actions when the images' features are known already."""
        if proprioception.shape[-1] != len(self.proprioception_mean):
            raise VisuomotorError(
                f"this policy reads {len(self.proprioception_mean)} joint readings, not {proprioception.shape[-1]}"
            )
        readings = (proprioception.float() - self.proprioception_mean) / self.proprioception_scale
        return self.control_head(torch.cat([features, readings], dim=-1)) * self.action_scale


def control_layers(inputs: int, actions: int) -> nn.Sequential:
    """Two rectified layers of 40 and a linear one."""
    return nn.Sequential(
        nn.Linear(inputs, _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, actions)
    )
