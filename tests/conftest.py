"""Tasks in files of a user's."""

import pytest
from own_task import TASK


@pytest.fixture
def write(tmp_path):
    """Writes a task file; returns the name of its class."""

    def written(text: str = TASK, name: str = "own.py", cls: str = "Reach") -> str:
        path = tmp_path / name
        path.write_text(text)
        return f"{path}:{cls}"

    return written
