"""Pretraining that runs share: the first of them stores its state, the others begin with it."""

import hashlib
import inspect
from contextlib import suppress
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import torch

from visuomotor.algorithms.algorithm import Algorithm
from visuomotor.errors import VisuomotorError
from visuomotor.runs import load_checkpoint, save_checkpoint
from visuomotor.runs.provenance import hardware, versions
from visuomotor.runs.restore import ListOf, check_like
from visuomotor.tasks import Task

_PACKAGE = Path(__file__).resolve().parents[1]


class SharedPretraining:
    """One file for each algorithm, task and seed. It is used only where this run would get the same state to the bit:
    same settings of pretraining, model, code, packages, processor and number of threads.

    Args:
        folder: where the files are, such as `runs/pretraining`.
    """

    def __init__(self, folder: Path, algorithm: Algorithm):
        self._algorithm = algorithm
        self.path = folder / f"{algorithm.name}-{algorithm.task.name}-seed{algorithm.seed}.pt"

    def load(self) -> list[dict[str, Any]]:
        """Put the algorithm behind its pretraining, and return the metrics of that; none where nothing fits."""
        if self._algorithm.pretraining_settings is None or not self.path.is_file():
            return []
        try:
            content = load_checkpoint(self.path, expect=self._header(), types={"rows": list, "state": dict})
        except VisuomotorError:  # of other settings, or damaged: this run will write its own
            return []
        try:
            check_like(content["rows"], ListOf(dict), "rows")
            self._algorithm.load_pretraining(content["state"])
        except VisuomotorError as error:
            raise VisuomotorError(
                f"{self.path} is damaged ({error}); delete it, and pretraining is done again"
            ) from error
        return content["rows"]

    def save(self, rows: list[dict[str, Any]]) -> None:
        """Store the state of an algorithm that is just pretrained, with the metrics so far."""
        if self._algorithm.pretraining_settings is not None:
            save_checkpoint(self.path, {**self._header(), "rows": rows, "state": self._algorithm.state_dict()})

    def _header(self) -> dict[str, Any]:
        algorithm = self._algorithm
        return {
            **algorithm.header(),
            "settings": algorithm.pretraining_settings,
            "model": _model_hash(algorithm.task.model),
            "code": _code_hash(algorithm.task),
            "versions": versions(),
            "hardware": hardware(str(getattr(algorithm, "device", "cpu"))),
            "threads": torch.get_num_threads(),
        }


def _model_hash(model: mujoco.MjModel) -> str:
    """Hash of everything in the model, also of what is only visible."""
    content = np.empty(mujoco.mj_sizeModel(model), np.uint8)
    mujoco.mj_saveModel(model, None, content)
    return hashlib.sha256(content.tobytes()).hexdigest()


def _code_hash(task: Task) -> str:
    """Hash of all code of this package, and of all code in the folder of a task from elsewhere."""
    files = [Path(inspect.getfile(kind)).resolve() for kind in type(task).mro() if issubclass(kind, Task)]
    folders = {_PACKAGE} | {file.parent for file in files if not file.is_relative_to(_PACKAGE)}
    digest = hashlib.sha256()
    for folder in sorted(folders):
        for path in sorted(folder.rglob("*.py") if folder == _PACKAGE else folder.glob("*.py")):
            with suppress(OSError):  # folders of such a name, links to nowhere
                digest.update(path.read_bytes())
    return digest.hexdigest()
