"""Costs whose quadratic expansions are convex, with all derivatives from `torch.func`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.func import grad, hessian, vmap


class Expansion(NamedTuple):
    """l(z) ~ constant + gradient' z + 1/2 z' hessian z about z = 0, with z = [x; u].

    hessian `(..., Z, Z)`, gradient `(..., Z)`, constant `(...)`.
    """

    hessian: Tensor
    gradient: Tensor
    constant: Tensor


@dataclass(frozen=True)
class Cost:
    """l(x, u, progress) = outer(squares(x, u), progress): smooth convex squares in a concave, rising outer function.

    `squares(state (X,), action (U,)) -> (k,)` and `outer(squares (k,), progress ()) -> ()`; progress is (t + 1) / T.
    The log of a squared distance is such a cost: sharp at the target, but concave away from it, so that its own
    second derivative would break a linear-quadratic solver.
    """

    squares: Callable[[Tensor, Tensor], Tensor]
    outer: Callable[[Tensor, Tensor], Tensor]

    def __call__(self, states: Tensor, actions: Tensor) -> Tensor:
        """The cost of every step: states `(..., T, X)` and actions `(..., T, U)` to `(..., T)`."""
        flat_states, flat_actions, progress = _flatten(states, actions)
        value = vmap(lambda x, u, p: self.outer(self.squares(x, u), p))(flat_states, flat_actions, progress)
        return value.view(states.shape[:-1])

    def expand(self, states: Tensor, actions: Tensor) -> Expansion:
        """The tightest convex quadratic expansion at each step of `(..., T, X)` and `(..., T, U)`.

        The outer function is replaced by its tangent at the current squares. A concave function lies below its
        tangents, so for quadratic squares the expansion touches the cost here and bounds it from above everywhere.
        """
        size = states.shape[-1]
        flat_states, flat_actions, progress = _flatten(states, actions)

        def one(x: Tensor, u: Tensor, p: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            z0 = torch.cat([x, u])
            slope = grad(self.outer)(self.squares(x, u), p)

            def tangent(z: Tensor) -> Tensor:
                return slope @ self.squares(z[:size], z[size:])

            return self.outer(self.squares(x, u), p), grad(tangent)(z0), hessian(tangent)(z0)

        value, slope, curvature = vmap(one)(flat_states, flat_actions, progress)
        z0 = torch.cat([flat_states, flat_actions], dim=-1)
        hess_z = (curvature @ z0[..., None])[..., 0]
        constant = value - (slope * z0).sum(-1) + 0.5 * (hess_z * z0).sum(-1)
        leading = states.shape[:-1]
        return Expansion(
            curvature.view(*leading, *curvature.shape[1:]), (slope - hess_z).view(*leading, -1), constant.view(leading)
        )


def _flatten(states: Tensor, actions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    steps = states.shape[-2]
    progress = torch.arange(1, steps + 1, dtype=states.dtype, device=states.device) / steps
    progress = progress.expand(states.shape[:-1])
    return states.reshape(-1, states.shape[-1]), actions.reshape(-1, actions.shape[-1]), progress.reshape(-1)
