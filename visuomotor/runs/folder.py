"""The folder of one training run."""

import json
import re
import shlex
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from visuomotor.errors import VisuomotorError
from visuomotor.runs.atomic import write_atomically
from visuomotor.runs.config import config_from_dict, config_to_dict
from visuomotor.runs.metrics import MetricsLog
from visuomotor.runs.provenance import git_commit, hardware, versions

Config = TypeVar("Config")

_REQUIRED = {"algorithm": str, "task": str, "task_name": str, "preset": str, "seed": int, "config": dict}


class Run:
    """A folder with config.json, metrics.jsonl, checkpoints/, videos/, figures/, tensorboard/ and report.html.

    Make one with `Run.create`, find it again with `Run.open`.

    Attributes:
        path: the folder.
        metadata: config.json as a dict: algorithm, task, task_name, preset, seed, config, versions, commit, hardware,
            command, created.
    """

    def __init__(self, path: Path, metadata: dict[str, Any]):
        self.path = path
        self.metadata = metadata
        self._log = MetricsLog(path)

    @classmethod
    def create(
        cls,
        root: Path | str = "runs",
        *,
        algorithm: str,
        task: str,
        task_name: str | None = None,
        preset: str,
        seed: int,
        config: Any,
        command: Sequence[str] = (),
        name: str | None = None,
        device: str = "cpu",
    ) -> "Run":
        """A new folder under `root`.

        Args:
            algorithm, task: names by which the registry finds them from any folder.
            task_name: the task's short name; by default what stands after the colon of `task`.
            config: the algorithm's dataclass.
            command: what was typed, as a list of words (`sys.argv`).
            name: of the folder; by default `<algorithm>-<task name>-<preset>-seed<seed>-<date>-<time>`.

        Raises:
            VisuomotorError: the folder is there already, or cannot be made; the name is that of another place.
        """
        task_name = task_name or _short(task)
        if name is None:
            words = f"{_short(algorithm)}-{task_name}-{preset}-seed{seed}-{time.strftime('%Y%m%d-%H%M%S')}"
            name = re.sub(r"[^\w.-]+", "-", words)
        elif Path(name).name != name or name in ("", ".."):
            raise VisuomotorError(f"--name must be a plain folder name, not {name!r}; for another place use --root")
        path = Path(root) / name
        metadata = {
            "algorithm": algorithm,
            "task": task,
            "task_name": task_name,
            "preset": preset,
            "seed": seed,
            "config": config_to_dict(config),
            "versions": versions(),
            "commit": git_commit(),
            "hardware": hardware(device),
            "command": shlex.join(command),
            "created": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        }
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            raise VisuomotorError(
                f"{path} is there already; choose another --name, delete it, or continue it with --resume {path}"
            ) from None
        except OSError as error:
            raise VisuomotorError(
                f"cannot make the run folder {path}: {error.strerror}; choose another --root"
            ) from error
        try:
            write_atomically(path / "config.json", json.dumps(metadata, indent=2) + "\n")
        except BaseException:  # its name stays free
            shutil.rmtree(path, ignore_errors=True)
            raise
        return cls(path, metadata)

    @classmethod
    def open(cls, path: Path | str) -> "Run":
        """The run in the folder `path`.

        Raises:
            VisuomotorError: `path` is no run folder, or that of an older version.
        """
        path = Path(path)
        if not path.is_dir():
            raise VisuomotorError(f"there is no run folder {path}{_runs_near(path)}")
        try:
            metadata = json.loads((path / "config.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise VisuomotorError(f"{path} is no run folder: it has no config.json{_runs_near(path)}") from None
        except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
            raise VisuomotorError(f"{path / 'config.json'} cannot be read: {error}") from error
        if isinstance(metadata, dict) and "method" in metadata and "algorithm" not in metadata:
            raise VisuomotorError(f"{path} was trained by an older version of visuomotor; use that one, or train again")
        found = metadata if isinstance(metadata, dict) else {}
        wrong = [name for name, kind in _REQUIRED.items() if type(found.get(name)) is not kind]
        if wrong:
            told = ", ".join(f"{name} ({_REQUIRED[name].__name__})" for name in wrong)
            raise VisuomotorError(f"{path} is no run folder: its config.json must have {told}")
        return cls(path, metadata)

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def algorithm(self) -> str:
        """As the registry knows it; a file's path is absolute."""
        return self.metadata["algorithm"]

    @property
    def algorithm_name(self) -> str:
        """Without the path of a file."""
        return _short(self.algorithm)

    @property
    def task(self) -> str:
        """As the registry knows it; a file's path is absolute."""
        return self.metadata["task"]

    @property
    def task_name(self) -> str:
        """The task's short name."""
        return self.metadata["task_name"]

    @property
    def preset(self) -> str:
        return self.metadata["preset"]

    @property
    def seed(self) -> int:
        return self.metadata["seed"]

    @property
    def checkpoints(self) -> Path:
        return self._folder("checkpoints")

    @property
    def latest_checkpoint(self) -> Path:
        """Where the newest checkpoint is or will be."""
        return self.checkpoints / "latest.pt"

    @property
    def videos(self) -> Path:
        return self._folder("videos")

    @property
    def figures(self) -> Path:
        return self._folder("figures")

    @property
    def results(self) -> Path:
        """Where the evaluations of this run's policy lie, one JSON each."""
        return self._folder("results")

    @property
    def report(self) -> Path:
        return self.path / "report.html"

    def config(self, kind: type[Config]) -> Config:
        """The run's config as the algorithm's dataclass."""
        return config_from_dict(kind, self.metadata["config"], where=f"{self.path / 'config.json'}: config")

    def log(self, row: Mapping[str, Any]) -> None:
        """Append one row to metrics.jsonl and to TensorBoard; see `MetricsLog.append`."""
        self._log.append(row)

    def metrics(self) -> list[dict[str, Any]]:
        """All rows of metrics.jsonl."""
        return self._log.rows()

    @property
    def metrics_lines(self) -> int:
        """How many rows there are; a checkpoint stores it for `truncate_metrics`."""
        return self._log.lines

    def truncate_metrics(self, lines: int) -> None:
        """Keep the first `lines` rows: what a resumed run will do again must not stand there twice."""
        self._log.truncate(lines)

    def remove_if_unused(self) -> None:
        """Delete the folder of a run that has written nothing yet."""
        if not self._log.lines and not any(path.is_file() for path in self.path.glob("checkpoints/*")):
            self.close()
            shutil.rmtree(self.path)

    def close(self) -> None:
        """Close the metrics; the next `log` opens them again."""
        self._log.close()

    def _folder(self, name: str) -> Path:
        folder = self.path / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def _short(reference: str) -> str:
    """`Class` of `module:Class`; a short name stays."""
    return reference.rpartition(":")[2]


def _runs_near(path: Path) -> str:
    """The runs in `path` or else beside it, as a hint for the message."""
    for folder in (path, path.parent):
        names = sorted(config.parent.name for config in folder.glob("*/config.json"))
        if names:
            return f"; runs in {folder}: {', '.join(names[-8:])}"
    return ""
