"""One trajectory update, the part of guided policy search that the original code spends its minutes on."""

import statistics
import time
from typing import Any, NamedTuple

import torch
from torch import Tensor

from visuomotor.algorithms.gps.config import PRESETS, GpsConfig
from visuomotor.algorithms.gps.dynamics import fit_dynamics, fit_prior, transitions
from visuomotor.algorithms.gps.exploration import init_pd_controller, noisy_controller, smooth_noise
from visuomotor.algorithms.gps.linear_gaussian import Controller
from visuomotor.algorithms.gps.lqr import QuadraticCost
from visuomotor.algorithms.gps.rollout import Samples, rollout
from visuomotor.algorithms.gps.trajectory_update import TrajectoryUpdate, update_controllers
from visuomotor.tasks import VecEnv, make_task

_SEED = 0
_CONDITIONS = 18


def bench_gps(repeats: int = 9) -> dict[str, Any]:
    """Time what follows the sampling in one iteration of trajectory optimisation on 18 conditions of the hanger.

    The data are real: trajectories are optimised for as many iterations as the prior remembers, then the last
    iteration's computation is repeated. The bar is 0.4 s on two cores.

    Returns:
        `seconds_fit_and_update`: median over the repeats of prior, dynamics and update together;
        `seconds_prior`, `seconds_dynamics`, `seconds_update`: the medians of its parts; `search_passes`: the most that
        a condition's search on eta took; `conditions`, `steps`, `states`, `actions`, `repeats`.
    """
    settings = PRESETS["laptop"]
    task = make_task("hanger")
    generator = torch.Generator().manual_seed(_SEED)
    conditions = task.sample_reset(_CONDITIONS, generator, "training", randomize=False)
    env = VecEnv(
        task, len(conditions), generator, observations=("state", "proprioception"), split="training", randomize=False
    )
    env.reset(params=conditions)
    start = env.observe()["state"]
    controller = init_pd_controller(task, start, settings.trajectory.initial_noise_std)
    eta, pool = None, []
    remembered = settings.dynamics.prior_iterations
    results: list[_Timed] = []
    for iteration in range(remembered + 1):
        shape = tuple(controller.offset.shape)
        noise = smooth_noise(shape, generator, settings.trajectory.noise_smoothing_steps)
        samples, _ = rollout(env, conditions, noisy_controller(controller, noise))
        pool = [*pool, transitions(samples.states, samples.actions)][-remembered:]
        expansion = task.cost.expand(samples.states, samples.actions)
        cost = QuadraticCost(expansion.hessian, expansion.gradient, expansion.constant)
        rounds = repeats + 1 if iteration == remembered else 1
        results = [_fit_and_update(samples, pool, cost, controller, eta, settings) for _ in range(rounds)]
        controller, eta = results[-1].update.controller, results[-1].update.eta
    results = results[1:]  # the first one warms up
    return {
        "seconds_fit_and_update": statistics.median(sum(result.seconds) for result in results),
        "seconds_prior": statistics.median(result.seconds[0] for result in results),
        "seconds_dynamics": statistics.median(result.seconds[1] for result in results),
        "seconds_update": statistics.median(result.seconds[2] for result in results),
        "search_passes": results[-1].update.passes,
        "conditions": len(conditions),
        "steps": task.max_episode_steps,
        "states": task.size("state"),
        "actions": task.action_size,
        "repeats": repeats,
    }


class _Timed(NamedTuple):
    update: TrajectoryUpdate
    seconds: tuple[float, float, float]


def _fit_and_update(
    samples: Samples,
    pool: list[Tensor],
    cost: QuadraticCost,
    controller: Controller,
    eta: Tensor | None,
    settings: GpsConfig,
) -> _Timed:
    fit, generator = settings.dynamics, torch.Generator().manual_seed(_SEED)
    bound = torch.full((len(samples.states),), settings.trajectory.kl_step * samples.states.shape[1]).double()
    begin = time.perf_counter()
    prior = fit_prior(torch.cat(pool), fit.clusters, fit.prior_points, generator)
    fitted_prior = time.perf_counter()
    dynamics = fit_dynamics(samples.states, samples.actions, prior, fit.prior_strength, fit.ridge, fit.window)
    fitted_dynamics = time.perf_counter()
    update = update_controllers(cost, dynamics, controller, bound, eta=eta)
    updated = time.perf_counter()
    return _Timed(update, (fitted_prior - begin, fitted_dynamics - fitted_prior, updated - fitted_dynamics))
