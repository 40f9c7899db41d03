"""BADMM: trajectories and policy, each optimised with the other held, until they agree."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from visuomotor.algorithms.gps.config import GpsConfig
from visuomotor.algorithms.gps.dynamics import fit_prior, fit_stable_dynamics, transitions
from visuomotor.algorithms.gps.linear_gaussian import (
    Controller,
    Dynamics,
    Marginals,
    compute_marginals,
    kl_divergence,
    where,
)
from visuomotor.algorithms.gps.linearize import linearize
from visuomotor.algorithms.gps.lqr import QuadraticCost
from visuomotor.algorithms.gps.rollout import Samples
from visuomotor.algorithms.gps.supervised import (
    PolicyTargets,
    importance_weights,
    log_density,
    policy_covariance,
    policy_targets,
)
from visuomotor.algorithms.gps.trajectory_update import BadmmTerms, next_step_size, update_controllers
from visuomotor.tasks import Cost


class PolicyOptimizer(Protocol):
    """The policy's side: it can be fitted to targets on samples, and asked for its mean actions on them."""

    def fit(self, samples: list[Samples], targets: PolicyTargets, covariance: Tensor) -> float:
        """Fit the mean to the targets, whose rows are the samples' steps in order; returns the loss."""
        ...

    def mean_actions(self, samples: Samples) -> Tensor:
        """`(N, T, U)` float64."""
        ...


@dataclass(frozen=True)
class SampleBatch:
    """Samples of one iteration; log_density `(N, T)`: of their states, under the marginals they were drawn from."""

    samples: Samples
    log_density: Tensor


@dataclass(frozen=True)
class Transitions:
    """What the prior is fitted to of one iteration's samples: states `(N, T, X)`, actions `(N, T, U)`; valid `(N,)`
    bool, episodes that the dynamics are fitted to."""

    states: Tensor
    actions: Tensor
    valid: Tensor

    def tuples(self) -> Tensor:
        """`(x_t, u_t, x_{t+1})` of the valid episodes, `(n, T-1, 2X + U)`."""
        return transitions(self.states, self.actions)[self.valid]


@dataclass(frozen=True)
class Update:
    """The last update of the trajectories: the controller before it, and the fall of the cost that it predicted.

    controller: before the update; samples: of episodes with it; predicted `()`: how much the cost should fall, mean
    over conditions.
    """

    controller: Controller
    samples: Samples
    predicted: Tensor


@dataclass(frozen=True)
class BadmmState:
    """All that one iteration hands to the next.

    controller: the local controllers, not yet tried; lagrange_multiplier lambda `(N, T, U)`; kl_weight nu `(T,)`;
    kl_step_mult `()`; eta `(N,)`; sample_history: the newest samples last; transition_history: of more iterations,
    for the prior; last_update: made `controller`, None before the first one; first_cost `(N,)`:
    of the first episodes, None before them.
    """

    controller: Controller
    lagrange_multiplier: Tensor
    kl_weight: Tensor
    kl_step_mult: Tensor
    eta: Tensor
    sample_history: tuple[SampleBatch, ...] = ()
    transition_history: tuple[Transitions, ...] = ()
    last_update: Update | None = None
    first_cost: Tensor | None = None

    def map_samples(self, change: Callable[[Samples], Samples]) -> "BadmmState":
        """With `change` made to all remembered samples. Those of the last update are the newest ones."""
        history = tuple(replace(batch, samples=change(batch.samples)) for batch in self.sample_history)
        last = self.last_update
        if last is not None:
            last = replace(last, samples=history[-1].samples)
        return replace(self, sample_history=history, last_update=last)


def initial_state(controller: Controller, config: GpsConfig) -> BadmmState:
    """Before the first iteration: no multipliers, equal weights, a step size of one if the limits allow it."""
    conditions, steps = controller.offset.shape[:2]
    limits = config.trajectory.min_kl_step_mult, config.trajectory.max_kl_step_mult
    return BadmmState(
        controller=controller,
        lagrange_multiplier=torch.zeros_like(controller.offset),
        kl_weight=torch.full((steps,), config.badmm.initial_kl_weight, dtype=torch.float64),
        kl_step_mult=torch.ones((), dtype=torch.float64).clamp(*limits),
        eta=torch.ones(conditions, dtype=torch.float64),
    )


