"""Check a task that a user wrote: whether every member gives what it should."""

from collections.abc import Callable
from contextlib import suppress
from itertools import combinations
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from visuomotor.engine import Engine
from visuomotor.errors import VisuomotorError, describe_error, in_own_line, one_line
from visuomotor.tasks.check_attributes import check_attributes, find_expert, wrong
from visuomotor.tasks.cost import Cost
from visuomotor.tasks.randomization import SceneRandomizer
from visuomotor.tasks.reset_params import ResetParams
from visuomotor.tasks.task import EpisodeOutcome, Task

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

_ROUNDING: Final = 1e-5
_FARTHEST: Final = 10.0  # m, of a keypoint from the origin; one that is farther is in mm, or lost
_STARTS: Final = 32  # two splits that have so many in common are the same

_CONSTANTS: Final = (
    *("body_subtreemass", "body_invweight0", "dof_invweight0", "dof_M0", "dof_length", "geom_rbound"),
    *("actuator_acc0", "actuator_length0", "tendon_length0", "tendon_invweight0"),
)
"""Fields of a model that MuJoCo computes from others, and physics reads."""


def check_task(task: Task) -> None:
    """Put two worlds at their starts, observe them, step once, and end the episode; then one world, and three. Members
    are called in all the ways in which training calls them.

    Raises:
        VisuomotorError: a member raises, or gives another shape or type than it should; the message names it.
    """
    check_attributes(task)
    find_expert(task)
    engine = _called(task, "make_engine", 2, 1)
    params = first = _check_sample_reset(task, task.splits[0], randomize=False)
    for split in task.splits:
        for randomize in (False, True):
            params = _check_sample_reset(task, split, randomize)
            _check_same_rows(task, first, params)
            _called(task, "reset", engine, torch.arange(2), params)
    _check_splits_differ(task)
    _check_groups(task, engine, "at the start of an episode")
    _called(task, "apply_appearance", engine, torch.arange(2), params.appearance)
    _check_reset(task, engine, params)
    _check_groups(task, engine, "after a step")
    _check_states_are_complete(task, engine)
    for worlds in (1, 3):  # two worlds hide swapped axes of two points; several hide an axis that `squeeze` removes
        _check_number_of_worlds(task, worlds)
    _check_names(task)
    _check_cost(task, engine)
    _check_gains(task)
    _check_ends(task, engine, lambda: None)
    for split in ((), *((split,) for split in task.splits)):  # pose regression leaves it out
        _called(task, "randomize_appearance", engine, torch.Generator().manual_seed(0), *split)
    _called(task, "reset_for_pose_data", engine, torch.Generator().manual_seed(0))


def _check_number_of_worlds(task: Task, worlds: int) -> None:
    """Groups of observations and outcomes of that many worlds, at a start that the defaults of `sample_reset` draw."""
    engine = _called(task, "make_engine", worlds)
    params = _called(task, "sample_reset", worlds, torch.Generator().manual_seed(0))
    _check_params(task, params, worlds)
    _called(task, "reset", engine, torch.arange(worlds), params)
    _check_groups(task, engine, "at the start of an episode")
    _check_ends(task, engine, None)


def _check_sample_reset(task: Task, split: str, randomize: bool) -> ResetParams:
    """The starts of two episodes: they depend on the arguments alone, and there are as many as asked for."""

    def draw(count: int, *given: object, **named: object) -> ResetParams:
        params = _called(task, "sample_reset", count, torch.Generator().manual_seed(0), *given, **named)
        _check_params(task, params, count)
        return params

    draw(1, split=split, randomize=randomize)
    params, again = draw(2, split, randomize), draw(2, split, randomize)
    for group, rows in vars(params).items():
        for name, value in rows.items():
            if name not in vars(again)[group] or not torch.equal(value, vars(again)[group][name]):
                raise VisuomotorError(
                    f"task {task.name!r}: sample_reset gives two values of {group}[{name!r}] for one seed; draw with "
                    "the generator that it gets, as in torch.rand(count, generator=generator)"
                )
    return params


