"""The visuomotor policy of Levine et al. 2015: pixels and joint readings to torques, 92,143 parameters."""

import torch
from torch import Tensor, nn

from visuomotor.errors import VisuomotorError
from visuomotor.policies.vision_encoder import FEATURE_POINTS, VisionEncoder

_HIDDEN = 40


class VisuomotorPolicy(nn.Module):
    """pi(u | image, proprioception) = N(mean, covariance): the covariance is one matrix for all observations.

    Feature points are joined with the robot's readings and go through two rectified layers of 40 to the actions.
    Buffers, not parameters: the readings' mean and scale, set once from data, the actions' scale, and the covariance.
    """

    proprioception_mean: Tensor
    proprioception_scale: Tensor
    action_scale: Tensor
    covariance: Tensor

    def __init__(self, proprioception_size: int, action_size: int) -> None:
        super().__init__()
        self.vision = VisionEncoder()
        self.control_head = control_layers(2 * FEATURE_POINTS + proprioception_size, action_size)
        self.register_buffer("proprioception_mean", torch.zeros(proprioception_size))
        self.register_buffer("proprioception_scale", torch.ones(proprioception_size))
        self.register_buffer("action_scale", torch.ones(action_size))
        self.register_buffer("covariance", torch.eye(action_size, dtype=torch.float64))

    @property
    def settings(self) -> dict[str, int]:
        """The constructor's arguments."""
        return {"proprioception_size": len(self.proprioception_mean), "action_size": len(self.action_scale)}

    def initial_hidden_state(self, n: int) -> Tensor:
        """`(n, 0)`: this network remembers nothing."""
        return self.action_scale.new_zeros(n, 0)

    def act(self, images: Tensor, proprioception: Tensor, hidden_state: Tensor) -> tuple[Tensor, Tensor]:
        """Mean actions `(n, A)`, and the hidden state for the next step."""
        return self(images, proprioception), hidden_state

    def forward(self, images: Tensor, proprioception: Tensor) -> Tensor:
        """Mean actions `(batch, action)` for images `(batch, height, width, rgb)` uint8 and readings `(batch, P)`."""
        return self.act_from_feature_points(self.vision(images), proprioception)

    def act_from_feature_points(self, points: Tensor, proprioception: Tensor) -> Tensor:
        """Mean actions when the feature points `(batch, 64)` are known already."""
        if proprioception.shape[-1] != len(self.proprioception_mean):
            raise VisuomotorError(
                f"this policy reads {len(self.proprioception_mean)} joint readings, not {proprioception.shape[-1]}"
            )
        readings = (proprioception.float() - self.proprioception_mean) / self.proprioception_scale
        return self.control_head(torch.cat([points, readings], dim=-1)) * self.action_scale


def control_layers(inputs: int, actions: int) -> nn.Sequential:
    """Two rectified layers of 40 and a linear one."""
    return nn.Sequential(
        nn.Linear(inputs, _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, actions)
    )
