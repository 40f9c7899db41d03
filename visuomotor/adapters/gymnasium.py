"""Staged tasks as a vector environment of gymnasium."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from visuomotor.errors import VisuomotorError, unknown
from visuomotor.tasks import VecEnv, StagedTask, make_task
from visuomotor.tasks.env import Observations

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
    """`num_envs` worlds of a staged task, all in this process.

    Actions are in [-1, 1], the fraction of each joint's limit. An episode is truncated by the task's time limit, and
    terminated only where the physics blew up. Worlds start anew within the step that ends their episode (autoreset
    mode SAME_STEP): `infos["final_obs"]` and `infos["final_info"]` then tell of the state that it ended in, except that
    a world that blew up has none to tell of, and shows the model's default. `infos` has `stage` `(num_envs,)` int64
    and `success` `(num_envs,)` bool, of the states that the observations are of.

    Args:
        task: name of a staged task.
        num_envs: how many worlds.
        seed: of starts and variations, until `reset` is given another.
        image_size, supersampling: of the task's camera.
        vary: whether worlds differ in looks and physics.
        observations: which of `image` `(size, size, rgb)` uint8, `proprioception` and `privileged` (float32 vectors;
            the latter is the simulator's state, which no robot knows) to observe.
        threads: 0 for all cores.

    Raises:
        VisuomotorError: no such staged task or observation.
    """

    def __init__(
        self,
        task: str = "lifting",
        num_envs: int = 16,
        *,
        seed: int = 0,
        image_size: int = 64,
        supersampling: int = 1,
        vary: bool = True,
        observations: Sequence[str] = ("image", "proprioception"),
        threads: int = 0,
    ):
        for name in observations:
            if name not in OBSERVATIONS:
                raise unknown("observation", name, OBSERVATIONS)
        self.metadata = {"autoreset_mode": AutoresetMode.SAME_STEP, "render_modes": ["rgb_array"]}
        self.render_mode = "rgb_array"
        self.task = make_task(task, StagedTask)
        self.num_envs = num_envs
        self.episodes = VecEnv(
            self.task,
            num_envs,
            torch.Generator().manual_seed(seed),
            image_size=image_size,
            supersampling=supersampling,
            vary=vary,
            threads=threads,
        )
        self._names = tuple(observations)
        spaces = {
            "image": Box(0, 255, (image_size, image_size, 3), np.uint8),
            "proprioception": Box(-np.inf, np.inf, (self.task.proprioception_size,), np.float32),
            "privileged": Box(-np.inf, np.inf, (self.task.privileged_size,), np.float32),
        }
        self.single_observation_space = Dict({name: spaces[name] for name in self._names})
        self.single_action_space = Box(-1.0, 1.0, (self.task.action_size,), np.float32)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Observation, Infos]:
        """InitialStates all episodes anew; a seed makes everything that follows repeatable. There are no options."""
        super().reset(seed=seed, options=options)
        if seed is not None:
            self.episodes.generator.manual_seed(seed)
        self.episodes.restart(torch.ones(self.num_envs, dtype=torch.bool))
        readings = self.episodes.read()
        return self._observe(readings), self._infos(readings)

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
        transition = self.episodes.step(torch.as_tensor(np.asarray(actions, dtype=np.float32)))
        readings, final = transition.readings, {}
        if transition.ended.any():
            final = self._final(readings, transition.ended)
            self.episodes.restart(transition.ended)
            readings = self.episodes.read()
        return (
            self._observe(readings),
            transition.reward.double().numpy(),
            transition.diverged.numpy(),
            (transition.ended & ~transition.diverged).numpy(),
            self._infos(readings) | final,
        )

    def render(self) -> tuple[NDArray[np.uint8], ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The image of every world, `(size, size, rgb)` uint8."""
        return tuple(self.episodes.images().numpy())

    def _observe(self, readings: Observations, worlds: Tensor | None = None) -> Observation:
        """What worlds `(n,)` int are observed as; None for all."""
        chosen = slice(None) if worlds is None else worlds
        return {
            name: self.episodes.images(worlds).numpy() if name == "image" else getattr(readings, name)[chosen].numpy()
            for name in self._names
        }

    def _infos(self, readings: Observations) -> Infos:
        everyone = np.ones(self.num_envs, dtype=np.bool_)
        return {
            "stage": readings.stage.numpy(),
            "_stage": everyone,
            "success": self.task.success(readings.stage).numpy(),
            "_success": everyone.copy(),
        }

    def _final(self, readings: Observations, ended: Tensor) -> Infos:
        """What there is to tell of the states that episodes ended in, in gymnasium's form, before they are gone."""
        worlds = ended.nonzero()[:, 0]
        observed = self._observe(readings, worlds)
        observations = np.full(self.num_envs, None, dtype=object)
        for row, world in enumerate(worlds.tolist()):
            observations[world] = {name: value[row] for name, value in observed.items()}
        mask = ended.numpy()
        stage = np.where(mask, readings.stage.numpy(), 0)
        success = self.task.success(readings.stage).numpy() & mask
        told = {"stage": stage, "_stage": mask, "success": success, "_success": mask.copy()}
        return {
            "final_obs": observations,
            "_final_obs": mask.copy(),
            "final_info": told,
            "_final_info": mask.copy(),
        }
