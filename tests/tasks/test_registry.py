import pytest

from visuomotor.errors import VisuomotorError
from visuomotor.tasks import ConditionedTask, make_task, task_names


def test_unknown_names_list_the_choices():
    with pytest.raises(VisuomotorError, match=r"no task 'hangar'; choose one of: .*hanger"):
        make_task("hangar")
    with pytest.raises(VisuomotorError, match="no protocol 'night'; choose one of: background, spatial"):
        make_task("hanger", ConditionedTask).conditions("night")


def test_every_name_makes_its_task():
    assert [make_task(name).name for name in task_names()] == task_names()
