"""An algorithm that counts, for tests of the command line."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from visuomotor.algorithms.algorithm import Algorithm
from visuomotor.errors import VisuomotorError
from visuomotor.runs import Run

OWN_TASK = """
from visuomotor.tasks.jaco.lifting import Lifting

class Mine(Lifting):
    name = "mine"
"""


@dataclass(frozen=True)
class Inner:
    rate: float = 0.1
    """How fast."""

    def __post_init__(self):
        if self.rate <= 0:
            raise VisuomotorError(f"rate must be above 0, not {self.rate}")


@dataclass(frozen=True)
class Config:
    iterations: int = 3
    """How often."""
    fails_at: int | None = None
    """In which iteration; 0 is in the constructor."""
    interrupted_at: int | None = None
    """Likewise."""
    inner: Inner = field(default_factory=Inner)
    """The rest."""
    demos: Path | None = None
    """Demonstrations."""


class Toy(Algorithm):
    """Counts, and notes how it was made."""

    name = "toy"
    version = 1
    presets: ClassVar = {"laptop": Config(), "paper": Config(iterations=12)}
    adjustable: ClassVar = frozenset({"iterations", "fails_at", "interrupted_at", "demos"})
    made: ClassVar[list["Toy"]] = []

    def __init__(self, task, config, seed, distributed=None, task_reference=""):
        super().__init__(task, config, seed, distributed, task_reference)
        self.made.append(self)
        self.count = self.started_at = 0
        self.weights = seed
        self._disturb()

    def _disturb(self):
        if self.config.fails_at == self.count:
            raise VisuomotorError("something went wrong")
        if self.config.interrupted_at == self.count:
            raise KeyboardInterrupt

    @property
    def done(self):
        return self.count >= self.config.iterations

    @property
    def trained(self):
        return {"iterations": self.count}

    def steps(self):
        while not self.done:
            self.count += 1
            self._disturb()
            yield {"phase": "toy", "iteration": self.count, "cost": 2.5, "per_condition": [1, 2]}

    def state_dict(self):
        return {"count": self.count, "weights": self.weights}

    def load_state_dict(self, content):
        self.count = self.started_at = content["count"]
        self.weights = content["weights"]

    def load_weights(self, content):
        if content["weights"] == 13:
            raise VisuomotorError("policy has the shape (13,), expected (12,)")
        self.weights = content["weights"]

    def policy(self):
        return None


def make_run(**changes) -> Run:
    told = {"algorithm": "toy", "task": "lifting", "preset": "laptop", "seed": 0, "config": Config(), "name": "mine"}
    run = Run.create(**(told | changes))
    run.close()
    return run
