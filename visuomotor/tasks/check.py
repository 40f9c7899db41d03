"""Check a task that a user wrote: whether every member gives what it should."""

import inspect
from types import TracebackType
from typing import Any, Final

import torch
from torch import Tensor

from visuomotor.engine import Engine
from visuomotor.errors import VisuomotorError, one_line
from visuomotor.tasks.reset_params import ResetParams
from visuomotor.tasks.task import EpisodeOutcome, Task

_EXPECTED: Final = {
    "name": 'a short string, such as name = "lift"',
    "max_episode_steps": "control steps of an episode, such as max_episode_steps = 100",
    "stages": 'names, such as stages = ("start", "reached", "lifted")',
    "stage_rewards": "one number for each stage, such as stage_rewards = (0.0, 0.125, 1.0)",
    "splits": 'names with "random" among them, such as splits = ("random",)',
    "sample_reset": "sample_reset(self, count, generator, split, randomize) -> ResetParams of count rows",
    "reset": "reset(self, engine, env_ids, params)",
    "keypoints": "keypoints(self, engine) -> (n, K, 3) float32, m",
    "stage": "stage(self, engine) -> (n,) int64",
}
_ANY_SIZE: Final = -1
_GROUPS: Final[dict[str, tuple[tuple[int, ...], torch.dtype | None]]] = {
    "proprioception": ((_ANY_SIZE,), torch.float32),
    "keypoints": ((_ANY_SIZE, 3), torch.float32),
    "errors": ((_ANY_SIZE, 3), None),
    "stage": ((), torch.int64),
    "reward": ((), torch.float32),
    "object_features": ((_ANY_SIZE,), torch.float32),
    "privileged": ((_ANY_SIZE,), torch.float32),
    "state": ((_ANY_SIZE,), torch.float64),
}
"""Shapes, less the first axis, and types of what members give; those that others are made of come first."""

_CONSTANTS: Final = (
    *("body_subtreemass", "body_invweight0", "dof_invweight0", "dof_M0", "dof_length", "geom_rbound"),
    *("actuator_acc0", "actuator_length0", "tendon_length0", "tendon_invweight0"),
)
"""Fields of a model that MuJoCo computes from others, and physics reads."""


def missing_members(kind: type[Task]) -> list[str]:
    """What a task class must have and this one has not, each with what is expected."""
    facts = [member for member in ("name", "max_episode_steps", "stages", "stage_rewards") if not hasattr(kind, member)]
    missing = facts + sorted(getattr(kind, "__abstractmethods__", ()))
    return [f"{member} ({_EXPECTED.get(member, 'see Task')})" for member in missing]


def check_task(task: Task) -> None:
    """Put two worlds at their starts, observe them, step once, and end the episode.

    Raises:
        VisuomotorError: a member raises, or gives another shape or type than it should; the message names it.
    """
    _check_facts(task)
    engine, params = task.make_engine(2, 1), ResetParams()
    for split in task.splits:
        for randomize in (False, True):
            params = _called(task, "sample_reset", 2, torch.Generator().manual_seed(0), split, randomize)
            _check_params(task, params)
            _called(task, "reset", engine, torch.arange(2), params)
    _check_groups(task, engine, "at the start of an episode")
    _check_reset(task, engine, params)
    _check_groups(task, engine, "after a step")
    _check_ends(task, engine)
    _called(task, "reset_for_pose_data", engine, torch.Generator().manual_seed(0))


def _check_facts(task: Task) -> None:
    for member in ("stages", "splits"):
        names: Any = getattr(task, member)
        if not isinstance(names, tuple | list) or not all(isinstance(name, str) for name in names):
            raise _wrong(task, member, f"is {names!r}")
    if len(task.stage_rewards) != len(task.stages) or len(task.stages) < 2:
        raise VisuomotorError(
            f"task {task.name!r} has stages {task.stages} and stage_rewards {task.stage_rewards}; "
            "give at least two stages, and one reward for each"
        )
    if "random" not in task.splits:
        raise _wrong(task, "splits", f"is {task.splits!r}")
    steps: Any = task.max_episode_steps
    if not (isinstance(steps, int) and steps > 0):
        raise VisuomotorError(f"task {task.name!r}: max_episode_steps must be a positive int, not {steps!r}")
    if not hasattr(task, "model"):
        raise VisuomotorError(f"task {task.name!r}: __init__ must call super().__init__(spec, robot, camera)")
    timestep = float(task.model.opt.timestep)
    frame_skip = task.control_dt / timestep
    if abs(frame_skip - round(frame_skip)) > 1e-6 or frame_skip < 1:
        raise VisuomotorError(
            f"task {task.name!r}: control_dt {task.control_dt} s is no multiple of the model's time step {timestep} s; "
            "change one of them"
        )


def _check_params(task: Task, params: Any) -> None:
    if not isinstance(params, ResetParams):
        raise _wrong(task, "sample_reset", f"gives {_kind_of(params)}")
    if not len(params):
        raise _wrong(task, "sample_reset", "gives a ResetParams without rows")
    for group, rows in vars(params).items():
        for name, value in rows.items():
            if not isinstance(value, Tensor) or value.ndim == 0 or len(value) != 2:
                raise _wrong(task, "sample_reset", f"gives {_kind_of(value)} as {group}[{name!r}] of 2 worlds")
    for group, member in (("dynamics", "apply_randomization"), ("appearance", "apply_appearance")):
        applied = hasattr(task, "randomizer") or getattr(type(task), member) != getattr(Task, member)
        if getattr(params, group) and not applied:
            raise VisuomotorError(
                f"task {task.name!r}: sample_reset gives {group} that nothing applies; set self.randomizer in "
                f"__init__, or define {member}"
            )


