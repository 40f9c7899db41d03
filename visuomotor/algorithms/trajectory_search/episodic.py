"""Black-box search over a policy's parameters, an episode at a time."""

from abc import abstractmethod
from typing import Any, ClassVar, Generic, TypeVar

import torch
from torch import Tensor

from visuomotor.algorithms.gps.exploration import noisy_controller, smooth_noise
from visuomotor.algorithms.gps.rollout import PolicyFn
from visuomotor.algorithms.trajectory_search.config import EpisodicConfig
from visuomotor.algorithms.trajectory_search.gaussian import RIDGE, Gaussian, weighted_fit
from visuomotor.algorithms.trajectory_search.parametrization import make_parametrization
from visuomotor.algorithms.trajectory_search.search import TrajectorySearch, sample_metrics
from visuomotor.errors import VisuomotorError
from visuomotor.runs.distributed import Distributed
from visuomotor.runs.restore import Finite, check_covariance
from visuomotor.tasks import Observations, Task, VecEnv

_SCALING_EPISODES = 4  # a condition
_SCALING_NOISE = 0.1  # standard deviation of their actions, as a fraction of each limit
_SMALLEST_SCALE = 1e-3


Config = TypeVar("Config", bound=EpisodicConfig)


class EpisodicSearch(TrajectorySearch, Generic[Config]):
    """Draws parameters from a Gaussian, tries each in one episode a condition without other noise, weights them by
    their returns (minus the cost, mean over conditions), and refits the Gaussian to them.

    States are normalized by what a few episodes with noisy actions before the first iteration show. They count.
    """

    version: ClassVar[int] = 2
    config: Config

    def __init__(
        self,
        task: Task,
        config: Config,
        seed: int,
        distributed: Distributed | None = None,
        task_reference: str = "",
    ):
        super().__init__(task, config, seed, distributed, task_reference)
        states, actions = self.start_states.shape[-1], task.action_size
        self.parametrization = make_parametrization(task.max_episode_steps, states, actions, config.policy)
        self.distribution = Gaussian(
            self.parametrization.initial_mean(torch.Generator().manual_seed(self.seed)),
            config.initial_std**2 * torch.eye(self.parametrization.size, dtype=torch.float64),
        )
        self.state_mean = torch.zeros(states, dtype=torch.float64)
        self.state_scale = torch.ones(states, dtype=torch.float64)
        self._hold = self.first_controller(_SCALING_NOISE).at(0)
        self._env = self.make_env(config.samples)

    @abstractmethod
    def weights(self, returns: Tensor) -> tuple[Tensor, dict[str, float]]:
        """How much each parameter vector counts in the next fit, `(n,)` with sum one, for finite returns `(n,)`; and
        metrics."""

    def search(self) -> dict[str, Any]:
        if self.iteration == 0:
            self._scale_states()
        count, conditions = self.config.samples, self.config.num_conditions
        parameters = self.distribution.sample(count, self.generator)
        _, outcome, costs = self.run_episodes(self._env, self._policy(parameters))
        self.episodes += self._env.num_envs
        returns = -costs.view(count, conditions).mean(-1)
        held = returns.isfinite()
        if held.sum() < 2:
            raise VisuomotorError(
                f"the physics of task {self.task.name!r} diverges with almost all parameters; lower initial_std"
            )
        weights, numbers = self.weights(returns[held])
        self.distribution = weighted_fit(parameters[held], weights, self.distribution, self.config)
        return {
            **sample_metrics(costs, outcome),
            "effective_samples": 1 / weights.square().sum().item(),
            "search_std": self.distribution.std.mean().item(),
            **numbers,
        }

    def solution(self, env: VecEnv) -> PolicyFn:
        return self._policy(self.distribution.mean[None])

    def _policy(self, parameters: Tensor) -> PolicyFn:
        """The policies of parameters `(n, D)`, each in one world a condition."""
        repeated = parameters.repeat_interleave(self.config.num_conditions, dim=0)
        hold = self._hold.rows(self.conditions_of(len(repeated)))

        def act(step: int, observations: Observations, images: Tensor | None) -> Tensor:
            states = observations["state"]
            normalized = (states - self.state_mean) / self.state_scale
            return hold.mean_action(states) + self.parametrization.actions(repeated, step, normalized)

        return act

    def _scale_states(self) -> None:
        """Set the frozen normalizers from the first data."""
        env = self.make_env(_SCALING_EPISODES)
        controller = self.first_controller(_SCALING_NOISE)
        noise = smooth_noise((env.num_envs, *controller.offset.shape[1:]), self.generator)
        drawn_with = controller.rows(self.conditions_of(env.num_envs))
        samples, _, _ = self.run_episodes(env, noisy_controller(drawn_with, noise))
        self.episodes += env.num_envs
        states = samples.states[~samples.diverged].flatten(0, 1)
        if len(states):
            self.state_mean = states.mean(0)
            self.state_scale = states.std(0).clamp(min=_SMALLEST_SCALE)

    def solution_state(self) -> dict[str, Any]:
        return {
            "mean": self.distribution.mean,
            "covariance": self.distribution.covariance,
            "state_mean": self.state_mean,
            "state_scale": self.state_scale,
        }

    def solution_pattern(self) -> dict[str, Any]:
        return {name: Finite(value) for name, value in self.solution_state().items()}

    def restore_solution(self, content: dict[str, Any]) -> None:
        covariance = content["covariance"]  # needs the ridge where there were fewer samples than parameters
        check_covariance(covariance + RIDGE * torch.eye(len(covariance)).to(covariance), "state.solution.covariance")
        self.distribution = Gaussian(content["mean"], content["covariance"])
        self.state_mean, self.state_scale = content["state_mean"], content["state_scale"]
