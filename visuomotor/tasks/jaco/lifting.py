"""Lift a block off the table."""

from typing import ClassVar

import torch
from torch import Tensor

from visuomotor.engine import Engine
from visuomotor.tasks.jaco.blocks_task import BlocksTask


class Lifting(BlocksTask):
    """A Jaco arm grasps a block and holds it above the table (Zhu et al. 2018, IV-B).

    Features (6) for the discriminator: from gripper to block, and where the block is.
    """

    name: ClassVar[str] = "lifting"
    summary: ClassVar[str] = "lift a block off the table (Jaco, 9 joint velocities at 20 Hz)"
    steps: ClassVar[int] = 100
    stages: ClassVar[tuple[str, ...]] = ("start", "reached", "lifted")
    stage_rewards: ClassVar[tuple[float, ...]] = (0.0, 0.125, 1.0)
    objects: ClassVar[tuple[str, ...]] = ("block",)
    feature_size = 6

    def stage(self, engine: Engine) -> Tensor:
        stage = self.reached(engine, 0).long()
        stage[self.lifted(engine, 0)] = 2
        return stage

    def features(self, engine: Engine) -> Tensor:
        block = self.object_positions(engine)[:, 0]
        return torch.cat([block - self.pinch_position(engine), block], 1)