def iterate(
    state: BadmmState,
    samples: Samples,
    policy_optimizer: PolicyOptimizer,
    cost: Cost,
    config: GpsConfig,
    generator: torch.Generator,
    callback: Callable[[dict[str, float]], None],
) -> BadmmState:
    """One iteration: fit dynamics to the new samples, then alternate policy and trajectories (Levine et al. 2015, IV).

    Args:
        samples: one episode a condition, drawn with `state.controller`.
        callback: gets the metrics of every inner iteration.
    """
    badmm, trajectory = config.badmm, config.trajectory
    state, numbers = assess_last_update(state, samples, cost, config)
    assert state.last_update is not None
    drawn_with, samples = state.controller, state.last_update.samples
    numbers["cost"] = cost(samples.states, samples.actions).sum(-1).mean().item()
    expansion = cost.expand(samples.states, samples.actions)
    quadratic = QuadraticCost(expansion.hessian, expansion.gradient, expansion.constant)
    tuples = [one.tuples() for one in state.transition_history]
    dynamics, marginals = fit_stable_dynamics(samples, drawn_with, tuples, config.dynamics, generator)
    density = log_density(samples.states, marginals, badmm.importance_std_floor)
    history = (*state.sample_history, SampleBatch(samples, density))[-badmm.reuse_iterations :]

    controller, multiplier = drawn_with, state.lagrange_multiplier
    kl_weight, eta = state.kl_weight, state.eta
    predicted = torch.zeros(())
    for inner in range(badmm.inner_iterations):
        weights = kl_weight.expand(multiplier.shape[:2])
        targets = _all_policy_targets(history, controller, marginals, multiplier, weights, config)
        covariance = policy_covariance(controller)
        loss = policy_optimizer.fit([batch.samples for batch in history], targets, covariance)
        policy = _linearized(policy_optimizer, samples, covariance, config, generator)
        bound = trajectory.kl_step * state.kl_step_mult * samples.states.shape[1]
        update = update_controllers(
            quadratic, dynamics, drawn_with, bound.expand(len(eta)), BadmmTerms(policy, multiplier, weights), eta
        )
        controller, marginals, eta = update.controller, update.marginals, update.eta
        gap = policy.mean_action(marginals.state_mean) - controller.mean_action(marginals.state_mean)
        multiplier = multiplier + badmm.dual_step_size * weights[..., None] * gap
        policy_kl = kl_divergence(controller, policy, marginals.state_mean, marginals.state_covariance)
        if inner == badmm.inner_iterations - 1:
            predicted = predicted_improvement(drawn_with, controller, dynamics, quadratic)
            kl_weight = next_kl_weight(kl_weight, policy_kl.mean(0))
        callback(
            {
                "kl": update.kl.mean().item(),
                "kl_bound": bound.item(),
                "policy_kl": policy_kl.mean().item(),
                "supervised_loss": loss,
                "policy_action_gap": gap.norm(dim=-1).mean().item(),
                "kl_weight": kl_weight.mean().item(),
                "eta": eta.median().item(),
                "kl_step_mult": state.kl_step_mult.item(),
                **numbers,
            }
        )
    return replace(
        state,
        controller=controller.rounded(marginals.state_mean),
        lagrange_multiplier=multiplier,
        kl_weight=kl_weight,
        eta=eta,
        sample_history=history,
        last_update=Update(drawn_with, samples, predicted),
    )


