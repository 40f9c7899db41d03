"""What is read from a checkpoint is checked before it is used: types, names and shapes, with the path of the wrong
entry in the message."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, isfinite
from types import UnionType
from typing import Any

import torch
from torch import Tensor, nn

from visuomotor.errors import VisuomotorError, brief

_LARGEST_RATE = 1000.0  # no optimizer learns with a larger step


@dataclass(frozen=True)
class ListOf:
    """Stands in a pattern for a list of any length, at most `longest`; every entry is like `like`."""

    like: Any
    longest: int = 1_000_000


@dataclass(frozen=True)
class OrNone:
    """Stands in a pattern for what is None or like `like`."""

    like: Any


@dataclass(frozen=True)
class Within:
    """Stands in a pattern for a number or a tensor like `like`, all of whose numbers are from `low` to `high`."""

    like: Any
    low: float
    high: float = inf


@dataclass(frozen=True)
class Finite:
    """Stands in a pattern for what is like `like` and has finite numbers only."""

    like: Any


def check_like(found: Any, like: Any, where: str, finite: bool = False) -> None:
    """Check plain containers against a pattern, such as the `state_dict` of a freshly made object.

    A tensor must have the pattern's shape and dtype, a dict its keys, a list its length, a number or a string its type;
    whole numbers are not negative. A type or a union in the pattern stands for any value of it.

    Args:
        where: place of `found`, in words.
        finite: whether numbers must be finite.

    Raises:
        VisuomotorError: names the first entry that differs.
    """
    if isinstance(like, type | UnionType):
        holds = isinstance(found, like) and (type(found) is not bool or like not in (int, float, int | float))
        _require(holds, found, _type_name(like), where)
    elif isinstance(like, OrNone):
        if found is not None:
            check_like(found, like.like, where, finite)
    elif isinstance(like, Finite):
        check_like(found, like.like, where, finite=True)
    elif isinstance(like, Within):
        check_like(found, like.like, where, finite)
        _check_bounds(torch.as_tensor(found), like, where)
    elif isinstance(like, ListOf):
        _require(isinstance(found, list | tuple), found, "a list", where)
        if len(found) > like.longest:
            raise VisuomotorError(f"{where} has {len(found)} entries, expected {like.longest} at most")
        for index, item in enumerate(found):
            check_like(item, like.like, f"{where}[{index}]", finite)
    elif isinstance(like, Tensor):
        _check_tensor(found, like, where, finite)
    elif isinstance(like, Mapping):
        _check_keys(found, like, where)
        for name, item in like.items():
            check_like(found[name], item, f"{where}.{name}", finite)
    elif isinstance(like, list | tuple):
        _require(isinstance(found, list | tuple), found, "a list", where)
        if len(found) != len(like):
            raise VisuomotorError(f"{where} has {len(found)} entries, expected {len(like)}")
        for index, (item, pattern) in enumerate(zip(found, like, strict=True)):
            check_like(item, pattern, f"{where}[{index}]", finite)
    else:
        _require(type(found) is type(like), found, _type_name(type(like)), where)
        if type(found) is int and not 0 <= found < 2**63:
            raise VisuomotorError(f"{where} is {brief(found)}, expected a whole number of at least 0, of 64 bits")
    if finite and type(found) is float and not isfinite(found):
        raise VisuomotorError(f"{where} is {found}, expected a finite number")


def check_covariance(found: Tensor, where: str) -> None:
    """Raise a VisuomotorError where one of `(..., d, d)` matrices is not positive definite."""
    if bool(torch.linalg.cholesky_ex(found.double()).info.any()):
        raise VisuomotorError(f"{where} is no covariance: it is not positive definite")


def restore_module(module: nn.Module, content: Any, where: str) -> None:
    """`module.load_state_dict`, for finite tensors of the right names and shapes only."""
    check_like(content, dict(module.state_dict()), where, finite=True)
    module.load_state_dict(content)


def restore_optimizer(optimizer: torch.optim.Optimizer, content: Any, where: str) -> None:
    """`optimizer.load_state_dict` of Adam or AdamW. Fused kernels write wherever the shapes of its state lead them.

    All settings but the learning rate must be the optimizer's own.
    """
    groups = optimizer.state_dict()["param_groups"]
    patterns = [{**group, "lr": Within(float, 0, _LARGEST_RATE)} for group in groups]
    check_like(content, {"state": dict, "param_groups": patterns}, where, finite=True)
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    indices = [index for group in groups for index in group["params"]]
    for group, own in zip(content["param_groups"], groups, strict=True):
        for name, value in own.items():
            found = group[name]
            same = [*found] == [*value] if isinstance(value, list | tuple) else found == value
            if name != "lr" and not same:
                raise VisuomotorError(f"{where}.param_groups has {name} {found!r}, expected {value!r}")
    for index, state in content["state"].items():
        place = f"{where}.state.{index}"
        if type(index) is not int or index not in indices:
            raise VisuomotorError(f"{place} belongs to no parameter; there are {len(indices)}")
        parameter = parameters[indices.index(index)].detach().cpu()
        pattern = {"step": Within(torch.zeros(()), 0), "exp_avg": parameter, "exp_avg_sq": Within(parameter, 0)}
        check_like(state, pattern, place, finite=True)
    optimizer.load_state_dict(content)


def restore_fitting(module: nn.Module, content: Any, where: str) -> list[str]:
    """Copy those tensors into `module` that have the name and the shape of one of its own; returns the names of its
    other ones, which stay as they are.

    Raises:
        VisuomotorError: there are no such tensors at all, or one holds NaN or infinity.
    """
    _require(isinstance(content, dict), content, "a dict", where)
    own = module.state_dict()
    fitting = {name: value for name, value in content.items() if _fits(value, own.get(name))}
    for name, value in fitting.items():
        check_like(value, own[name], f"{where}.{name}", finite=True)
    if not fitting:
        raise VisuomotorError(f"no tensor of {where} has the size of one here; is it the same algorithm's?")
    module.load_state_dict(fitting, strict=False)
    return [name for name in own if name not in fitting]


def _fits(value: Any, own: Tensor | None) -> bool:
    return own is not None and isinstance(value, Tensor) and value.shape == own.shape and value.dtype == own.dtype


def _check_tensor(found: Any, like: Tensor, where: str, finite: bool) -> None:
    _require(isinstance(found, Tensor), found, "a tensor", where)
    if found.is_nested or found.device.type != "cpu" or found.layout != torch.strided:
        raise VisuomotorError(f"{where} is no plain tensor")
    if found.shape != like.shape:
        raise VisuomotorError(f"{where} has the shape {tuple(found.shape)}, expected {tuple(like.shape)}")
    if found.dtype != like.dtype:
        raise VisuomotorError(f"{where} holds {found.dtype}, expected {like.dtype}")
    if finite and found.is_floating_point() and not bool(found.isfinite().all()):
        raise VisuomotorError(f"{where} holds NaN or infinity")


def _check_bounds(found: Tensor, like: Within, where: str) -> None:
    beyond = ~((found >= like.low) & (found <= like.high))  # NaN is
    if beyond.any():
        index = beyond.nonzero()[0].tolist()
        expected = f"at least {like.low:g}" if like.high == inf else f"from {like.low:g} to {like.high:g}"
        raise VisuomotorError(f"{where}{index or ''} is {found[tuple(index)].item():g}, expected a number {expected}")


def _check_keys(found: Any, like: Mapping[Any, Any], where: str) -> None:
    _require(isinstance(found, Mapping), found, "a dict", where)
    missing, unknown = [n for n in like if n not in found], [n for n in found if n not in like]
    if missing or unknown:
        problems = [f"lacks {', '.join(map(repr, missing[:5]))}"] if missing else []
        problems += [f"has an unknown entry {unknown[0]!r}"] if unknown else []
        raise VisuomotorError(f"{where} {' and '.join(problems)}")


def _require(holds: bool, found: Any, expected: str, where: str) -> None:
    if not holds:
        shown = repr(found) if isinstance(found, str | int | float | bool | None) else f"a {type(found).__name__}"
        raise VisuomotorError(f"{where} is {shown[:100]}, expected {expected}")


def _type_name(kind: Any) -> str:
    return getattr(kind, "__name__", str(kind))
