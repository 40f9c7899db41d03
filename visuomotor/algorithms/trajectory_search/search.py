"""What all searches share: starts, episodes that are counted, and the solution tried after every iteration."""

import time
from abc import abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar

import torch
from torch import Tensor

from visuomotor.algorithms.algorithm import Algorithm
from visuomotor.algorithms.gps.exploration import check_pd_controller, init_pd_controller
from visuomotor.algorithms.gps.linear_gaussian import Controller
from visuomotor.algorithms.gps.rollout import PolicyFn, Samples, rollout
from visuomotor.algorithms.trajectory_search.config import SearchConfig
from visuomotor.errors import VisuomotorError
from visuomotor.policies import TrainedPolicy
from visuomotor.runs import generator_states, restore_generators
from visuomotor.runs.distributed import Distributed
from visuomotor.runs.restore import Finite, check_like
from visuomotor.tasks import EpisodeOutcome, ResetParams, Task, VecEnv


class TrajectorySearch(Algorithm):
    """Looks for a controller on the full state that has a low cost (`Task.cost`) from given starts.

    All searches begin with the same controller, which holds the start pose. Rows of metrics have how many `episodes`
    were sampled so far, `cost`, `success` and `final_distance_m` of this iteration's samples, and `policy_cost`,
    `policy_success` and `policy_distance_m` of the solution: one episode from each start without any noise, which the
    search does not see and which does not count. There is no policy from pixels.
    """

    version: ClassVar[int] = 1
    first_iteration: ClassVar[int] = 0
    trains_policy: ClassVar[bool] = False
    adjustable: ClassVar[frozenset[str]] = frozenset({"iterations"})
    """Nothing depends on how many iterations are still to come."""

    def __init__(
        self,
        task: Task,
        config: SearchConfig,
        seed: int,
        distributed: Distributed | None = None,
        task_reference: str = "",
    ):
        super().__init__(task, config, seed, distributed, task_reference)
        if self.distributed.world_size > 1:
            raise VisuomotorError(f"{self.name} runs in one process: start it without torchrun")
        self.generator = torch.Generator().manual_seed(self.seed)
        self.starts = self.draw_starts()
        self.iteration = self.episodes = 0
        self._solution_env = self.make_env(1)
        check_pd_controller(self._solution_env)
        self._solution_env.reset(params=self.starts)
        self.start_states: Tensor = self._solution_env.observe()["state"]
        """`(N, X)`, of every condition."""

    def draw_starts(self) -> ResetParams:
        """One start a condition, drawn once."""
        drawing = torch.Generator().manual_seed(self.seed)
        return self.task.sample_reset(self.config.num_conditions, drawing, self.task.condition_split, randomize=False)

    @abstractmethod
    def search(self) -> dict[str, Any]:
        """One iteration: sample episodes, count them in `episodes`, update the solution; returns metrics."""

    @abstractmethod
    def solution(self, env: VecEnv) -> PolicyFn:
        """The solution's mean actions in an environment from `make_env(1)`."""

    def make_env(self, copies: int) -> VecEnv:
        """`copies` worlds of each condition: those of the first copy, then those of the next."""
        return VecEnv(
            self.task,
            copies * self.config.num_conditions,
            torch.Generator().manual_seed(self.seed),
            observations=("state", "proprioception"),
            randomize=False,
        )

    def conditions_of(self, worlds: int) -> Tensor:
        """`(worlds,)` int: the condition of each world of an environment from `make_env`."""
        return torch.arange(worlds) % self.config.num_conditions

    def run_episodes(self, env: VecEnv, policy: PolicyFn) -> tuple[Samples, EpisodeOutcome, Tensor]:
        """One episode in each world of an environment from `make_env`; the last are their costs `(n,)`, infinite where
        the physics diverged."""
        samples, outcome = rollout(env, self.starts[self.conditions_of(env.num_envs)], policy)
        costs = self.task.cost(samples.states, samples.actions).sum(-1)
        return samples, outcome, torch.where(samples.diverged, torch.inf, costs)

    def first_controller(self, noise_std: float) -> Controller:
        """Holds the start pose of every condition."""
        return init_pd_controller(self.task, self.start_states, noise_std)

    @property
    def done(self) -> bool:
        return self.iteration >= self.config.iterations

    @property
    def trained(self) -> dict[str, int]:
        return {"iterations": self.iteration}

    def steps(self) -> Iterator[dict[str, Any]]:
        while not self.done:
            started = time.monotonic()
            row = {"phase": "search", "iteration": self.iteration, "iterations": self.config.iterations}
            row |= self.search()
            self.iteration += 1
            _, outcome, costs = self.run_episodes(self._solution_env, self.solution(self._solution_env))
            self.elapsed_seconds += time.monotonic() - started
            yield row | {
                "episodes": self.episodes,
                "policy_cost": costs.mean().item(),
                "policy_success": outcome.success.double().mean().item(),
                "policy_distance_m": outcome.distance.mean().item(),
                "elapsed_seconds": self.elapsed_seconds,
            }

    def policy(self) -> TrainedPolicy | None:
        return None

    def state_dict(self) -> dict[str, Any]:
        return {
            "seed": self.seed,
            "iteration": self.iteration,
            "episodes": self.episodes,
            "elapsed_seconds": self.elapsed_seconds,
            "generators": generator_states({"search": self.generator}),
            "solution": self.solution_state(),
        }

    def load_state_dict(self, content: dict[str, Any]) -> None:
        pattern = {**self.state_dict(), "generators": dict, "solution": self.solution_pattern()}
        pattern["elapsed_seconds"] = Finite(0.0)
        check_like(content, pattern, "state")
        self.iteration, self.episodes = content["iteration"], content["episodes"]
        self.elapsed_seconds = content["elapsed_seconds"]
        restore_generators({"search": self.generator}, content["generators"])
        self.restore_solution(content["solution"])

    @abstractmethod
    def solution_state(self) -> dict[str, Any]:
        """What the next iteration depends on beside the counters, in plain containers."""

    def solution_pattern(self) -> dict[str, Any]:
        """What `solution_state` looks like, for `check_like`."""
        return self.solution_state()

    @abstractmethod
    def restore_solution(self, content: dict[str, Any]) -> None:
        """Go back to where `solution_state` was taken."""


def sample_metrics(costs: Tensor, outcome: EpisodeOutcome) -> dict[str, float]:
    """Metrics of sampled episodes; the cost is the mean over those whose physics held."""
    held = costs[costs.isfinite()]
    cost = {"cost": held.mean().item()} if len(held) else {}
    return cost | {
        "success": outcome.success.double().mean().item(),
        "final_distance_m": outcome.distance.mean().item(),
    }
