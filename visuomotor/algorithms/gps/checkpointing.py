"""Training state to plain containers of tensors and back."""

from dataclasses import fields, is_dataclass
from typing import Any, TypeVar, get_args, get_type_hints

import torch

State = TypeVar("State")


def to_plain(value: Any) -> Any:
    """Nested dataclasses and tuples of them to dicts and lists; tensors, numbers and None stay."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, tuple | list):
        return [to_plain(item) for item in value]
    if isinstance(value, torch.Tensor):
        return value.detach().cpu().contiguous()
    return value


def from_plain(kind: type[State], plain: Any) -> State:
    """The dataclass `kind` that `to_plain` took apart."""
    hints = get_type_hints(kind)
    return kind(**{name: _value(hints[name], item) for name, item in plain.items()})


def _value(hint: Any, plain: Any) -> Any:
    if plain is None or isinstance(plain, torch.Tensor | int | float | str):
        return plain
    choices = [hint, *get_args(hint)]
    if isinstance(plain, dict):
        return from_plain(next(c for c in choices if is_dataclass(c)), plain)  # pyright: ignore[reportArgumentType]
    inner = next((c for c in choices if is_dataclass(c)), None)
    sequence = next((c for c in choices if get_args(c) and get_args(c)[0] is not type(None)), None)
    if inner is None and sequence is not None:
        inner = next((c for c in get_args(sequence) if is_dataclass(c)), None)
    return tuple(item if inner is None else from_plain(inner, item) for item in plain)  # pyright: ignore
