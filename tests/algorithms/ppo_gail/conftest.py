from pathlib import Path

import pytest
import torch

from visuomotor.demos import Episode, write_demonstrations
from visuomotor.demos.generate import demonstrate
from visuomotor.tasks import make_task


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


@pytest.fixture(scope="session")
def demonstrations() -> list[Episode]:
    return demonstrate(make_task("lifting"), 3, torch.Generator().manual_seed(1))


@pytest.fixture(scope="session")
def demos(demonstrations: list[Episode], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("demos") / "lifting.hdf5"
    write_demonstrations(path, make_task("lifting"), demonstrations)
    return path
