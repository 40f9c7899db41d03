"""Put a block through the hole of a shape-sorting cube."""

from math import sqrt
from typing import ClassVar

import mujoco
import numpy as np
import torch
from torch import Tensor

from visuomotor.engine import Engine
from visuomotor.props.clutter import NARROW_BIN, add_background
from visuomotor.props.shape_cube import BLOCK_HALF, CUBE_HALF, add_held_block, add_shape_cube, add_stand
from visuomotor.robots.pr2 import Pr2
from visuomotor.tasks.pr2.pr2_task import DOWN, UP, Pr2Task, Scene
from visuomotor.tasks.reset_params import ResetParams

_DEPTH = 0.035  # m of the block that are in the hole at the goal
_TOOL_TO_BLOCK = 0.03  # m, from the fingers to the block's middle
_NEAR = 0.03  # m, of the block's lower end from the hole
_LATERAL, _SUNK = (
    0.005,
    0.015,
)  # m, of the block's middle from the hole's axis, of its lower end (at last of its middle) below the top
_AWAY = (1.2, 0.3, 0.8, -2.0, 0.0, -0.8, 0.0)  # rad, the left arm beside the table
_SIDEWAYS = (sqrt(0.5), 0.0, 0.0, -sqrt(0.5))  # the left hand points to the right


class Cube(Pr2Task):
    """A PR2 puts a block through the hole of a cube that its left hand holds (Levine et al. 2015).

    See `Pr2Task` for state, readings and splits. There are 2.5 mm between block and hole. `visual`: the cube stands on
    a table, the left arm is away. `background`: a crate, a bin and a cushion behind it. Success: after the
    gripper has opened, the middle of the block is 15 mm below the cube's top. The last stage comes earlier, when 15 mm
    of the block are in the hole.
    """

    name: ClassVar[str] = "cube"
    description: ClassVar[str] = "put a block through the hole of a cube (PR2, 7 torques at 20 Hz)"
    stages: ClassVar[tuple[str, ...]] = ("start", "near", "in")
    stage_rewards: ClassVar[tuple[float, ...]] = (0.0, 0.125, 1.0)

    num_policy_iterations = 6  # the trajectories are the least steady of all tasks
    camera_fovy = 32.0
    center = (0.58, -0.10, 0.84 + CUBE_HALF)  # of the hole
    start = ((0.50, -0.14, 1.06), DOWN)
    approach = (0.0, 0.0, -1.0)
    approach_power = 2.0  # else the block meets the rim on its way to some positions
    goal_offset = (0.0, 0.0, BLOCK_HALF[2] - _DEPTH)
    held_at = (_TOOL_TO_BLOCK, 0.0, 0.0), UP

    def add_objects(self, spec: mujoco.MjSpec, pr2: Pr2) -> Scene:
        block, cube = add_held_block(spec, pr2.right_tool), add_shape_cube(spec)
        return Scene(
            held_joint=block.joint,
            grasp=block.grasp,
            target=cube.hole,
            grip_opening=BLOCK_HALF[1],
            target_opening=CUBE_HALF,
            clutter={"visual": add_stand(spec, self.center), "background": add_background(spec, NARROW_BIN)},
        )

    @staticmethod
    def target_to_tool() -> tuple[np.ndarray, np.ndarray]:
        """The fingers close on the cube's sides; the target is the hole."""
        return np.array([0.0, 0.0, -CUBE_HALF]), np.array(_SIDEWAYS)

    def sample_reset(
        self, count: int, generator: torch.Generator, split: str = "random", randomize: bool = True
    ) -> ResetParams:
        params = super().sample_reset(count, generator, split, randomize)
        params.placement["held"] = torch.full((count,), float(split != "visual"), dtype=torch.float64)
        return params

    def left_arms(self, params: ResetParams) -> Tensor:
        away = torch.tensor(_AWAY, dtype=torch.float64)
        return torch.where(params.placement["held"][:, None] > 0, super().left_arms(params), away)

    def place_target(self, engine: Engine, env_ids: Tensor, target: Tensor) -> None:
        engine.field("mocap_pos")[env_ids, 0] = target + torch.tensor([0.0, 0.0, -CUBE_HALF], dtype=torch.float64)

    def keypoints(self, engine: Engine) -> Tensor:
        """The middle of the hole, and two corners of the cube's top."""
        corners = torch.tensor([(0.0, 0.0, 0.0), (-CUBE_HALF, CUBE_HALF, 0.0), (-CUBE_HALF, -CUBE_HALF, 0.0)])
        return self.target_position(engine)[:, None].float() + corners

    def stage(self, engine: Engine) -> Tensor:
        lower_end, lateral, _ = self._block_from_hole(engine)
        stage = (lower_end.norm(dim=-1) < _NEAR).long()
        stage[(lateral < _LATERAL) & (lower_end[:, 2] < -_SUNK)] = 2
        return stage

    def in_place(self, engine: Engine) -> Tensor:
        """The block's middle is in the hole, 15 mm below the cube's top."""
        _, lateral, height = self._block_from_hole(engine)
        return (lateral < _LATERAL) & (height < -_SUNK)

    def _block_from_hole(self, engine: Engine) -> tuple[Tensor, Tensor, Tensor]:
        """The block relative to the hole, m: its lower end `(n, 3)`; its middle's distance from the axis and height,
        each `(n,)`."""
        middle = self.held_from_target(engine)
        axis = engine.field("xmat")[:, self.held_body].unflatten(-1, (3, 3))[:, :, 2]
        return middle - BLOCK_HALF[2] * axis, middle[:, :2].norm(dim=-1), middle[:, 2]
