"""What an episodic search optimises: the parameters of a policy on the full state, for many policies at once."""

from abc import ABC, abstractmethod
from math import sqrt

import torch
from torch import Tensor
from torch.nn.functional import softplus

from visuomotor.algorithms.trajectory_search.config import PolicyConfig


class Parametrization(ABC):
    """Actions of n policies with D parameters each, beside those that hold the start pose."""

    size: int
    """D."""

    @abstractmethod
    def initial_mean(self, generator: torch.Generator) -> Tensor:
        """`(D,)`: parameters without any action."""

    @abstractmethod
    def actions(self, parameters: Tensor, step: int, states: Tensor) -> Tensor:
        """`(n, U)`, for parameters `(n, D)` and normalized states `(n, X)`."""


class LinearParametrization(Parametrization):
    """u_t = k_t + K_t x_t, where offset and gain are interpolated between a few times.

    Offset and gain of every step would be some thousands of parameters, and one episode has almost no information
    about most of them.
    """

    def __init__(self, steps: int, states: int, actions: int, config: PolicyConfig):
        self._offset_shape = config.knots, actions
        self._gain_shape = config.gain_knots, actions, states
        self._offsets = config.knots * actions
        self.size = self._offsets + config.gain_knots * actions * states
        self._offset_weights = interpolation(steps, config.knots)
        self._gain_weights = interpolation(steps, config.gain_knots)
        self._gain_scale = config.gain_scale

    def initial_mean(self, generator: torch.Generator) -> Tensor:
        return torch.zeros(self.size, dtype=torch.float64)

    def actions(self, parameters: Tensor, step: int, states: Tensor) -> Tensor:
        offsets = parameters[:, : self._offsets].unflatten(-1, self._offset_shape)
        found = torch.einsum("k,nku->nu", self._offset_weights[step], offsets)
        if not self._gain_shape[0]:
            return found
        gains = parameters[:, self._offsets :].unflatten(-1, self._gain_shape)
        gain = torch.einsum("k,nkux->nux", self._gain_weights[step], gains)
        return found + self._gain_scale * (gain @ states[..., None])[..., 0]


class NetworkParametrization(Parametrization):
    """u = W_2 softplus(W_1 x + b_1) + b_2: one hidden layer of soft rectifiers (Levine et al. 2016, simulation)."""

    def __init__(self, states: int, actions: int, config: PolicyConfig):
        hidden = config.hidden
        self._input_scale = config.input_scale
        self._shapes = (hidden, states), (hidden,), (actions, hidden), (actions,)
        self._sizes = [hidden * states, hidden, actions * hidden, actions]
        self.size = sum(self._sizes)
        self._first_std = 1 / sqrt(states)

    def initial_mean(self, generator: torch.Generator) -> Tensor:
        """Random weights in the first layer, zeros in the second."""
        mean = torch.zeros(self.size, dtype=torch.float64)
        first = self._sizes[0]
        mean[:first] = self._first_std * torch.randn(first, generator=generator, dtype=torch.float64)
        return mean

    def actions(self, parameters: Tensor, step: int, states: Tensor) -> Tensor:
        parts = parameters.split(self._sizes, dim=-1)
        first, first_bias, second, second_bias = (
            part.unflatten(-1, shape) for part, shape in zip(parts, self._shapes, strict=True)
        )
        hidden = softplus((first @ (self._input_scale * states)[..., None])[..., 0] + first_bias)
        return (second @ hidden[..., None])[..., 0] + second_bias


def make_parametrization(steps: int, states: int, actions: int, config: PolicyConfig) -> Parametrization:
    """The one that `config.kind` names, for episodes of `steps`."""
    if config.kind == "network":
        return NetworkParametrization(states, actions, config)
    return LinearParametrization(steps, states, actions, config)


def interpolation(steps: int, knots: int) -> Tensor:
    """`(steps, knots)`: the weights of linear interpolation between knots that are evenly spaced, both ends included;
    a single one counts always."""
    if knots == 1:
        return torch.ones(steps, 1, dtype=torch.float64)
    at = torch.linspace(0, knots - 1, steps, dtype=torch.float64)
    return (1 - (at[:, None] - torch.arange(knots, dtype=torch.float64)).abs()).clamp(min=0)
