"""The command line with an algorithm of its own."""

import sys
import types

import pytest
from toy_algorithm import Toy

from visuomotor import registry


@pytest.fixture
def made(monkeypatch, tmp_path) -> list[Toy]:
    """The toys made so far; the current folder is empty."""
    module = types.ModuleType("toy")
    module.Toy = Toy  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "toy", module)
    monkeypatch.setitem(registry.BUILT_IN["algorithm"], "toy", "toy:Toy")
    monkeypatch.setattr(Toy, "made", [])
    monkeypatch.chdir(tmp_path)
    return Toy.made
