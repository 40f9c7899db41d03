"""Run folders that somebody has edited: read as they were meant, or refused in one line."""

import json
from pathlib import Path

import pytest
from damage import damaged, is_told, tries
from hypothesis import given
from hypothesis import strategies as st
from test_fuzz_checkpoints import changed_bytes

from visuomotor.algorithms.ppo_gail.config import PRESETS, PpoGailConfig
from visuomotor.errors import VisuomotorError
from visuomotor.evaluation.evaluate import run_settings
from visuomotor.evaluation.report import write_report
from visuomotor.evaluation.result import Result, read_results, write_result
from visuomotor.runs import Run

RESULT = Result(
    *("lifting", "ppo-gail", "random", "laptop", 0, 100, 50, 1.0, "a machine", None, "visuomotor evaluate runs/a"),
    stages={"start": 100, "lifted": 50},
    mean_return=3.0,
)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    """A whole one."""
    made = Run.create(
        tmp_path_factory.mktemp("runs"),
        algorithm="ppo-gail",
        task="lifting",
        preset="laptop",
        seed=0,
        config=PRESETS["laptop"],
        command=["visuomotor", "train"],
        name="fuzzed",
    )
    for row in range(3):
        made.log({"phase": "ppo", "iteration": row, "cost": 1.0, "control_steps": 100 * row})
    made.close()
    made.metadata["changes"] = [{"row": 2, "before": {"total_steps": 5}}]
    write_result(RESULT, made.results)
    return made


def read_all(path: Path, report: bool = False) -> None:
    """All that verbs read of a folder."""
    try:
        found = Run.open(path)
        found.config(PpoGailConfig)
        run_settings(found, PRESETS)
        found.metrics()
        read_results(found.results)
        if report:  # slow: it draws curves
            write_report(found)
    except VisuomotorError as error:
        is_told(error)


def check_json(file: Path, whole: object, run: Run, count: int, report: bool = False) -> None:
    before = file.read_bytes()

    @tries(count)
    @given(damaged(lambda: whole))
    def check(found):
        try:
            text = json.dumps(found.content)
        except TypeError:  # a tensor in the place of a number
            return
        file.write_text(text + "\n")
        read_all(run.path, report)

    try:
        check()
    finally:
        file.write_bytes(before)


@pytest.mark.parametrize(("count", "report"), [(100, False), (10, True)])
def test_another_config(run, count, report):
    check_json(run.path / "config.json", run.metadata, run, count, report)


@pytest.mark.parametrize(("count", "report"), [(100, False), (10, True)])
def test_another_result(run, count, report):
    [file] = run.results.glob("*.json")
    check_json(file, json.loads(file.read_text()), run, count, report)


def test_other_metrics(run):
    check_json(
        run.path / "metrics.jsonl", {"phase": "ppo", "iteration": 3, "cost": 1.0, "kl": [1.0, {"a": 2}]}, run, 40
    )


@pytest.mark.parametrize("name", ["config.json", "metrics.jsonl"])
def test_other_bytes(run, name):
    file = run.path / name
    before = file.read_bytes()

    @tries(40)
    @given(st.data())
    def check(data):
        file.write_bytes(changed_bytes(data, before))
        read_all(run.path)

    try:
        check()
    finally:
        file.write_bytes(before)
