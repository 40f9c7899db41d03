"""The value function on the simulator's state."""

from collections.abc import Sequence

from torch import Tensor, nn

from visuomotor.algorithms.ppo_gail.running_mean_std import RunningMeanStd
from visuomotor.policies.mlp import mlp


class Critic(nn.Module):
    """V(s): tanh layers on normalised privileged state, and an output in units of the returns' own standard deviation.

    Both normalisers are buffers, so they are saved with the weights (Zhu et al. 2018, III-B2: values from states).
    """

    def __init__(self, state_size: int, hidden: Sequence[int]) -> None:
        super().__init__()
        self.inputs = RunningMeanStd(state_size)
        self.returns = RunningMeanStd(1)
        self.layers = mlp((state_size, *hidden, 1))

    def forward(self, states: Tensor) -> Tensor:
        """Values `(...)` of privileged states `(..., P)`, in units of reward."""
        scaled = self.layers(self.inputs(states))[..., 0]
        return scaled * self.returns.std[0].float() + self.returns.mean[0].float()

    def loss(self, states: Tensor, returns: Tensor) -> Tensor:
        """Squared errors `(...)` in units of the returns' variance."""
        return ((self(states) - returns) / self.returns.std[0].float()).square()
