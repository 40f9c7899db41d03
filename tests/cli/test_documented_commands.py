"""Every command and option that the documents name is one that the command line takes."""

import itertools
import re
import shlex
from pathlib import Path

import pytest
import tyro

from visuomotor import registry
from visuomotor.algorithms.algorithm import Algorithm
from visuomotor.cli import main, train
from visuomotor.runs import config_to_dict
from visuomotor.tasks import Task

ROOT = Path(__file__).parents[2]
NAMES = ("README.md", "CONTRIBUTING.md", "examples/own_robot/README.md")
PAGES = [*(ROOT / name for name in NAMES), *(ROOT / "docs").glob("*.md")]
DOCUMENTS = "\n".join(page.read_text() for page in PAGES if page.name != "lab_notes.md")  # which tell of the past
SPANS = [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", DOCUMENTS)]
"""Code within the text; it may be broken over lines."""


def commands() -> list[str]:
    """Everything that calls `visuomotor`: whole lines of code, and code within the text."""
    lines = re.findall(r"^    (visuomotor .*)$", DOCUMENTS, re.MULTILINE)
    spans = [span[span.index("visuomotor ") :] for span in SPANS if re.search(r"(^|-m )visuomotor ", span)]
    return sorted({choice for found in lines + spans for choice in choices(found)})


def choices(line: str) -> list[str]:
    """The commands that a line stands for: `a|b` are two, options in brackets are given, `...` is any word."""
    line = re.sub(r"\s#.*", "", line)
    line = re.sub(r"\[(--[^]]*)\]", r"\1", line)
    line = re.sub(r"\[.*?\]", "", line).replace("...", "lifting").replace("TASK", "lifting").replace(" N", " 1")
    return [" ".join(each) for each in itertools.product(*(word.split("|") for word in shlex.split(line)))]


def test_commands_are_found():
    assert {command.split()[1] for command in commands()} >= {"tasks", "demos", "train", "evaluate", "report", "bench"}
    assert "visuomotor train ppo-gail stacking --demos demos/stacking.hdf5 --total-steps 24000000" in commands()
    assert choices("v a|b ... c|d [--seed N] [likewise]   # as it is") == [
        "v a lifting c --seed 1",
        "v a lifting d --seed 1",
        "v b lifting c --seed 1",
        "v b lifting d --seed 1",
    ]


class Parsed(BaseException):
    """The words were taken; nothing shall be done."""


def only_parse(*arguments, parse=tyro.cli, **options):
    parsed = parse(*arguments, **options)
    for name in [getattr(parsed, "task", None), *getattr(parsed, "tasks", ())]:
        if name is not None:
            registry.load("task", name, Task)
    raise Parsed


def only_resume(algorithm, presets, path, arguments):
    """Without the run, whose settings are the defaults."""
    del algorithm, path
    train._parse(train.Train(task="lifting", preset="laptop", config=presets["laptop"]), presets, arguments)


@pytest.mark.parametrize("command", commands())
def test_every_command_is_taken(monkeypatch, command):
    """A command that parses ends in `Parsed`; one that does not would end in SystemExit 2 or in an error's code."""
    monkeypatch.setattr(tyro, "cli", only_parse)
    monkeypatch.setattr(train, "_resumed", only_resume)
    monkeypatch.chdir(ROOT)
    words = shlex.split(command)[1:]
    if words == ["bench"] or (words[0] == "demos" and len(words) == 2):
        words += ["--help"]  # it is only mentioned
    if words[-1] == "--help":
        with pytest.raises(SystemExit) as stop:
            raise SystemExit(main(words))
        assert stop.value.code == 0
    else:
        with pytest.raises(Parsed):
            main(words)


def test_every_option_is_one_of_a_command(capsys):
    """Those that the text names without a command around them."""
    named = {word for span in SPANS if span.startswith("--") for word in span.split() if word.startswith("--")}
    assert "--imitation.gradient-penalty" in named
    known: set[str] = set()
    verbs = ("train ppo-gail", "train gps", "evaluate", "demos generate", "reproduce", "bench policy-search")
    for words in map(str.split, verbs):
        with pytest.raises(SystemExit):
            main([*words, "--help"])
        known |= set(re.findall(r"--[a-z][a-z.-]*", capsys.readouterr().out))
    assert named <= known


def test_every_setting_is_one_of_a_method():
    """Settings are written `group.setting`."""
    groups = ("auxiliary", "badmm", "behavior_cloning", "critic", "curriculum", "dynamics", "end_to_end", "exploration")
    groups += ("image", "imitation", "policy", "pose", "ppo", "trajectory")
    spans = {span.lstrip("-").split()[0].replace("-", "_") for span in SPANS if "." in span}
    named = {span for span in spans if span.split(".")[0] in groups and not span.endswith(".py")}
    assert "curriculum.max_episode_steps" in named
    known: set[str] = set()
    for algorithm in registry.names("algorithm"):
        for group, values in config_to_dict(registry.load("algorithm", algorithm, Algorithm).presets["laptop"]).items():
            known |= {f"{group}.{name}" for name in values} if isinstance(values, dict) else set()
    assert named <= known
