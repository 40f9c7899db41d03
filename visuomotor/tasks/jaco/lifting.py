"""Lift a block off the table."""

from typing import ClassVar

import torch
from torch import Tensor

from visuomotor.engine import Engine
from visuomotor.robots.jaco import BASE_POS, add_jaco
from visuomotor.tasks.randomization import DomainRandomization
from visuomotor.tasks.table_task import TableTask


class Lifting(TableTask):
    """A Jaco arm grasps a block and holds it above the table (Zhu et al. 2018, IV-B).

    Features (6) for the discriminator: from gripper to block, and where the block is.
    """

    name: ClassVar[str] = "lifting"
    description: ClassVar[str] = "lift a block off the table (Jaco, 9 joint velocities at 20 Hz)"
    max_episode_steps: ClassVar[int] = 100
    stages: ClassVar[tuple[str, ...]] = ("start", "reached", "lifted")
    stage_rewards: ClassVar[tuple[float, ...]] = (0.0, 0.125, 1.0)
    objects: ClassVar[tuple[str, ...]] = ("block",)
    expert: ClassVar[str] = "visuomotor.demos.lifting:lift"

    def __init__(self, randomization: DomainRandomization | None = None):
        super().__init__(add_jaco, BASE_POS, randomization)

    def stage(self, engine: Engine) -> Tensor:
        stage = self.reached(engine, 0).long()
        stage[self.lifted(engine, 0)] = 2
        return stage

    def object_features(self, engine: Engine) -> Tensor:
        block = self.keypoints(engine)[:, 0]
        return torch.cat([block - self.robot.end_effector_position(engine).float(), block], 1)
