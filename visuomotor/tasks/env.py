"""Many worlds of a task, stepped together: physics, observations, pixels, rewards, resets."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from visuomotor.camera import LARGEST_SIDE, LARGEST_SUPERSAMPLING, Camera
from visuomotor.engine.world_ids import check_world_ids
from visuomotor.errors import VisuomotorError, brief, unknown, whole_number
from visuomotor.tasks.reset_params import ResetParams
from visuomotor.tasks.task import OBSERVATIONS, EpisodeOutcome, Task

Observations = dict[str, Tensor]
"""Groups of observations by name, `(num_envs, ...)`; see `Task`."""


@dataclass(frozen=True)
class Transition:
    """What one control step led to, before any world is reset.

    observations: of the states reached, the last of an episode included; reward: `(n,)`; done: `(n,)` bool, the
    episode is over, by time, by `early_termination_steps` of its given state or by divergence; diverged: `(n,)` bool,
    the physics diverged: nothing may be learned from the step.
    """

    observations: Observations
    reward: Tensor
    done: Tensor
    diverged: Tensor


@dataclass(frozen=True)
class InitialStates:
    """Given states to start episodes in.

    states: `(n, state)` of the engine; dynamics: the rows of `ResetParams.dynamics` that they belong to;
    max_episode_steps: control steps until the time limit; early_termination_steps: end the episode after this many
    steps outside its first stage, None for no such limit; state_ids: `(n,)` int64, passed back to `record_outcomes`.
    """

    states: Tensor
    dynamics: Mapping[str, Tensor]
    max_episode_steps: int
    early_termination_steps: int | None
    state_ids: Tensor


class InitialStateSampler(Protocol):
    """Where episodes may start besides the task's own random starts."""

    def sample(self, count: int, generator: torch.Generator) -> tuple[Tensor, InitialStates]:
        """`(count,)` bool, which of `count` episodes start in given states, and these, in that order."""
        ...

    def record_outcomes(
        self, state_ids: Tensor, furthest_stage: Tensor, success_fraction: Tensor, lengths: Tensor
    ) -> None:
        """Learn how episodes from `state_ids` `(n,)` went: the latest stage of each `(n,)` int; the fraction of its
        steps, had it lasted to its time limit, in the task's last stage `(n,)` float; its length `(n,)` int, steps."""
        ...


