"""The KL-constrained update of the local controllers."""

from dataclasses import dataclass, replace
from math import exp, inf, isfinite, log
from typing import NamedTuple

import torch
from torch import Tensor

from visuomotor.algorithms.gps.linalg import single_threaded
from visuomotor.algorithms.gps.linear_gaussian import Controller, Dynamics, Marginals, compute_marginals
from visuomotor.algorithms.gps.lqr import ConditionController, LqrSolver, QuadraticCost, stack_controllers
from visuomotor.engine.thread_pool import available_cores, parallel_for

_LOG_SMALLEST, _LOG_LARGEST = log(1e-8), log(1e16)  # of eta
_LARGEST_MOVE = log(30.0)
_USUAL_SLOPE = 0.7  # of -log KL over log eta, before two points are known
_SECANT_PASSES = 12  # after so many, halve the bracket


@dataclass(frozen=True)
class BadmmTerms:
    """The augmented Lagrangian's terms of BADMM: they tie the trajectories to the policy.

    policy: the linearised policy pi(u|x); lagrange_multiplier lambda_t `(N, T, U)` on the expected action; kl_weight
    nu_t `(N, T)` on KL(p || pi).
    """

    policy: Controller
    lagrange_multiplier: Tensor
    kl_weight: Tensor

    def augment_cost(self, cost: QuadraticCost) -> QuadraticCost:
        """l - u' lambda - nu log pi(u|x), without pi's normalising constant."""
        cost = add_log_density(cost, self.policy, self.kl_weight)
        states = self.policy.gain.shape[-1]
        gradient = cost.gradient.clone()
        gradient[..., states:] -= self.lagrange_multiplier
        return replace(cost, gradient=gradient)


@dataclass(frozen=True)
class TrajectoryUpdate:
    """The new controllers and what the search found; all `(N,)` but the controller and marginals."""

    controller: Controller
    marginals: Marginals
    eta: Tensor
    kl: Tensor
    converged: Tensor
    passes: int


def add_log_density(cost: QuadraticCost, controller: Controller, weight: Tensor) -> QuadraticCost:
    """c_t(z) - w_t log p(u | x) for a linear-Gaussian p and w `(N, T)`, without log p's normalising constant."""
    precision = weight[..., None, None] * controller.precision
    actions = controller.offset.shape[-1]
    eye = torch.eye(actions, dtype=precision.dtype, device=precision.device)
    residual = torch.cat([-controller.gain, eye.expand(*controller.gain.shape[:2], actions, actions)], dim=-1)
    weighted_residual = residual.mT @ precision  # (N, T, Z, U)
    hessian = torch.baddbmm(cost.hessian.flatten(0, 1), weighted_residual.flatten(0, 1), residual.flatten(0, 1))
    return QuadraticCost(
        hessian.view_as(cost.hessian),
        cost.gradient - (weighted_residual @ controller.offset[..., None])[..., 0],
        cost.constant + 0.5 * ((precision @ controller.offset[..., None])[..., 0] * controller.offset).sum(-1),
    )


@single_threaded
def update_controllers(
    cost: QuadraticCost,
    dynamics: Dynamics,
    previous: Controller,
    kl_bound: Tensor,
    badmm_terms: BadmmTerms | None = None,
    eta: Tensor | None = None,
    tolerance: float = 0.1,
    passes: int = 30,
) -> TrajectoryUpdate:
    """Minimise the augmented Lagrangian over controllers within a KL ball around the previous ones.

        min_p  E_p[sum_t l - u' lambda_t] + sum_t nu_t E[KL(p || pi)]    s.t.  sum_t E_x[KL(p || previous)] <= bound

    For a multiplier eta on the bound, the optimum is one backward pass with entropy weight nu_t + eta. The divergence
    falls with eta, so each condition's eta is found by a search on log eta and log KL. A condition whose optimum lies
    inside the ball keeps the smallest eta; one without any optimum inside the ball keeps its previous controller.

    Args:
        cost: quadratic expansion of l about zero.
        kl_bound: `(N,)` nats over the whole trajectory.
        badmm_terms: BADMM's terms, None for plain trajectory optimisation.
        eta: `(N,)` where to start, such as the last iteration's.
        tolerance: a divergence within this fraction of the bound is good enough.
        passes: at most so many backward and forward passes a condition.
    """
    if badmm_terms is not None:
        cost = badmm_terms.augment_cost(cost)
    conditions, steps = cost.gradient.shape[:2]
    weight = badmm_terms.kl_weight if badmm_terms is not None else cost.gradient.new_zeros(conditions, steps)
    search = LqrSolver(cost, dynamics, weight, previous)
    starts = torch.ones_like(kl_bound) if eta is None else eta
    found = [_EtaSearch()] * conditions

    def find(condition: int) -> None:
        bound, start = kl_bound[condition].item(), starts[condition].item()
        found[condition] = _search_eta(search, condition, bound, start, tolerance, passes)

    parallel_for(find, conditions, available_cores())
    controller = stack_controllers([one.controller or search.previous(i) for i, one in enumerate(found)])
    return TrajectoryUpdate(
        controller,
        compute_marginals(controller, dynamics),
        eta=kl_bound.new_tensor([one.eta for one in found]),
        kl=kl_bound.new_tensor([one.kl for one in found]),
        converged=torch.tensor([one.converged for one in found]),
        passes=max(one.passes for one in found),
    )


