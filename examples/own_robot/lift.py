"""A task of your own: an arm from a model file grasps a block and lifts it.

Copy this folder and change it. docs/your_own_task.md goes through this file member by member.
"""

from dataclasses import replace
from math import pi
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from visuomotor.demos import MotionPlan, ScriptedExpert
from visuomotor.demos.grasp import grasp
from visuomotor.engine import Engine
from visuomotor.props.blocks import Block
from visuomotor.props.table import Table
from visuomotor.robots.mjcf import load_mjcf
from visuomotor.robots.robot import Robot
from visuomotor.tasks import ResetParams, Task
from visuomotor.tasks.randomization import DomainRandomization, SceneRandomizer

SCENE = Path(__file__).parent / "scene.xml"  # beside this file, whatever the current folder is
SPAWN_CENTER = (0.21, 0.0)  # m, the middle of where the block starts
SPAWN = 0.05  # m, the block starts that far from it at most, along x and y
ARM_SPREAD = 0.1  # rad, each joint of the arm starts that far from home at most
REACH_RADIUS = 0.03  # m, from the end effector to the block's centre
GRASP_RADIUS = 0.04  # m, likewise, for a block in the air
LIFT_HEIGHT = 0.05  # m, of the block's lowest corner above the table
JAW = 0.015  # m, from the end effector to the face of the jaw that stands still
JAW_GAP = 0.006  # m, between that jaw and the block before the gripper closes

# What differs from episode to episode; what is not given here has its default. The block must fit into the gripper.
RANDOMIZATION = DomainRandomization(block_half=(0.012, 0.018), block_mass=(0.02, 0.06))


def grasp_and_lift(expert: ScriptedExpert) -> MotionPlan:
    """The scripted expert: grasp the block from above, raise it, hold it for a second.

    Each `yield` is a control step. Noise in m is half of the default: this arm is half as large as the Jaco.
    """
    noise = expert.noise
    expert.noise = replace(
        noise, tremor=noise.tremor / 2, grasp_miss=noise.grasp_miss / 2, via_point=noise.via_point / 2
    )
    yield from expert.wait(expert.uniform(noise.reaction))
    # Only one jaw of this gripper moves. The other one goes down beside the block, 6 mm from its face.
    yield from grasp(expert, 0, height=0.08, clearance=0.045, aside=JAW - expert.half_size(0) - JAW_GAP)
    yield from expert.wait(1.0)


class Lift(Task):
    """Grasp the block and hold it above the table."""

    name: ClassVar[str] = "lift"
    description: ClassVar[str] = "lift a block (arm of five joints and a gripper, 6 joint speeds at 20 Hz)"
    max_episode_steps: ClassVar[int] = 80
    stages: ClassVar[tuple[str, ...]] = ("start", "reached", "lifted")
    # Less for what comes earlier: a policy must not prefer to stay there.
    stage_rewards: ClassVar[tuple[float, ...]] = (0.0, 0.125, 1.0)
    objects: ClassVar[tuple[str, ...]] = ("block",)  # bodies, for the expert
    expert: ClassVar[Any] = grasp_and_lift

    def __init__(self) -> None:
        spec = load_mjcf(SCENE)
        robot = Robot.from_mjcf(spec, end_effector="gripper", gripper=["gripper"], max_speed=[1.5] * 5 + [2.0])
        super().__init__(spec, robot, camera="side")
        block = Block.named("block")
        scenery = Table(top="mat", background=("table",), camera=self.camera)
        self.randomizer = SceneRandomizer(self.model, self.robot, [block], scenery, RANDOMIZATION)
        self.block = self.model.body(block.body).id
        self.block_geom = self.model.geom(block.geom).id
        self.block_qpos = int(self.model.joint(block.joint).qposadr[0])

    # -- how episodes start

    def sample_reset(
        self, count: int, generator: torch.Generator, split: str = "random", randomize: bool = True
    ) -> ResetParams:
        self.check_split(split)

        def uniform(low: float, high: float, size: int) -> Tensor:
            return low + (high - low) * torch.rand(count, size, generator=generator, dtype=torch.float64)

        drawn = self.randomizer.sample(count, generator) if randomize else self.randomizer.nominal(count)
        placement = {
            "arm": uniform(-ARM_SPREAD, ARM_SPREAD, self.robot.arm_size),
            "gripper": uniform(0.2, 1.2, 1),
            "block_position": uniform(-SPAWN, SPAWN, 2) + torch.tensor(SPAWN_CENTER),
            "block_yaw": uniform(-pi / 4, pi / 4, 1),  # a cube looks the same after a quarter turn
        }
        return ResetParams(placement, drawn.dynamics, drawn.appearance)

    def reset(self, engine: Engine, env_ids: Tensor, params: ResetParams) -> None:
        self.apply_randomization(engine, env_ids, params)
        engine.reset(env_ids)
        placement = params.placement
        arm = self.robot.home[: self.robot.arm_size] + placement["arm"]
        self.robot.set_joints(engine, env_ids, torch.cat([arm, placement["gripper"]], 1))
        half_yaw = placement["block_yaw"] / 2
        zero = torch.zeros_like(half_yaw)
        height = params.dynamics["block_half"]  # the block stands on the table
        pose = torch.cat([placement["block_position"], height, half_yaw.cos(), zero, zero, half_yaw.sin()], 1)
        engine.field("qpos")[env_ids[:, None], self.block_qpos + torch.arange(7)] = pose
        engine.forward(env_ids)

    # -- what is observed, and how far the task has come

    def keypoints(self, engine: Engine) -> Tensor:
        """The block's centre: the policy's vision layers learn to see it, and the discriminator gets it."""
        return engine.field("xpos")[:, [self.block]].float()

    def stage(self, engine: Engine) -> Tensor:
        distance = (self.robot.end_effector_position(engine) - engine.field("xpos")[:, self.block]).norm(dim=-1)
        stage = (distance < REACH_RADIUS).long()
        # The gripper must be there: a block that was thrown into the air is not lifted.
        stage[(self.lowest_corner(engine) > LIFT_HEIGHT) & (distance < GRASP_RADIUS)] = 2
        return stage

    def lowest_corner(self, engine: Engine) -> Tensor:
        """`(n,)` m, above the table. It counts, not the centre: a block that is only tilted is not lifted."""
        upward = engine.field("xmat")[:, self.block].unflatten(-1, (3, 3))[:, 2].abs().sum(-1)
        half = engine.model_field("geom_size")[:, self.block_geom, 0]
        return engine.field("xpos")[:, self.block, 2] - half * upward

    def errors(self, engine: Engine) -> Tensor:
        """What gps brings to zero: the end effector less the block's centre, and the block's height less its target."""
        block = engine.field("xpos")[:, self.block]
        height = torch.zeros_like(block)
        height[:, 2] = self.lowest_corner(engine) - 1.5 * LIFT_HEIGHT
        return torch.stack([self.robot.end_effector_position(engine) - block, height], 1)