def _check_params(task: Task, params: Any, count: int) -> None:
    if not isinstance(params, ResetParams):
        raise wrong(task, "sample_reset", f"gives {_kind_of(params)}")
    for group, rows in vars(params).items():
        if not isinstance(rows, dict):
            raise wrong(task, "sample_reset", f"gives {_kind_of(rows)} as {group}, not a dict,")
        for name, value in rows.items():
            if not isinstance(value, Tensor) or value.ndim == 0 or len(value) != count:
                raise wrong(task, "sample_reset", f"gives {_kind_of(value)} as {group}[{name!r}] of {count} worlds")
            if not value.isfinite().all():
                raise wrong(task, "sample_reset", f"gives {group}[{name!r}] that is not finite")
    if isinstance(randomizer := getattr(task, "randomizer", None), SceneRandomizer):
        for group, rows in vars(randomizer.nominal(1)).items():
            if lacking := rows.keys() - vars(params)[group]:
                raise VisuomotorError(
                    f"task {task.name!r}: sample_reset gives no {group}[{min(lacking)!r}], which self.randomizer "
                    "writes; take dynamics and appearance from self.randomizer.sample(count, generator), or from "
                    "self.randomizer.nominal(count) where randomize is False"
                )
    if not len(params):
        raise wrong(task, "sample_reset", "gives a ResetParams without rows")
    for group, member in (("dynamics", "apply_randomization"), ("appearance", "apply_appearance")):
        applied = hasattr(task, "randomizer") or getattr(type(task), member) != getattr(Task, member)
        if getattr(params, group) and not applied:
            raise VisuomotorError(
                f"task {task.name!r}: sample_reset gives {group} that nothing applies; set self.randomizer in "
                f"__init__, or define {member}"
            )


def _check_same_rows(task: Task, first: ResetParams, params: ResetParams) -> None:
    """An environment has room for the rows of its first draw."""
    for group, rows in vars(params).items():
        others = vars(first)[group]
        for name in {**others, **rows}:
            if name not in rows or name not in others or rows[name].shape != others[name].shape:
                raise VisuomotorError(
                    f"task {task.name!r}: sample_reset gives {group}[{name!r}] only for some splits or randomize, or "
                    "in two shapes; give the same rows always, nominal ones where nothing is random"
                )


def _check_splits_differ(task: Task) -> None:
    """No split is another one by a second name, as where `sample_reset` ignores it."""

    def draw(split: str) -> list[ResetParams]:
        return [
            _called(task, "sample_reset", _STARTS, torch.Generator().manual_seed(0), split, randomize)
            for randomize in (False, True)
        ]

    if len(task.splits) == 1:
        return
    drawn = {split: draw(split) for split in task.splits}
    for one, other in combinations(task.splits, 2):
        if all(_are_equal(*pair) for pair in zip(drawn[one], drawn[other], strict=True)):
            raise VisuomotorError(
                f"task {task.name!r}: sample_reset gives the same starts for the splits {one!r} and {other!r}; let "
                "something that it draws depend on split, or leave one of them out of splits"
            )


def _are_equal(one: ResetParams, other: ResetParams) -> bool:
    return all(
        rows.keys() == vars(other)[group].keys()
        and all(torch.equal(value, vars(other)[group][name]) for name, value in rows.items())
        for group, rows in vars(one).items()
    )


def _check_reset(task: Task, engine: Engine, params: ResetParams) -> None:
    """A reset is complete, always the same, and leaves other worlds alone."""
    positions, everyone = engine.field("xpos"), torch.arange(2)
    _called(task, "apply_randomization", engine, everyone, params[torch.tensor([1, 0])])
    before = _read_varied(engine)
    _called(task, "reset", engine, everyone, params)
    found = _read_varied(engine)
    _called(task, "apply_randomization", engine, everyone, params)
    for name, value in _read_varied(engine).items():
        if not torch.equal(value, before[name]) and not torch.equal(value, found[name]):
            raise VisuomotorError(
                f"task {task.name!r}: reset leaves the {name} of other params; call self.apply_randomization(engine, "
                "env_ids, params) in it"
            )
    _called(task, "reset", engine, everyone, params)
    start, found = engine.state(), positions.clone()
    engine.forward()
    if not torch.equal(positions, found):
        raise VisuomotorError(f"task {task.name!r}: reset leaves old positions; end it with engine.forward(env_ids)")
    constants = _read_constants(engine)
    engine.set_const()
    for name, value in _read_constants(engine).items():
        if name not in constants or not torch.equal(value, constants[name]):
            _check_states_are_complete(task, engine)  # what must not be written at all needs no set_const
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


