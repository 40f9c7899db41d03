"""Every preset trains: its networks are made, and an iteration of its settings is done in a few worlds."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from visuomotor.algorithms.ppo_gail import PpoGail
from visuomotor.algorithms.ppo_gail.config import PRESETS
from visuomotor.demos import write_demonstrations
from visuomotor.demos.generate import demonstrate
from visuomotor.tasks import make_task

WORLDS, STEPS = 4, 3


def test_presets_are_those_of_the_command_line():
    assert set(PRESETS) == {"laptop", "paper", "gpu"}


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_trains(preset: str, tmp_path: Path):
    task, demos = make_task("lifting"), tmp_path / "lifting.hdf5"
    write_demonstrations(demos, task, demonstrate(task, 2, torch.Generator().manual_seed(1)))
    config = PRESETS[preset]
    assert config.num_envs >= config.ppo.num_minibatches
    small = replace(
        config,
        demos=demos,
        num_envs=WORLDS,
        total_steps=WORLDS * STEPS,
        ppo=replace(config.ppo, num_steps=STEPS),
        auxiliary=replace(config.auxiliary, pretraining_updates=min(config.auxiliary.pretraining_updates, 1)),
    )
    algorithm = PpoGail(task, small, 0)
    before = [parameter.detach().clone() for parameter in algorithm.recurrent_policy.parameters()]
    row = list(algorithm.steps())[-1]
    assert row["control_steps"] == WORLDS * STEPS
    assert all(value == value for value in row.values())  # no NaN
    assert not any(map(torch.equal, before, algorithm.recurrent_policy.parameters()))
