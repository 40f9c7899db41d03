"""The lists of `make mutations` follow the code: CI does not run them."""

import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("path", sorted((ROOT / "tests").glob("mutations_*.toml")), ids=lambda path: path.stem)
def test_every_text_stands_once_in_its_file_and_every_test_is_there(path):
    wrong = []
    for name, entry in tomllib.loads(path.read_text()).items():
        source = ROOT / entry["file"]
        if not source.is_file() or source.read_text().count(entry["text"]) != 1:
            wrong.append(name)
        files = [ROOT / test.partition("::")[0] for test in entry["tests"]]
        wrong += [name for file in files if not file.exists()]
    assert not wrong
