"""The lists of `make mutations` follow the code: CI does not run them."""

import ast
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LISTS = sorted((ROOT / "tests").glob("mutations_*.toml"))


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.stem)
def test_every_text_stands_once_in_its_file_and_every_test_is_there(path):
    wrong = []
    for name, entry in tomllib.loads(path.read_text()).items():
        source = ROOT / entry["file"]
        if not source.is_file() or source.read_text().count(entry["text"]) != 1:
            wrong.append(name)
        files = [ROOT / test.partition("::")[0] for test in entry["tests"]]
        wrong += [name for file in files if not file.exists()]
    assert not wrong


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.stem)
def test_every_mutated_file_is_still_python(path):
    """A file that cannot be imported fails any test."""
    wrong = []
    for name, entry in tomllib.loads(path.read_text()).items():
        if entry["file"].endswith(".py"):
            try:
                ast.parse((ROOT / entry["file"]).read_text().replace(entry["text"], entry["replacement"]))
            except SyntaxError:
                wrong.append(name)
    assert not wrong
