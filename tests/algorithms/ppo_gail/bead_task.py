"""The smallest staged task: a bead on a straight wire, to be pushed to the right.

Everything that can be known of it follows from its position, which can also be read off an image, and a step moves it
exactly as far as its action says. So every pair of tensors in a rollout can be checked against the other.
"""

import math
from typing import ClassVar

import mujoco
import torch
from torch import Tensor, nn

from visuomotor.demos import Episode
from visuomotor.engine import Engine
from visuomotor.tasks import StagedTask, Variation

END = 1.5  # m: where the wire ends, on both sides
STEP = 0.2  # m: how far the action 1 moves the bead
SIDE = 4.0  # m: of what the camera sees
_DISTANCE = 40.0  # m, to the camera: so far that it looks along parallel rays
_SCENE = f"""
<mujoco>
  <option jacobian="dense" timestep="0.05" gravity="0 0 0"/>
  <statistic extent="10"/>
  <visual><headlight ambient="1 1 1" diffuse="0 0 0" specular="0 0 0"/></visual>
  <worldbody>
    <camera name="front" pos="0 {-_DISTANCE} 0" xyaxes="1 0 0 0 0 1"
            fovy="{math.degrees(2 * math.atan(SIDE / 2 / _DISTANCE))}"/>
    <body><joint type="slide" axis="1 0 0"/><geom name="bead" type="sphere" size="0.4"/></body>
  </worldbody>
</mujoco>
"""


class Bead(StagedTask):
    """Readings are the position plus 1 (proprioception), 2 (privileged) and 3 (features)."""

    name: ClassVar[str] = "bead"
    summary: ClassVar[str] = "push a bead to the right"
    steps: ClassVar[int] = 12
    stages: ClassVar[tuple[str, ...]] = ("left", "middle", "right")
    stage_rewards: ClassVar[tuple[float, ...]] = (0.0, 0.25, 1.0)
    objects: ClassVar[tuple[str, ...]] = ("bead",)
    camera = "front"
    proprioception_size = privileged_size = feature_size = 1

    def __init__(self) -> None:
        self.model = mujoco.MjModel.from_xml_string(_SCENE)
        self.action_limits = torch.tensor([STEP / self.control_period], dtype=torch.float64)

    def position(self, engine: Engine) -> Tensor:
        """`(n, 1)` m."""
        return engine.field("qpos").float().clone()

    def proprioception(self, engine: Engine) -> Tensor:
        return self.position(engine) + 1

    def privileged(self, engine: Engine) -> Tensor:
        return self.position(engine) + 2

    def features(self, engine: Engine) -> Tensor:
        return self.position(engine) + 3

    def object_positions(self, engine: Engine) -> Tensor:
        return torch.nn.functional.pad(self.position(engine), (0, 2))[:, None]

    def stage(self, engine: Engine) -> Tensor:
        return stage_at(self.position(engine)[:, 0])

    def velocity(self, engine: Engine, actions: Tensor) -> Tensor:
        """`(n, 1)` m/s: the action, or what is left of the way to the wire's end."""
        now = engine.field("qpos")
        return ((now + self.control_period * actions).clamp(-END, END) - now) / self.control_period

    def act(self, engine: Engine, actions: Tensor) -> None:
        engine.field("qvel")[:] = self.velocity(engine, actions)
        engine.step()

    def start(self, engine: Engine, worlds: Tensor, generator: torch.Generator) -> None:
        engine.field("qpos")[worlds] = 0.8 * torch.rand(len(worlds), 1, generator=generator).double() - 0.5
        engine.field("qvel")[worlds] = 0
        engine.forward(worlds)

    def draw(self, count: int, generator: torch.Generator) -> Variation:
        color = 0.3 + 0.7 * torch.rand(count, 3, generator=generator)
        return Variation({"radius": torch.full((count,), 0.4).double()}, {"color": color.double()})

    def plain(self, count: int) -> Variation:
        return Variation({"radius": torch.full((count,), 0.4).double()}, {"color": torch.ones(count, 3).double()})

    def vary(self, engine: Engine, worlds: Tensor, variation: Variation) -> None:
        engine.model_field("geom_size")[worlds, 0, 0] = variation.physics["radius"]
        self.vary_looks(engine, worlds, variation.looks)

    def vary_looks(self, engine: Engine, worlds: Tensor, looks: dict[str, Tensor]) -> None:
        engine.model_field("geom_rgba")[worlds, 0, :3] = looks["color"].float()


def stage_at(position: Tensor) -> Tensor:
    """The stage of positions of any shape, int64."""
    return (position >= 0.5).long() + (position >= 1.0).long()


def moved(position: Tensor, actions: Tensor) -> Tensor:
    """Where actions of the same shape lead."""
    return (position + STEP * actions.clamp(-1, 1)).clamp(-END, END)


def position_in(images: Tensor) -> Tensor:
    """The bead's position (m), read off images `(..., height, width, 3)`: the centre of what is bright."""
    columns = images.float().sum((-3, -1))
    places = SIDE * ((torch.arange(columns.shape[-1]) + 0.5) / columns.shape[-1] - 0.5)
    return (columns * places).sum(-1) / columns.sum(-1)


def push(start: float, actions: list[float]) -> Episode:
    """A demonstration: these actions, from this position on."""
    task = Bead()
    engine, done = task.make_engine(1), torch.tensor(actions, dtype=torch.float32)[:, None]
    task.vary(engine, torch.arange(1), task.plain(1))
    engine.field("qpos")[:] = start
    engine.forward()
    states, stages = [engine.state()[0]], [task.stage(engine)]
    for action in done:
        task.act(engine, action[None].double() * task.action_limits)
        states.append(engine.state()[0])
        stages.append(task.stage(engine))
    reached = torch.cat(stages)
    return Episode(
        states=torch.stack(states),
        actions=done,
        stages=reached,
        rewards=task.reward(reached[1:]),
        physics={"radius": torch.tensor(0.4).double()},
        looks={"color": torch.ones(3).double()},
        success=bool(task.success(reached[-1])),
    )


class Oracle(nn.Module):
    """A policy that knows where the bead is: `locate` is right about every image that `see` was given.

    Attributes:
        images: how many there were in each call of `see`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.images: list[int] = []
        self.log_std = nn.Parameter(torch.zeros(1))  # a gradient must have somewhere to go

    def see(self, images: Tensor) -> Tensor:
        self.images.append(len(images))
        return position_in(images)[..., None]

    def locate(self, features: Tensor) -> Tensor:
        return nn.functional.pad(features + 0 * self.log_std, (0, 2))[..., None, :]
