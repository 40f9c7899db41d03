"""The smallest task: a bead on a straight wire, to be pushed to the right.

Everything that can be known of it follows from its position, which can also be read off an image, and a step moves it
exactly as far as its action says. So every pair of tensors in a rollout can be checked against the other.
"""

import math
from typing import ClassVar

import mujoco
import torch
from torch import Tensor, nn

from visuomotor.algorithms.ppo_gail.config import ExplorationConfig
from visuomotor.algorithms.ppo_gail.exploration import WhiteNoise, exploration_noise
from visuomotor.demos import Episode
from visuomotor.engine import Engine
from visuomotor.robots.robot import Robot
from visuomotor.tasks import ResetParams, Task

END = 1.5  # m: where the wire ends, on both sides
STEP = 0.2  # m: how far the action 1 moves the bead
RADIUS = 0.4  # m
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
    <body>
      <joint name="wire" type="slide" axis="1 0 0"/>
      <geom name="bead" type="sphere" size="{RADIUS}"/>
      <site name="bead"/>
    </body>
  </worldbody>
  <actuator><motor name="push" joint="wire"/></actuator>
</mujoco>
"""


class Bead(Task):
    """What is observed is the position plus 1 (proprioception), 2 (privileged) and 3 (object features)."""

    name: ClassVar[str] = "bead"
    description: ClassVar[str] = "push a bead to the right"
    max_episode_steps: ClassVar[int] = 12
    stages: ClassVar[tuple[str, ...]] = ("left", "middle", "right")
    stage_rewards: ClassVar[tuple[float, ...]] = (0.0, 0.25, 1.0)

    def __init__(self) -> None:
        robot = Robot(
            joints=("wire",),
            gripper=(),
            actuators=("push",),
            control="velocity",
            action_limits=(STEP / self.control_dt,),
            end_effector="bead",
            home=(0.0,),
        )
        super().__init__(mujoco.MjSpec.from_string(_SCENE), robot, "front")

    def position(self, engine: Engine) -> Tensor:
        """`(n, 1)` m."""
        return engine.field("qpos").float().clone()

    def proprioception(self, engine: Engine) -> Tensor:
        return self.position(engine) + 1

    def privileged(self, engine: Engine) -> Tensor:
        return self.position(engine) + 2

    def object_features(self, engine: Engine) -> Tensor:
        return self.position(engine) + 3

    def keypoints(self, engine: Engine) -> Tensor:
        return torch.nn.functional.pad(self.position(engine), (0, 2))[:, None]

    def stage(self, engine: Engine) -> Tensor:
        return stage_at(self.position(engine)[:, 0])

    def velocity(self, engine: Engine, actions: Tensor) -> Tensor:
        """`(n, 1)` m/s: the action, or what is left of the way to the wire's end."""
        now = engine.field("qpos")
        return ((now + STEP * actions.double().clamp(-1, 1)).clamp(-END, END) - now) / self.control_dt

    def step(self, engine: Engine, actions: Tensor) -> None:
        engine.field("qvel")[:] = self.velocity(engine, actions)
        engine.step()

    def sample_reset(
        self, count: int, generator: torch.Generator, split: str = "random", randomize: bool = True
    ) -> ResetParams:
        position = 0.8 * torch.rand(count, 1, generator=generator).double() - 0.5
        color = torch.ones(count, 3)
        if randomize:
            color = 0.3 + 0.7 * torch.rand(count, 3, generator=generator)
        radius = torch.full((count,), RADIUS).double()
        return ResetParams({"position": position}, {"radius": radius}, {"color": color.double()})

    def reset(self, engine: Engine, env_ids: Tensor, params: ResetParams) -> None:
        self.apply_randomization(engine, env_ids, params)
        engine.field("qpos")[env_ids] = params.placement["position"]
        engine.field("qvel")[env_ids] = 0
        engine.forward(env_ids)

    def apply_randomization(self, engine: Engine, env_ids: Tensor, params: ResetParams) -> None:
        engine.model_field("geom_size")[env_ids, 0, 0] = params.dynamics["radius"]
        super().apply_randomization(engine, env_ids, params)

    def apply_appearance(self, engine: Engine, env_ids: Tensor, appearance: dict[str, Tensor]) -> None:
        engine.model_field("geom_rgba")[env_ids, 0, :3] = appearance["color"].float()


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
    params = task.sample_reset(1, torch.Generator(), randomize=False)
    params.placement["position"][:] = start
    task.reset(engine, torch.arange(1), params)
    states, stages, rewards = [engine.state()[0]], [task.stage(engine)], []
    for action in done:
        task.step(engine, action[None])
        states.append(engine.state()[0])
        stages.append(task.stage(engine))
        rewards.append(task.reward(engine))
    reached = torch.cat(stages)
    return Episode(
        states=torch.stack(states),
        actions=done,
        stages=reached,
        rewards=torch.cat(rewards),
        dynamics={name: value[0] for name, value in params.dynamics.items()},
        appearance={name: value[0] for name, value in params.appearance.items()},
        success=bool(task.success(reached[-1])),
    )


class Oracle(nn.Module):
    """A policy that knows where the bead is: `predict_keypoints` is right about all `encode_images` were given.

    Attributes:
        images: how many there were in each call of `encode_images`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.images: list[int] = []
        self.weight = nn.Parameter(torch.zeros(1))  # a gradient must have somewhere to go
        self.device = torch.device("cpu")

    def encode_images(self, images: Tensor) -> Tensor:
        self.images.append(len(images))
        return position_in(images)[..., None]

    def predict_keypoints(self, features: Tensor) -> Tensor:
        return nn.functional.pad(features + 0 * self.weight, (0, 2))[..., None, :]


def noise(initial_log_std: float = 0.0, correlation: float = 0.0) -> WhiteNoise:
    """Exploration noise of the one action."""
    return exploration_noise(1, ExplorationConfig(initial_log_std=initial_log_std, correlation=correlation))
