"""Stack one block on another."""

from typing import ClassVar

import mujoco
import torch
from torch import Tensor

from visuomotor.engine import Engine
from visuomotor.robots.jaco import BASE_POS, add_jaco
from visuomotor.tasks.randomization import DomainRandomization
from visuomotor.tasks.table_task import TableTask

_BESIDE = 0.02  # m, between the centres of stacked blocks sideways, at most
_ABOVE = 0.01  # m, by which their height difference may be off
_TOUCH = "upper_touches_lower"


class Stacking(TableTask):
    """A Jaco arm puts the red block on the blue one (Zhu et al. 2018, IV-B).

    Features (12) for the discriminator: from gripper to either block, from the lower to the upper one, where the upper
    one is. Stacked: the upper block touches the lower one, centres within 2 cm sideways and one edge apart, give or
    take 1 cm, in height.
    """

    name: ClassVar[str] = "stacking"
    description: ClassVar[str] = "stack one block on another (Jaco, 9 joint velocities at 20 Hz)"
    max_episode_steps: ClassVar[int] = 200
    stages: ClassVar[tuple[str, ...]] = ("start", "reached", "lifted", "stacked")
    stage_rewards: ClassVar[tuple[float, ...]] = (0.0, 0.125, 0.25, 1.0)
    objects: ClassVar[tuple[str, ...]] = ("upper", "lower")
    expert: ClassVar[str] = "visuomotor.demos.stacking:stack"

    def __init__(self, randomization: DomainRandomization | None = None):
        super().__init__(add_jaco, BASE_POS, randomization)

    def add_sensors(self, spec: mujoco.MjSpec) -> None:
        upper, lower = self.objects
        spec.add_sensor(
            name=_TOUCH,
            type=mujoco.mjtSensor.mjSENS_CONTACT,
            objtype=mujoco.mjtObj.mjOBJ_BODY,
            objname=upper,
            reftype=mujoco.mjtObj.mjOBJ_BODY,
            refname=lower,
            intprm=[1, 0, 1],  # how many contacts, no reduction, one slot
        )

    def stage(self, engine: Engine) -> Tensor:
        stage = self.reached(engine, 0).long()
        stage[self.lifted(engine, 0)] = 2
        stage[self.stacked(engine)] = 3
        return stage

    def stacked(self, engine: Engine) -> Tensor:
        """`(n,)` bool."""
        upper, lower = self.keypoints(engine).unbind(1)
        gap = upper - lower
        rise = gap[:, 2] - self.half_sizes(engine).sum(-1)
        touching = engine.field("sensordata")[:, int(self.model.sensor(_TOUCH).adr[0])] > 0
        return touching & (gap[:, :2].norm(dim=-1) < _BESIDE) & (rise.abs() < _ABOVE)

    def object_features(self, engine: Engine) -> Tensor:
        upper, lower = self.keypoints(engine).unbind(1)
        end_effector = self.robot.end_effector_position(engine).float()
        return torch.cat([upper - end_effector, lower - end_effector, upper - lower, upper], 1)