class VecEnv:
    """`num_envs` worlds of a task.

    Call `step` with actions, `reset` with the worlds whose episodes are done, `render` for images.

    Args:
        task: what is to be done.
        num_envs: how many worlds.
        generator: of all randomness: starts, dynamics, appearance.
        observations: which groups to compute, see `OBSERVATIONS`. "stage" is always among them.
        image_size, supersampling: of the task's camera.
        split: of the task's starts.
        randomize: whether starts deviate, and worlds differ in dynamics and appearance.
        initial_states: other states to start in; None for the task's starts only.
        init_at_random_ep_len: begin the first episodes at random lengths, so that they do not all end at once.
        max_episode_steps: control steps until the time limit; None takes the task's.
        threads: of engine and camera; 0 for all cores.

    Raises:
        VisuomotorError: a number is no whole one, or out of range; no such split or group of observations.
    """

    def __init__(
        self,
        task: Task,
        num_envs: int,
        generator: torch.Generator,
        *,
        observations: Sequence[str] = OBSERVATIONS,
        image_size: int = 64,
        supersampling: int = 1,
        split: str = "random",
        randomize: bool = True,
        initial_states: InitialStateSampler | None = None,
        init_at_random_ep_len: bool = False,
        max_episode_steps: int | None = None,
        threads: int = 0,
    ):
        if not isinstance(observations, list | tuple):
            raise VisuomotorError(f'observations must be a list of groups, such as ["state"], not {observations!r}')
        for group in observations:
            if group not in OBSERVATIONS:
                raise unknown("group of observations", group, OBSERVATIONS)
        num_envs = whole_number("num_envs", num_envs, 1, 1_000_000)
        image_size = whole_number("image_size", image_size, 1, LARGEST_SIDE)
        supersampling = whole_number("supersampling", supersampling, 1, LARGEST_SUPERSAMPLING)
        threads = whole_number("threads", threads, 0, 10_000)
        if not isinstance(randomize, bool | np.bool_):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise VisuomotorError(f"randomize must be True or False, not {brief(randomize)}")
        self.task, self.num_envs, self.generator = task, num_envs, generator
        limit = task.max_episode_steps if max_episode_steps is None else max_episode_steps
        self.max_episode_steps = whole_number("max_episode_steps", limit, 1, 2**31)
        self.engine = task.make_engine(num_envs, threads)
        self._groups = tuple(dict.fromkeys((*observations, "stage")))
        self._split, self._randomize, self._initial_states = split, randomize, initial_states
        everyone = torch.arange(num_envs)
        # A throw-away draw gives worlds their own copies of the fields that differ; the camera must find these.
        self.params = task.sample_reset(num_envs, torch.Generator().manual_seed(0), split, randomize=False)
        task.apply_randomization(self.engine, everyone, self.params)
        self._camera = Camera(self.engine, task.camera, image_size, image_size, supersampling, threads)
        self.episode_length_buf = torch.zeros(num_envs, dtype=torch.int64)
        """`(num_envs,)`: control steps of the episode under way; the time limit counts it."""
        self.initial_state_id = torch.full((num_envs,), -1)
        """`(num_envs,)`: the id of the given state at which the episode began; -1 for a start of the task's own."""
        # Of the episodes under way: steps made, the latest stage, steps in the last stage; the first stage, steps in
        # others, and how many of these there may be.
        self._steps, self._furthest, self._successes = (torch.zeros_like(self.episode_length_buf) for _ in range(3))
        self._first, self._outside, self._outside_limit = (torch.zeros_like(self.episode_length_buf) for _ in range(3))
        self._diverged = torch.zeros(num_envs, dtype=torch.bool)
        self.reset()
        if init_at_random_ep_len:
            random = torch.randint(self.max_episode_steps, (num_envs,), generator=generator)
            self.episode_length_buf = self.episode_length_buf.maximum(random)  # given states have shorter episodes

    @property
    def random_start(self) -> Tensor:
        """`(num_envs,)` bool: whether the episode under way began at a start of the task's own."""
        return self.initial_state_id < 0

    def render(self, env_ids: Tensor | None = None) -> Tensor:
        """`(n, height, width, 3)` uint8, fresh; `env_ids` is `(n,)` int, None for all."""
        return self._camera.rgb(env_ids)

    def render_rerandomized(self, generator: torch.Generator | None = None) -> Tensor:
        """`(num_envs, height, width, 3)` uint8: the same states, with an appearance drawn for these images alone, by
        default with the environment's generator."""
        if not self._randomize:
            return self.render()
        self.task.randomize_appearance(self.engine, generator or self.generator, self._split)
        self.engine.update_view()  # else cameras and lights stay where they are
        images = self.render()
        self.task.apply_appearance(self.engine, torch.arange(self.num_envs), self.params.appearance)
        self.engine.update_view()
        return images

    def observe(self) -> Observations:
        """The groups of observations of all worlds, fresh."""
        return {group: getattr(self.task, group)(self.engine) for group in self._groups}

    def step(self, actions: Tensor) -> Transition:
        """One control period. actions: `(num_envs, A)` in [-1, 1], the fraction of each limit; clipped to it.

        Raises:
            VisuomotorError: actions have another shape, or one is not finite; the task gives a stage that is none.
        """
        given, shape = getattr(actions, "shape", None), (self.num_envs, self.task.action_size)
        # A single row would go to all worlds; arrays and lists have no `isfinite`.
        if not hasattr(actions, "isfinite") or given != shape or actions.is_complex():
            raise VisuomotorError(
                f"actions must be a tensor of numbers {shape}, not {type(actions).__name__} {tuple(given or ())}"
            )
        if not actions.isfinite().all():
            worlds = (~actions.isfinite().all(-1)).nonzero()[:, 0].tolist()
            raise VisuomotorError(f"actions of worlds {worlds[:8]} are not finite; the policy has diverged")
        task = self.task
        task.step(self.engine, actions)
        diverged = self.engine.diverged.clone()
        self._diverged |= diverged
        observations = self.observe()
        stage = observations["stage"]
        task.check_stage(stage)
        self.episode_length_buf += 1
        self._steps += 1
        self._furthest = torch.maximum(self._furthest, stage)
        self._successes += task.success(stage)
        self._outside += stage != self._first
        reward = task.reward(self.engine)
        reward[diverged] = 0.0
        done = (self.episode_length_buf >= self.max_episode_steps) | (self._outside >= self._outside_limit) | diverged
        return Transition(observations, reward, done, diverged)

    def reset(self, env_ids: Tensor | None = None, params: ResetParams | None = None) -> None:
        """Start new episodes.

        Args:
            env_ids: `(n,)` int, ascending; None for all worlds.
            params: their starts; None draws them, or takes given states where there are some.
        """
        if env_ids is None:
            env_ids = torch.arange(self.num_envs)
        check_world_ids(env_ids, self.num_envs, ascending=True)
        if not len(env_ids):
            return
        task, given = self.task, None
        if self._initial_states is not None:
            self._record_outcomes(env_ids)
        for counter in (self.episode_length_buf, self._furthest, self._successes, self._steps, self._outside):
            counter[env_ids] = 0
        self._outside_limit[env_ids] = self.max_episode_steps
        self.initial_state_id[env_ids] = -1
        self._diverged[env_ids] = False
        chosen = torch.zeros(len(env_ids), dtype=torch.bool)
        if params is None:
            if self._initial_states is not None:
                chosen, given = self._initial_states.sample(len(env_ids), self.generator)
            params = task.sample_reset(len(env_ids), self.generator, self._split, self._randomize)
            if given is not None:
                for name, value in given.dynamics.items():
                    params.dynamics[name][chosen] = value
        self.params.assign(env_ids, params)
        task.reset(self.engine, env_ids, params)
        if given is not None and chosen.any():
            self._put_into(env_ids[chosen], given)
        self._first[env_ids] = task.stage(self.engine)[env_ids]

    def _put_into(self, env_ids: Tensor, given: InitialStates) -> None:
        self.engine.set_state(given.states, env_ids)
        self.episode_length_buf[env_ids] = max(0, self.max_episode_steps - given.max_episode_steps)
        if given.early_termination_steps is not None:
            self._outside_limit[env_ids] = given.early_termination_steps
        self.initial_state_id[env_ids] = given.state_ids

    def _record_outcomes(self, env_ids: Tensor) -> None:
        """Tell the sampler about the episodes that end here, but for those whose physics diverged."""
        assert self._initial_states is not None
        known = env_ids[(self.initial_state_id[env_ids] >= 0) & ~self._diverged[env_ids]]
        whole = self._steps + self.max_episode_steps - self.episode_length_buf
        self._initial_states.record_outcomes(
            self.initial_state_id[known],
            self._furthest[known],
            (self._successes / whole)[known],
            self._steps[known],
        )

    def finish_episodes(self, callback: Callable[[], None] | None = None) -> EpisodeOutcome:
        """See `Task.finish_episode`. Worlds that have diverged since their reset have failed."""
        outcome = self.task.finish_episode(self.engine, callback)
        return EpisodeOutcome(outcome.success & ~self._diverged, outcome.distance)

    def state_dict(self) -> dict[str, Any]:
        """Everything that the episodes' future depends on but the generator, in plain containers."""
        params = self.params.clone()
        return {
            "state": self.engine.state(),
            "params": vars(params),
            "episode_length": self.episode_length_buf.clone(),
            "initial_state_id": self.initial_state_id.clone(),
            "diverged": self._diverged.clone(),
            "episodes": torch.stack(
                [self._steps, self._furthest, self._successes, self._first, self._outside, self._outside_limit]
            ),
        }

    def load_state_dict(self, content: dict[str, Any]) -> None:
        """Go back to where `state_dict` was taken."""
        if len(content["episode_length"]) != self.num_envs:
            raise VisuomotorError(
                f"the checkpoint holds {len(content['episode_length'])} worlds, not {self.num_envs}; "
                "resume with as many"
            )
        self.params = ResetParams(**content["params"]).clone()  # resets write into it
        self.task.apply_randomization(self.engine, torch.arange(self.num_envs), self.params)
        self.engine.set_state(content["state"])
        self.episode_length_buf = content["episode_length"].clone()
        self.initial_state_id = content["initial_state_id"].clone()
        self._diverged = content["diverged"].clone()
        counters = content["episodes"].clone()
        self._steps, self._furthest, self._successes, self._first, self._outside, self._outside_limit = counters
