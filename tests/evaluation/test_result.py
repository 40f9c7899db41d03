import json
import os
from pathlib import Path

import pytest

from visuomotor.errors import VisuomotorError
from visuomotor.evaluation import Outcomes, read_results, write_result


def test_read_is_what_was_written(tmp_path, result):
    path = write_result(result(), tmp_path / "results")
    assert path.name == "gps-hanger-laptop-training-seed0.json"
    assert read_results(tmp_path / "results") == [result()]
    assert json.loads(path.read_text())["interval_95"] == pytest.approx([0.2366, 0.7634], abs=1e-4)


def test_other_settings_are_another_file(tmp_path, result):
    changed = [result(settings=text) for text in ("imitation.weight 0.0, total_steps 10", "x" * 300, "x" * 301)]
    names = [write_result(each, tmp_path).name for each in (result(), *changed)]
    assert len(set(names)) == 4
    assert names[1] == "gps-hanger-laptop-imitation.weight-0.0-total_steps-10-training-seed0.json"
    assert max(map(len, names)) < 200  # of 255 that file systems allow
    assert result(settings="x" * 300) in read_results(tmp_path)


def test_stages_are_read_as_they_were_written(tmp_path, result):
    staged = result(algorithm="ppo-gail", split="random", stages={"start": 10, "lifted": 5}, mean_return=3.5)
    assert write_result(staged, tmp_path).name == "ppo-gail-hanger-laptop-random-seed0.json"
    assert read_results(tmp_path) == [staged]


def test_outcomes_are_read_as_they_were_written_one_line_a_list(tmp_path, result):
    conditions = ({"target": (0.58, -0.2, 1.0), "grasp": (0.0,)}, {"target": (0.605, 0.0, 1.0), "grasp": (1.0,)})
    conditioned = Outcomes((True, False, True), (0, 1, 0), conditions)
    kept = [
        result(trials=3, successes=2, outcomes=conditioned),
        result(seed=1, trials=2, successes=1, outcomes=Outcomes((True, False), furthest_stage=(2, 1))),
    ]
    paths = [write_result(each, tmp_path) for each in kept]
    assert read_results(tmp_path) == kept
    lines = [line.strip().rstrip(",") for line in paths[0].read_text().splitlines()]
    assert '"condition": [0, 1, 0]' in lines
    assert any(line.startswith('"conditions": [{"target": [0.58, -0.2, 1.0], "grasp": [0.0]}, {') for line in lines)


def test_a_result_from_before_outcomes_were_kept(tmp_path, result):
    path = write_result(result(), tmp_path)
    values = json.loads(path.read_text())
    assert values.pop("outcomes") is None
    path.write_text(json.dumps(values))
    assert read_results(tmp_path) == [result()]


def test_a_result_of_an_older_version_is_read(tmp_path, result):
    """Its names were others: `method` and `protocol`; conditions had columns of their own."""
    path = write_result(result(outcomes=Outcomes((True, False) * 5)), tmp_path)
    values = json.loads(path.read_text())
    values["method"], values["protocol"] = values.pop("algorithm"), values.pop("split")
    path.write_text(json.dumps(values))
    assert read_results(tmp_path) == [result(outcomes=Outcomes((True, False) * 5))]
    values["outcomes"] = {"success": [True, False] * 5, "target_m": [], "grasp": []}
    path.write_text(json.dumps(values))
    assert read_results(tmp_path) == [result()]


def test_the_results_of_this_repository_are_read():
    found = read_results(Path(__file__).parents[2] / "results")
    assert {"gps", "ppo-gail"} <= {each.algorithm for each in found}
    assert {"training", "spatial", "visual", "random"} <= {each.split for each in found}


def test_names_from_outside_cannot_leave_the_folder(tmp_path, result):
    path = write_result(result(task="../../evil", preset="/etc", split="a/b"), tmp_path / "results")
    assert path.resolve().parent == (tmp_path / "results").resolve()


def test_outcomes_that_contradict_the_counts_are_refused(tmp_path, result):
    path = write_result(result(trials=2, successes=1, outcomes=Outcomes((True, False))), tmp_path)
    path.write_text(path.read_text().replace('"successes": 1', '"successes": 2'))
    with pytest.raises(VisuomotorError, match=r"seed0\.json.*1 successes in 2 trials, not 2 in 2"):
        read_results(tmp_path)
    path.write_text(path.read_text().replace('"condition": []', '"condition": [0]'))
    with pytest.raises(VisuomotorError, match=r"seed0\.json\.outcomes: condition has 1 entries for 2 trials"):
        read_results(tmp_path)


def test_measuring_again_replaces(tmp_path, result):
    write_result(result(), tmp_path)
    write_result(result(successes=9), tmp_path)
    assert [r.successes for r in read_results(tmp_path)] == [9]


def test_other_json_files_are_left_alone(tmp_path):
    (tmp_path / "bench.json").write_text('{"frames_per_second": 1}')
    assert read_results(tmp_path) == []


@pytest.mark.parametrize("text", ["{", '{"split": "training"}', '{"protocol": 3, "task": "hanger"}'])
def test_damaged_file_is_named(tmp_path, text):
    (tmp_path / "bad.json").write_text(text)
    with pytest.raises(VisuomotorError, match=r"bad\.json"):
        read_results(tmp_path)


def test_impossible_counts_are_refused(result):
    with pytest.raises(VisuomotorError, match="11 successes in 10 trials"):
        result(successes=11)


def test_one_cell_in_two_files_is_told(tmp_path, result):
    path = write_result(result(), tmp_path)
    (tmp_path / "copy.json").write_text(path.read_text())
    with pytest.raises(VisuomotorError, match=r"copy\.json and .*seed0\.json measure the same; delete one"):
        read_results(tmp_path)


def test_links_and_pipes_are_no_results(tmp_path, result):
    path = write_result(result(), tmp_path / "mine")
    os.mkfifo(tmp_path / "mine" / "pipe.json")
    (tmp_path / "mine" / "link.json").symlink_to(path)
    assert read_results(tmp_path / "mine") == [result()]


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("training_seconds", "1e999", "1e999 is too large a number"),
        ("training_seconds", "-1.0", "training_seconds must be between 0"),
        ("wall_seconds", "NaN", "NaN is no number of JSON"),
        ("seed", "-1", "seed must be between 0"),
        ("stages", '{"start": 11}', "stages.start must be between 0 and 10, not 11"),
        ("task", '"two\\nlines"', "task is 'two.*', expected one line of text"),
        ("hardware", '"\\ud800"', "hardware is .*, expected text that can be written"),
    ],
)
def test_values_that_no_measurement_has(tmp_path, result, name, value, told):
    path = write_result(result(), tmp_path)
    values = json.loads(path.read_text()) | {name: "HERE"}
    path.write_text(json.dumps(values).replace('"HERE"', value))
    with pytest.raises(VisuomotorError, match=told):
        read_results(tmp_path)


def test_spaces_of_other_scripts_are_text(tmp_path, result):
    whole = result(command="visuomotor evaluate runs/x\u3000y", settings="demos x\u00a0y.hdf5", mean_return=2e21)
    write_result(whole, tmp_path)
    assert read_results(tmp_path) == [whole]
