"""A single world of a task as an environment of gymnasium."""

import dataclasses
from numbers import Integral
from typing import Any

import numpy as np
from gymnasium import Env
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from visuomotor.adapters.gymnasium.vector_env import Infos, Observation, VisuomotorVectorEnv, read_actions, take
from visuomotor.errors import VisuomotorError
from visuomotor.tasks import Task


class VisuomotorEnv(Env[Observation, NDArray[np.float32]]):
    """A single world of a task, as `VisuomotorVectorEnv` has many: `infos` has `stage` and `is_success` of the state.

    Args:
        task: a task, or the name of one, see `make_task`.
        options: those of `VisuomotorVectorEnv`, but for `num_envs` and `autoreset_mode`.

    Raises:
        VisuomotorError: see there; or one of those two options is given.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 20}  # noqa: RUF012 - as gymnasium has it

    def __init__(self, task: Task | str = "lifting", **options: Any):
        for name in options.keys() & {"num_envs", "autoreset_mode"}:
            raise VisuomotorError(f"a single environment has no option {name}; gymnasium.make_vec makes many worlds")
        self._env = VisuomotorVectorEnv(task, 1, autoreset_mode=AutoresetMode.DISABLED, **options)
        self.metadata = {name: self._env.metadata[name] for name in ("render_modes", "render_fps")}
        self.render_mode = self._env.render_mode
        self._spec: EnvSpec | None = None
        self.observation_space, self.action_space = self._env.single_observation_space, self._env.single_action_space

    @property
    def spec(self) -> EnvSpec | None:  # pyright: ignore[reportIncompatibleVariableOverride]
        """By what name and options gymnasium made it; it has the time limit, which some wrappers want to know."""
        return self._spec

    @spec.setter
    def spec(self, spec: EnvSpec | None) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]
        limit = self._env.vec_env.max_episode_steps
        self._spec = None if spec is None else dataclasses.replace(spec, max_episode_steps=limit)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Observation, Infos]:
        """Begin an episode; a seed makes everything that follows repeatable. There are no options."""
        observation, infos = self._env.reset(seed=seed, options=options)
        super().reset(seed=int(seed) if isinstance(seed, Integral) else None)
        return take(observation, 0), self._info(infos)

    def step(self, action: NDArray[np.float32]) -> tuple[Observation, float, bool, bool, Infos]:
        """One control period.

        Args:
            action: `(action,)` in [-1, 1]; clipped to it.

        Returns:
            observation, reward, terminated, truncated, infos.

        Raises:
            VisuomotorError: the action has another shape, or is not finite; the episode is over; the environment is
                closed.
        """
        observation, rewards, terminations, truncations, infos = self._env.step(
            read_actions(action, self.action_space)[None]
        )
        ended = bool(terminations[0]), bool(truncations[0])
        return take(observation, 0), float(rewards[0]), *ended, self._info(infos)

    def render(self) -> NDArray[np.uint8] | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The image `(size, size, rgb)` uint8; None without a render mode."""
        return self._env.call("render")[0]

    def close(self) -> None:
        """Nothing can be done with it any more."""
        self._env.close()

    @staticmethod
    def _info(infos: Infos) -> Infos:
        return {"stage": int(infos["stage"][0]), "is_success": bool(infos["is_success"][0])}
