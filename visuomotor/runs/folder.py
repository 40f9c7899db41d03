"""The folder of one training run."""

import json
import os
import re
import secrets
import shlex
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from visuomotor import registry
from visuomotor.errors import VisuomotorError, brief, is_line, whole_number
from visuomotor.runs.atomic import remove_partials, write_atomically
from visuomotor.runs.config import changed_settings, config_from_dict, config_to_dict
from visuomotor.runs.metadata import LARGEST_SEED, read_metadata
from visuomotor.runs.metrics import MetricsLog
from visuomotor.runs.provenance import git_commit, hardware, versions

if TYPE_CHECKING:
    from visuomotor.tasks import Task

Config = TypeVar("Config")

_LONGEST_NAME = 200  # bytes; file systems allow 255, and names of partial files are longer


class Run:
    """A folder with config.json, metrics.jsonl, checkpoints/, videos/, figures/, tensorboard/ and report.html.

    Make one with `Run.create`, find it again with `Run.open`.

    Attributes:
        path: the folder.
        metadata: config.json as a dict: algorithm, task, task_name, preset, seed, config, versions, commit, hardware,
            command, created; and `relative`, algorithm and task with the paths of files relative to the folder.
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
        source: Path | str | None = None,
        device: str = "cpu",
    ) -> "Run":
        """A new folder under `root`.

        Args:
            algorithm, task: names by which the registry finds them from any folder.
            task_name: the task's short name; by default what stands after the colon of `task`.
            config: the algorithm's dataclass.
            command: what was typed, as a list of words (`sys.argv`).
            source: folder of the run that this one takes its first weights from.
            name: of the folder; by default `<algorithm>-<task name>-<preset>-seed<seed>-<date>-<time>`.

        Raises:
            VisuomotorError: the folder is there already, or cannot be made; the name is that of another place; there is
                no such seed, or no short name of an algorithm or task like that.
        """
        seed = whole_number("seed", seed, 0, LARGEST_SEED)
        registry.check_name("algorithm", algorithm)
        registry.check_name("task", task)
        if not (isinstance(preset, str) and preset):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise VisuomotorError(f"preset must be the name of one of the algorithm's presets, not {brief(preset)}")
        task_name = task_name or _short(task)
        if name is None:
            words = f"{_short(algorithm)}-{task_name}-{preset}-seed{seed}-{time.strftime('%Y%m%d-%H%M%S')}"
            name = re.sub(r"[^\w.-]+", "-", words)
        path = cls.check_name(root, name)
        metadata = {
            "algorithm": algorithm,
            "task": task,
            "task_name": task_name,
            "relative": {
                "algorithm": registry.relative_name("algorithm", algorithm, path),
                "task": registry.relative_name("task", task, path),
            },
            "preset": preset,
            "seed": seed,
            "config": config_to_dict(config),
            "versions": versions(),
            "commit": git_commit(),
            "hardware": hardware(device),
            "command": os.fsencode(shlex.join(command)).decode(errors="backslashreplace"),
            "created": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        }
        if source is not None:
            metadata["source"] = str(Path(source).absolute())
        partial = path.with_name(f".{name}.{secrets.token_hex(4)}.partial")  # a crash leaves the name free
        try:
            partial.mkdir(parents=True)
            write_atomically(partial / "config.json", json.dumps(metadata, indent=2) + "\n")
            partial.rename(path)
        except OSError as error:
            shutil.rmtree(partial, ignore_errors=True)
            raise VisuomotorError(
                f"cannot make the run folder {path}: {error.strerror}; choose another --root"
            ) from error
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        return cls(path, metadata)

    @staticmethod
    def check_name(root: Path | str, name: str) -> Path:
        """The path of a run folder that is still to be made.

        Raises:
            VisuomotorError: the name is that of another place, or is taken.
        """
        if not isinstance(name, str) or Path(name).name != name or name.strip() in ("", ".."):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise VisuomotorError(f"--name must be a plain folder name, not {name!r}; for another place use --root")
        for wrong, what in (
            (name == "pretraining", "is where runs share pretraining"),
            (not is_line(name), "has letters that cannot be written"),
            (len(os.fsencode(name)) > _LONGEST_NAME, f"has over {_LONGEST_NAME} bytes"),
        ):
            if wrong:
                raise VisuomotorError(f"--name {brief(name)} {what}; choose another one")
        path = Path(root) / name
        if path.exists() or path.is_symlink():
            raise VisuomotorError(
                f"{path} is there already; choose another --name, delete it, or continue it with --resume {path}"
            )
        return path

    @classmethod
    def open(cls, path: Path | str) -> "Run":
        """The run in the folder `path`.

        Raises:
            VisuomotorError: `path` is no run folder, or that of an older version.
        """
        try:
            path = Path(path)
        except TypeError as error:
            raise VisuomotorError(f"a run is opened by the path of its folder, not by {brief(path)}") from error
        return cls(path, read_metadata(path))

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def algorithm(self) -> str:
        """Name by which the registry finds it from any folder. For a class in a file this is the file's absolute path.
        If the file moved together with the run folder, it is the new path."""
        return self._moved_name("algorithm")

    @property
    def algorithm_name(self) -> str:
        """Without the path of a file."""
        return _short(self.algorithm)

    @property
    def task(self) -> str:
        """Likewise."""
        return self._moved_name("task")

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
    def latest_checkpoint(self) -> Path:
        """Where the newest checkpoint is or will be."""
        return self.path / "checkpoints" / "latest.pt"

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
        """Append one row to metrics.jsonl and to TensorBoard; see `MetricsLog.append`.

        Raises:
            VisuomotorError: the disk is full, or the folder is gone.
        """
        if not self.path.is_dir():
            raise VisuomotorError(f"{self.path} was deleted or moved while it was being trained; train again")
        self._log.append(row)

    def log_shared(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Append rows of training that this run has in common with another one; config.json says how many."""
        self._write_metadata({"shared_rows": len(rows)})
        for row in rows:
            self.log(row)

    @property
    def shared_rows(self) -> int:
        """How many rows of metrics began this run, at most, when it took over shared pretraining."""
        return self.metadata.get("shared_rows", 0)

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

    def update_config(self, config: Mapping[str, Any], row: int) -> None:
        """Write another config, as a plain dict, into config.json. Its entry `changes` lists the values before, and the
        row of metrics from which on the new ones hold."""
        changes = changed_settings(self.metadata["config"], config)
        if changes:
            entry = {"row": row, "before": {name: before for name, (before, _) in changes.items()}}
            self._write_metadata({"config": config, "changes": [*self.metadata.get("changes", ()), entry]})

    def make_task(self, name: str | None = None) -> "Task":
        """The run's task.

        Args:
            name: where its class is now, if its file has moved; config.json then says so.

        Raises:
            VisuomotorError: the class cannot be found, or is of another task.
        """
        from visuomotor.tasks import make_task

        try:
            task = make_task(name or self.task)
        except VisuomotorError as error:
            if name is not None:
                raise
            raise VisuomotorError(
                f"{error} (if the task of {self.path} has moved: --task path/to/file.py:Class)"
            ) from error
        if name is not None:
            if task.name != self.task_name:
                raise VisuomotorError(
                    f"{self.path} is a run of the task {self.task_name!r}, and {name} is {task.name!r}"
                )
            now = registry.absolute_name("task", name)
            if now != self.metadata["task"]:
                relative = {**self.metadata.get("relative", {}), "task": registry.relative_name("task", now, self.path)}
                self._write_metadata({"task": now, "relative": relative})
        return task

    def _write_metadata(self, changed: Mapping[str, Any]) -> None:
        self.metadata |= changed
        write_atomically(self.path / "config.json", json.dumps(self.metadata, indent=2) + "\n")

    def remove_if_unused(self) -> None:
        """Delete the folder of a new run that has logged nothing yet."""
        if not self._log.lines:
            self.close()
            shutil.rmtree(self.path, ignore_errors=True)

    def remove_partials(self) -> None:
        """Delete what a killed training has left half written. No other process may be training the run."""
        for path in (self.path / "config.json", self.path / "metrics.jsonl", self.path / "policy.safetensors"):
            remove_partials(path)
        remove_partials(self.latest_checkpoint)

    def close(self) -> None:
        """Close the metrics; the next `log` opens them again."""
        self._log.close()

    def _moved_name(self, kind: registry.Kind) -> str:
        return registry.moved_name(kind, self.metadata[kind], self.metadata.get("relative", {}).get(kind), self.path)

    def _folder(self, name: str) -> Path:
        folder = self.path / name
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise VisuomotorError(
                f"cannot make the folder {folder}: {error.strerror}; check the permissions of {self.path}, or copy the "
                "run to a disk that can be written"
            ) from error
        return folder


def _short(reference: str) -> str:
    """`Class` of `module:Class`; a short name stays."""
    return reference.rpartition(":")[2]
