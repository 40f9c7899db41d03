"""The trajectory phase of guided policy search alone: linear-Gaussian controllers on fitted dynamics."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor

from visuomotor.algorithms.gps.badmm import predicted_improvement
from visuomotor.algorithms.gps.checkpointing import from_plain, to_plain
from visuomotor.algorithms.gps.config import DynamicsConfig, TrajectoryUpdateConfig, check_trajectory_settings
from visuomotor.algorithms.gps.dynamics import fit_stable_dynamics, transitions
from visuomotor.algorithms.gps.exploration import noisy_controller, smooth_noise
from visuomotor.algorithms.gps.linear_gaussian import Controller, Dynamics
from visuomotor.algorithms.gps.lqr import QuadraticCost
from visuomotor.algorithms.gps.rollout import PolicyFn, Samples
from visuomotor.algorithms.gps.trajectory_update import next_step_size, update_controllers
from visuomotor.algorithms.trajectory_search.config import SearchConfig
from visuomotor.algorithms.trajectory_search.search import TrajectorySearch, sample_metrics
from visuomotor.errors import VisuomotorError
from visuomotor.runs.config import Range
from visuomotor.runs.distributed import Distributed
from visuomotor.runs.restore import Finite, ListOf, OrNone, check_covariance
from visuomotor.tasks import Task, VecEnv


@dataclass(frozen=True, kw_only=True)
class GpsTrajectoriesConfig(SearchConfig):
    """Trajectory optimisation on fitted dynamics."""

    samples: Annotated[int, Range(2, 100_000)] = 5
    """Episodes of each condition in an iteration."""
    trajectory: TrajectoryUpdateConfig = field(default_factory=lambda: TrajectoryUpdateConfig(initial_noise_std=0.2))
    dynamics: DynamicsConfig = field(default_factory=DynamicsConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_trajectory_settings(self.trajectory, self.dynamics)


@dataclass(frozen=True)
class LastUpdate:
    """What the last update started from and what it promised.

    controller: before it; costs `(N,)`, mean of each condition's samples with that controller; predicted `()`: how much
    the cost should fall, mean over conditions.
    """

    controller: Controller
    costs: Tensor
    predicted: Tensor


class GpsTrajectories(TrajectorySearch):
    """Improve linear-Gaussian controllers within a bound on their divergence, on dynamics that are fitted to a few
    samples of this iteration (Levine and Abbeel 2014; Levine et al. 2015, appendix A.3).

    It is `gps` without a policy: several samples of each condition, whose cost expansions are averaged, and no terms
    that tie trajectories to a policy.
    """

    name: ClassVar[str] = "gps-trajectories"
    version: ClassVar[int] = 2
    presets: ClassVar[Mapping[str, Any]] = {"laptop": GpsTrajectoriesConfig()}
    config: GpsTrajectoriesConfig

    def __init__(
        self,
        task: Task,
        config: GpsTrajectoriesConfig,
        seed: int,
        distributed: Distributed | None = None,
        task_reference: str = "",
    ):
        super().__init__(task, config, seed, distributed, task_reference)
        self.controller = self.first_controller(config.trajectory.initial_noise_std)
        self.eta = torch.ones(config.num_conditions, dtype=torch.float64)
        limits = config.trajectory.min_kl_step_mult, config.trajectory.max_kl_step_mult
        self.kl_step_mult = torch.ones((), dtype=torch.float64).clamp(*limits)
        self.history: tuple[Tensor, ...] = ()
        """Transitions of recent iterations, `(n, T-1, 2X + U)` each, for the prior."""
        self.last_update: LastUpdate | None = None
        self._env = self.make_env(config.samples)
        self._copies = self.conditions_of(self._env.num_envs)

    def search(self) -> dict[str, Any]:
        trajectory = self.config.trajectory
        shape = self._env.num_envs, *self.controller.offset.shape[1:]
        noise = smooth_noise(shape, self.generator, trajectory.noise_smoothing_steps)
        drawn_with = self.controller.rows(self._copies)
        samples, outcome, costs = self.run_episodes(self._env, noisy_controller(drawn_with, noise))
        self.episodes += self._env.num_envs
        kept = costs.isfinite()
        lost = torch.bincount(self._copies[kept], minlength=self.config.num_conditions) < 1
        if lost.any():
            self._take_back(lost)
            return {"kl_step_mult": self.kl_step_mult.item()}
        means = torch.stack([costs[kept & (self._copies == i)].mean() for i in range(self.config.num_conditions)])
        numbers = self._assess_last_update(means)
        numbers |= self._update(samples, kept, means)
        return sample_metrics(costs, outcome) | numbers | {"kl_step_mult": self.kl_step_mult.item()}

    def _assess_last_update(self, costs: Tensor) -> dict[str, float]:
        """Adapt the step size to how well the last prediction held; costs `(N,)` are this iteration's."""
        last, trajectory = self.last_update, self.config.trajectory
        if last is None:
            return {}
        actual = (last.costs - costs).mean()
        self.kl_step_mult = next_step_size(
            self.kl_step_mult, last.predicted, actual, trajectory.min_kl_step_mult, trajectory.max_kl_step_mult
        )
        return {"predicted_improvement": last.predicted.item(), "actual_improvement": actual.item()}

    def _update(self, samples: Samples, kept: Tensor, costs: Tensor) -> dict[str, float]:
        config, copies = self.config, self._copies[kept]
        held = samples.rows(kept)
        self.history = (*self.history, transitions(held.states, held.actions))[-config.dynamics.prior_iterations :]
        drawn_with = self.controller
        dynamics, _ = fit_stable_dynamics(held, drawn_with.rows(copies), self.history, config.dynamics, self.generator)
        first = torch.stack([(copies == i).nonzero()[0, 0] for i in range(config.num_conditions)])
        dynamics = Dynamics(*(part[first] for part in vars(dynamics).values()))
        expansion = self.task.cost.expand(held.states, held.actions)
        quadratic = QuadraticCost(*(_mean_by_condition(part, copies, config.num_conditions) for part in expansion))
        steps = held.states.shape[1]
        bound = (config.trajectory.kl_step * self.kl_step_mult * steps).expand(config.num_conditions)
        update = update_controllers(quadratic, dynamics, drawn_with, bound, eta=self.eta)
        predicted = predicted_improvement(drawn_with, update.controller, dynamics, quadratic)
        self.last_update = LastUpdate(drawn_with, costs, predicted)
        self.controller, self.eta = update.controller.rounded(update.marginals.state_mean), update.eta
        return {"kl": update.kl.mean().item(), "kl_bound": bound[0].item(), "eta": update.eta.median().item()}

    def _take_back(self, lost: Tensor) -> None:
        """The physics of a condition diverged in all samples: all go back to the controllers before the update.

        Raises:
            VisuomotorError: there are none: these are the first ones, or were taken back already.
        """
        if self.last_update is None:
            first = not self.history
            raise VisuomotorError(
                f"the physics of task {self.task.name!r} diverges in conditions {lost.nonzero()[:, 0].tolist()} with "
                f"{'the first controllers' if first else 'controllers that held before'}; lower "
                f"{'trajectory.initial_noise_std' if first else 'trajectory.kl_step'}, or give the joints more armature"
            )
        self.controller, self.last_update = self.last_update.controller, None
        self.kl_step_mult = torch.full_like(self.kl_step_mult, self.config.trajectory.min_kl_step_mult)

    def solution(self, env: VecEnv) -> PolicyFn:
        return noisy_controller(self.controller, torch.zeros_like(self.controller.offset))

    def solution_state(self) -> dict[str, Any]:
        return {
            "controller": to_plain(self.controller),
            "eta": self.eta,
            "kl_step_mult": self.kl_step_mult,
            "history": list(self.history),
            "last_update": None if self.last_update is None else to_plain(self.last_update),
        }

    def solution_pattern(self) -> dict[str, Any]:
        update = LastUpdate(self.controller, self.eta, self.kl_step_mult)
        return {name: Finite(value) for name, value in self.solution_state().items()} | {
            "history": ListOf(Tensor, self.config.dynamics.prior_iterations),
            "last_update": OrNone(Finite(to_plain(update))),
        }

    def restore_solution(self, content: dict[str, Any]) -> None:
        check_covariance(content["controller"]["covariance"], "state.solution.controller.covariance")
        self.controller = from_plain(Controller, content["controller"])
        self.eta, self.kl_step_mult = content["eta"], content["kl_step_mult"]
        self.history = tuple(content["history"])
        last = content["last_update"]
        self.last_update = None if last is None else from_plain(LastUpdate, last)


def _mean_by_condition(values: Tensor, conditions: Tensor, count: int) -> Tensor:
    """Means `(count, ...)` of the rows of `values` `(n, ...)` by their condition `(n,)`."""
    return torch.stack([values[conditions == condition].mean(0) for condition in range(count)])
