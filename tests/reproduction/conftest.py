"""Where a page is measured."""

import pytest

from visuomotor.reproduction import Where


@pytest.fixture
def where(tmp_path):
    return Where(1, 100, tmp_path / "runs", tmp_path / "results", tmp_path / "docs" / "figures")
