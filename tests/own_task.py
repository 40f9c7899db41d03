"""A task as a user would write it, in a file, and what is said of it where it is wrong."""

from pathlib import Path

import pytest

from visuomotor.errors import VisuomotorError
from visuomotor.tasks import make_task

ROOT = Path(__file__).parents[1]
TASK = f"""
import torch

from visuomotor.robots.mjcf import load_mjcf
from visuomotor.robots.robot import Robot
from visuomotor.tasks import EpisodeOutcome, ResetParams, Task

SCENE = {str(ROOT / "examples" / "own_robot" / "scene.xml")!r}


class Reach(Task):
    name = "reach"
    max_episode_steps = 20
    stages = ("far", "near")
    stage_rewards = (0.0, 1.0)

    def __init__(self):
        spec = load_mjcf(SCENE)
        robot = Robot.from_mjcf(spec, end_effector="gripper", gripper=["gripper"], max_speed=2.0)
        super().__init__(spec, robot, "side")

    def sample_reset(self, count, generator, split="random", randomize=True):
        return ResetParams({{"block": torch.rand(count, 2, generator=generator, dtype=torch.float64)}})

    def reset(self, engine, env_ids, params):
        engine.reset(env_ids)
        self.robot.set_joints(engine, env_ids, self.robot.home.expand(len(env_ids), -1))
        place = 0.16 + 0.1 * params.placement["block"]
        engine.field("qpos")[env_ids[:, None], torch.tensor([[6, 7]])] = place
        engine.forward(env_ids)

    def keypoints(self, engine):
        return engine.field("xpos")[:, [self.model.body("block").id]].float()

    def stage(self, engine):
        return (self.errors(engine)[:, 0].norm(dim=-1) < 0.05).long()
"""


def changed(old: str, new: str) -> str:
    assert TASK.count(old) == 1
    return TASK.replace(old, new)


def refused(name: str, match: str) -> str:
    with pytest.raises(VisuomotorError, match=match) as caught:
        make_task(name)
    told = str(caught.value)
    assert "\n" not in told
    return told
