"""The tasks with blocks on a table."""

import pytest

from visuomotor.tasks import make_task
from visuomotor.tasks.table_task import TableTask


@pytest.fixture(scope="module")
def lifting() -> TableTask:
    return make_task("lifting")


@pytest.fixture(scope="module")
def stacking() -> TableTask:
    return make_task("stacking")


@pytest.fixture(params=["lifting", "stacking"])
def task(request) -> TableTask:
    return request.getfixturevalue(request.param)
