"""config.json of a run's folder, checked where it is read."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from visuomotor.errors import VisuomotorError, one_line
from visuomotor.runs.config import Range, check_settings, config_from_dict, with_new_words

LARGEST_SEED = 2**31 - 1
_MOST_ROWS = 2**62
_OWN = (
    *("config.json", "metrics.jsonl", "policy.safetensors", "report.html", "checkpoints", "checkpoints/latest.pt"),
    *("tensorboard", "figures", "videos", "results"),
)
"""All that is read or written in a run's folder."""


@dataclass(frozen=True)
class _Change:
    """Settings that were changed on a resume: from which row of metrics on, and their values before."""

    row: Annotated[int, Range(0, _MOST_ROWS)]
    before: dict[str, Any]


@dataclass(frozen=True)
class _Metadata:
    """What config.json must hold, where it is read; the rest is information for users."""

    algorithm: str
    task: str
    task_name: str
    preset: str
    seed: Annotated[int, Range(0, LARGEST_SEED)]
    config: dict[str, Any]
    relative: dict[str, str] = field(default_factory=dict[str, str])
    shared_rows: Annotated[int, Range(0, _MOST_ROWS)] = 0
    changes: list[_Change] = field(default_factory=list[_Change])
    source: str | None = None
    versions: dict[str, str] = field(default_factory=dict[str, str])
    hardware: str = ""
    commit: str | None = None
    command: str = ""
    created: str = ""


def read_metadata(path: Path) -> dict[str, Any]:
    """What config.json of the run in the folder `path` holds.

    Raises:
        VisuomotorError: `path` is no run folder, or that of an older version, or holds links.
    """
    if path.exists() and not path.is_dir():
        folder = next((it for it in path.parents[:2] if (it / "config.json").is_file()), None)
        fix = "a run is named by its folder" if folder is None else f"give the folder of its run, {folder}"
        raise VisuomotorError(f"{path} is no folder; {fix}")
    if not path.is_dir():
        raise VisuomotorError(f"there is no run folder {path}{_runs_near(path)}")
    config = path / "config.json"
    links = [name for name in _OWN if (path / name).is_symlink()]
    if links:  # a run from someone else must not read or write outside its folder
        raise VisuomotorError(f"{path} holds links ({', '.join(links)}); put there what they lead to")
    if not config.is_file():
        raise VisuomotorError(f"{path} is no run folder: it has no config.json{_runs_near(path)}")
    if not os.access(config, os.R_OK):
        raise VisuomotorError(f"{config} may not be read; check its permissions")
    try:
        metadata = json.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise VisuomotorError(
            f"{config} cannot be read ({one_line(error)}); put back a copy of it, or train again"
        ) from error
    if isinstance(metadata, dict) and "method" in metadata and "algorithm" not in metadata:
        raise VisuomotorError(f"{path} was trained by an older version of visuomotor; use that one, or train again")
    if not isinstance(metadata, dict):
        raise VisuomotorError(f"{path} is no run folder: its config.json holds no object")
    known = {name: metadata[name] for name in _Metadata.__dataclass_fields__ if name in metadata}
    found = config_from_dict(_Metadata, known, where=str(config))
    check_settings(found, f"{config}.")
    for change in found.changes:
        check_settings(change, f"{config}.changes.")
    return metadata | {"config": with_new_words(found.config)}


def _runs_near(path: Path) -> str:
    """The runs in `path` or else beside it, as a hint for the message."""
    for folder in (path, path.parent):
        names = sorted(config.parent.name for config in folder.glob("*/config.json"))
        if names:
            return f"; runs in {folder}: {', '.join(names[-8:])}"
    return "; give the folder of a run, such as runs/NAME, which visuomotor train makes"
