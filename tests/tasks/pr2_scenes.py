"""States of the PR2's tasks, made by hand."""

from math import cos, pi, sin

import torch

from visuomotor.engine import CpuEngine
from visuomotor.robots.pr2 import solve_arm

SIDEWAYS = (cos(pi / 4), sin(pi / 4), 0.0, 0.0)  # +z becomes -y


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def started(task, split="training", count=9, seed=0) -> CpuEngine:
    engine = task.make_engine(count)
    task.reset(engine, torch.arange(count), task.sample_reset(count, seeded(seed), split, False))
    return engine


def at_goal(task, count=9, up=0.0) -> CpuEngine:
    """The arm where the object is at its goal, or `up` m above it, in all training conditions."""
    engine, params = task.make_engine(count), task.sample_reset(count, seeded(), "training", False)
    everyone = torch.arange(count)
    task.reset(engine, everyone, params)
    held = task.grasp_poses(params.dynamics["grasp"])
    position, quat = task._hand_targets(task.target_position(engine) + offset(0.0, 0.0, up), *held)
    start = task.robot.joint_positions(engine)[0].numpy()
    angles = [
        torch.from_numpy(solve_arm(task.model, "r", p.numpy(), q.numpy(), start=start))
        for p, q in zip(position, quat, strict=True)
    ]
    task._place(engine, everyone, params, torch.stack(angles))
    return engine


def put(task, engine, joint, position, quat=(1.0, 0.0, 0.0, 0.0)) -> None:
    """Put a free body at `position` `(n, 3)` m in the world."""
    address = int(task.model.joint(joint).qposadr[0])
    engine.field("qpos")[:, address : address + 3] = position
    engine.field("qpos")[:, address + 3 : address + 7] = torch.tensor(quat, dtype=torch.float64)
    engine.forward()


def offset(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def release(task, engine) -> None:
    engine.field("eq_active")[:, task.model.equality(task.scene.grasp).id] = 0


def place(task, geom, axis: int) -> float:
    return float(task.model.geom(geom).pos[axis])


def half(task, geom, axis: int) -> float:
    return float(task.model.geom(geom).size[axis])
