"""Train robots to act from camera pixels: images and joint readings in, motor commands out.

What most programs need is here: `make_task` and `make_env`, `train`, `load_policy` and `evaluate`. They are imported
when they are first used.
"""

import importlib
import importlib.util
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    from visuomotor.algorithms.training import train
    from visuomotor.evaluation.evaluate import evaluate
    from visuomotor.policies import load_policy
    from visuomotor.tasks.make import make_env, make_task

__version__ = "0.1.0"
__all__ = ["evaluate", "load_policy", "make_env", "make_task", "train"]

_MODULES = {
    "evaluate": "visuomotor.evaluation.evaluate",
    "load_policy": "visuomotor.policies",
    "make_env": "visuomotor.tasks.make",
    "make_task": "visuomotor.tasks.make",
    "train": "visuomotor.algorithms.training",
}

# How long torch's threads spin while they wait for each other, in turns of a loop. Left alone they spin for
# milliseconds: with one other program on a two-core machine, training falls to a fifth of its speed. Where they never
# do (PASSIVE), an update of small networks takes twice as long. Read when torch is loaded: before any import of it.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "2000")


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'visuomotor' has no attribute {name!r}")
    found = getattr(importlib.import_module(_MODULES[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _GymnasiumFinder:
    """Waits for the import of gymnasium, and registers the tasks there.

    Gymnasium knows the environments of the packages that are imported. To import it here would take every command a
    tenth of a second.
    """

    def find_spec(self, name: str, path: object = None, target: object = None) -> "ModuleSpec | None":
        if name != "gymnasium":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_and_register(module: "ModuleType") -> None:
                execute(module)
                _register_tasks()

            spec.loader.exec_module = execute_and_register
        return spec


def _register_tasks() -> None:
    from visuomotor.adapters.registration import register_tasks

    register_tasks()


if "gymnasium" in sys.modules:
    _register_tasks()
else:
    sys.meta_path.insert(0, _GymnasiumFinder())
