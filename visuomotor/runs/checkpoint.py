"""Checkpoints: tensors and plain containers in one file that is written whole or not at all."""

import io
import os
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from visuomotor.errors import VisuomotorError, brief
from visuomotor.runs.atomic import write_atomically

_MARKER = "visuomotor checkpoint"
_VERSION = 2
_SCALARS = (str, int, float, bool, type(None))


def save_checkpoint(path: Path | str, content: Mapping[str, Any]) -> None:
    """Write `content` to `path` so that `torch.load(path, weights_only=True)` can read it.

    `content` holds tensors, numbers, strings, booleans, None, and dicts, lists and tuples of these. Put what
    `load_checkpoint` shall check (`algorithm`, `task`, ...) at its top level. `format` and `format_version` are added.

    Raises:
        VisuomotorError: the disk is full; the previous checkpoint is intact.
        TypeError: something in `content` is not plain data; the message names where it sits.
    """
    _refuse_objects(content, "checkpoint")
    # Serialised in memory first: an error of the disk then comes from plain file calls, not from inside torch.
    buffer = io.BytesIO()
    torch.save({"format": _MARKER, "format_version": _VERSION, **content}, buffer)
    write_atomically(Path(path), buffer.getvalue())


def load_checkpoint(
    path: Path | str,
    expect: Mapping[str, Any] | None = None,
    types: Mapping[str, type] | None = None,
) -> dict[str, Any]:
    """What `save_checkpoint` wrote, with its tensors on the CPU.

    Args:
        expect: top-level entries and the values that they must have, such as `{"algorithm": "gps", "task": "hanger"}`.
        types: top-level entries and the types that they must have, such as `{"state": dict}`.

    Raises:
        VisuomotorError: there is no such file, it is damaged, it is no checkpoint of this project, or it is one of
            another algorithm, task or version. The message says what was found and what was expected.
    """
    path = Path(path)
    if path.exists() and not path.is_file():  # to open a pipe would wait for its writer
        raise VisuomotorError(f"{path} is a folder, a pipe or a device, no checkpoint; put back a copy, or train again")
    if not path.is_file():
        raise VisuomotorError(
            f"there is no checkpoint {path}; a run writes one every few iterations, and when it is stopped"
        )
    loaded = _read(path)
    if not isinstance(loaded, dict) or loaded.get("format") != _MARKER:
        raise VisuomotorError(
            f"{path} is not a checkpoint of visuomotor: found {_describe(loaded)}, expected one marked {_MARKER!r}"
        )
    if not _same(loaded.get("format_version"), _VERSION):
        raise VisuomotorError(
            f"{path} has checkpoint version {brief(loaded.get('format_version'))}, expected version {_VERSION}; "
            "use the visuomotor that wrote it, or train again"
        )
    for name, wanted in (expect or {}).items():
        found = loaded.get(name)
        if not _same(found, wanted):
            hint = "; use the visuomotor that wrote it, or train again" if "version" in name else ""
            raise VisuomotorError(f"{path} was written for {name} {brief(found)}, expected {name} {wanted!r}{hint}")
    for name, kind in (types or {}).items():
        if type(loaded.get(name)) is not kind:
            raise VisuomotorError(
                f"{path} has {_describe(loaded.get(name))} under {name!r}, expected a {kind.__name__}; "
                "put back a copy of it, or train again"
            )
    return {name: value for name, value in loaded.items() if name not in ("format", "format_version")}


def _same(found: Any, wanted: Any) -> bool:
    """Whether both are of one type and equal: True is not 1 here, and a tensor is neither."""
    return type(found) is type(wanted) and found == wanted


def _read(path: Path) -> Any:
    if not os.access(path, os.R_OK):
        raise VisuomotorError(f"{path} may not be read; check its permissions")
    try:
        with zipfile.ZipFile(path) as archive:
            # torch compresses nothing: what claims to be larger than the file is not from there, and is not unpacked
            if sum(part.file_size for part in archive.infolist()) > path.stat().st_size:
                raise ValueError("its parts are larger than the file")
            damaged = archive.testzip()  # torch itself does not notice every flipped bit
        if damaged is None:
            return torch.load(path, map_location="cpu", weights_only=True)
        reason = f"its part {damaged} does not match its checksum"
    except pickle.UnpicklingError:  # torch's text advises to load it without protection
        reason = "it holds other things than tensors and plain data"
    except Exception as error:  # zipfile, pickle and torch raise a dozen types for broken bytes
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    raise VisuomotorError(
        f"{path} cannot be read as a checkpoint: found {path.stat().st_size} bytes that are damaged, cut short or of "
        f"another program ({reason}), expected a file written by visuomotor. "
        "Put back a copy of it, or train again"
    )


def _describe(loaded: Any) -> str:
    if isinstance(loaded, dict):
        return f"a dict with {', '.join(repr(name) for name in list(loaded)[:5]) or 'nothing in it'}"
    return f"a {type(loaded).__name__}"


def _refuse_objects(value: Any, where: str) -> None:
    """Exact types only: `numpy.float64` is a `float`, yet `weights_only` refuses to load it."""
    if type(value) in (dict, OrderedDict):
        for key, item in value.items():
            if type(key) not in _SCALARS:
                raise TypeError(f"{where} has the key {key!r} of type {type(key).__name__}; use str or int")
            _refuse_objects(item, f"{where}[{key!r}]")
    elif type(value) in (list, tuple):
        for index, item in enumerate(value):
            _refuse_objects(item, f"{where}[{index}]")
    elif not isinstance(value, Tensor) and type(value) not in _SCALARS:
        raise TypeError(
            f"{where} is a {type(value).__module__}.{type(value).__qualname__}; a checkpoint holds tensors, numbers, "
            "strings, and dicts, lists and tuples of these"
        )
