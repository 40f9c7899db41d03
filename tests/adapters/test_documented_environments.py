"""The examples of docs/environments.md for libraries that the tests have; tests/clients/run.py tries all."""

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "environments.md").read_text()
EXAMPLES = {
    section.splitlines()[0]: "\n".join(re.findall(r"^```python\n(.*?)^```$", section, re.M | re.S))
    for section in re.split(r"^## ", PAGE, flags=re.M)[1:]
}


@pytest.mark.parametrize("client", ["gymnasium", "stable-baselines3"])
def test_examples_run(client):
    exec(compile(EXAMPLES[client], client, "exec"), {})


@pytest.mark.parametrize("client", EXAMPLES)
def test_examples_are_programs(client):
    assert EXAMPLES[client]
    compile(EXAMPLES[client], client, "exec")