def _check_reset(task: Task, engine: Engine, params: ResetParams) -> None:
    """A reset is complete, always the same, and leaves other worlds alone."""
    positions = engine.field("xpos")
    _called(task, "reset", engine, torch.arange(2), params)
    start, found = engine.state(), positions.clone()
    engine.forward()
    if not torch.equal(positions, found):
        raise VisuomotorError(f"task {task.name!r}: reset leaves old positions; end it with engine.forward(env_ids)")
    constants = _read_constants(engine)
    engine.set_const()
    for name, value in _read_constants(engine).items():
        if name not in constants or not torch.equal(value, constants[name]):
            raise VisuomotorError(
                f"task {task.name!r}: reset leaves an old {name}; call engine.set_const(env_ids) after what you write "
                "into model fields"
            )
    _called(task, "step", engine, torch.ones(2, task.action_size))
    moved = engine.state()
    second = torch.tensor([1])
    _called(task, "reset", engine, second, params[second])
    if not torch.equal(engine.state()[0], moved[0]):
        raise VisuomotorError(f"task {task.name!r}: reset changes other worlds than env_ids; write to their rows only")
    if not torch.equal(engine.state()[1], start[1]):
        raise VisuomotorError(
            f"task {task.name!r}: reset gives two states for the same params; begin it with engine.reset(env_ids), and "
            "draw in sample_reset only"
        )


def _read_constants(engine: Engine) -> dict[str, Tensor]:
    """Those in which worlds differ."""
    return {name: engine.model_field(name).clone() for name in _CONSTANTS if engine.is_per_world(name)}


def _check_groups(task: Task, engine: Engine, when: str) -> None:
    for member in _GROUPS:
        value = _called(task, member, engine)
        _check_group(task, member, value, when)
        last = len(task.stages) - 1
        if member == "stage" and not (int(value.min()) >= 0 and int(value.max()) <= last):
            raise VisuomotorError(f"task {task.name!r}: stage(engine) gives {value.tolist()}; stages are 0 to {last}")


def _check_group(task: Task, member: str, value: Any, when: str) -> None:
    shape, dtype = _GROUPS[member]
    sizes = (2, *shape)
    fits = isinstance(value, Tensor) and value.ndim == len(sizes)
    if not fits or any(size not in (_ANY_SIZE, found) for size, found in zip(sizes, value.shape, strict=True)):
        raise VisuomotorError(
            f"task {task.name!r}: {member}(engine) gives {_kind_of(value)} for 2 worlds; expected {_shape_text(shape)}"
        )
    if dtype is not None and value.dtype != dtype:
        raise VisuomotorError(f"task {task.name!r}: {member}(engine) gives {value.dtype}; expected {dtype}")
    if not value.isfinite().all():
        raise VisuomotorError(f"task {task.name!r}: {member}(engine) is not finite {when}")


def _check_ends(task: Task, engine: Engine) -> None:
    """Success, the cost, the gains, and what an episode has come to."""
    stage = task.stage(engine)
    success = _called(task, "success", stage)
    if not isinstance(success, Tensor) or success.shape != stage.shape or success.dtype != torch.bool:
        raise _wrong(task, "success", f"gives {_kind_of(success)} for 2 worlds", "success(self, stage) -> (n,) bool")
    actions = torch.zeros(2, 1, task.action_size, dtype=torch.float64)
    value = _called(task, "cost", task.state(engine)[:, None], actions)
    if not (isinstance(value, Tensor) and value.shape == (2, 1) and value.isfinite().all()):
        raise _wrong(
            task, "cost", f"gives {_kind_of(value)} for 2 worlds and 1 step", "a finite Cost of state and actions"
        )
    gains = _called(task, "pd_gains")
    if [tuple(gain.shape) for gain in gains] != [(task.action_size,)] * 2:
        raise _wrong(task, "pd_gains", f"gives {_kind_of(gains)}", f"two tensors ({task.action_size},)")
    outcome = _called(task, "finish_episode", engine)
    fits = isinstance(outcome, EpisodeOutcome) and outcome.success.shape == outcome.distance.shape == (2,)
    if not fits or outcome.success.dtype != torch.bool:
        raise _wrong(task, "finish_episode", f"gives {_kind_of(outcome)}", "EpisodeOutcome of (n,) bool and (n,)")


def _called(task: Task, member: str, *arguments: object) -> Any:
    try:
        return getattr(task, member)(*arguments)
    except VisuomotorError:
        raise
    except Exception as error:  # whatever a user's member does
        raise _wrong(task, member, f"raises {describe_error(error, type(task))}") from error


def describe_error(error: Exception, kind: type) -> str:
    """An exception in one line, with the last line of the class's own file in its traceback."""
    own, trace = inspect.getsourcefile(kind), error.__traceback__
    lines = [step.tb_lineno for step in _steps(trace) if step.tb_frame.f_code.co_filename == own]
    where = f" in line {lines[-1]}" if lines else ""
    return f"{type(error).__name__}{where}: {one_line(error)}"


def _steps(trace: TracebackType | None):
    while trace is not None:
        yield trace
        trace = trace.tb_next


def _wrong(task: Task, member: str, found: str, expected: str = "see Task") -> VisuomotorError:
    return VisuomotorError(f"task {task.name!r}: {member} {found}; expected {_EXPECTED.get(member, expected)}")


def _kind_of(value: object) -> str:
    return f"{tuple(value.shape)} {value.dtype}" if isinstance(value, Tensor) else type(value).__name__


def _shape_text(shape: tuple[int, ...]) -> str:
    sizes = ["n", *("size" if size == _ANY_SIZE else str(size) for size in shape)]
    return f"({', '.join(sizes)})" if shape else "(n,)"
