"""Names to classes: tasks, algorithms and policies' networks, each imported when it is asked for."""

import hashlib
import importlib
import importlib.util
import os
import sys
import warnings
from importlib.machinery import PathFinder
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from traceback import walk_tb
from types import ModuleType
from typing import Any, Final, Literal

from visuomotor.errors import VisuomotorError, brief, one_line

Kind = Literal["task", "algorithm", "network"]

BUILT_IN: Final[dict[str, dict[str, str]]] = {
    "task": {
        "hanger": "visuomotor.tasks.pr2.hanger:Hanger",
        "cube": "visuomotor.tasks.pr2.cube:Cube",
        "hammer": "visuomotor.tasks.pr2.hammer:Hammer",
        "bottle": "visuomotor.tasks.pr2.bottle:Bottle",
        "ring": "visuomotor.tasks.pr2.ring:Ring",
        "brick": "visuomotor.tasks.pr2.brick:Brick",
        "wheel": "visuomotor.tasks.pr2.wheel:Wheel",
        "lifting": "visuomotor.tasks.jaco.lifting:Lifting",
        "stacking": "visuomotor.tasks.jaco.stacking:Stacking",
        "insertion2d": "visuomotor.tasks.simulated.insertion2d:Insertion2d",
        "insertion3d": "visuomotor.tasks.simulated.insertion3d:Insertion3d",
        "swimmer": "visuomotor.tasks.simulated.swimmer:Swimmer",
    },
    "algorithm": {
        "gps": "visuomotor.algorithms.gps:Gps",
        "ppo-gail": "visuomotor.algorithms.ppo_gail:PpoGail",
        "gps-trajectories": "visuomotor.algorithms.trajectory_search:GpsTrajectories",
        "gps-network": "visuomotor.algorithms.trajectory_search:GpsNetwork",
        "ilqg": "visuomotor.algorithms.trajectory_search:Ilqg",
        "cem": "visuomotor.algorithms.trajectory_search:Cem",
        "reps": "visuomotor.algorithms.trajectory_search:Reps",
        "rwr": "visuomotor.algorithms.trajectory_search:Rwr",
    },
    "network": {  # by these names policy files call them
        "VisuomotorPolicy": "visuomotor.policies.visuomotor_policy:VisuomotorPolicy",
        "RecurrentPolicy": "visuomotor.policies.recurrent_policy:RecurrentPolicy",
    },
}
"""Short names and where their classes are. Installed packages add theirs as entry points of `visuomotor.tasks` and
`visuomotor.algorithms`."""


_USER: Final = "visuomotor_user_"  # begins the names of modules from files

_DESCRIPTIONS: Final = {
    "gps": "guided policy search: few samples, state in training, pixels to act",
    "ppo-gail": "reinforcement and imitation: demonstrations, many samples, pixels to act",
    "gps-trajectories": "trajectory search: guided policy search's own, on fitted dynamics; no policy from pixels",
    "gps-network": "trajectory search: guided policy search of a small network on the full state",
    "ilqg": "trajectory search: iterative linear-quadratic control with the simulator as known model",
    "cem": "trajectory search: the cross-entropy method on a policy's parameters",
    "reps": "trajectory search: relative entropy policy search on a policy's parameters",
    "rwr": "trajectory search: reward-weighted regression on a policy's parameters",
}


def describe(kind: Kind, name: str) -> str:
    """A line about a short name: what it is, or where its class is. Imports nothing."""
    return _DESCRIPTIONS.get(name) or BUILT_IN[kind].get(name) or _installed(kind)[name].value


def names(kind: Kind) -> list[str]:
    """All short names: those of this package, then those of installed packages."""
    return list(dict.fromkeys([*BUILT_IN[kind], *_installed(kind)]))


def check_name(kind: Kind, name: str) -> None:
    """Raise a VisuomotorError for what is no short name, and not of the form `module:Class`. Imports nothing."""
    if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise VisuomotorError(f"the name of a {kind} is text, not {brief(name)}")
    if ":" not in name and name not in BUILT_IN[kind] and name not in _installed(kind):
        raise _unknown(kind, name)


def load(kind: Kind, name: str, base: type) -> type[Any]:
    """The class of that name.

    Args:
        name: a short name, `module:Class`, or `path/to/file.py:Class`.
        base: what the class must be a subclass of.

    Raises:
        VisuomotorError: there is no such name, module, file or class; it cannot be imported; it is no subclass of
            `base`.
    """
    check_name(kind, name)
    installed = {} if name in BUILT_IN[kind] else _installed(kind)
    place = BUILT_IN[kind].get(name) or (installed[name].value if name in installed else name)
    module_name, colon, class_name = place.rpartition(":")
    if not colon and name in installed:
        raise VisuomotorError(
            f"the {kind} {name!r} of an installed package is {place!r}, not module:Class; correct the package's entry "
            f"point of visuomotor.{kind}s"
        )
    if not module_name.endswith(".py") and (os.sep in module_name or os.path.exists(module_name)):
        raise VisuomotorError(f"{module_name} is no Python file; write path/to/file.py:Class")
    module = _load_file(Path(module_name)) if module_name.endswith(".py") else _import(module_name, name)
    found = getattr(module, class_name, None)
    if found is None:
        own = [
            n
            for n, value in vars(module).items()
            if _is_a(value, base) and value.__module__.startswith(module.__name__)
        ]
        raise VisuomotorError(
            f"{module_name} has no class {class_name!r}; its {kind} classes are: {', '.join(own) or 'none'}"
        )
    if not _is_a(found, base):
        raise VisuomotorError(f"{place} is not a {kind}: it must be a subclass of {base.__module__}.{base.__name__}")
    return found


