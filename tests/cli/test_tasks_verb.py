import numpy as np
import pytest
from matplotlib.image import imread

from visuomotor import registry
from visuomotor.cli import main
from visuomotor.tasks import make_task

NAMES = registry.names("task")
OWN_TASK = """
from visuomotor.tasks.jaco.lifting import Lifting

class Mine(Lifting):
    name = "mine"
    description = "lift my block"
"""


def test_each_task_has_a_line_and_a_picture(tmp_path, capsys):
    assert main(["tasks", "--pictures", str(tmp_path / "new"), "--size", "48"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for line, name in zip(lines, NAMES, strict=True):
        assert line.startswith(name)
        assert make_task(name).description in line
        assert str(tmp_path / "new" / f"{name}.png") in line
        picture = imread(tmp_path / "new" / f"{name}.png")
        assert picture.shape[:2] == (48, 48)
        assert np.ptp(picture[..., :3]) > 0.2


def test_pictures_go_to_the_users_cache_by_default(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    main(["tasks", "--size", "16"])
    assert len(list((tmp_path / "visuomotor" / "tasks").glob("*.png"))) == len(NAMES)


def test_a_task_of_ones_own_is_shown_by_its_file(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tasks.py").write_text(OWN_TASK)
    assert main(["tasks", "tasks.py:Mine", "--pictures", "new", "--size", "16"]) == 0
    assert capsys.readouterr().out == "tasks.py:Mine  lift my block  [new/mine.png]\n"
    assert (tmp_path / "new" / "mine.png").is_file()


def test_tasks_of_installed_packages_are_listed_and_a_broken_one_hides_none(tmp_path, monkeypatch, capsys):
    (tmp_path / "tasks.py").write_text(OWN_TASK)
    monkeypatch.setitem(registry.BUILT_IN["task"], "broken", "no_such_module:Task")
    monkeypatch.setattr(registry, "_installed", lambda kind: {"theirs": _Point(f"{tmp_path / 'tasks.py'}:Mine")})
    assert main(["tasks", "--pictures", str(tmp_path), "--size", "16"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [*NAMES, "broken", "theirs"]
    assert "cannot be used: module 'no_such_module' of 'broken' cannot be imported" in lines[-2]
    assert "lift my block" in lines[-1]


class _Point:
    def __init__(self, value: str):
        self.value = value


@pytest.mark.parametrize(("arguments", "code"), [(["--size", "0"], 2), (["hangar"], 1)])
def test_mistakes(arguments, code, capsys):
    assert main(["tasks", *arguments]) == code
    printed = capsys.readouterr()
    assert "--size must be between" in printed.err or "there is no task 'hangar'" in printed.out
