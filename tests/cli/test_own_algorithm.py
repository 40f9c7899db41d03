"""What is said of an algorithm that a user wrote, where a member is missing or wrong."""

import re
import textwrap
from pathlib import Path

import pytest

from visuomotor.algorithms.check import load_algorithm
from visuomotor.cli import main
from visuomotor.errors import VisuomotorError
from visuomotor.runs import Run

ALGORITHM = """
from dataclasses import dataclass, field

from visuomotor.algorithms.algorithm import Algorithm


@dataclass(frozen=True)
class Config:
    iterations: int = 2


class Mine(Algorithm):
    name = "mine"
    version = 1
    presets = {"laptop": Config()}

    def __init__(self, task, config, seed, distributed=None, task_reference=""):
        super().__init__(task, config, seed, distributed, task_reference)
        self.count = 0

    @property
    def done(self):
        return self.count >= self.config.iterations

    def steps(self):
        while not self.done:
            self.count += 1
            yield {"phase": "mine", "iteration": self.count}

    def state_dict(self):
        return {"count": self.count}

    def load_state_dict(self, content):
        self.count = content["count"]

    def policy(self):
        return None
"""
PRESETS = 'presets = {"laptop": Config()}'
FAULTS = {
    PRESETS: ("", r"lacks presets \(configs by name, each a dataclass of the same type, such as presets = "),
    "version = 1": ("", r"lacks version \(a whole number"),
    "def policy(self)": ("def polcy(self)", r"lacks policy \(policy\(self\) -> TrainedPolicy, or None"),
    "def steps(self)": ("def step(self)", r"lacks steps \(steps\(self\) yields a row of metrics, a dict"),
    f"{PRESETS}  ": (
        "presets = {'laptop': None}",
        "presets is {'laptop': None}; expected configs by name, each a data",
    ),
    f"{PRESETS}   ": ("presets = {'laptop': Config}", "presets is .*; expected configs by name"),
    f"{PRESETS}    ": ("presets = {}", "presets is {}; expected configs by name"),
    f"{PRESETS}     ": ("presets = Config()", "presets is .*; expected configs by name"),
    f"{PRESETS}      ": ("presets = {1: Config()}", "presets is .*; expected configs by name"),
    f"{PRESETS}       ": ("presets = {'a': Config(), 'b': Other()}", "presets is .*; expected .* of the same type"),
    "iterations: int = 2": ("iterations: object = object()", "preset 'laptop': a config holds numbers, strings and"),
    'name = "mine"': ("name = None", "name is None; expected a short word"),
    'name = "mine" ': ('name = "gps"', "name is 'gps', that of another algorithm; give it its own"),
    "version = 1 ": ("version = 'a'", "version is 'a'; expected a whole number"),
    f"{PRESETS}        ": (
        f"{PRESETS}; adjustable = 'iterations'",
        "adjustable is 'iterations'; expected names of set",
    ),
    f"{PRESETS}         ": (f"{PRESETS}; adjustable = None", "adjustable is None; expected names of settings"),
}


@pytest.mark.parametrize("old", FAULTS)
def test_members_are_checked_before_anything_is_made(tmp_path, monkeypatch, capsys, old):
    monkeypatch.chdir(tmp_path)
    new, told = FAULTS[old]
    text = ALGORITHM.replace("class Mine", "@dataclass(frozen=True)\nclass Other:\n    a: int = 1\n\n\nclass Mine")
    assert text.count(old.strip()) == 1
    (tmp_path / "mine.py").write_text(text.replace(old.strip(), new))
    with pytest.raises(VisuomotorError, match=f"^algorithm 'mine.py:Mine'.? {told}"):
        load_algorithm("mine.py:Mine")
    assert main(["train", "mine.py:Mine", "lifting"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir() if path.name != "__pycache__"] == ["mine.py"]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("def __init__(self, task,", "def __init__(self,", "TypeError: .* takes from 3 to 5 .*"),
        ("self.count = 0", "self.count = seed / 0", "ZeroDivisionError in line 19: .*"),
        ("self.count = 0", "exit(3)", "SystemExit in line 19: 3"),
    ],
)
def test_what_its_constructor_raises_is_told_in_one_line(tmp_path, monkeypatch, capsys, old, new, told):
    monkeypatch.chdir(tmp_path)
    assert ALGORITHM.count(old) == 1
    (tmp_path / "mine.py").write_text(ALGORITHM.replace(old, new))
    assert main(["train", "mine.py:Mine", "lifting"]) == 2
    error = capsys.readouterr().err
    assert re.match(f"visuomotor: algorithm 'mine' cannot be made: {told}; expected __init__", error)
    assert error.count("\n") == 1
    assert not (tmp_path / "runs").exists()


def test_a_fault_of_its_own_names_its_file_and_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    old = "            self.count += 1\n"
    assert ALGORITHM.count(old) == 1
    text = ALGORITHM.replace(old, old + "            {}['oops']\n")
    (tmp_path / "mine.py").write_text(text)
    line = text[: text.index("['oops']")].count("\n") + 1
    assert main(["train", "mine.py:Mine", "lifting"]) == 70
    told = f"visuomotor: KeyError in {tmp_path / 'mine.py'}, line {line}: 'oops'; the traceback is in "
    assert told in capsys.readouterr().err


def test_the_documented_one_trains_and_is_not_resumed_for_less_than_it_has_done(tmp_path, monkeypatch, capsys):
    page = (Path(__file__).parents[2] / "docs" / "your_own_algorithm.md").read_text()
    code = page[page.index("    from dataclasses import") : page.index("Save it as `random_search.py`")]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("visuomotor.tasks.jaco.lifting.Lifting.max_episode_steps", 3)
    (tmp_path / "random_search.py").write_text(textwrap.dedent(code))
    train = ["train", "random_search.py:RandomSearch"]
    assert main([*train, "lifting", "--name", "mine", "--iterations", "2", "--num-envs", "2"]) == 0
    assert main([*train, "--resume", "runs/mine", "--iterations", "1"]) == 2
    assert "iterations" in capsys.readouterr().err
    assert main([*train, "--resume", "runs/mine", "--iterations", "3"]) == 0
    assert [row["iteration"] for row in Run.open("runs/mine").metrics()] == [1, 2, 3]


def test_a_whole_one_trains(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(ALGORITHM)
    assert main(["train", "mine.py:Mine", "lifting", "--name", "first"]) == 0
    assert len(Run.open("runs/first").metrics()) == 2
