"""What the tasks with blocks on a table share, with any robot."""

from collections.abc import Callable
from math import pi
from typing import ClassVar

import mujoco
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from visuomotor.engine import Engine
from visuomotor.errors import VisuomotorError
from visuomotor.props.blocks import Block, add_block
from visuomotor.props.table import Table, add_table
from visuomotor.robots.robot import Robot
from visuomotor.tasks.randomization import DomainRandomization, SceneRandomizer
from visuomotor.tasks.reset_params import ResetParams
from visuomotor.tasks.task import Task

SPAWN = 0.10  # m, blocks start that far from the table's centre at most, along x and y
_MIN_SEPARATION = 0.09  # m, between the centres of two blocks
_JOINT_SPREAD = 0.15  # rad, each joint of the arm starts that far from home at most
_REACH_RADIUS = 0.05  # m, from the end effector to a block's centre
_GRASP_RADIUS = 0.06  # m, likewise, for a block in the air
_LIFT_HEIGHT = 0.05  # m, of a block's lowest corner above the table
_TARGET_HEIGHT = 0.10  # m, to which the default cost raises a block
# m, around the table. A block that has left falls for seconds and is observed as at rest where it left: a few in free
# fall would outweigh all others in normalised statistics, and centimetres on the table would be nothing to networks.
_LOWEST, _HIGHEST = (-0.5, -0.5, -0.1), (0.5, 0.5, 1.0)
_COLORS = ((0.85, 0.15, 0.12, 1.0), (0.15, 0.35, 0.85, 1.0))


