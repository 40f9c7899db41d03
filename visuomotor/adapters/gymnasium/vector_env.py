"""A task as a vector environment of gymnasium."""

from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral
from typing import Any

import numpy as np
import torch
from gymnasium.spaces import Box, Dict, Space
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray
from torch import Tensor

from visuomotor.adapters.gymnasium.world_starts import Seeds, WorldStarts
from visuomotor.errors import VisuomotorError, one_line, unknown
from visuomotor.tasks import Observations, Task, make_env

Observation = NDArray[Any] | dict[str, NDArray[Any]]
Infos = dict[str, Any]

OBSERVATIONS = ("image", "proprioception", "privileged")

_LARGEST_ACTION = 1e9  # of float64 actions; all beyond 1 are clipped


class VisuomotorVectorEnv(VectorEnv[Observation, NDArray[np.float32], NDArray[Any]]):
    """`num_envs` worlds of a task, all in this process.

    Actions are in [-1, 1], the fraction of each joint's limit. An episode is truncated by the task's time limit, and
    terminated only where the physics diverged; such a world has no last state, and is observed in the model's default
    state. `infos` has `stage` `(num_envs,)` int64 and `is_success` `(num_envs,)` bool, of the states that the
    observations are of. What happens to a world whose episode has ended is `autoreset_mode`:

    * `SameStep`: it is reset within that step. `infos["final_obs"]` and `infos["final_info"]` are of the state that
      the episode ended in. Learners that know of no modes want this one.
    * `NextStep`: it is reset by the next step, which ignores its action and pays nothing. The observation wrappers of
      gymnasium want this one, and lose nothing.
    * `Disabled`: `reset(options={"reset_mask": mask})` resets it, before any other step.

    Every world draws from a generator of its own: what happens in it depends on its seed and its actions only.

    Args:
        task: a task, or the name of one, see `make_task`.
        num_envs: how many worlds.
        seed: of starts and randomization, until `reset` is given another; None for a seed that differs every time.
        image_size, supersampling: of the task's camera.
        randomize: whether worlds differ in dynamics and appearance.
        observations: which of `image` `(size, size, rgb)` uint8, `proprioception` and `privileged` (float32 vectors;
            the latter is the simulator's state, which no robot knows) to observe, in a dict; or the name of one, to
            observe that array alone.
        autoreset_mode: see above.
        max_episode_steps: control steps until an episode is truncated; None takes the task's.
        render_mode: "rgb_array", or None if nobody renders.
        threads: 0 for all cores.

    Raises:
        VisuomotorError: no such task, observation or mode, no such seed, or a number that cannot be.
    """

    def __init__(
        self,
        task: Task | str = "lifting",
        num_envs: int = 16,
        *,
        seed: Seeds | None = None,
        image_size: int = 64,
        supersampling: int = 1,
        randomize: bool = True,
        observations: str | Sequence[str] = ("image", "proprioception"),
        autoreset_mode: AutoresetMode | str = AutoresetMode.SAME_STEP,
        max_episode_steps: int | None = None,
        render_mode: str | None = "rgb_array",
        threads: int = 0,
    ):
        if not isinstance(observations, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise VisuomotorError(f"observations are a list of {', '.join(OBSERVATIONS)}, not {observations!r:.80}")
        self._alone = isinstance(observations, str)
        self._names = (observations,) if isinstance(observations, str) else tuple(observations)
        if not self._names:
            raise VisuomotorError(f"nothing is observed; choose from: {', '.join(OBSERVATIONS)}")
        for name in self._names:
            if name not in OBSERVATIONS:
                raise unknown("observation", name, OBSERVATIONS)
        if render_mode not in (None, "rgb_array"):
            raise unknown("render mode", render_mode, ["rgb_array"])
        self.num_envs, self.render_mode = num_envs, render_mode
        self.vec_env = make_env(
            task,
            num_envs,
            observations=[name for name in self._names if name != "image"],
            image_size=image_size,
            supersampling=supersampling,
            randomize=randomize,
            max_episode_steps=max_episode_steps,
            threads=threads,
        )
        self.task = self.vec_env.task
        self.metadata = {"render_modes": ["rgb_array"], "render_fps": 1 / self.task.control_dt}
        self.autoreset_mode = autoreset_mode
        self.single_observation_space = self._space(image_size)
        self.single_action_space = Box(-1.0, 1.0, (self.task.action_size,), np.float32)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._starts = WorldStarts(self.task, num_envs, randomize)
        self._starts.seed(
            (self.np_random_seed or 0) % 2**64 if seed is None else seed, torch.ones(num_envs, dtype=torch.bool)
        )
        self._ended = torch.zeros(num_envs, dtype=torch.bool)  # and not reset yet
        self._begun = torch.zeros(num_envs, dtype=torch.bool)  # worlds that were ever reset

    @property
    def autoreset_mode(self) -> AutoresetMode:
        return self.metadata["autoreset_mode"]

    @autoreset_mode.setter
    def autoreset_mode(self, mode: AutoresetMode | str) -> None:
        if mode not in (known := [*AutoresetMode, *(each.value for each in AutoresetMode)]):
            raise unknown("autoreset mode", str(mode), map(str, known[3:]))
        self.metadata["autoreset_mode"] = AutoresetMode(mode)

    def reset(self, *, seed: Seeds | None = None, options: dict[str, Any] | None = None) -> tuple[Observation, Infos]:
        """Reset worlds.

        Args:
            seed: makes everything that follows repeatable. World i gets the seed `seed + i`; or give a list with one
                for each, None for a world that goes on with its own.
            options: `reset_mask` `(num_envs,)` bool, which worlds to reset; by default all.

        Raises:
            VisuomotorError: a seed is negative or no int, or there is not one for each world; the mask has another
                shape or type, or names no world; there is no such option; the environment is closed.
        """
        self._check_open()
        chosen = self._read_mask({} if options is None else options)
        if seed is not None:
            self._starts.seed(seed, chosen)
            super().reset(seed=int(seed) if isinstance(seed, int | Integral) else None)
        self._start(chosen)
        observations = self.vec_env.observe()
        return self._observe(observations), self._infos(observations, chosen)

    def step(
        self, actions: NDArray[np.float32]
    ) -> tuple[Observation, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], Infos]:
        """One control period.

        Args:
            actions: `(num_envs, action)` in [-1, 1]; clipped to it.

        Returns:
            observations, rewards, terminations, truncations, infos.

        Raises:
            VisuomotorError: the actions have another shape, or are not finite; an episode is over and nothing resets
                it, or none has begun; the environment is closed.
        """
        self._check_open()
        actions = read_actions(actions, self.action_space)
        if not self._begun.all():
            worlds = (~self._begun).nonzero()[:, 0].tolist()
            raise VisuomotorError(f"no episode has begun in worlds {worlds[:8]}; call reset first")
        ended, mode = self._ended, self.autoreset_mode
        if mode == AutoresetMode.DISABLED and ended.any():
            worlds = ended.nonzero()[:, 0].tolist()
            raise VisuomotorError(f"the episodes of worlds {worlds[:8]} are over; reset these worlds first")
        wanted = torch.from_numpy(actions)
        wanted[ended] = 0.0
        transition = self.vec_env.step(wanted)
        done, diverged = transition.done & ~ended, transition.diverged & ~ended
        reward = transition.reward.double().masked_fill(ended, 0.0)
        observations, final = transition.observations, {}
        to_reset = ended
        if mode == AutoresetMode.SAME_STEP:
            to_reset = done | ended
            final = self._final(observations, done) if done.any() else {}
        self._ended = done
        if to_reset.any():
            self._start(to_reset)
            observations = self.vec_env.observe()
        infos = self._infos(observations, torch.ones_like(done)) | final
        return self._observe(observations), reward.numpy(), diverged.numpy(), (done & ~diverged).numpy(), infos

    def render(self) -> tuple[NDArray[np.uint8], ...] | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The image of every world, `(size, size, rgb)` uint8; None without a render mode."""
        self._check_open()
        return None if self.render_mode is None else tuple(self.vec_env.render().numpy())

    def call(self, name: str, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """`name` of each world: its image for "render"; else an attribute of this environment, which all share.

        Raises:
            AttributeError: there is no such attribute.
            VisuomotorError: another method: worlds have none of their own.
        """
        if name == "render":
            return self.render(*args, **kwargs) or (None,) * self.num_envs
        value = getattr(self, name)
        if callable(value) and not isinstance(value, type):
            raise VisuomotorError(f"worlds have no method {name!r} of their own; call that of the environment")
        return (value,) * self.num_envs

    def get_attr(self, name: str) -> tuple[Any, ...]:
        """See `call`."""
        return self.call(name)

    def set_attr(self, name: str, values: Any) -> None:
        """Worlds have nothing of their own to set: raises a VisuomotorError."""
        raise VisuomotorError(f"worlds have no attribute {name!r} of their own to set; set that of the environment")

    def __getstate__(self) -> object:
        """For pickle and copy: the simulator's memory cannot be copied."""
        raise VisuomotorError("an environment can be neither pickled nor copied; make another one in its place")

    def _check_open(self) -> None:
        if self.closed:
            raise VisuomotorError("this environment is closed; make another one")

    def _read_mask(self, options: Mapping[str, Any]) -> Tensor:
        """`(num_envs,)` bool: the worlds that options of `reset` are about."""
        if not isinstance(options, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise VisuomotorError(f"options of reset are a dict, not {options!r:.80}")
        for name in options.keys() - {"reset_mask"}:
            raise unknown("option of reset", name, ["reset_mask"])
        mask = np.asarray(options.get("reset_mask", np.ones(self.num_envs, dtype=np.bool_)))
        if mask.shape != (self.num_envs,) or mask.dtype != np.bool_ or not mask.any():
            raise VisuomotorError(
                f"reset_mask must be ({self.num_envs},) bool and name a world to reset, not {mask.shape} {mask.dtype}"
                f"{'' if mask.any() else ' without any'}"
            )
        return torch.tensor(mask)

    def _space(self, image_size: int) -> Space[Any]:
        spaces: dict[str, Space[Any]] = {"image": Box(0, 255, (image_size, image_size, 3), np.uint8)}
        for name in ("proprioception", "privileged"):
            spaces[name] = Box(-np.inf, np.inf, (self.task.size(name),), np.float32)
        return spaces[self._names[0]] if self._alone else Dict({name: spaces[name] for name in self._names})

    def _start(self, chosen: Tensor) -> None:
        """Begin new episodes in worlds `chosen` `(num_envs,)` bool."""
        env_ids = chosen.nonzero()[:, 0]
        self.vec_env.reset(env_ids, self._starts.draw(env_ids))
        self._ended = self._ended & ~chosen
        self._begun |= chosen

    def _observe(self, observations: Observations, env_ids: Tensor | None = None) -> Observation:
        """What worlds `env_ids` `(n,)` int are observed as; None for all."""
        chosen = slice(None) if env_ids is None else env_ids
        observed = {
            name: (self.vec_env.render(env_ids) if name == "image" else observations[name][chosen]).numpy()
            for name in self._names
        }
        return observed[self._names[0]] if self._alone else observed

    def _infos(self, observations: Observations, mask: Tensor) -> Infos:
        """Infos of the worlds in `mask` `(num_envs,)` bool, in gymnasium's form."""
        stage = observations["stage"]
        success = self.task.success(stage) & mask
        return {
            "stage": torch.where(mask, stage, 0).numpy(),
            "_stage": mask.numpy().copy(),
            "is_success": success.numpy(),
            "_is_success": mask.numpy().copy(),
        }

    def _final(self, observations: Observations, done: Tensor) -> Infos:
        """Likewise, of the states that the episodes of worlds `done` `(num_envs,)` bool ended in."""
        env_ids = done.nonzero()[:, 0]
        observed = self._observe(observations, env_ids)
        final = np.full(self.num_envs, None, dtype=object)
        for index, world in enumerate(env_ids.tolist()):
            final[world] = take(observed, index)
        return {
            "final_obs": final,
            "_final_obs": done.numpy().copy(),
            "final_info": self._infos(observations, done),
            "_final_info": done.numpy().copy(),
        }


def read_actions(actions: Any, space: Space[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Actions as an array of the space's shape; raises a VisuomotorError where they are none."""
    try:
        found = np.asarray(actions)
    except (ValueError, TypeError, RuntimeError) as error:  # lists of unequal lengths; tensors with gradients
        raise VisuomotorError(f"actions must be an array of shape {space.shape} ({one_line(error)})") from error
    if found.shape != space.shape or found.dtype.kind not in "fiub":
        raise VisuomotorError(f"actions must be numbers of shape {space.shape}, not {found.shape} {found.dtype}")
    if found.dtype.kind == "f" and found.itemsize > 4:  # what float32 has no room for is finite, and clipped later
        found = np.where(np.isfinite(found), found.clip(-_LARGEST_ACTION, _LARGEST_ACTION), found)
    return found.astype(np.float32)


def take(observation: Observation, world: int) -> Observation:
    """What one world observes."""
    if isinstance(observation, dict):
        return {name: value[world] for name, value in observation.items()}
    return observation[world]
