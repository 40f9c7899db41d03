"""Plain containers with one entry damaged, and how many of them to try."""

import copy
import math
import os
from collections.abc import Callable
from typing import Any

import torch
from hypothesis import settings
from hypothesis import strategies as st
from torch import Tensor

FUZZ = int(os.environ.get("VISUOMOTOR_FUZZ", "1"))
"""How many times as many inputs as the suite tries; `make fuzz` sets it to 10."""


def tries(count: int) -> settings:
    """So many inputs: in the suite always the same ones, with `make fuzz` others every time."""
    return settings(max_examples=count * FUZZ, derandomize=FUZZ == 1, deadline=None, database=None)


JUNK: list[Any] = [
    *(None, True, False, 0, 1, -1, 2**31, 2**63, 10**30, -(10**30), 10**400),
    *(0.0, -1.0, 0.5, 1e300, -1e300, 1e-300, math.nan, math.inf, -math.inf),
    *("", "x", "../../x", "\x00", "ä" * 1000, [], {}, [1], [[[]]], {"x": 1}, {"": None}, [None], [{}]),
]
"""What stands where something else should."""


class Damaged:
    """Containers, and what was done to which of their entries."""

    def __init__(self, content: Any, path: tuple[Any, ...], how: str):
        self.content, self.path, self.how = content, path, how

    def __repr__(self) -> str:
        return f"{'.'.join(map(str, self.path))}: {self.how}"


@st.composite
def damaged(draw: st.DrawFn, make: Callable[[], Any]) -> Damaged:
    """A copy of nested containers in which one entry is another value, gone, or beside one too many. Tensors may also
    get another shape, another dtype, or values that are not finite."""
    content = copy.deepcopy(make())
    path: list[Any] = []
    parent, key, value = None, None, content
    while isinstance(value, dict | list | tuple) and len(value) and (parent is None or draw(st.integers(0, 9)) < 9):
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        key = draw(st.sampled_from(keys))
        if isinstance(value, tuple):  # cannot be written into: in its place a list
            value = list(value)
            parent[path[-1]] = value
        parent, value = value, value[key]
        path.append(key)
    assert parent is not None
    kinds = ["junk", "delete", "add", *(["shape", "dtype", "values"] if isinstance(value, Tensor) else [])]
    kind = draw(st.sampled_from(kinds))
    if kind == "junk":
        parent[key] = draw(st.sampled_from([*JUNK, torch.zeros(3), torch.tensor(math.nan)]))
        kind = f"{str(value)[:30]!r} became {parent[key]!r}"
    elif kind == "delete":
        del parent[key]
    elif kind == "add" and isinstance(parent, dict):
        parent[draw(st.sampled_from(["extra", 0, 10**6, ""]))] = copy.deepcopy(value)
    elif kind == "add":
        parent.append(copy.deepcopy(value))
    elif kind == "shape":
        parent[key] = draw(st.sampled_from([value[None], value.flatten()[:-1], value.new_zeros(0), value[..., None]]))
    elif kind == "dtype":
        parent[key] = value.to(draw(st.sampled_from([torch.float16, torch.float64, torch.int32, torch.complex64])))
    else:
        parent[key] = torch.full_like(value, draw(st.sampled_from([0, 1, 127])))
        if value.is_floating_point() and value.numel():
            parent[key].view(-1)[0] = draw(st.sampled_from([math.nan, math.inf, -1e30]))
    return Damaged(content, tuple(path), kind)


def structure(value: Any) -> Any:
    """Types, names, lengths, shapes: all but the values."""
    if isinstance(value, dict):
        return {key: structure(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [structure(item) for item in value]
    if isinstance(value, Tensor):
        return (value.dtype, tuple(value.shape))
    return type(value)


def is_told(error: BaseException) -> None:
    """What was wrong must be told in one line."""
    assert str(error)
    assert "\n" not in str(error)
