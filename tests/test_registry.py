"""Tasks and algorithms by name: short names, modules, files, installed packages."""

import sys
from importlib.metadata import EntryPoint

import pytest
import torch
from own_task import TASK, changed, refused

from visuomotor import registry
from visuomotor.errors import VisuomotorError
from visuomotor.tasks import Task, VecEnv, make_env, make_task
from visuomotor.tasks.jaco.lifting import Lifting


@pytest.mark.parametrize("name", registry.names("task"))
def test_short_names_are_the_tasks_own(name):
    assert make_task(name).name == name


def test_classes_of_modules_by_name(monkeypatch, tmp_path):
    assert type(make_task("visuomotor.tasks.jaco.lifting:Lifting")) is Lifting
    (tmp_path / "other_package.py").write_text(TASK)
    monkeypatch.syspath_prepend(tmp_path)
    assert make_task("other_package:Reach").name == "reach"


def test_a_class_in_a_file(write, tmp_path, monkeypatch, capfd):
    (tmp_path / "beside.py").write_text("STAGES = ('far', 'near')")
    text = changed('stages = ("far", "near")', "stages = STAGES")
    name = write(text.replace("import torch\n", "import torch\nfrom beside import STAGES\n", 1))
    before = list(sys.path)
    task = make_task(name)
    assert sys.path == before
    assert task.stages == ("far", "near")
    assert isinstance(task, Task)
    assert type(make_task(name)) is type(task)  # the file is run once
    monkeypatch.chdir(tmp_path)
    assert type(make_task("own.py:Reach")) is type(task)
    monkeypatch.chdir("/")
    monkeypatch.syspath_prepend("/nowhere")
    env = make_env(task, 3, seed=1, image_size=32)
    assert isinstance(env, VecEnv)
    assert env.step(torch.zeros(3, 6)).reward.shape == (3,)
    assert capfd.readouterr() == ("", "")


def test_two_files_of_one_name_are_two_modules(tmp_path):
    kinds = []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "own.py").write_text(TASK.replace('"reach"', f'"{folder}"'))
        kinds.append(make_task(f"{tmp_path / folder / 'own.py'}:Reach"))
    assert [task.name for task in kinds] == ["a", "b"]