class _EtaSearch(NamedTuple):
    """The best of one condition so far: the largest divergence inside the ball. No controller: keep the previous."""

    controller: ConditionController | None = None
    eta: float = 1.0
    kl: float = 0.0
    converged: bool = False
    passes: int = 0


def _search_eta(
    search: LqrSolver, condition: int, bound: float, eta: float, tolerance: float, passes: int
) -> _EtaSearch:
    """Search the eta of one condition."""
    best = _EtaSearch(eta=eta)
    low, high = -inf, inf  # log eta: the largest outside the ball, the smallest inside
    history: list[tuple[float, float]] = []  # log eta and log(KL / bound)
    if bound <= 0:  # nothing may move
        return best
    x = min(max(log(max(eta, 1e-300)), _LOG_SMALLEST), _LOG_LARGEST)
    used = 0
    while used < passes:
        used += 1
        controller = search.backward(condition, exp(x))
        kl = max(search.divergence(condition, controller), 0.0)  # rounding may take it below
        if kl <= bound * (1 + tolerance) and kl >= best.kl:
            converged = kl >= bound * (1 - tolerance) or x <= _LOG_SMALLEST
            best = _EtaSearch(controller, exp(x), kl, converged)
        if best.converged or x >= _LOG_LARGEST:
            break
        history.append((x, log(max(kl, 1e-300) / bound)))
        low, high = (max(low, x), high) if kl > bound else (low, min(high, x))
        x = _next_log_eta(history, low, high)
    return best._replace(passes=used)


def _next_log_eta(history: list[tuple[float, float]], low: float, high: float) -> float:
    """Where log(KL / bound) should be zero: the secant through the last two points, kept inside the bracket."""
    x, y = history[-1]
    bracketed = isfinite(low) and isfinite(high)
    if bracketed and (len(history) > _SECANT_PASSES or not isfinite(y)):
        return (low + high) / 2
    slope = _USUAL_SLOPE
    if len(history) > 1 and isfinite(y + history[-2][1]) and x != history[-2][0]:
        slope = (y - history[-2][1]) / (history[-2][0] - x)
        slope = min(max(slope, _USUAL_SLOPE / 4), _USUAL_SLOPE * 4)
    step = min(max(y / slope, -_LARGEST_MOVE), _LARGEST_MOVE)
    guess = min(max(x + step, _LOG_SMALLEST), _LOG_LARGEST)
    return guess if low < guess < high else (low + high) / 2


def next_step_size(step_size: Tensor, predicted: Tensor, actual: Tensor, smallest: float, largest: float) -> Tensor:
    """How far the next update may go, from how the last one turned out; any shape.

    Improvement as a function of the divergence is modelled as  predicted KL - penalty KL^2; the measured point gives
    the penalty, and the best multiplier is  predicted / (2 (predicted - actual)), within [0.1, 5] of the last. Where no
    improvement was predicted (agreement with the policy may cost some), the step stays if the prediction held, else it
    is halved; it shrinks as far as it may where a number is not finite.
    """
    factor = (predicted / (2 * (predicted - actual).clamp(min=1e-4))).clamp(0.1, 5.0)
    factor = torch.where(predicted > 0, factor, torch.where(actual >= predicted, 1.0, 0.5))
    factor = torch.where((predicted - actual).isfinite(), factor, 0.1)
    return (factor * step_size).clamp(smallest, largest)
