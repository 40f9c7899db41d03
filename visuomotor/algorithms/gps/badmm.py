"""BADMM: trajectories and policy, each optimised with the other held, until they agree."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from visuomotor.algorithms.gps.config import GpsConfig
from visuomotor.algorithms.gps.dynamics import fit_dynamics, fit_prior, transitions
from visuomotor.algorithms.gps.linear_gaussian import Controller, Dynamics, Marginals, kl_divergence, marginals
from visuomotor.algorithms.gps.linearize import linearize
from visuomotor.algorithms.gps.lqr import QuadraticCost
from visuomotor.algorithms.gps.supervised import PolicyTargets, importance_weights, policy_targets, policy_covariance
from visuomotor.algorithms.gps.trajectory_update import BadmmTerms, next_step_size, update_controllers
from visuomotor.tasks.cost import Cost
from visuomotor.algorithms.gps.rollout import Samples


class PolicyOptimizer(Protocol):
    """The policy's side: something that can be targets on samples and asked for its mean actions on them."""

    def fit(self, samples: list[Samples], targets: PolicyTargets, covariance: Tensor) -> float:
        """Fit the mean to the policy_targets, whose rows are the samples' steps in order; returns the loss."""
        ...

    def mean_actions(self, samples: Samples) -> Tensor:
        """`(N, T, U)` float64."""
        ...


@dataclass(frozen=True)
class SampleBatch:
    """Samples of one iteration and the marginals over states that they were drawn from."""

    samples: Samples
    marginals: Marginals


@dataclass(frozen=True)
class BadmmState:
    """All that one iteration hands to the next.

    controller: the local controllers; multiplier lambda `(N, T, U)`; weight nu `(T,)`; step_size, eta `(N,)`; sample_history:
    the newest samples last. `expected` is what the last update promised: Lagrangians `(N,)` before and after it, under
    the model of its time.
    """

    controller: Controller
    multiplier: Tensor
    weight: Tensor
    step_size: Tensor
    eta: Tensor
    sample_history: tuple[SampleBatch, ...] = ()
    expected: tuple[Tensor, Tensor] | None = None


def initial_state(controller: Controller, config: GpsConfig) -> BadmmState:
    """Before the first iteration: no multipliers, equal weights, step size one."""
    conditions, steps = controller.offset.shape[:2]
    return BadmmState(
        controller=controller,
        multiplier=torch.zeros_like(controller.offset),
        weight=torch.full((steps,), config.badmm.initial_kl_weight, dtype=torch.float64),
        step_size=torch.ones(conditions, dtype=torch.float64),
        eta=torch.ones(conditions, dtype=torch.float64),
    )


def iterate(
    state: BadmmState,
    samples: Samples,
    policy_optimizer: PolicyOptimizer,
    cost: Cost,
    config: GpsConfig,
    generator: torch.Generator,
    watch: Callable[[dict[str, float]], None],
) -> BadmmState:
    """One iteration: fit dynamics to the new samples, then alternate policy and trajectories (Levine et al. 2015, IV).

    Args:
        samples: one episode a condition, drawn with `state.controller`.
        watch: gets the numbers worth a look after every inner iteration.
    """
    drawn_with = state.controller
    expansion = cost.expand(samples.states, samples.actions)
    quadratic = QuadraticCost(expansion.hessian, expansion.gradient, expansion.constant)
    dynamics = _fit_dynamics(state, samples, config, generator)
    spread = marginals(drawn_with, dynamics)
    state = replace(state, sample_history=(*state.sample_history, SampleBatch(samples, spread.of_states()))[-config.badmm.reuse_iterations :])

    controller = drawn_with
    multiplier, weight, eta = state.multiplier, state.weight, state.eta
    bound, predicted, actual = torch.zeros(()), torch.zeros(()), torch.zeros(())
    before = after = torch.zeros_like(state.step_size)
    for inner in range(config.badmm.inner_iterations):
        weights = weight.expand(multiplier.shape[:2])
        targets = _all_policy_targets(state.sample_history, controller, spread, multiplier, weights, config)
        covariance = policy_covariance(controller)
        if inner == 0 and state.expected is not None:
            # what the last update brought, seen with the new samples and the policy that it knew
            policy = _linearized(policy_optimizer, samples, covariance, config, generator)
            now = lagrangian(drawn_with, policy, dynamics, quadratic, weights)
            predicted, actual = state.expected[0] - state.expected[1], state.expected[0] - now
            step_size = next_step_size(
                state.step_size, predicted, actual, config.trajectory.min_kl_step_mult, config.trajectory.max_kl_step_mult
            )
            state = replace(state, step_size=step_size)
        loss = policy_optimizer.fit([visit.samples for visit in state.sample_history], targets, covariance)
        policy = _linearized(policy_optimizer, samples, covariance, config, generator)
        if inner == 0:
            before = lagrangian(drawn_with, policy, dynamics, quadratic, weights)
        badmm_terms = BadmmTerms(policy, multiplier, weights)
        bound = config.trajectory.kl_step * state.step_size * samples.states.shape[1]
        update = update_controllers(quadratic, dynamics, drawn_with, bound, badmm_terms, eta)
        controller, spread, eta = update.controller, update.marginals, update.eta
        after = lagrangian(controller, policy, dynamics, quadratic, weights)
        gap = policy.mean_action(spread.state_mean) - controller.mean_action(spread.state_mean)
        multiplier = multiplier + config.badmm.dual_step_size * weights[..., None] * gap
        divergence = kl_divergence(controller, policy, spread.state_mean, spread.state_covariance)
        if inner == config.badmm.inner_iterations - 1:
            weight = next_weights(weight, divergence.mean(0), config.badmm.schedule)
        watch(
            {
                "inner_iteration": inner,
                "kl": update.kl.mean().item(),
                "kl_bound": bound.mean().item(),
                "predicted_improvement": predicted.mean().item(),
                "actual_improvement": actual.mean().item(),
                "policy_kl": divergence.mean().item(),
                "supervised_loss": loss,
                "policy_gap": gap.norm(dim=-1).mean().item(),
                "weight": weight.mean().item(),
                "eta": eta.median().item(),
                "step_size": state.step_size.mean().item(),
            }
        )
    return replace(
        state,
        controller=controller,
        multiplier=multiplier,
        weight=weight,
        eta=eta,
        expected=(before, after),
    )


