"""Check an algorithm that a user wrote: whether it has every member, of the right type."""

from collections.abc import Collection, Mapping
from dataclasses import is_dataclass
from typing import Any, Final

from visuomotor import registry
from visuomotor.algorithms.algorithm import Algorithm
from visuomotor.errors import VisuomotorError, describe_error, one_line
from visuomotor.runs import config_to_dict
from visuomotor.runs.distributed import Distributed
from visuomotor.tasks import Task

_EXPECTED: Final = {
    "name": 'a short word, such as name = "mine"',
    "version": "a whole number, such as version = 1; raise it whenever state_dict changes",
    "presets": 'configs by name, each a dataclass of the same type, such as presets = {"laptop": Config()}',
    "adjustable": 'names of settings, such as adjustable = frozenset({"iterations"})',
    "steps": "steps(self) yields a row of metrics, a dict, after every step",
    "done": "a property, bool: whether training is done",
    "state_dict": "state_dict(self) -> all that the rest of training depends on, in plain containers",
    "load_state_dict": "load_state_dict(self, content) goes back to where state_dict was taken",
    "policy": "policy(self) -> TrainedPolicy, or None while it has learned nothing yet",
}


def load_algorithm(name: str) -> type[Algorithm]:
    """The algorithm class of that name: a short one, `module:Class`, or `path/to/file.py:Class`.

    Raises:
        VisuomotorError: there is none of that name, or it lacks a member, or one is of another type than it should.
    """
    kind: type[Algorithm] = registry.load("algorithm", name, Algorithm)
    attributes = [member for member in ("name", "version", "presets") if not hasattr(kind, member)]
    missing = attributes + sorted(getattr(kind, "__abstractmethods__", ()))
    if missing:
        listed = "; ".join(f"{member} ({_EXPECTED.get(member, 'abstract')})" for member in missing)
        raise VisuomotorError(f"algorithm {name!r} lacks {listed}")
    name_of_it: Any = kind.name
    for member, fits in (
        ("name", isinstance(name_of_it, str) and name_of_it.isprintable() and name_of_it),
        ("version", type(kind.version) is int),
        ("presets", _are_presets(kind.presets)),
        ("adjustable", _are_names(kind.adjustable)),
    ):
        if not fits:
            found = one_line(repr(getattr(kind, member)))
            raise VisuomotorError(f"algorithm {name!r}: {member} is {found:.200}; expected {_EXPECTED[member]}")
    if kind.name in registry.BUILT_IN["algorithm"] and registry.load("algorithm", kind.name, Algorithm) is not kind:
        raise VisuomotorError(f"algorithm {name!r}: name is {kind.name!r}, that of another algorithm; give it its own")
    for preset, config in kind.presets.items():
        try:
            config_to_dict(config)
        except TypeError as error:
            raise VisuomotorError(f"algorithm {name!r}: preset {preset!r}: {one_line(error)}") from error
    return kind


def make_algorithm(
    kind: type[Algorithm], task: Task, config: Any, seed: int, distributed: Distributed, task_reference: str
) -> Algorithm:
    """One of that class, which `load_algorithm` has found.

    Raises:
        VisuomotorError: it refuses task or config; or a class that is not of this package raises anything.
    """
    try:
        return kind(task, config, seed, distributed, task_reference)
    except (VisuomotorError, KeyboardInterrupt):
        raise
    except BaseException as error:
        if kind.__module__.partition(".")[0] == __name__.partition(".")[0]:
            raise
        raise VisuomotorError(
            f"algorithm {kind.name!r} cannot be made: {describe_error(error, kind)}; expected "
            '__init__(self, task, config, seed, distributed=None, task_reference="")'
        ) from error


def _are_presets(presets: Any) -> bool:
    """Whether they are configs by name, of one type."""
    if not isinstance(presets, Mapping) or not all(isinstance(name, str) for name in presets):
        return False
    kinds = {type(config) for config in presets.values()}
    return len(kinds) == 1 and is_dataclass(next(iter(kinds)))


def _are_names(names: Any) -> bool:
    return isinstance(names, Collection) and not isinstance(names, str) and all(isinstance(it, str) for it in names)
