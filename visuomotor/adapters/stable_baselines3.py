"""Tasks as stable-baselines3 wants its environments: it knows no gymnasium vector environments."""

from collections.abc import Iterable, Sequence
from typing import Any, cast

import numpy as np
from gymnasium.vector import AutoresetMode, VectorWrapper
from numpy.typing import NDArray

from visuomotor.adapters.gymnasium import Observation, VisuomotorVectorEnv
from visuomotor.errors import VisuomotorError, brief

try:
    from stable_baselines3.common.vec_env import VecEnv
except ImportError as error:
    raise VisuomotorError(
        f"stable-baselines3 is missing ({error}); install it with pip install stable-baselines3 'visuomotor[gym]'"
    ) from error

Indices = None | int | Iterable[int]


class StableBaselines3VecEnv(VecEnv):
    """The worlds of a `VisuomotorVectorEnv` for stable-baselines3, say for its PPO with a MultiInputPolicy.

    They are reset within the step that ends their episode: `env.autoreset_mode` is set to `SameStep`. Wrappers of
    gymnasium around it need it to have that mode already. `infos` of each world have `stage`, `is_success` and
    `TimeLimit.truncated` of the state that the step led to, and `terminal_observation` where an episode ended. Wrap it
    in `VecMonitor` for the returns of episodes.
    """

    def __init__(self, env: VisuomotorVectorEnv | VectorWrapper):
        worlds = getattr(env, "unwrapped", None)
        if not isinstance(worlds, VisuomotorVectorEnv):
            raise VisuomotorError(
                'an environment must be a VisuomotorVectorEnv, such as VisuomotorVectorEnv("lifting", 16), not '
                f"{brief(env)}"
            )
        if worlds is not env and worlds.autoreset_mode != AutoresetMode.SAME_STEP:
            raise VisuomotorError(
                f"the environment inside {brief(env)} has the autoreset mode {worlds.autoreset_mode.value}, and "
                "stable-baselines3 needs SameStep: make it with that mode, and normalise with its VecNormalize"
            )
        self.env, self._worlds = cast(VisuomotorVectorEnv, env), worlds  # wrappers have its methods
        worlds.autoreset_mode = AutoresetMode.SAME_STEP
        self._actions: NDArray[np.float32] | None = None
        super().__init__(env.num_envs, env.single_observation_space, env.single_action_space)
        self.metadata = env.metadata

    def reset(self) -> Observation:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Reset all worlds; the seeds of `seed()`, if any, are used once. There are no options for `set_options`."""
        for options in self._options:
            if options:
                self._reset_options()
                raise VisuomotorError(f"worlds have no options for a reset, such as {next(iter(options))!r}")
        observation, infos = self.env.reset(seed=self._seeds)
        self._reset_seeds()
        self.reset_infos = [self._info(infos, world) for world in range(self.num_envs)]
        return observation

    def step_async(self, actions: NDArray[np.float32]) -> None:
        self._actions = actions

    def step_wait(self) -> tuple[Observation, NDArray[np.float32], NDArray[np.bool_], list[dict[str, Any]]]:  # pyright: ignore[reportIncompatibleMethodOverride]
        assert self._actions is not None
        observation, rewards, terminations, truncations, infos = self.env.step(self._actions)
        dones = terminations | truncations
        step_infos = [
            self._info(infos["final_info"] if dones[world] else infos, world) for world in range(self.num_envs)
        ]
        for world in dones.nonzero()[0]:
            step_infos[world]["terminal_observation"] = infos["final_obs"][world]
        for world, each in enumerate(step_infos):
            each["TimeLimit.truncated"] = bool(truncations[world])
        return observation, rewards.astype(np.float32), dones, step_infos

    def close(self) -> None:
        self.env.close()

    def get_images(self) -> Sequence[NDArray[np.uint8] | None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self._worlds.call("render")

    def get_attr(self, attr_name: str, indices: Indices = None) -> list[Any]:
        values = self._worlds.get_attr(attr_name)
        return [values[world] for world in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Indices = None) -> None:
        self._worlds.set_attr(attr_name, value)

    def env_method(self, method_name: str, *method_args: Any, indices: Indices = None, **method_kwargs: Any) -> Any:
        values = self._worlds.call(method_name, *method_args, **method_kwargs)
        return [values[world] for world in self._get_indices(indices)]

    def env_is_wrapped(self, wrapper_class: type[Any], indices: Indices = None) -> list[bool]:
        return [False] * len(list(self._get_indices(indices)))

    @staticmethod
    def _info(infos: dict[str, Any], world: int) -> dict[str, Any]:
        return {"stage": int(infos["stage"][world]), "is_success": bool(infos["is_success"][world])}
