"""Iterative linear-quadratic-Gaussian control with the simulator as known model."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor

from visuomotor.algorithms.gps.linear_gaussian import Controller, Dynamics
from visuomotor.algorithms.gps.lqr import LqrSolver, QuadraticCost, stack_controllers
from visuomotor.algorithms.gps.rollout import PolicyFn
from visuomotor.algorithms.trajectory_search.config import SearchConfig
from visuomotor.algorithms.trajectory_search.known_model import Derivatives, KnownModel
from visuomotor.algorithms.trajectory_search.search import TrajectorySearch, sample_metrics
from visuomotor.errors import VisuomotorError
from visuomotor.runs.config import Range
from visuomotor.runs.distributed import Distributed
from visuomotor.runs.restore import Finite
from visuomotor.tasks import Cost, EpisodeOutcome, Observations, Task, VecEnv

_LARGEST, _SMALLEST = 1e10, 1e-8  # of the regularization


@dataclass(frozen=True, kw_only=True)
class IlqgConfig(SearchConfig):
    """iLQG."""

    regularization: Annotated[float, Range(1e-8, 1e10)] = 1.0
    """At first: added to the cost's curvature along each action (a fraction of its limit)."""
    regularization_factor: Annotated[float, Range(1.01, 1000)] = 4.0
    """It is divided by this after a step that was taken, and multiplied by it otherwise."""
    step_sizes: Annotated[int, Range(1, 100)] = 8
    """The line search tries 1, 1/2, 1/4, ..., at most so many, until the cost falls; each is an episode."""
    finite_difference: Annotated[float, Range(1e-8, 1)] = 1e-5
    """Half of the differences that derivatives are made of, see `KnownModel`."""


@dataclass(frozen=True)
class Trajectory:
    """The best episode of every condition so far.

    states `(N, T, S)` from `KnownModel.read`; observed `(N, T, X)` from `Task.state`; actions `(N, T, U)`; costs
    `(N,)`; gain `(N, T, U, D)`: feedback on the coordinates about it.
    """

    states: Tensor
    observed: Tensor
    actions: Tensor
    costs: Tensor
    gain: Tensor


class Ilqg(TrajectorySearch):
    """Expand dynamics and cost about a trajectory, solve the linear-quadratic problem, and follow its controller as far
    as the cost falls (Todorov and Li 2005; Tassa et al. 2012).

    The regularization is a price on the change of the actions, Tassa's with the identity on the actions; the line
    search scales the controller's open-loop part. Nothing is fitted: the dynamics are the simulator's own, by finite
    differences, which are not among the `episodes`; those of the line search are. `model_episodes` are the finite
    differences so far, in episodes of as many steps.
    """

    name: ClassVar[str] = "ilqg"
    version: ClassVar[int] = 2
    presets: ClassVar[Mapping[str, Any]] = {"laptop": IlqgConfig()}
    config: IlqgConfig

    def __init__(
        self,
        task: Task,
        config: IlqgConfig,
        seed: int,
        distributed: Distributed | None = None,
        task_reference: str = "",
    ):
        super().__init__(task, config, seed, distributed, task_reference)
        self.model = KnownModel(task, config.finite_difference)
        conditions, steps, actions = config.num_conditions, task.max_episode_steps, task.action_size
        read = self.model.read(self._solution_env.engine).shape[1]

        def zeros(*more: int) -> Tensor:
            return torch.zeros(conditions, *more, dtype=torch.float64)

        self.best = Trajectory(
            states=zeros(steps, read),
            observed=zeros(steps, self.start_states.shape[1]),
            actions=zeros(steps, actions),
            costs=torch.full((conditions,), torch.inf, dtype=torch.float64),
            gain=zeros(steps, actions, self.model.size),
        )
        self.regularization = zeros() + config.regularization

    def search(self) -> dict[str, Any]:
        if self.iteration == 0:
            self._begin()
        step, before = self._solve(), self.best
        failed = torch.ones(self.config.num_conditions, dtype=torch.bool)
        tried: list[tuple[Tensor, Tensor, Tensor]] = []
        for size in 0.5 ** torch.arange(self.config.step_sizes, dtype=torch.float64):
            outcome, costs = self._try(before, step, size, failed)
            tried.append((costs[failed], outcome.success[failed], outcome.distance[failed]))
            failed = failed & ~(costs < before.costs)
            if not failed.any():
                break
        costs, success, distance = (torch.cat(parts) for parts in zip(*tried, strict=True))
        factor = self.config.regularization_factor
        changed = torch.where(failed, self.regularization * factor, self.regularization / factor)
        self.regularization = changed.clamp(_SMALLEST, _LARGEST)
        return {
            **sample_metrics(costs, EpisodeOutcome(success, distance)),
            "accepted": 1 - failed.double().mean().item(),
            "regularization": self.regularization.median().item(),
            "model_episodes": (self.iteration + 1) * len(failed) * self.model.worlds,
        }

    def _try(self, before: Trajectory, step: Controller, size: Tensor, wanted: Tensor) -> tuple[EpisodeOutcome, Tensor]:
        """One episode of each condition, this share of the step away from `before`; counts the wanted ones `(N,)`, and
        keeps those of them that are better. Returns outcome and costs of all."""
        policy, states = self._follow(self._solution_env, step.gain, before.actions + size * step.offset, before.states)
        samples, outcome, costs = self.run_episodes(self._solution_env, policy)
        self.episodes += int(wanted.sum())
        found = Trajectory(torch.stack(states, 1), samples.states, samples.actions, costs, step.gain)
        self.best = _where(wanted & (costs < before.costs), found, self.best)
        return outcome, costs

    def _begin(self) -> None:
        """The first trajectories hold the start pose."""
        hold = self.first_controller(1.0)
        env, states = self._solution_env, list[Tensor]()

        def act(step: int, observations: Observations, images: Tensor | None) -> Tensor:
            states.append(self.model.read(env.engine))
            return hold.at(step).mean_action(observations["state"])

        samples, _, costs = self.run_episodes(env, act)
        self.episodes += env.num_envs
        if samples.diverged.any():
            raise VisuomotorError(
                f"the physics of task {self.task.name!r} diverges where the start pose is held; give the joints more "
                "armature"
            )
        self.best = Trajectory(torch.stack(states, 1), samples.states, samples.actions, costs, self.best.gain)

    def _solve(self) -> Controller:
        """The controllers of the linear-quadratic problems, about the best trajectories."""
        best, conditions = self.best, range(self.config.num_conditions)
        each = [
            self.model.differentiate(self.starts[torch.tensor([i])], best.states[i], best.actions[i])
            for i in conditions
        ]
        derivatives = Derivatives(*(torch.stack(parts) for parts in zip(*each, strict=True)))
        cost = expand_about(self.task.cost, best.observed, best.actions, derivatives.observation)
        solver = linear_quadratic(cost, derivatives.transition)
        return stack_controllers([solver.backward(i, self.regularization[i].item()) for i in conditions])

    def solution(self, env: VecEnv) -> PolicyFn:
        policy, _ = self._follow(env, self.best.gain, self.best.actions, self.best.states)
        return policy

    def _follow(self, env: VecEnv, gain: Tensor, offsets: Tensor, about: Tensor) -> tuple[PolicyFn, list[Tensor]]:
        """The policy u_t = offset_t + K_t dx_t of an environment's worlds, and the states that it will see."""
        states: list[Tensor] = []

        def act(step: int, observations: Observations, images: Tensor | None) -> Tensor:
            states.append(self.model.read(env.engine))
            away = self.model.coordinates(states[-1], about[:, step])
            return offsets[:, step] + (gain[:, step] @ away[..., None])[..., 0]

        return act, states

    def solution_state(self) -> dict[str, Any]:
        return {**vars(self.best), "regularization": self.regularization}

    def solution_pattern(self) -> dict[str, Any]:
        state = self.solution_state()
        return {name: Finite(value) for name, value in state.items()} | {"costs": state["costs"]}  # infinite at first

    def restore_solution(self, content: dict[str, Any]) -> None:
        parts = dict(content)
        self.regularization = parts.pop("regularization")
        self.best = Trajectory(**parts)


