"""Linear-Gaussian controllers on contact tasks: how soon they solve one, and what they do when the target has moved."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import pi
from statistics import mean
from typing import Any

import torch
from torch import Tensor

from visuomotor.algorithms.gps.rollout import PolicyFn, Samples, rollout
from visuomotor.algorithms.trajectory_search.gps_trajectories import GpsTrajectories, GpsTrajectoriesConfig
from visuomotor.cli.bench_policy_search import episodes_to_solve
from visuomotor.errors import VisuomotorError
from visuomotor.reproduction.target_shift_table import NOISES, SHIFTS
from visuomotor.tasks import EpisodeOutcome, Observations, ResetParams, Task, VecEnv
from visuomotor.tasks.pr2.pr2_task import POINTS, Pr2Task

_DIRECTIONS = 8  # of each shift in the tests
_SETTINGS = GpsTrajectoriesConfig(iterations=15)


def bench_target_shifts(
    task: Task,
    seeds: Iterable[int],
    noises: Sequence[float] = NOISES,
    config: GpsTrajectoriesConfig = _SETTINGS,
) -> dict[str, Any]:
    """Train a controller for each noise and seed, from one start; then try it with targets that it does not see move.

    The controller's state holds the end effector's points less their targets. Here they are those of the target as it
    stands in the middle of its range, and the target is elsewhere: in training by `noise`, in a direction of its own in
    each episode; in the tests by each shift, in eight directions. So the controller must find it by contact.

    Returns:
        `task`, `algorithm_version`, `seeds`, `shifts`; `noises`, for each: `success`, the share of tests by shift, mean
        over seeds, and `by_seed` with `episodes_to_solve` (until three controllers in a row succeed without noise or
        shift; None where they do not), `success` by shift, and `seconds`.

    Raises:
        VisuomotorError: the task is none of the PR2's, whose left hand can move the target.
    """
    if not isinstance(task, Pr2Task):
        raise VisuomotorError(f"targets of {task.name!r} cannot be shifted; choose a task of the PR2, such as bottle")
    seeds = list(seeds)
    found: dict[str, dict[str, Any]] = {}
    for noise in noises:
        by_seed = {str(seed): _train(task, seed, noise, config) for seed in seeds}
        share = [mean(part["success"][i] for part in by_seed.values()) for i in range(len(SHIFTS))]
        found[f"{noise:g}"] = {"success": share, "by_seed": by_seed}
        text = ", ".join(f"{100 * shift:.0f} cm {part:.0%}" for shift, part in zip(SHIFTS, share, strict=True))
        print(f"{task.name}, trained with {100 * noise:.0f} cm of noise: {text}", flush=True)
    return {
        "task": task.name,
        "algorithm_version": GpsTrajectories.version,
        "seeds": seeds,
        "shifts": list(SHIFTS),
        "noises": found,
    }


class BlindTrajectories(GpsTrajectories):
    """Controllers that take the target to be where it is in `starts`, and train with targets that are elsewhere.

    Args:
        noise: m, how far.
    """

    task: Pr2Task

    def __init__(self, task: Pr2Task, config: GpsTrajectoriesConfig, seed: int, noise: float):
        super().__init__(task, config, seed)
        self._noise = noise

    def draw_starts(self) -> ResetParams:
        """The target in the middle of its range."""
        starts = super().draw_starts()
        middle = torch.tensor([self.task.center], dtype=torch.float64)
        return replace(starts, placement={**starts.placement, "target": middle})

    def run_episodes(self, env: VecEnv, policy: PolicyFn) -> tuple[Samples, EpisodeOutcome, Tensor]:
        """See `TrajectorySearch`; the solution is tried without a shift."""
        shift = torch.zeros(env.num_envs, 2, dtype=torch.float64)
        if env is self._env and self._noise:
            angle = 2 * pi * torch.rand(env.num_envs, generator=self.generator, dtype=torch.float64)
            shift = self._noise * torch.stack([angle.cos(), angle.sin()], -1)
        return self.run_shifted(env, policy, shift)

    def run_shifted(self, env: VecEnv, policy: PolicyFn, shift: Tensor) -> tuple[Samples, EpisodeOutcome, Tensor]:
        """Episodes whose targets are `shift` `(n, 2)` m from where the controller takes them to be."""
        moved = torch.nn.functional.pad(shift, (0, 1))
        starts = self.starts[torch.zeros(env.num_envs, dtype=torch.int64)]
        starts = replace(starts, placement={**starts.placement, "target": starts.placement["target"] + moved})

        def unaware(state: Tensor) -> Tensor:
            """Points less the targets of the unshifted target, for states `(n, ..., X)`."""
            state = state.clone()
            state[..., POINTS] += moved.repeat(1, 3).view(len(moved), *[1] * (state.ndim - 2), 9)
            return state

        def act(step: int, observations: Observations, images: Tensor | None) -> Tensor:
            return policy(step, {**observations, "state": unaware(observations["state"])}, images)

        samples, outcome = rollout(env, starts, act)
        samples = replace(samples, states=unaware(samples.states))
        costs = self.task.cost(samples.states, samples.actions).sum(-1)
        return samples, outcome, torch.where(samples.diverged, torch.inf, costs)


def shifts_of(length: float, directions: int) -> Tensor:
    """`(directions, 2)` m: shifts of one length, all round."""
    angle = 2 * pi * torch.arange(directions, dtype=torch.float64) / directions
    return length * torch.stack([angle.cos(), angle.sin()], -1)


def _train(task: Pr2Task, seed: int, noise: float, config: GpsTrajectoriesConfig) -> dict[str, Any]:
    began = time.monotonic()
    search = BlindTrajectories(task, config, seed, noise)
    rows = list(search.steps())
    curves = {name: [row[name] for row in rows] for name in ("episodes", "policy_success")}
    return {
        "episodes_to_solve": episodes_to_solve(curves),
        "success": [_share_of_successes(search, shift) for shift in SHIFTS],
        "seconds": time.monotonic() - began,
    }


def _share_of_successes(search: BlindTrajectories, shift: float) -> float:
    """Share of the solution's episodes that succeed, with the target moved in eight directions."""
    env = search.make_env(_DIRECTIONS)
    _, outcome, _ = search.run_shifted(env, search.solution(env), shifts_of(shift, _DIRECTIONS))
    return outcome.success.double().mean().item()
