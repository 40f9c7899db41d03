import json

import pytest

from visuomotor.errors import VisuomotorError
from visuomotor.evaluation import Outcomes, read_results, write_result


def test_read_is_what_was_written(tmp_path, result):
    path = write_result(result(), tmp_path / "results")
    assert path.name == "gps-hanger-laptop-training-seed0.json"
    assert read_results(tmp_path / "results") == [result()]
    assert json.loads(path.read_text())["interval_95"] == pytest.approx([0.2366, 0.7634], abs=1e-4)


def test_other_settings_are_another_file(tmp_path, result):
    changed = [result(settings=text) for text in ("imitation.weight 0.0, control_steps 10", "x" * 300, "x" * 301)]
    names = [write_result(each, tmp_path).name for each in (result(), *changed)]
    assert len(set(names)) == 4
    assert names[1] == "gps-hanger-laptop-imitation.weight-0.0-control_steps-10-training-seed0.json"
    assert max(map(len, names)) < 200  # of 255 that file systems allow
    assert result(settings="x" * 300) in read_results(tmp_path)


def test_stages_are_read_as_they_were_written(tmp_path, result):
    staged = result(method="ppo-gail", protocol="random", stages={"start": 10, "lifted": 5}, mean_return=3.5)
    assert write_result(staged, tmp_path).name == "ppo-gail-hanger-laptop-random-seed0.json"
    assert read_results(tmp_path) == [staged]


def test_outcomes_are_read_as_they_were_written_one_line_a_list(tmp_path, result):
    conditioned = Outcomes((True, False, True), (0, 1, 0), ((0.58, -0.2, 1.0), (0.605, 0.0, 1.0)), (0, 1))
    kept = [
        result(trials=3, successes=2, outcomes=conditioned),
        result(seed=1, trials=2, successes=1, outcomes=Outcomes((True, False), furthest_stage=(2, 1))),
    ]
    paths = [write_result(each, tmp_path) for each in kept]
    assert read_results(tmp_path) == kept
    lines = [line.strip().rstrip(",") for line in paths[0].read_text().splitlines()]
    for line in ('"condition": [0, 1, 0]', '"target_m": [[0.58, -0.2, 1.0], [0.605, 0.0, 1.0]]', '"grasp": [0, 1]'):
        assert line in lines


def test_a_result_from_before_outcomes_were_kept(tmp_path, result):
    path = write_result(result(), tmp_path)
    values = json.loads(path.read_text())
    assert values.pop("outcomes") is None
    path.write_text(json.dumps(values))
    assert read_results(tmp_path) == [result()]


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


@pytest.mark.parametrize("text", ["{", '{"protocol": "training"}', '{"protocol": 3, "task": "hanger"}'])
def test_damaged_file_is_named(tmp_path, text):
    (tmp_path / "bad.json").write_text(text)
    with pytest.raises(VisuomotorError, match=r"bad\.json"):
        read_results(tmp_path)


def test_impossible_counts_are_refused(result):
    with pytest.raises(VisuomotorError, match="11 successes in 10 trials"):
        result(successes=11)