def expand_about(cost: Cost, observed: Tensor, actions: Tensor, observation: Tensor) -> QuadraticCost:
    """The cost's expansion in coordinates about a trajectory, z = [dx; du], by the chain rule to first order (Gauss and
    Newton): H_z = M' H M and g_z = M' (H z_0 + g), with M = [[J, 0], [0, 1]].

    Args:
        observed: `(N, T, X)`. actions: `(N, T, U)`. observation: J, `(N, T, X, D)`.
    """
    expansion = cost.expand(observed, actions)
    size, count = observation.shape[-1], actions.shape[-1]
    chain = observation.new_zeros(*observation.shape[:2], observed.shape[-1] + count, size + count)
    chain[..., : observed.shape[-1], :size] = observation
    chain[..., observed.shape[-1] :, size:] = torch.eye(count, dtype=chain.dtype)
    here = torch.cat([observed, actions], dim=-1)
    slope = expansion.gradient + (expansion.hessian @ here[..., None])[..., 0]
    return QuadraticCost(
        chain.mT @ expansion.hessian @ chain, (chain.mT @ slope[..., None])[..., 0], cost(observed, actions)
    )


def linear_quadratic(cost: QuadraticCost, transition: Tensor) -> LqrSolver:
    """The problem about a trajectory that obeys the dynamics; its multiplier eta is the price eta/2 |du|^2.

    Args:
        transition: `(N, T, D, D + U)`; what the last step leads to does not count.
    """
    conditions, steps, size, total = transition.shape
    nothing = cost.gradient.new_zeros(conditions, steps, size)
    no_noise = cost.gradient.new_zeros(conditions, steps, size, size)
    dynamics = Dynamics(transition[:, :-1], nothing[:, :-1], no_noise[:, :-1], nothing[:, 0], no_noise[:, 0])
    actions = total - size
    stay = Controller(
        cost.gradient.new_zeros(conditions, steps, actions, size),
        cost.gradient.new_zeros(conditions, steps, actions),
        torch.eye(actions, dtype=torch.float64).expand(conditions, steps, actions, actions),
    )
    return LqrSolver(cost, dynamics, cost.gradient.new_zeros(conditions, steps), stay)


def _where(chosen: Tensor, ones: Trajectory, others: Trajectory) -> Trajectory:
    """The conditions of `ones` where `chosen` `(N,)`, else those of `others`."""
    pairs = zip(vars(ones).values(), vars(others).values(), strict=True)
    return Trajectory(*(torch.where(chosen.view(-1, *[1] * (a.ndim - 1)), a, b) for a, b in pairs))
