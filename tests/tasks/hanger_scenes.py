"""States of the hanger task, put together by hand."""

import mujoco
import numpy as np
import torch

from visuomotor.engine import CpuEngine
from visuomotor.props.hanger import hook_inside_height
from visuomotor.props.rack import BAR_RADIUS
from visuomotor.robots.pr2 import solve_arm
from visuomotor.tasks import ResetParams

CLEARANCE = 0.004  # m


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def starts(task, split="training", count=18, randomize=False, seed=0) -> ResetParams:
    return task.sample_reset(count, seeded(seed), split, randomize)


def started(task, params) -> CpuEngine:
    engine = task.make_engine(len(params))
    task.reset(engine, torch.arange(len(params)), params)
    return engine


def some(params, *rows) -> ResetParams:
    return params[torch.tensor(rows)]


def hang(task, engine, offset=(0.0, 0.0, 0.0)) -> None:
    """Put the hanger upright with the hook's inside `offset` `(n, 3)` m from the bar's centre, wherever the hand is."""
    bar = engine.field("site_xpos")[:, task.model.site("rack_bar_center").id]
    address = int(task.model.joint("hanger_joint").qposadr[0])
    height = torch.tensor([0.0, 0.0, hook_inside_height()], dtype=torch.float64)
    pose = torch.zeros(engine.worlds, 7, dtype=torch.float64)
    pose[:, :3], pose[:, 3] = bar + torch.tensor(offset, dtype=torch.float64) - height, 1.0
    engine.field("qpos")[:, address : address + 7] = pose
    engine.forward()


def hand_targets(task, engine, params, lean=0.0) -> list[tuple[np.ndarray, np.ndarray]]:
    """Position and rotation of the hand with the hook over the middle of the bar, `CLEARANCE` above it, and the hanger
    turned by `lean` (rad) about it."""
    turn = np.array([[np.cos(lean), 0, np.sin(lean)], [0, 1, 0], [-np.sin(lean), 0, np.cos(lean)]])
    bar = engine.field("site_xpos")[:, task.model.site("rack_bar_center").id].numpy()
    found = []
    for place, (shift, tilt) in zip(bar, params.dynamics["grasp"].tolist(), strict=True):
        hanger = np.add(place, (0, 0, BAR_RADIUS + CLEARANCE)) - turn @ [0, 0, hook_inside_height()]
        held = np.array([[np.cos(tilt), 0, np.sin(tilt)], [0, 1, 0], [-np.sin(tilt), 0, np.cos(tilt)]])
        found.append((hanger - turn @ held.T @ [0, 0, shift], turn @ held.T))
    return found


def move_arm(task, engine, targets) -> None:
    """Put the right hand at its target in each world, with the hanger as it holds it."""
    model, params = task.model, engine.model_field("eq_data")[:, 0].numpy()
    address = [int(model.joint(name).qposadr[0]) for name in task.robot.robot.joints]
    hanger = int(model.joint("hanger_joint").qposadr[0])
    for world, (position, rotation) in enumerate(targets):
        quat, data = np.empty(4), mujoco.MjData(model)
        mujoco.mju_mat2Quat(quat, rotation.flatten())
        qpos = engine.field("qpos")[world].numpy()
        qpos[address] = solve_arm(model, "r", position, quat)
        data.qpos[:] = qpos
        mujoco.mj_kinematics(model, data)
        tool, held = data.body("r_gripper_tool_frame"), np.empty(4)
        mujoco.mju_mulQuat(held, tool.xquat, params[world, 6:10])
        qpos[hanger : hanger + 7] = [*(tool.xpos + tool.xmat.reshape(3, 3) @ params[world, 3:6]), *held]
    engine.forward()