def assess_last_update(
    state: BadmmState, samples: Samples, cost: Cost, config: GpsConfig
) -> tuple[BadmmState, dict[str, float]]:
    """Compare the new samples with those before the last update, and adapt the step size to how well the prediction
    held. A condition's update is undone, and it keeps its last controller and samples, where the physics diverged or
    the cost rose by more than a fraction (`trajectory.largest_loss`) of what it gained since the first episode:
    something was hit or dropped. The dynamics are not fitted to such an episode. Its multipliers stay:
    the policy was fitted under them.

    The actual improvement is that of the samples' own costs. The model's expected costs of two iterations are not
    comparable: near the target the cost's expansion is the steeper the closer a sample came.

    Returns:
        The state, whose `last_update` holds the samples to go on from, and metrics.
    """
    now, last, trajectory = cost(samples.states, samples.actions).sum(-1), state.last_update, config.trajectory
    kept = ~samples.diverged
    saved = torch.zeros_like(now)
    if last is not None:
        before = cost(last.samples.states, last.samples.actions).sum(-1)
        saved = before - now
        if state.first_cost is not None:
            gained = state.first_cost - before
            limit = torch.where(gained > 0, trajectory.largest_loss * gained, torch.inf)
            kept &= saved >= -limit
            saved = saved.maximum(-limit)
    held = samples if last is None else Samples.where(kept, samples, last.samples)
    # Where an update was taken back, `held` has the previous episode, and `kept` excludes it from the prior. The
    # tensors are then those of `last_update`, so a checkpoint stores them once.
    if kept.any():
        history = (*state.transition_history, Transitions(held.states, held.actions, kept))
        state = replace(state, transition_history=history[-config.dynamics.prior_iterations :])
    if last is None:
        first = now if state.first_cost is None else state.first_cost
        return replace(state, last_update=Update(state.controller, samples, torch.zeros(())), first_cost=first), {}
    actual = saved[~samples.diverged].mean()
    kl_step_mult = next_step_size(
        state.kl_step_mult, last.predicted, actual, trajectory.min_kl_step_mult, trajectory.max_kl_step_mult
    )
    state = replace(
        state,
        controller=where(kept, state.controller, last.controller),
        kl_step_mult=kl_step_mult,
        last_update=replace(last, samples=held),
    )
    if not kept.any():
        return state, {}
    return state, {"predicted_improvement": last.predicted.item(), "actual_improvement": actual.item()}


def predicted_improvement(before: Controller, after: Controller, dynamics: Dynamics, cost: QuadraticCost) -> Tensor:
    """How much an update lowers the cost along the mean trajectory of one model; mean over conditions, `()`."""
    costs: list[Tensor] = []
    for controller in (before, after):
        mean = compute_marginals(controller, dynamics).mean_only()
        costs.append(cost.expected(mean).sum(-1).mean())
    return costs[0] - costs[1]


def next_kl_weight(kl_weight: Tensor, divergence: Tensor) -> Tensor:
    """Weights nu `(T,)` that keep policy and trajectories equally close at all steps (Levine et al. 2015, appendix
    A.1): doubled where the divergence is above its mean over time, halved where it is two deviations below.

    divergence: KL(p || pi) at each step, mean over conditions, `(T,)`.
    """
    mean, std = divergence.mean(), divergence.std()
    kl_weight = torch.where(divergence > mean, kl_weight * 2, kl_weight)
    return torch.where(divergence <= mean - 2 * std, kl_weight / 2, kl_weight)


def _all_policy_targets(
    history: tuple[SampleBatch, ...],
    controller: Controller,
    marginals: Marginals,
    multiplier: Tensor,
    weights: Tensor,
    config: GpsConfig,
) -> PolicyTargets:
    """The targets on all remembered samples, in order, labelled by the current controllers."""
    parts: list[PolicyTargets] = []
    for index, batch in enumerate(history):
        states = batch.samples.states
        importance = torch.ones(states.shape[:2], dtype=torch.float64)
        if index < len(history) - 1:
            std_floor = config.badmm.importance_std_floor
            importance = importance_weights(states, marginals, batch.log_density, std_floor)
        parts.append(policy_targets(controller, states, multiplier, weights, importance))
    return PolicyTargets(torch.cat([part.target for part in parts]), torch.cat([part.precision for part in parts]))


def _linearized(
    policy_optimizer: PolicyOptimizer,
    samples: Samples,
    covariance: Tensor,
    config: GpsConfig,
    generator: torch.Generator,
) -> Controller:
    settings = config.dynamics
    actions = policy_optimizer.mean_actions(samples)
    pairs = torch.cat([samples.states, actions], dim=-1)
    prior = fit_prior(pairs, settings.clusters, settings.prior_points, generator)
    return linearize(samples.states, actions, covariance, prior, settings.prior_strength, settings.window)