def test_names_become_absolute_for_files_only(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert registry.absolute_name("task", "own.py:Reach") == f"{tmp_path / 'own.py'}:Reach"
    for name in ("lifting", "package.module:Reach"):
        assert registry.absolute_name("task", name) == name


def test_installed_packages_add_tasks(tmp_path, monkeypatch):
    (tmp_path / "third_party.py").write_text(TASK)
    monkeypatch.syspath_prepend(tmp_path)
    points = {
        "visuomotor.tasks": [
            EntryPoint("reach", "third_party:Reach", "visuomotor.tasks"),
            EntryPoint("gone", "third_party_that_is_not:Reach", "visuomotor.tasks"),
            EntryPoint("lifting", "third_party:Reach", "visuomotor.tasks"),
            EntryPoint("no_colon", "third_party", "visuomotor.tasks"),
        ]
    }
    monkeypatch.setattr(registry, "entry_points", lambda group: points.get(group, []))
    hidden = "task 'lifting' is visuomotor.tasks.jaco.lifting:Lifting; write third_party:Reach for that of an installed"
    with pytest.warns(UserWarning, match=hidden):
        assert registry.names("task") == [*registry.BUILT_IN["task"], "reach", "gone", "no_colon"]
    assert type(make_task("lifting")) is Lifting  # our own come first
    points["visuomotor.tasks"][2] = EntryPoint("reach", "fourth_party:Reach", "visuomotor.tasks")
    with pytest.warns(UserWarning, match="task 'reach' is third_party:Reach; write fourth_party:Reach for that"):
        assert make_task("reach").name == "reach"
    del points["visuomotor.tasks"][2]
    told = refused("no_colon", "task 'no_colon' of an installed package is 'third_party', not module:Class; correct")
    assert "choose one of" not in told
    refused("gone", "'third_party_that_is_not' of 'gone' cannot be imported: ModuleNotFoundError")
    assert "reach" in refused("hangar", "choose one of:")
    assert registry.names("algorithm") == list(registry.BUILT_IN["algorithm"])


def test_algorithms_have_names_of_their_own():
    with pytest.raises(
        VisuomotorError, match="no algorithm 'hanger'; choose one of: cem, gps, gps-network, gps-trajectories, ilqg, "
    ):
        registry.load("algorithm", "hanger", object)


def test_names_that_name_nothing(write, tmp_path):
    known = "bottle, brick, cube, hammer, hanger, insertion2d, insertion3d, lifting, ring, stacking, swimmer, wheel"
    refused("hangar", f"no task 'hangar'; choose one of: {known}; or name a class of your own as")
    refused("own.py", "no task 'own.py'; for a class in a file write own.py:CLASS; choose one of")
    refused(f"{tmp_path}/none.py:Reach", r"no file .*none\.py; write path/to/file.py:Class")
    refused(f"{tmp_path}:Reach", "is no Python file; write path/to/file.py:Class")
    refused("no_such_package.tasks:Reach", "'no_such_package.tasks' .* No module named 'no_such_package'")
    refused(":Reach", "cannot be imported")
    refused(
        write(TASK + "\n\nclass Push(Reach):\n    pass\n", cls="Reech"),
        r"own\.py has no class 'Reech'; its task classes are: Reach, Push$",
    )
    refused(write("x = 1", "empty.py"), "has no class 'Reach'; its task classes are: none")
    refused(write(TASK, cls="ResetParams"), r"is not a task: it must be a subclass of visuomotor\.tasks\.task\.Task")
    refused(write(TASK, cls="SCENE"), "is not a task: it must be a subclass of")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("class Reach(Task:\n    pass\n", "SyntaxError: .*line 1"),
        ("an essay\nabout reaching", "SyntaxError: .*line 1"),
        ("import numpyy\n", "ModuleNotFoundError: No module named 'numpyy'"),
        ("from torch import reech\n", "ImportError: cannot import name 'reech'"),
        ("1 / 0\n", "ZeroDivisionError: division by zero"),
        ("raise ValueError('first\\nsecond')\n", "ValueError: first second"),
        ("import sys\nsys.exit('no display')\n", "SystemExit: no display"),
        ("raise BaseException('odd')\n", "BaseException: odd"),
    ],
)
def test_a_file_that_cannot_be_imported(write, text, told, capfd):
    before, modules = list(sys.path), set(sys.modules)
    refused(write(text, "broken.py"), rf"broken\.py cannot be imported: {told}.*; correct it and try again")
    assert sys.path == before
    assert not {name for name in set(sys.modules) - modules if "broken" in name}
    assert make_task(write(TASK, "broken.py")).name == "reach"  # once it is corrected
    assert capfd.readouterr() == ("", "")


def test_paths_that_no_file_can_have(tmp_path):
    refused(f"{tmp_path}/{'a' * 300}.py:Reach", r"there is no file .*a\.py; write path/to/file\.py:Class")
    (tmp_path / "loop.py").symlink_to(tmp_path / "loop.py")
    refused(f"{tmp_path}/loop.py:Reach", r"no file .*loop\.py")
    refused("a\0.py:Reach", r"is no file \(.*null byte.*\); write path/to/file\.py:Class")
    with pytest.raises(VisuomotorError, match="is no file"):
        registry.absolute_name("task", "a\0.py:Reach")


def test_an_interrupt_of_an_import_is_one(write):
    with pytest.raises(KeyboardInterrupt):
        make_task(write("raise KeyboardInterrupt\n", "broken.py"))
    with pytest.raises(KeyboardInterrupt):
        make_task(write(changed("spec = load_mjcf(SCENE)", "raise KeyboardInterrupt"), "init.py"))
    with pytest.raises(KeyboardInterrupt):
        make_task(write(changed("engine.reset(env_ids)", "raise KeyboardInterrupt"), "reset.py"))


def test_a_file_of_other_bytes(tmp_path):
    path = tmp_path / "binary.py"
    path.write_bytes(b"\x00\xff\xfe\x01")
    refused(f"{path}:Reach", r"binary\.py cannot be imported: ")


def test_a_class_is_found_again_by_its_name(write):
    path = write(TASK)
    own = registry.load("task", path, Task)
    assert registry.load("task", registry.name_of("task", own), Task) is own
    assert registry.name_of("task", own) == path
    assert registry.name_of("task", registry.load("task", "lifting", Task)) == "lifting"
    assert registry.name_of("task", Task) == "visuomotor.tasks.task:Task"


@pytest.mark.parametrize("name", ["scene.xml:Lift", "folder/scene.xml:Lift", "folder:Lift"])
def test_what_is_no_python_file_is_called_so(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "scene.xml").touch()
    with pytest.raises(VisuomotorError, match=f"{name[:-5]} is no Python file; write path/to/file.py:Class"):
        registry.load("task", name, Task)
