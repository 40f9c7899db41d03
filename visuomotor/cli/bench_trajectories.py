"""Trajectory optimisation alone, on the full state: how many training conditions its controllers solve."""

import time
from collections.abc import Iterable
from dataclasses import replace
from statistics import mean
from typing import Any

import torch

from visuomotor.algorithms.gps import PRESETS, Gps, GpsConfig
from visuomotor.algorithms.gps.exploration import noisy_controller
from visuomotor.algorithms.gps.linear_gaussian import Controller
from visuomotor.algorithms.gps.rollout import rollout
from visuomotor.tasks import Task, VecEnv

_LAST = 5  # iterations that the shares are means over


def bench_trajectories(task: Task, seeds: Iterable[int], config: GpsConfig = PRESETS["laptop"]) -> dict[str, Any]:
    """The trajectory phase of each seed, one sample a condition and iteration.

    After every iteration two things are measured, for each condition: whether the iteration's episode succeeded, with
    exploration noise and the controllers from before the update; and whether an episode without noise succeeds with the
    controllers from after it. What counts is which conditions succeed now, not which have done so once.

    Returns:
        `task`, `seeds`, `conditions`, `iterations`; `mean_share_with_noise`, `mean_share_without_noise` and
        `lowest_share_without_noise` over seeds, and `mean_actual_to_predicted`; `by_seed`, for each: `with_noise` and
        `without_noise`, a string an iteration with a digit for each condition, 1 where it succeeds; `share_with_noise`
        and `share_without_noise`, the share of conditions that succeed, mean over the last five iterations;
        `final_distance_m`, mean over the last episodes with noise; `predicted_improvement` and `actual_improvement` of
        the cost by the update before each iteration, null where there was none or all conditions took it back;
        `actual_to_predicted`, the sum of the actual ones over that of the predicted ones, 1 where predictions hold;
        `seconds` of training.
    """
    config = replace(config, pose=replace(config.pose, epochs=0), end_to_end=replace(config.end_to_end, iterations=0))
    seeds = list(seeds)
    parts: dict[str, dict[str, Any]] = {}
    for seed in seeds:
        part = parts[str(seed)] = _train(task, seed, config)
        print(f"seed {seed}: {part['share_without_noise']:.0%} of conditions, in {part['seconds']:.0f} s", flush=True)
    with_noise, without_noise, held = (
        [part[name] for part in parts.values()]
        for name in ("share_with_noise", "share_without_noise", "actual_to_predicted")
    )
    return {
        "task": task.name,
        "seeds": seeds,
        "conditions": config.num_conditions or task.num_conditions,
        "iterations": config.trajectory.iterations,
        "samples_per_condition_and_iteration": 1,
        "mean_share_with_noise": mean(with_noise),
        "mean_share_without_noise": mean(without_noise),
        "lowest_share_without_noise": min(without_noise),
        "mean_actual_to_predicted": mean(held),
        "by_seed": parts,
    }


def _train(task: Task, seed: int, config: GpsConfig) -> dict[str, Any]:
    algorithm = Gps(task, config, seed)
    env = VecEnv(  # its own, so that measuring leaves no trace in training
        task, len(algorithm.conditions), torch.Generator(), observations=("state", "proprioception"), randomize=False
    )
    with_noise: list[str] = []
    without_noise: list[str] = []
    predicted: list[float | None] = []
    actual: list[float | None] = []
    distance, seconds = float("nan"), 0.0
    began = time.monotonic()
    for row in algorithm.steps():
        seconds += time.monotonic() - began
        assert algorithm.badmm is not None
        with_noise.append(_digits(row["success_by_condition"]))
        without_noise.append(_digits(_mean_actions_succeed(env, algorithm, algorithm.badmm.controller)))
        predicted.append(row.get("predicted_improvement"))
        actual.append(row.get("actual_improvement"))
        distance = row["final_distance_m"]
        began = time.monotonic()
    return {
        "share_with_noise": _share(with_noise),
        "share_without_noise": _share(without_noise),
        "with_noise": with_noise,
        "without_noise": without_noise,
        "final_distance_m": distance,
        "predicted_improvement": predicted,
        "actual_improvement": actual,
        "actual_to_predicted": sum(filter(None, actual)) / sum(filter(None, predicted)),
        "seconds": seconds,
    }


def _mean_actions_succeed(env: VecEnv, algorithm: Gps, controller: Controller) -> list[bool]:
    """Whether each condition's episode succeeds without noise."""
    _, outcome = rollout(env, algorithm.conditions, noisy_controller(controller, torch.zeros_like(controller.offset)))
    return outcome.success.tolist()


def _digits(success: Iterable[bool]) -> str:
    return "".join(str(int(each)) for each in success)


def _share(iterations: list[str]) -> float:
    """The share of conditions that succeed, over the last iterations."""
    return mean(mean(map(int, digits)) for digits in iterations[-_LAST:])