def _check_states_are_complete(task: Task, engine: Engine) -> None:
    """A state that is put back with its dynamics, as demonstrations are, gives the same observations, wherever
    things were placed since. Members with noise of their own are left out."""

    def observe() -> dict[str, Tensor]:
        return {member: _called(task, member, engine).double() for member in _GROUPS}

    everyone = torch.arange(2)
    params, others = (_called(task, "sample_reset", 2, torch.Generator().manual_seed(seed)) for seed in (0, 1))
    _called(task, "reset", engine, everyone, params)
    states, before, again = engine.state(), observe(), observe()
    placed = ResetParams(others.placement, params.dynamics, params.appearance)
    _called(task, "reset", engine, everyone, placed)
    engine.set_state(states)
    for member, found in observe().items():
        same = torch.allclose(found, before[member], rtol=_ROUNDING, atol=_ROUNDING)
        if not same and torch.equal(before[member], again[member]):
            raise VisuomotorError(
                f"task {task.name!r}: {member} changes when a state is put back (engine.set_state) after another "
                "reset, so it depends on something that no state holds; place things by qpos or mocap_pos (give a body "
                "that has neither a free joint, or make it a mocap body), or give what you write into model fields as "
                "dynamics in sample_reset and write it in apply_randomization"
            )


def _read_varied(engine: Engine) -> dict[str, Tensor]:
    """All fields of the model in which worlds differ."""
    found: dict[str, Tensor] = {}
    for name in dir(engine.model):
        with suppress(ValueError):  # what all worlds share
            if isinstance(getattr(engine.model, name), np.ndarray) and engine.is_per_world(name):
                found[name] = engine.model_field(name).clone()
    return found


def _read_constants(engine: Engine) -> dict[str, Tensor]:
    """Those in which worlds differ."""
    return {name: engine.model_field(name).clone() for name in _CONSTANTS if engine.is_per_world(name)}


def _check_groups(task: Task, engine: Engine, when: str) -> None:
    for member in _GROUPS:
        value = _called(task, member, engine)
        _check_group(task, member, value, engine.worlds, when)
        if member == "stage":
            task.check_stage(value)
        if member == "keypoints" and (farthest := float(value.norm(dim=-1).max())) > _FARTHEST:
            raise VisuomotorError(
                f"task {task.name!r}: keypoints(engine) has a point {farthest:.4g} m from the origin {when}, and "
                f"{_FARTHEST:g} m is the most; give m, and build the scene around the origin"
            )


def _check_group(task: Task, member: str, value: Any, worlds: int, when: str) -> None:
    shape, dtype = _GROUPS[member]
    sizes = (worlds, *shape)
    fits = isinstance(value, Tensor) and value.ndim == len(sizes)
    if not fits or any(
        found != size and (size != _ANY_SIZE or not found) for size, found in zip(sizes, value.shape, strict=True)
    ):
        raise VisuomotorError(
            f"task {task.name!r}: {member}(engine) gives {_kind_of(value)} for {worlds} worlds; "
            f"expected {_shape_text(shape)}"
        )
    if dtype is not None and value.dtype != dtype:
        raise VisuomotorError(f"task {task.name!r}: {member}(engine) gives {value.dtype}; expected {dtype}")
    if not value.isfinite().all():
        raise VisuomotorError(f"task {task.name!r}: {member}(engine) is not finite {when}")


