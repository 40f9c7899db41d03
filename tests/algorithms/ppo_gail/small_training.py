"""A training of lifting so small that it takes a second."""

import dataclasses
from pathlib import Path

import torch

from visuomotor.algorithms.ppo_gail import PpoGail
from visuomotor.algorithms.ppo_gail.config import (
    AuxiliaryConfig,
    ImitationConfig,
    PpoConfig,
    PpoGailConfig,
)
from visuomotor.runs import Run
from visuomotor.runs.distributed import Distributed
from visuomotor.tasks import make_task


def small(demos: Path | None, iterations: int = 4, **changes: object) -> PpoGailConfig:
    config = PpoGailConfig(
        demos=demos,
        num_envs=8,
        total_steps=iterations * 8 * 6,
        save_interval=1,
        ppo=PpoConfig(num_steps=6, num_epochs=2, num_minibatches=2),
        imitation=ImitationConfig(batch_size=32, num_updates=2),
        auxiliary=AuxiliaryConfig(batch_size=16, updates_per_iteration=2),
    )
    return dataclasses.replace(config, **changes)  # pyright: ignore[reportArgumentType]


def make(config: PpoGailConfig, distributed: Distributed | None = None, seed: int = 0) -> PpoGail:
    return PpoGail(make_task("lifting"), config, seed, distributed)


def new_run(root: Path, config: PpoGailConfig, name: str) -> Run:
    return Run.create(root, algorithm="ppo-gail", task="lifting", preset="laptop", seed=0, config=config, name=name)


def assert_same(a: object, b: object, where: str = "content") -> None:
    if isinstance(a, torch.Tensor):
        assert isinstance(b, torch.Tensor), where
        assert torch.equal(a, b), where
    elif isinstance(a, dict):
        assert isinstance(b, dict), where
        assert a.keys() == b.keys(), where
        for key in a:
            assert_same(a[key], b[key], f"{where}[{key!r}]")
    elif isinstance(a, list | tuple):
        assert isinstance(b, list | tuple), where
        assert len(a) == len(b), where
        for index, (x, y) in enumerate(zip(a, b, strict=True)):
            assert_same(x, y, f"{where}[{index}]")
    elif not where.endswith("['elapsed_seconds']"):
        assert a == b, where
