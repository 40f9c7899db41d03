"""The tasks with blocks on a table, and one of the PR2."""

import pytest

from visuomotor.tasks import Task, make_task
from visuomotor.tasks.table_task import TableTask


@pytest.fixture(scope="module")
def lifting() -> TableTask:
    return make_task("lifting")


@pytest.fixture(scope="module")
def stacking() -> TableTask:
    return make_task("stacking")


@pytest.fixture(scope="module")
def hanger() -> Task:
    return make_task("hanger")


@pytest.fixture(params=["lifting", "stacking"])
def task(request) -> TableTask:
    return request.getfixturevalue(request.param)
