from collections.abc import Callable

import pytest

from visuomotor.camera import camera_spec
from visuomotor.evaluation import Result
from visuomotor.policies import PolicySpec
from visuomotor.tasks import Task


def _result(**changes) -> Result:
    values = {
        "task": "hanger",
        "algorithm": "gps",
        "split": "training",
        "preset": "laptop",
        "seed": 0,
        "trials": 10,
        "successes": 5,
        "wall_seconds": 2.5,
        "hardware": "a laptop, 2 cores",
        "commit": "0123456789abcdef",
        "command": "visuomotor evaluate runs/x",
        "mean_final_distance_m": 0.012,
    }
    return Result(**(values | changes))


@pytest.fixture
def result() -> Callable[..., Result]:
    """Makes a result with some fields changed."""
    return _result


def _spec(task: Task, size: int = 24, **changes) -> PolicySpec:
    values = {
        "algorithm": "gps",
        "task": task.name,
        "task_name": task.name,
        "camera": camera_spec(task.model, task.camera, size, 1),
        "proprioception_size": task.size("proprioception"),
        "action_limits": task.robot.robot.action_limits,
        "action_unit": "N m" if task.robot.robot.control == "torque" else "rad/s",
        "control_dt": task.control_dt,
        "training": {"control_steps": 7, "notes": ["stopped after 7 control steps"]},
    }
    return PolicySpec(**(values | changes))


@pytest.fixture
def spec() -> Callable[..., PolicySpec]:
    """Makes the spec of a policy for a task, with some fields changed."""
    return _spec
