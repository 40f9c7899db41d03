"""A small network on the full state: it stands in for the visuomotor policy while trajectories are trained first."""

import torch
from torch import Tensor, nn

from visuomotor.policies.visuomotor_policy import control_layers


class StatePolicy(nn.Module):
    """pi(u | x) = N(mean(x), covariance), with the state scaled by its frozen mean and deviation.

    Args:
        head: from scaled states `(batch, X)` to scaled actions; by default like the visuomotor policy's control layers.
    """

    state_mean: Tensor
    state_scale: Tensor
    action_scale: Tensor
    covariance: Tensor

    def __init__(self, state_size: int, action_size: int, head: nn.Module | None = None) -> None:
        super().__init__()
        self.control_head = control_layers(state_size, action_size) if head is None else head
        self.register_buffer("state_mean", torch.zeros(state_size))
        self.register_buffer("state_scale", torch.ones(state_size))
        self.register_buffer("action_scale", torch.ones(action_size))
        self.register_buffer("covariance", torch.eye(action_size, dtype=torch.float64))

    def forward(self, states: Tensor) -> Tensor:
        """Mean actions `(batch, action)` for full states `(batch, X)`."""
        return self.control_head((states.float() - self.state_mean) / self.state_scale) * self.action_scale