class TableTask(Task):
    """A robot and one or two blocks on a table.

    Args:
        add_robot: puts the robot at the table of a spec. stand: m, where its base is; a column stands under it.
        randomization: how far worlds differ.
    """

    objects: ClassVar[tuple[str, ...]]
    """Names of the blocks."""

    def __init__(
        self,
        add_robot: Callable[[mujoco.MjSpec], Robot],
        stand: tuple[float, float, float],
        randomization: DomainRandomization | None = None,
    ):
        if len(self.objects) > len(_COLORS):
            raise VisuomotorError(
                f"task {self.name!r} has {len(self.objects)} blocks; a table task takes at most {len(_COLORS)}"
            )
        spec = mujoco.MjSpec()
        table = add_table(spec, stand)
        robot = add_robot(spec)
        blocks = [add_block(spec, name, color) for name, color in zip(self.objects, _COLORS, strict=False)]
        self.add_sensors(spec)
        super().__init__(spec, robot, table.camera)
        self._find_parts(blocks, table, randomization)

    def _find_parts(self, blocks: list[Block], table: Table, randomization: DomainRandomization | None) -> None:
        model = self.model
        self.randomizer = SceneRandomizer(model, self.robot, blocks, table, randomization)
        self._bodies = [model.body(block.body).id for block in blocks]
        self._geoms = [model.geom(block.geom).id for block in blocks]
        self._block_qpos = [int(model.joint(block.joint).qposadr[0]) for block in blocks]
        self._block_dofs = [int(model.joint(block.joint).dofadr[0]) for block in blocks]

    def add_sensors(self, spec: mujoco.MjSpec) -> None:
        """Sensors that the stages need."""

    def sample_reset(
        self, count: int, generator: torch.Generator, split: str = "random", randomize: bool = True
    ) -> ResetParams:
        self.check_split(split)
        drawn = self.randomizer.sample(count, generator) if randomize else self.randomizer.nominal(count)
        blocks = len(self.objects)

        def uniform(*shape: int) -> Tensor:
            return 2 * torch.rand(count, *shape, generator=generator, dtype=torch.float64) - 1

        arm = _JOINT_SPREAD * uniform(self.robot.arm_size)
        grip = 0.25 * (uniform(1) + 1)  # from open to half closed
        positions = SPAWN * uniform(2, blocks)
        if blocks == 2:
            positions[:, :, 1] = _separate(positions[:, :, 0], positions[:, :, 1])
        placement = {"arm": arm, "grip": grip, "block_position": positions.mT, "block_yaw": pi * uniform(blocks) / 2}
        return ResetParams(placement, drawn.dynamics, drawn.appearance)

    def reset(self, engine: Engine, env_ids: Tensor, params: ResetParams) -> None:
        self.apply_randomization(engine, env_ids, params)
        engine.reset(env_ids)
        placement, robot = params.placement, self.robot
        joints = robot.home.expand(len(env_ids), -1).clone()
        joints[:, : robot.arm_size] += placement["arm"]
        joints[:, robot.arm_size :] += placement["grip"] * robot.gripper_travel
        robot.set_joints(engine, env_ids, joints)
        half = engine.model_field("geom_size")[:, self._geoms, 2][env_ids]
        yaw = placement["block_yaw"]
        nothing = torch.zeros_like(yaw)
        position = placement["block_position"]
        poses = torch.stack(
            [position[..., 0], position[..., 1], half, (yaw / 2).cos(), nothing, nothing, (yaw / 2).sin()], dim=-1
        )
        for block, address in enumerate(self._block_qpos):
            engine.field("qpos")[env_ids[:, None], address + torch.arange(7)] = poses[:, block]
        engine.forward(env_ids)

    def keypoints(self, engine: Engine) -> Tensor:
        """The blocks' centres."""
        return self._clamped_positions(engine)[0]

    def privileged(self, engine: Engine) -> Tensor:
        robot = self.robot
        end_effector = robot.end_effector_position(engine).float()
        blocks, there = self._clamped_positions(engine)
        turned = engine.field("xmat")[:, self._bodies].reshape(len(blocks), -1, 3, 3)[..., :2]
        qvel = engine.field("qvel")
        parts = [
            self.proprioception(engine),
            robot.joint_velocities(engine)[:, robot.arm_size :],
            end_effector,
            robot.end_effector_axes(engine)[:, :, :2].flatten(1),
            blocks.flatten(1),
            turned.flatten(1),
            *(qvel[:, dof : dof + 6] * there[:, i, None] for i, dof in enumerate(self._block_dofs)),
            (blocks - end_effector[:, None]).flatten(1),
            self.half_sizes(engine),
            *(blocks[:, a] - blocks[:, b] for a in range(blocks.shape[1]) for b in range(a)),
            one_hot(self.stage(engine), len(self.stages)),
        ]
        return torch.cat([part.float() for part in parts], 1)

    def errors(self, engine: Engine) -> Tensor:
        """`(n, 2, 3)` m: the end effector less the first block's centre; the block's height less 10 cm."""
        block = engine.field("xpos")[:, self._bodies[0]]
        height = torch.zeros_like(block)
        height[:, 2] = block[:, 2] - _TARGET_HEIGHT
        return torch.stack([self.robot.end_effector_position(engine) - block, height], 1)

    def half_sizes(self, engine: Engine) -> Tensor:
        """`(n, blocks)` m float32."""
        return engine.model_field("geom_size")[:, self._geoms, 0].float()

    def reached(self, engine: Engine, block: int) -> Tensor:
        """`(n,)` bool: the end effector is within 5 cm of the block's centre."""
        return self._distance(engine, block) < _REACH_RADIUS

    def lifted(self, engine: Engine, block: int) -> Tensor:
        """`(n,)` bool: the block's lowest corner is over 5 cm above the table, and the gripper is there."""
        up = engine.field("xmat")[:, self._bodies[block]].reshape(-1, 3, 3)[:, 2].abs().sum(-1).float()
        lowest = self.keypoints(engine)[:, block, 2] - self.half_sizes(engine)[:, block] * up
        return (lowest > _LIFT_HEIGHT) & (self._distance(engine, block) < _GRASP_RADIUS)

    def _clamped_positions(self, engine: Engine) -> tuple[Tensor, Tensor]:
        """Block positions `(n, blocks, 3)` m float32, none farther away than matters, and which of the blocks
        `(n, blocks)` bool are no farther."""
        positions = engine.field("xpos")[:, self._bodies]
        near = positions.clamp(positions.new_tensor(_LOWEST), positions.new_tensor(_HIGHEST))
        return near.float(), (near == positions).all(-1)

    def _distance(self, engine: Engine, block: int) -> Tensor:
        end_effector = self.robot.end_effector_position(engine).float()
        return (self.keypoints(engine)[:, block] - end_effector).norm(dim=-1)


def _separate(fixed: Tensor, drawn: Tensor) -> Tensor:
    """Positions `(n, 2)` at or near those drawn, within the spawn area and far enough from `fixed`."""
    gap = drawn - fixed
    distance = gap.norm(dim=-1, keepdim=True).clamp_min(1e-6)
    pushed = fixed + gap / distance * distance.clamp_min(_MIN_SEPARATION)
    outside = (pushed.abs() > SPAWN).any(-1, keepdim=True)
    # On the other side of the fixed block there is room: the area is more than twice as wide as the distance.
    inward = fixed - fixed / fixed.norm(dim=-1, keepdim=True).clamp_min(1e-6) * _MIN_SEPARATION
    return torch.where(outside, inward, pushed)
