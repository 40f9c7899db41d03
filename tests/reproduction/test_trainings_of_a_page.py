"""When a run is finished, and when it is another training than its place says."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from finished_runs import log_run

from visuomotor.algorithms.gps import PRESETS, Gps
from visuomotor.algorithms.ppo_gail import PpoGailConfig
from visuomotor.errors import VisuomotorError
from visuomotor.policies.policy import FILE_NAME
from visuomotor.reproduction.training import Training


def test_a_run_is_finished_when_its_policy_says_so(where, monkeypatch):
    training = Training("cube")
    assert training.finished(where, 0) is None
    run = log_run(where, "cube", (0.0,))
    assert training.finished(where, 0) is None  # no policy yet
    (run.path / FILE_NAME).touch()
    notes = []
    trained = {"notes": notes, "algorithm_version": Gps.version}
    policy = SimpleNamespace(spec=SimpleNamespace(training=trained))
    monkeypatch.setattr("visuomotor.reproduction.training.load_policy", lambda path: policy)
    assert training.finished(where, 0).path == run.path
    trained["algorithm_version"] -= 1
    assert training.finished(where, 0) is None
    trained["algorithm_version"] += 1
    notes.append("stopped after 1 iterations")
    assert training.finished(where, 0) is None


@pytest.mark.parametrize(
    "other",
    [
        {"task": "cube"},
        {"seed": 1},
        {"preset": "paper"},
        {"algorithm": "ppo-gail", "config": PpoGailConfig()},
        {"config": replace(PRESETS["laptop"], num_conditions=4)},
    ],
)
def test_a_run_in_another_one_s_place_is_refused(where, other):
    """Nothing is made of it: neither figures nor results."""
    run = log_run(where, "hammer", (0.0,), **other)
    (run.path / FILE_NAME).touch()
    for use in (Training("hammer").finished, Training("hammer").train):
        with pytest.raises(VisuomotorError, match=r"end-to-end-seed0 is a run of .*, not of \('hammer', 'gps'"):
            use(where, 0)