def _check_ends(task: Task, engine: Engine, callback: Callable[[], None] | None) -> None:
    """Success, and what an episode has come to."""
    stage, worlds = task.stage(engine), engine.worlds
    success = _called(task, "success", stage)
    if not _is_finite(success, (worlds,), torch.bool):
        raise wrong(task, "success", f"gives {_kind_of(success)} for {worlds} worlds")
    outcome = _called(task, "finish_episode", engine, callback)
    fits = isinstance(outcome, EpisodeOutcome) and _is_finite(outcome.success, (worlds,), torch.bool)
    if not fits or not _is_finite(outcome.distance, (worlds,)):
        raise wrong(task, "finish_episode", f"gives {_kind_of(outcome)} for {worlds} worlds")


def _check_names(task: Task) -> None:
    names: Any = guarded(task, "proprioception_names", lambda: task.proprioception_names)
    pairs = isinstance(names, tuple | list) and all(
        isinstance(pair, tuple | list) and len(pair) == 2 and all(isinstance(word, str) for word in pair)
        for pair in names
    )
    size = task.size("proprioception")
    if not pairs or len(names) not in (0, size):
        text = f"has {len(names)} entries for {size} numbers" if pairs else f"is {one_line(repr(names)):.80}"
        raise wrong(task, "proprioception_names", text)


def _check_gains(task: Task) -> None:
    gains, size = _called(task, "pd_gains"), (task.action_size,)
    if not (isinstance(gains, tuple | list) and len(gains) == 2 and all(_is_finite(gain, size) for gain in gains)):
        raise wrong(task, "pd_gains", f"gives {_kind_of(gains)}", f"two finite tensors ({task.action_size},)")


def _check_cost(task: Task, engine: Engine) -> None:
    cost: Any = guarded(task, "cost", lambda: task.cost)
    if not isinstance(cost, Cost):
        raise wrong(task, "cost", f"is {_kind_of(cost)}")
    states, actions = task.state(engine)[:, None], torch.zeros(2, 1, task.action_size, dtype=torch.float64)
    value = guarded(task, "cost", lambda: cost(states, actions))
    if not _is_finite(value, (2, 1)):
        raise wrong(
            task, "cost", f"gives {_kind_of(value)} for 2 worlds and 1 step", "a finite Cost of state and actions"
        )
    if type(task).cost is Task.cost:  # its derivatives are known, and the first ones take seconds
        return
    if not all(part.isfinite().all() for part in guarded(task, "cost", lambda: cost.expand(states, actions))):
        raise wrong(task, "cost", "has derivatives that are not finite", "a smooth Cost of state and actions")


def _called(task: Task, member: str, *arguments: object, **named: object) -> Any:
    return guarded(task, member, lambda: getattr(task, member)(*arguments, **named))


def guarded(task: Task, member: str, call: Callable[[], Any], own: Any = None) -> Any:
    """What a call of a member of a task gives.

    Args:
        own: class or function in whose file the line of an error is looked for; None for the task's class.

    Raises:
        VisuomotorError: it raises an exception; the message names task, member and line.
    """
    own = type(task) if own is None else own
    try:
        return call()
    except KeyboardInterrupt:
        raise
    except VisuomotorError as error:
        if str(error).startswith("task '"):
            raise
        raise VisuomotorError(f"task {task.name!r}: {member}{in_own_line(error, own)}: {one_line(error)}") from error
    except BaseException as error:  # a user's code may raise anything
        text = f"raises {describe_error(error, own)}"
        if "dtypes match" in text:  # torch draws float32 by default
            text += " (fields of the engine are float64: draw with dtype=torch.float64)"
        raise wrong(task, member, text) from error


def _is_finite(value: object, shape: tuple[int, ...], dtype: torch.dtype | None = None) -> bool:
    """Whether it is a finite tensor of that shape (and type)."""
    if not isinstance(value, Tensor) or value.shape != shape or dtype not in (None, value.dtype):
        return False
    return bool(value.isfinite().all())


def _kind_of(value: object) -> str:
    return f"{tuple(value.shape)} {value.dtype}" if isinstance(value, Tensor) else type(value).__name__


def _shape_text(shape: tuple[int, ...]) -> str:
    sizes = ["n", *("size" if size == _ANY_SIZE else str(size) for size in shape)]
    return f"({', '.join(sizes)}), size at least 1" if shape else "(n,)"