def own_line(error: BaseException) -> str:
    """` in FILE, line N`, the last place of a traceback that is in a user's file; nothing where none is."""
    places = [
        f" in {frame.f_code.co_filename}, line {line}"
        for frame, line in walk_tb(error.__traceback__)
        if str(frame.f_globals.get("__name__")).startswith(_USER)
    ]
    return places[-1] if places else ""


def name_of(kind: Kind, found: type) -> str:
    """A name by which `load` finds a class that it has found before."""
    place = f"{found.__module__}:{found.__qualname__}"
    for name, known in BUILT_IN[kind].items():
        if known == place:
            return name
    module, file = found.__module__, getattr(sys.modules[found.__module__], "__file__", None)
    # A file's module may have imported another one beside it, which nobody else can import by its name.
    beside = file is not None and "." not in module and PathFinder.find_spec(module) is None
    return f"{file}:{found.__qualname__}" if module.startswith(_USER) or beside else place


def absolute_name(kind: Kind, name: str, folder: Path = Path()) -> str:
    """`name` as it can be loaded from any folder: the path of a file, relative to `folder`, becomes absolute."""
    path, class_name = _split(kind, name)
    return f"{_resolve(folder / path)}:{class_name}" if path else name


def relative_name(kind: Kind, name: str, folder: Path) -> str:
    """`name` with the path of a file relative to `folder`: it still holds where both have moved together."""
    path, class_name = _split(kind, name)
    return f"{Path(os.path.relpath(_resolve(path), folder.resolve())).as_posix()}:{class_name}" if path else name


def moved_name(kind: Kind, name: str, relative: str | None, folder: Path) -> str:
    """`name`; or `relative`, made by `relative_name`, where the file of `name` is gone and that of `relative` is there:
    file and folder have moved together, such as to another machine."""
    if relative is None or not is_gone(kind, name):
        return name
    moved = absolute_name(kind, relative, folder)
    return name if is_gone(kind, moved) else moved


def is_gone(kind: Kind, name: str) -> bool:
    """Whether `name` is of the form path/to/file.py:Class, and there is no such file."""
    path, _ = _split(kind, name)
    return path is not None and not os.path.isfile(path)


def _split(kind: Kind, name: str) -> tuple[Path | None, str]:
    """File and class of a name of the form path/to/file.py:Class; no file for other names."""
    path, colon, class_name = name.rpartition(":")
    if name in names(kind) or not (colon and path.endswith(".py")):
        return None, name
    return Path(path), class_name


def _resolve(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, ValueError, RuntimeError) as error:  # a null byte, or a link to itself
        raise VisuomotorError(f"{str(path)!r} is no file ({one_line(error)}); write path/to/file.py:Class") from error


def _installed(kind: Kind) -> dict[str, EntryPoint]:
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=f"visuomotor.{kind}s"):
        taken = BUILT_IN[kind].get(point.name) or found.setdefault(point.name, point).value
        if taken != point.value:
            warnings.warn(
                f"{kind} {point.name!r} is {taken}; write {point.value} for that of an installed package",
                stacklevel=2,
            )
    return found


def _is_a(value: object, base: type) -> bool:
    return isinstance(value, type) and issubclass(value, base)


def _unknown(kind: Kind, name: str) -> VisuomotorError:
    hint = f"; for a class in a file write {name}:CLASS" if name.endswith(".py") else ""
    return VisuomotorError(
        f"there is no {kind} {name!r}{hint}; choose one of: {', '.join(sorted(names(kind)))}; or name a class of your "
        "own as path/to/file.py:Class or module:Class"
    )


def _import(module: str, name: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # the imported code may raise anything
        raise _broken(f"module {module!r} of {name!r}" if module != name else f"module {module!r}", error) from error


def _load_file(path: Path) -> ModuleType:
    """The module in a file; once for each file, under a name of its own. Its folder is importable from it."""
    path = _resolve(path)
    if not os.path.isfile(path):  # Path.is_file raises where a name is too long
        raise VisuomotorError(f"there is no file {path}; write path/to/file.py:Class")
    name = f"{_USER}{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise VisuomotorError(f"{path} is no Python file; write path/to/file.py:Class")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickle look it up
    sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if isinstance(error, KeyboardInterrupt):
            raise
        raise _broken(str(path), error) from error
    finally:
        sys.path.remove(str(path.parent))
    return module


def _broken(what: str, error: BaseException) -> VisuomotorError:
    return VisuomotorError(
        f"{what} cannot be imported: {type(error).__name__}: {one_line(error)}; correct it and try again"
    )
