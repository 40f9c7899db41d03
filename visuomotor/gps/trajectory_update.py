"""The KL-constrained update of the local controllers, all conditions at once."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from visuomotor.gps.linear_gaussian import Controller, Dynamics, Marginals, kl_divergence, marginals
from visuomotor.gps.lqr import QuadraticCost, backward_pass

_SMALLEST_ETA, _LARGEST_ETA = 1e-8, 1e16


@dataclass(frozen=True)
class PolicyAgreement:
    """What ties the trajectories to the policy: the augmented Lagrangian's terms of BADMM.

    policy: the linearised policy pi(u|x); multiplier lambda_t `(N, T, U)` on the expected action; weight nu_t `(N, T)`
    on KL(p || pi).
    """

    policy: Controller
    multiplier: Tensor
    weight: Tensor

    def add_to(self, cost: QuadraticCost) -> QuadraticCost:
        """l - u' lambda - nu log pi(u|x), without pi's normalising constant."""
        cost = add_log_density(cost, self.policy, self.weight)
        states = self.policy.gain.shape[-1]
        gradient = cost.gradient.clone()
        gradient[..., states:] -= self.multiplier
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
    """c_t(z) - w_t log p(u | x) for a linear-Gaussian p and w `(N, T)`, constants left out."""
    precision = weight[..., None, None] * controller.precision
    actions = controller.offset.shape[-1]
    eye = torch.eye(actions, dtype=precision.dtype, device=precision.device)
    residual = torch.cat([-controller.gain, eye.expand(*controller.gain.shape[:2], actions, actions)], dim=-1)
    pulled = residual.mT @ precision  # (N, T, Z, U)
    return QuadraticCost(
        cost.hessian + pulled @ residual,
        cost.gradient - (pulled @ controller.offset[..., None])[..., 0],
        cost.constant + 0.5 * ((precision @ controller.offset[..., None])[..., 0] * controller.offset).sum(-1),
    )


def update_controllers(
    cost: QuadraticCost,
    dynamics: Dynamics,
    previous: Controller,
    kl_bound: Tensor,
    agreement: PolicyAgreement | None = None,
    eta: Tensor | None = None,
    tolerance: float = 0.1,
    passes: int = 30,
) -> TrajectoryUpdate:
    """Minimise the augmented Lagrangian over controllers within a KL ball around the previous ones.

        min_p  E_p[sum_t l - u' lambda_t] + sum_t nu_t E[KL(p || pi)]    s.t.  sum_t E_x[KL(p || previous)] <= bound

    For a multiplier eta on the bound, the optimum is one backward pass with entropy weight nu_t + eta. The divergence
    falls with eta, so each condition's eta is found by a safeguarded secant search on log eta and log KL. A condition
    whose optimum lies inside the ball keeps the smallest eta.

    Args:
        cost: quadratic expansion of l about zero.
        kl_bound: `(N,)` nats over the whole trajectory.
        agreement: BADMM's terms, None for plain trajectory optimisation.
        eta: `(N,)` where to start, such as the last iteration's.
        tolerance: a divergence within this fraction of the bound is good enough.
        passes: at most so many backward and forward passes.
    """
    if agreement is not None:
        cost = agreement.add_to(cost)
    conditions, steps = cost.gradient.shape[:2]
    weight = agreement.weight if agreement is not None else cost.gradient.new_zeros(conditions, steps)
    # previous, as a cost of weight one: scaled by each candidate eta
    nothing = QuadraticCost(
        torch.zeros_like(cost.hessian), torch.zeros_like(cost.gradient), torch.zeros_like(cost.constant)
    )
    stay = add_log_density(nothing, previous, torch.ones_like(weight))

    eta = torch.ones_like(kl_bound) if eta is None else eta.clone()
    low, high = torch.full_like(eta, _SMALLEST_ETA), torch.full_like(eta, _LARGEST_ETA)
    low_kl, high_kl = torch.full_like(eta, torch.inf), torch.zeros_like(eta)
    best, best_marginals, best_eta, best_kl = previous, None, eta, torch.zeros_like(eta)
    done = torch.zeros_like(eta, dtype=torch.bool)
    used = 0
    for _ in range(passes):
        used += 1
        scale = eta[:, None]
        candidate_cost = QuadraticCost(
            cost.hessian + scale[..., None, None] * stay.hessian,
            cost.gradient + scale[..., None] * stay.gradient,
            cost.constant,
        )
        candidate, definite = backward_pass(candidate_cost, dynamics, weight + scale)
        candidate = candidate.where(definite, previous)
        spread = marginals(candidate, dynamics)
        divergence = kl_divergence(candidate, previous, spread.state_mean, spread.state_covariance).sum(-1)
        kl = torch.where(definite & divergence.isfinite(), divergence, torch.inf)
        inside = kl <= kl_bound * (1 + tolerance)
        # the best so far: the largest divergence that is still inside the ball
        better = ~done & inside & ((kl >= best_kl) | (best_marginals is None))
        best = candidate.where(better, best)
        best_marginals = spread if best_marginals is None else _where(better, spread, best_marginals)
        best_eta, best_kl = torch.where(better, eta, best_eta), torch.where(better, kl, best_kl)
        done |= inside & ((kl >= kl_bound * (1 - tolerance)) | (eta <= _SMALLEST_ETA * 1.01))
        if done.all():
            break
        outside = kl > kl_bound
        low, low_kl = torch.where(outside, eta, low), torch.where(outside, kl, low_kl)
        high, high_kl = torch.where(outside, high, eta), torch.where(outside, high_kl, kl)
        eta = torch.where(done, eta, _next_eta(eta, low, low_kl, high, high_kl, kl_bound))
    never = best_kl == 0
    if never.any():  # nothing inside the ball was found: stay
        best = previous.where(never, best)
    spread = marginals(best, dynamics)
    kl = kl_divergence(best, previous, spread.state_mean, spread.state_covariance).sum(-1)
    return TrajectoryUpdate(best, spread, best_eta, kl, done, used)


def _next_eta(eta: Tensor, low: Tensor, low_kl: Tensor, high: Tensor, high_kl: Tensor, bound: Tensor) -> Tensor:
    """The secant through both ends of the bracket in logarithms; a factor of ten while one end is still open."""
    log_low, log_high = low.log(), high.log()
    above, below = (low_kl / bound).log(), (high_kl / bound).log()
    fraction = (above / (above - below)).nan_to_num(0.5, 0.5, 0.5).clamp(0.1, 0.9)
    secant = (log_low + fraction * (log_high - log_low)).exp()
    rising = torch.minimum(eta * 10, (low * high).sqrt())
    falling = torch.maximum(eta * 0.1, (low * high).sqrt())
    open_above, open_below = high >= _LARGEST_ETA, low_kl.isinf() & (low <= _SMALLEST_ETA)
    step = torch.where(open_above, rising, torch.where(open_below, falling, secant))
    # a failed factorisation has no divergence to interpolate: halve the bracket
    failed = low_kl.isinf() & (low > _SMALLEST_ETA) & ~open_above
    step = torch.where(failed, (low * high).sqrt(), step)
    return torch.where(open_below & (eta <= _SMALLEST_ETA * 10), _SMALLEST_ETA, step)


def _where(mask: Tensor, new: Marginals, old: Marginals) -> Marginals:
    return Marginals(
        torch.where(mask[:, None, None], new.mean, old.mean),
        torch.where(mask[:, None, None, None], new.covariance, old.covariance),
        new.states,
    )


def next_step_size(step_size: Tensor, predicted: Tensor, actual: Tensor, smallest: float, largest: float) -> Tensor:
    """How far the next update may go, from how the last one turned out, all `(N,)`.

    Improvement as a function of the divergence is modelled as  predicted KL - penalty KL^2; the measured point gives
    the penalty, and the best multiplier is  predicted / (2 (predicted - actual)), within [0.1, 5] of the last.
    """
    factor = (predicted / (2 * (predicted - actual).clamp(min=1e-4))).clamp(0.1, 5.0)
    return (factor * step_size).clamp(smallest, largest)
