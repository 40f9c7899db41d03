"""Make a task from its name, and check one that a user wrote."""

import inspect

import torch

from visuomotor import registry
from visuomotor.errors import VisuomotorError
from visuomotor.tasks.reset_params import ResetParams
from visuomotor.tasks.task import OBSERVATIONS, Task

_EXPECTED = {
    "name": 'a short string, such as name = "lift"',
    "max_episode_steps": "control steps of an episode, such as max_episode_steps = 100",
    "stages": 'names, such as stages = ("start", "reached", "lifted")',
    "stage_rewards": "one number for each stage, such as stage_rewards = (0.0, 0.125, 1.0)",
    "sample_reset": "sample_reset(self, count, generator, split, randomize) -> ResetParams",
    "reset": "reset(self, engine, env_ids, params)",
    "keypoints": "keypoints(self, engine) -> (n, K, 3) float32, m",
    "stage": "stage(self, engine) -> (n,) int64",
}
_DTYPES = {"state": torch.float64, "stage": torch.int64}
_SHAPES = {"stage": "(n,)", "keypoints": "(n, K, 3)"}


def make_task(name: str) -> Task:
    """The task of that name: a short one, `module:Class`, or `path/to/file.py:Class`.

    A class that is not of this package is checked (`check_task`).

    Raises:
        VisuomotorError: there is none of that name, it cannot be made, or it lacks a member.
    """
    kind: type[Task] = registry.load("task", name, Task)
    lacking = _lacking(kind)
    if lacking:
        told = "; ".join(f"{member} ({_EXPECTED.get(member, 'see Task')})" for member in lacking)
        raise VisuomotorError(f"task {name!r} lacks {told}")
    try:
        task = kind()  # pyright: ignore[reportCallIssue]  # a task takes no arguments; its base class does
    except VisuomotorError as error:
        raise VisuomotorError(f"task {name!r}: {error}") from error
    except Exception as error:  # whatever a user's constructor does
        raise VisuomotorError(f"task {name!r} cannot be made: {type(error).__name__}: {error}") from error
    if name not in registry.BUILT_IN["task"]:
        check_task(task)
    return task


def _lacking(kind: type[Task]) -> list[str]:
    """Members that a task must have and this class has not."""
    facts = [member for member in ("name", "max_episode_steps", "stages", "stage_rewards") if not hasattr(kind, member)]
    return facts + sorted(getattr(kind, "__abstractmethods__", ()))


def check_task(task: Task) -> None:
    """Put two worlds at their starts, observe them, and step once.

    Raises:
        VisuomotorError: a member raises, or gives another shape or type than it should; the message names it.
    """
    if len(task.stage_rewards) != len(task.stages) or len(task.stages) < 2:
        raise VisuomotorError(
            f"task {task.name!r} has stages {task.stages} and stage_rewards {task.stage_rewards}; "
            "give at least two stages, and one reward for each"
        )
    if task.max_episode_steps < 1:
        raise VisuomotorError(f"task {task.name!r}: max_episode_steps must be at least 1")
    frame_skip = task.control_dt / float(task.model.opt.timestep)
    if abs(frame_skip - round(frame_skip)) > 1e-6 or frame_skip < 1:
        raise VisuomotorError(
            f"task {task.name!r}: control_dt {task.control_dt} s is no multiple of the model's time step "
            f"{float(task.model.opt.timestep)} s; change one of them"
        )
    engine, everyone = task.make_engine(2, 1), torch.arange(2)
    generator = torch.Generator().manual_seed(0)
    for randomize in (False, True):
        params = _called(task, "sample_reset", 2, generator, "random", randomize)
        if not isinstance(params, ResetParams) or len(params) != 2:
            raise VisuomotorError(f"task {task.name!r}: sample_reset(2, ...) must give a ResetParams of 2 rows")
        _called(task, "reset", engine, everyone, params)
    for group in (*OBSERVATIONS, "errors"):
        value = _called(task, group, engine)
        wanted, dims = _DTYPES.get(group), {"stage": 1, "keypoints": 3, "errors": 3}.get(group, 2)
        if not isinstance(value, torch.Tensor) or value.ndim != dims or len(value) != 2:
            found = tuple(value.shape) if isinstance(value, torch.Tensor) else type(value).__name__
            shape = _SHAPES.get(group, "(n, E, 3)" if group == "errors" else "(n, size)")
            raise VisuomotorError(f"task {task.name!r}: {group}(engine) gives {found} for 2 worlds; expected {shape}")
        if group != "errors" and value.dtype != (wanted or torch.float32):
            raise VisuomotorError(
                f"task {task.name!r}: {group}(engine) gives {value.dtype}; expected {wanted or torch.float32}"
            )
        if not value.isfinite().all():
            raise VisuomotorError(f"task {task.name!r}: {group}(engine) is not finite at the start of an episode")
    stage = task.stage(engine)
    if not (int(stage.min()) >= 0 and int(stage.max()) < len(task.stages)):
        raise VisuomotorError(
            f"task {task.name!r}: stage(engine) gives {stage.tolist()}; stages are 0 to {len(task.stages) - 1}"
        )
    _called(task, "step", engine, torch.zeros(2, task.action_size))
    _called(task, "finish_episode", engine)


def _called(task: Task, member: str, *arguments: object) -> object:
    try:
        return getattr(task, member)(*arguments)
    except VisuomotorError:
        raise
    except Exception as error:  # whatever a user's member does
        where = _place(error, task)
        raise VisuomotorError(
            f"task {task.name!r}: {member} raises {type(error).__name__}{where}: {error}; "
            f"expected {_EXPECTED.get(member, 'see Task')}"
        ) from error


def _place(error: Exception, task: Task) -> str:
    """The last line of the task's own file in a traceback."""
    own = inspect.getsourcefile(type(task))
    trace, line = error.__traceback__, None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == own:
            line = trace.tb_lineno
        trace = trace.tb_next
    return f" in line {line}" if line is not None else ""
