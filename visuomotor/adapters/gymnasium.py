"""Tasks as a vector environment of gymnasium."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from visuomotor.errors import VisuomotorError, unknown
from visuomotor.tasks import Observations, Task, make_env

try:
    from gymnasium.spaces import Box, Dict
    from gymnasium.vector import AutoresetMode, VectorEnv
    from gymnasium.vector.utils import batch_space
except ImportError as error:
    raise VisuomotorError(f"gymnasium is missing ({error}); install it with pip install 'visuomotor[gym]'") from error

Observation = dict[str, NDArray[Any]]
Infos = dict[str, Any]

OBSERVATIONS = ("image", "proprioception", "privileged")


class VisuomotorVectorEnv(VectorEnv[Observation, NDArray[np.float32], NDArray[Any]]):
    """`num_envs` worlds of a task, all in this process.

    Actions are in [-1, 1], the fraction of each joint's limit. An episode is truncated by the task's time limit, and
    terminated only where the physics diverged. Worlds are reset within the step that ends their episode (autoreset mode
    SAME_STEP): `infos["final_obs"]` and `infos["final_info"]` then tell of the state that it ended in, except that a
    world that diverged has none to tell of, and shows the model's default. `infos` has `stage` `(num_envs,)` int64 and
    `success` `(num_envs,)` bool, of the states that the observations are of.

    Args:
        task: a task, or the name of one, see `make_task`.
        num_envs: how many worlds.
        seed: of starts and randomization, until `reset` is given another.
        image_size, supersampling: of the task's camera.
        randomize: whether worlds differ in dynamics and appearance.
        observations: which of `image` `(size, size, rgb)` uint8, `proprioception` and `privileged` (float32 vectors;
            the latter is the simulator's state, which no robot knows) to observe.
        threads: 0 for all cores.

    Raises:
        VisuomotorError: no such task or observation.
    """

    def __init__(
        self,
        task: Task | str = "lifting",
        num_envs: int = 16,
        *,
        seed: int = 0,
        image_size: int = 64,
        supersampling: int = 1,
        randomize: bool = True,
        observations: Sequence[str] = ("image", "proprioception"),
        threads: int = 0,
    ):
        for name in observations:
            if name not in OBSERVATIONS:
                raise unknown("observation", name, OBSERVATIONS)
        self.metadata = {"autoreset_mode": AutoresetMode.SAME_STEP, "render_modes": ["rgb_array"]}
        self.render_mode = "rgb_array"
        self.num_envs = num_envs
        self._names = tuple(observations)
        self.vec_env = make_env(
            task,
            num_envs,
            seed,
            observations=[name for name in self._names if name != "image"],
            image_size=image_size,
            supersampling=supersampling,
            randomize=randomize,
            threads=threads,
        )
        self.task = self.vec_env.task
        spaces = {
            "image": Box(0, 255, (image_size, image_size, 3), np.uint8),
            "proprioception": Box(-np.inf, np.inf, (self.task.size("proprioception"),), np.float32),
            "privileged": Box(-np.inf, np.inf, (self.task.size("privileged"),), np.float32),
        }
        self.single_observation_space = Dict({name: spaces[name] for name in self._names})
        self.single_action_space = Box(-1.0, 1.0, (self.task.action_size,), np.float32)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Observation, Infos]:
        """Reset all worlds; a seed makes everything that follows repeatable. There are no options."""
        super().reset(seed=seed, options=options)
        if seed is not None:
            self.vec_env.generator.manual_seed(seed)
        self.vec_env.reset()
        observations = self.vec_env.observe()
        return self._observe(observations), self._infos(observations)

    def step(
        self, actions: NDArray[np.float32]
    ) -> tuple[Observation, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], Infos]:
        """One control period.

        Args:
            actions: `(num_envs, action)` in [-1, 1]; clipped to it.

        Returns:
            observations, rewards, terminations, truncations, infos.

        Raises:
            VisuomotorError: the actions have another shape, or are not finite.
        """
        if np.shape(actions) != self.action_space.shape:
            raise VisuomotorError(f"actions must be of shape {self.action_space.shape}, not {np.shape(actions)}")
        transition = self.vec_env.step(torch.as_tensor(np.asarray(actions, dtype=np.float32)))
        observations, final = transition.observations, {}
        if transition.done.any():
            final = self._final(observations, transition.done)
            self.vec_env.reset(transition.done.nonzero()[:, 0])
            observations = self.vec_env.observe()
        return (
            self._observe(observations),
            transition.reward.double().numpy(),
            transition.diverged.numpy(),
            (transition.done & ~transition.diverged).numpy(),
            self._infos(observations) | final,
        )

    def render(self) -> tuple[NDArray[np.uint8], ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The image of every world, `(size, size, rgb)` uint8."""
        return tuple(self.vec_env.render().numpy())

    def _observe(self, observations: Observations, env_ids: Tensor | None = None) -> Observation:
        """What worlds `env_ids` `(n,)` int are observed as; None for all."""
        chosen = slice(None) if env_ids is None else env_ids
        return {
            name: (self.vec_env.render(env_ids) if name == "image" else observations[name][chosen]).numpy()
            for name in self._names
        }

    def _infos(self, observations: Observations) -> Infos:
        everyone = np.ones(self.num_envs, dtype=np.bool_)
        return {
            "stage": observations["stage"].numpy(),
            "_stage": everyone,
            "success": self.task.success(observations["stage"]).numpy(),
            "_success": everyone.copy(),
        }

    def _final(self, observations: Observations, done: Tensor) -> Infos:
        """What there is to tell of the states that episodes ended in, in gymnasium's form, before they are gone."""
        env_ids = done.nonzero()[:, 0]
        observed = self._observe(observations, env_ids)
        final = np.full(self.num_envs, None, dtype=object)
        for row, world in enumerate(env_ids.tolist()):
            final[world] = {name: value[row] for name, value in observed.items()}
        mask = done.numpy()
        stage = np.where(mask, observations["stage"].numpy(), 0)
        success = self.task.success(observations["stage"]).numpy() & mask
        told = {"stage": stage, "_stage": mask, "success": success, "_success": mask.copy()}
        return {
            "final_obs": final,
            "_final_obs": mask.copy(),
            "final_info": told,
            "_final_info": mask.copy(),
        }
