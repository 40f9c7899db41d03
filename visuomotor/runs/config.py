"""Between frozen config dataclasses and the plain dicts of config.json and of checkpoints."""

import dataclasses
import types
import typing
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any, TypeVar

from visuomotor.errors import VisuomotorError, brief

Config = TypeVar("Config")

_LARGEST_WHOLE = 2**63
_BESIDE_LEARNING = ("save_interval", "device")  # where or how often, and nothing of what is learned


_RENAMED = (("curriculum", "strategy", "frontier", "intermediate-difficulty"),)
"""Group, setting, and a value's old and new word."""


def with_new_words(config: Mapping[str, Any]) -> dict[str, Any]:
    """A config in plain dicts, which an older version may have written, in the words of this one."""
    new = dict(config)
    for group, setting, old, word in _RENAMED:
        values = config.get(group)
        if isinstance(values, Mapping) and values.get(setting) == old:
            new[group] = {**values, setting: word}
    return new


def config_to_dict(config: Any) -> dict[str, Any]:
    """Nested dataclasses as nested dicts of JSON's types; tuples become lists, paths strings."""
    return {field.name: _plain(getattr(config, field.name)) for field in dataclasses.fields(config)}


def config_from_dict(kind: type[Config], values: Mapping[str, Any], where: str = "config") -> Config:
    """The dataclass `kind` with these values; the inverse of `config_to_dict`.

    Fields that are missing keep their defaults. The range of a field is the dataclass's own business
    (`__post_init__`); its errors get the place in front.

    Raises:
        VisuomotorError: unknown field, missing field without a default, wrong type, or a value out of range.
    """
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(str(name) for name in set(values) - set(fields))
    if unknown:
        raise VisuomotorError(f"{where} has no field {', '.join(unknown)}; its fields are: {', '.join(fields)}")
    missing = [name for name, field in fields.items() if name not in values and _is_required(field)]
    if missing:
        raise VisuomotorError(f"{where} lacks the field {', '.join(missing)}")
    hints = typing.get_type_hints(kind)
    arguments = {
        name: _typed(hints[name], value, f"{where}.{name}")
        for name, value in values.items()
        if not _is_default(fields[name], value)
    }
    try:
        return kind(**arguments)
    except (ValueError, VisuomotorError) as error:
        raise VisuomotorError(f"{where}: {error}") from error


def absolute_paths(config: Config) -> Config:
    """`config` with every path in it absolute: it then means the same in any folder."""
    changes: dict[str, Any] = {}
    for field in dataclasses.fields(config):  # pyright: ignore[reportArgumentType]
        value = getattr(config, field.name)
        if isinstance(value, Path):
            changes[field.name] = value.absolute()
        elif dataclasses.is_dataclass(value):
            changes[field.name] = absolute_paths(value)
    return dataclasses.replace(config, **changes)  # pyright: ignore[reportArgumentType]


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """`{"ppo.gamma": 0.9}` for `{"ppo": {"gamma": 0.9}}`, the names that the command line has for settings."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= flatten(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {prefix + name: value}
    return flat


def learning_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """What decides what is learned, by the names that the command line has for it; of demonstrations, the file's name
    without its folders."""
    settings = {name: value for name, value in flatten(config).items() if name not in _BESIDE_LEARNING}
    if isinstance(settings.get("demos"), str):
        settings["demos"] = Path(settings["demos"]).name
    return settings


def changed_settings(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """What differs between two configs in plain dicts: values before and after, by the names of the command line."""
    old, new = flatten(before), flatten(after)
    return {name: (old.get(name), new.get(name)) for name in old | new if old.get(name) != new.get(name)}


@dataclasses.dataclass(frozen=True)
class Range:
    """In the annotation of a setting, `Annotated[int, Range(1, 1000)]`: what it may be, both ends included; of a tuple,
    what each entry may be. None is allowed where the type says so."""

    low: float
    high: float


def check_settings(config: Any, prefix: str = "") -> None:
    """For the `__post_init__` of a frozen config. Values become what their annotations say: numbers of numpy plain
    ones, lists tuples, names of files paths.

    Raises:
        VisuomotorError: a setting, also of a nested dataclass, is of another type than its annotation, or not in the
            annotation's `Range`.
    """
    hints = typing.get_type_hints(type(config), include_extras=True)
    for field in dataclasses.fields(config):
        name, value = prefix + field.name, getattr(config, field.name)
        if value is not field.default:  # which may be of any type
            value = _typed(hints[field.name], value, name)
            object.__setattr__(config, field.name, value)
        if dataclasses.is_dataclass(value):
            check_settings(value, f"{name}.")
        for limits in getattr(hints[field.name], "__metadata__", ()):
            if isinstance(limits, Range) and value is not None:
                entries: Any = value if isinstance(value, tuple | list) else (value,)
                for entry in entries:
                    check_range(name, entry, limits.low, limits.high)


def check_range(name: str, value: float, low: float, high: float) -> None:
    """Raise a VisuomotorError where a value is not a number from `low` to `high`."""
    if not isinstance(value, Real) or not low <= value <= high:
        raise VisuomotorError(f"{name} must be between {low} and {high}, not {brief(value)}")


def _is_default(field: dataclasses.Field[Any], value: Any) -> bool:
    """Whether a plain value is that of the field's default, which may be of another type than the annotation says."""
    if not isinstance(value, str | int | float | bool | list | None):
        return False
    default = _plain(field.default) if field.default is not dataclasses.MISSING else dataclasses.MISSING
    return type(default) is type(value) and default == value


