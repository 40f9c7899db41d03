"""Guided policy search whose policy is a small network on the full state."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor, nn

from visuomotor.algorithms.gps.badmm import BadmmState, initial_state, iterate
from visuomotor.algorithms.gps.checkpointing import badmm_pattern, check_badmm, from_plain, to_plain
from visuomotor.algorithms.gps.config import (
    BadmmConfig,
    DynamicsConfig,
    GpsConfig,
    TrajectoryConfig,
    TrajectoryUpdateConfig,
    check_trajectory_settings,
)
from visuomotor.algorithms.gps.exploration import noisy_controller, smooth_noise
from visuomotor.algorithms.gps.policy_opt import StatePolicyOptimizer
from visuomotor.algorithms.gps.rollout import PolicyFn
from visuomotor.algorithms.gps.supervised import FitConfig
from visuomotor.algorithms.trajectory_search.config import SearchConfig
from visuomotor.algorithms.trajectory_search.search import TrajectorySearch, sample_metrics
from visuomotor.errors import VisuomotorError
from visuomotor.policies import StatePolicy
from visuomotor.runs.config import Range
from visuomotor.runs.distributed import Distributed
from visuomotor.runs.restore import restore_module
from visuomotor.tasks import Observations, Task, VecEnv


@dataclass(frozen=True, kw_only=True)
class GpsNetworkConfig(SearchConfig):
    """Guided policy search on the full state."""

    samples: Annotated[int, Range(2, 100_000)] = 5
    """Episodes of each condition in an iteration, each with a controller of its own."""
    trajectory: TrajectoryUpdateConfig = field(default_factory=lambda: TrajectoryUpdateConfig(initial_noise_std=0.2))
    dynamics: DynamicsConfig = field(default_factory=DynamicsConfig)
    badmm: BadmmConfig = field(default_factory=BadmmConfig)
    hidden: Annotated[int, Range(1, 1000)] = 40
    """Hidden units of the network."""
    network: FitConfig = field(default_factory=lambda: FitConfig(steps=500))
    """The network's fit in each inner iteration."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_trajectory_settings(self.trajectory, self.dynamics)


class GpsNetwork(TrajectorySearch):
    """BADMM as in `gps`, with a network of the full state in place of the visuomotor policy (Levine et al. 2015, IV).
    The network has one hidden layer of soft rectifiers, like that of the episodic searches.

    The network is the solution. Controllers serve to train it, and may use what they know of time and of their start.
    """

    name: ClassVar[str] = "gps-network"
    version: ClassVar[int] = 2
    presets: ClassVar[Mapping[str, Any]] = {"laptop": GpsNetworkConfig(num_conditions=4)}
    config: GpsNetworkConfig

    def __init__(
        self,
        task: Task,
        config: GpsNetworkConfig,
        seed: int,
        distributed: Distributed | None = None,
        task_reference: str = "",
    ):
        super().__init__(task, config, seed, distributed, task_reference)
        trajectory = TrajectoryConfig(**vars(config.trajectory))
        self._gps = GpsConfig(trajectory=trajectory, dynamics=config.dynamics, badmm=config.badmm)
        self._env = self.make_env(config.samples)
        states, actions = task.size("state"), task.action_size
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            first, last = nn.Linear(states, config.hidden), nn.Linear(config.hidden, actions)
            self.network = StatePolicy(states, actions, nn.Sequential(first, nn.Softplus(), last))
        controller = self.first_controller(config.trajectory.initial_noise_std)
        self.badmm = initial_state(controller.rows(self.conditions_of(self._env.num_envs)), self._gps)

    def search(self) -> dict[str, Any]:
        controller = self.badmm.controller
        noise = smooth_noise(
            tuple(controller.offset.shape), self.generator, self.config.trajectory.noise_smoothing_steps
        )
        samples, outcome, costs = self.run_episodes(self._env, noisy_controller(controller, noise))
        self.episodes += self._env.num_envs
        if samples.diverged.any() and self.badmm.last_update is None:
            raise VisuomotorError(
                f"the physics of task {self.task.name!r} diverges with the first controllers; lower "
                "trajectory.initial_noise_std, or give the joints more armature"
            )
        optimizer = StatePolicyOptimizer(self.network, self.config.network, self.generator)
        numbers: dict[str, Any] = {}
        self.badmm = iterate(
            self.badmm, samples, optimizer, self.task.cost, self._gps, self.generator, callback=numbers.update
        )
        return numbers | sample_metrics(costs, outcome)

    def solution(self, env: VecEnv) -> PolicyFn:
        @torch.inference_mode()
        def act(step: int, observations: Observations, images: Tensor | None) -> Tensor:
            return self.network(observations["state"]).double().clone()

        return act

    def solution_state(self) -> dict[str, Any]:
        return {"network": dict(self.network.state_dict()), "badmm": to_plain(self.badmm)}

    def solution_pattern(self) -> dict[str, Any]:
        task, shape = self.task, (self._env.num_envs, self.task.max_episode_steps)
        sizes = {name: task.size(name) for name in ("state", "proprioception")}
        return {"network": dict, "badmm": badmm_pattern(shape, sizes, task.action_size, 0, self._gps)}

    def restore_solution(self, content: dict[str, Any]) -> None:
        restore_module(self.network, content["network"], "state.solution.network")
        check_badmm(content["badmm"], "state.solution.badmm")
        self.badmm = from_plain(BadmmState, content["badmm"])