def lagrangian(
    controller: Controller, policy: Controller, dynamics: Dynamics, cost: QuadraticCost, weight: Tensor
) -> Tensor:
    """sum_t E[l_t] + nu_t E[KL(p || pi)] of each condition, `(N,)`: what improvement is measured in."""
    spread = marginals(controller, dynamics)
    divergence = kl_divergence(controller, policy, spread.state_mean, spread.state_covariance)
    return (cost.expected(spread) + weight * divergence).sum(-1)


def next_weights(weight: Tensor, divergence: Tensor, schedule: str) -> Tensor:
    """Weights nu `(T,)` that keep policy and trajectories equally close at all steps (appendix A.1).

    divergence: KL(p || pi) at each step, mean over conditions, `(T,)`. The paper doubles the weight where it is above
    its mean over time and halves it at two deviations below; the released code draws the lines at half a deviation
    above and one below.
    """
    above, below = {"paper": (0.0, 2.0), "released": (0.5, 1.0)}[schedule]
    mean, deviation = divergence.mean(), divergence.std()
    weight = torch.where(divergence > mean + above * deviation, weight * 2, weight)
    return torch.where(divergence <= mean - below * deviation, weight / 2, weight)


def _fit_dynamics(state: BadmmState, samples: Samples, config: GpsConfig, generator: torch.Generator) -> Dynamics:
    settings = config.dynamics
    recent = [visit.samples for visit in state.sample_history] + [samples]
    tuples = torch.cat([transitions(s.states, s.actions) for s in recent[-settings.prior_iterations :]])
    prior = fit_prior(tuples, settings.clusters, settings.prior_points, generator)
    return fit_dynamics(samples.states, samples.actions, prior, settings.prior_strength, settings.ridge)


def _all_policy_targets(
    sample_history: tuple[SampleBatch, ...],
    controller: Controller,
    spread: Marginals,
    multiplier: Tensor,
    weights: Tensor,
    config: GpsConfig,
) -> PolicyTargets:
    """The lessons of all remembered samples, in order, labelled by the current controllers."""
    parts: list[PolicyTargets] = []
    for age, visit in enumerate(reversed(sample_history)):
        states = visit.samples.states
        importance = (
            torch.ones(states.shape[:2], dtype=torch.float64)
            if age == 0
            else importance_weights(states, spread, visit.marginals, config.badmm.importance_std_floor)
        )
        parts.insert(0, policy_targets(controller, states, multiplier, weights, importance, config.badmm.weighted_loss))
    return PolicyTargets(torch.cat([part.target for part in parts]), torch.cat([part.precision for part in parts]))


def _linearized(
    policy_optimizer: PolicyOptimizer, samples: Samples, covariance: Tensor, config: GpsConfig, generator: torch.Generator
) -> Controller:
    settings = config.dynamics
    actions = policy_optimizer.mean_actions(samples)
    pairs = torch.cat([samples.states, actions], dim=-1)
    prior = fit_prior(pairs, settings.clusters, settings.prior_points, generator)
    return linearize(samples.states, actions, covariance, prior, settings.prior_strength)