def _is_required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return config_to_dict(value)
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, str | int | float | bool | None):
        return value
    if isinstance(value, Integral | Real):  # numpy's
        return int(value) if isinstance(value, Integral) else float(value)
    raise TypeError(f"a config holds numbers, strings and dataclasses, not {type(value).__name__}: {value!r}")


def _typed(hint: Any, value: Any, where: str) -> Any:
    """`value` as the annotation `hint` wants it, or a VisuomotorError that names `where`."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return _typed(arguments[0], value, where)
    if hint in (Any, object):
        return value
    if hasattr(value, "tolist"):  # numpy's and torch's
        value = value.tolist()
    if origin in (typing.Union, types.UnionType):
        return _first_that_fits(arguments, value, where)
    if origin is typing.Literal:
        if value in arguments:
            return value
        raise VisuomotorError(f"{where} is {value!r}; choose one of: {', '.join(map(str, arguments))}")
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if isinstance(value, Mapping):
            return config_from_dict(hint, value, where)
        if type(value) is hint:  # a subclass could not be read back
            return value
    elif hint in (tuple, list) and isinstance(value, list | tuple):
        return hint(value)
    elif origin is Sequence and isinstance(value, list | tuple):
        return _sequence(tuple, (*arguments, ...), value, where)
    elif origin in (tuple, list) and isinstance(value, list | tuple):
        return _sequence(origin, arguments, value, where)
    elif origin in (dict, Mapping) and isinstance(value, Mapping):
        return {name: _typed(arguments[1], item, f"{where}.{name}") for name, item in value.items()}
    elif isinstance(value, bool):
        if hint is bool:
            return value
    elif isinstance(value, int) and abs(value) >= _LARGEST_WHOLE:
        raise VisuomotorError(f"{where} is a number of {len(str(abs(value)))} digits, expected one of 64 bits")
    elif hint is float and isinstance(value, Real):
        return float(value)
    elif hint is int and isinstance(value, Integral):
        return int(value)
    elif hint is Path and isinstance(value, str | Path) and value != "":  # which would be the folder one is in
        return Path(value)
    elif isinstance(hint, type) and type(value) is hint:
        if isinstance(value, str) and not _is_unicode(value):
            raise VisuomotorError(f"{where} is {value!a:.80}, expected text that can be written")
        return value
    raise VisuomotorError(f"{where} is {value!r}, expected {getattr(hint, '__name__', hint)}")


def _is_unicode(text: str) -> bool:
    """False for halves of surrogate pairs, which JSON can name, and which no file or terminal takes."""
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def _first_that_fits(hints: tuple[Any, ...], value: Any, where: str) -> Any:
    nested = [hint for hint in hints if dataclasses.is_dataclass(hint)]
    if isinstance(value, Mapping) and len(nested) == 1:  # its own error names the field
        return _typed(nested[0], value, where)
    for hint in hints:
        try:
            return _typed(hint, value, where)
        except VisuomotorError:
            continue
    raise VisuomotorError(
        f"{where} is {value!r}, expected {' or '.join(getattr(h, '__name__', str(h)) for h in hints)}"
    )


def _sequence(origin: Any, hints: tuple[Any, ...], value: list[Any] | tuple[Any, ...], where: str) -> Any:
    if origin is tuple and not (len(hints) == 2 and hints[1] is Ellipsis):
        if len(value) != len(hints):
            raise VisuomotorError(f"{where} has {len(value)} entries, expected {len(hints)}")
    else:
        hints = (hints[0],) * len(value)
    return origin(_typed(hint, item, f"{where}[{i}]") for i, (hint, item) in enumerate(zip(hints, value, strict=True)))
