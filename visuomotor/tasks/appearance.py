"""Colours and lights of a scene that differ from world to world."""

from math import radians

import mujoco
import numpy as np
import torch
from torch import Tensor

from visuomotor.engine import Engine
from visuomotor.tasks.quaternions import from_rotation_vector, rotate

_COLOR = 0.25  # each of rgb, in parts of 1, plus and minus
_BRIGHTNESS = 0.6, 1.2  # factor on each light
_TILT = radians(20)  # each light's direction about x and y, plus and minus


class Lights:
    """Writes brightness and direction of a model's lights into an engine's fields."""

    def __init__(self, model: mujoco.MjModel):
        self.count = int(model.nlight)
        self._diffuse, self._direction = (
            torch.from_numpy(np.array(part)) for part in (model.light_diffuse, model.light_dir)
        )

    def set(self, engine: Engine, env_ids: Tensor, brightness: Tensor, tilt: Tensor) -> None:
        """Set the appearance of worlds `(n,)` int.

        Args:
            brightness: `(n, lights)` factors. tilt: `(n, lights, 2)` rad, about x and y.
        """
        engine.model_field("light_diffuse")[env_ids] = self._diffuse * brightness.float()[..., None]
        about_x, about_y = tilt.unbind(-1)
        angles = torch.stack([about_x, about_y, torch.zeros_like(about_x)], -1)
        target = engine.model_field("light_dir")
        tilted = rotate(from_rotation_vector(angles), self._direction.expand(len(env_ids), -1, -1))
        target[env_ids] = tilted.to(target.dtype)


class AppearanceRandomizer:
    """Colours of all geoms and lights, drawn for images to train on."""

    def __init__(self, model: mujoco.MjModel):
        self._lights, self._color = Lights(model), torch.from_numpy(model.geom_rgba[:, :3].copy())
        self._tracks = bool(model.light_mode.any())  # 0 is fixed

    def randomize(self, engine: Engine, generator: torch.Generator) -> None:
        """Give every world an appearance of its own."""
        worlds = engine.worlds

        def around_zero(*shape: int) -> Tensor:
            return 2 * torch.rand(worlds, *shape, generator=generator, dtype=torch.float64) - 1

        color = self._color + _COLOR * around_zero(*self._color.shape)
        engine.model_field("geom_rgba")[:, :, :3] = color.clamp(0, 1).float()
        low, high = _BRIGHTNESS
        brightness = low + (high - low) * (around_zero(self._lights.count) + 1) / 2
        self._set_lights(engine, torch.arange(worlds), brightness, _TILT * around_zero(self._lights.count, 2))

    def restore(self, engine: Engine, env_ids: Tensor) -> None:
        """The model's own appearance in worlds `(n,)` int."""
        engine.model_field("geom_rgba")[env_ids, :, :3] = self._color
        if engine.is_per_world("light_dir"):  # else nobody has randomized them
            one = torch.ones(len(env_ids), self._lights.count, dtype=torch.float64)
            self._set_lights(engine, env_ids, one, torch.zeros(*one.shape, 2, dtype=torch.float64))

    def _set_lights(self, engine: Engine, env_ids: Tensor, brightness: Tensor, tilt: Tensor) -> None:
        self._lights.set(engine, env_ids, brightness, tilt)
        if self._tracks:  # such a light's direction is kept as a constant
            engine.set_const(env_ids)
