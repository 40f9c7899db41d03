"""TrialResults under the conditions of a split: which condition each trial had."""

from dataclasses import dataclass

import pytest
import torch

from visuomotor.evaluation import conditioned_trials
from visuomotor.tasks import EpisodeOutcome
from visuomotor.tasks.pr2.hanger import Hanger


class Scripted(Hanger):
    """Fails with the far racks in the second grasp."""

    def judge(self, engine, conditions, watch=None) -> EpisodeOutcome:
        return EpisodeOutcome((conditions.target[:, 0] < 0.7) | (conditions.grasp == 0), conditions.target[:, 2])


@dataclass
class Trained:
    task: Scripted
    policy: None = None

    def camera(self, engine) -> None:
        return None


@pytest.mark.parametrize(("trials", "counts"), [(24, [1] * 24), (30, [2] * 6 + [1] * 18), (5, [1] * 5)])
def test_every_trial_is_kept_with_its_condition(monkeypatch, trials, counts):
    monkeypatch.setattr(conditioned_trials, "load_trained", lambda run: Trained(Scripted()))
    monkeypatch.setattr(conditioned_trials, "policy_fn", lambda policy: None)
    monkeypatch.setattr(conditioned_trials, "rollout", lambda *arguments: None)
    done = conditioned_trials.conditioned_trials(None, "spatial", trials, torch.Generator(), False)  # type: ignore[arg-type]
    outcomes = done.outcomes
    assert torch.tensor(outcomes.condition).bincount().tolist() == counts
    assert len(outcomes.target_m) == len(outcomes.grasp) == 24
    # Spatial: x is 0.605, 0.655, 0.705 or 0.755 m, each with three y, in the first grasp and then in the second.
    assert outcomes.target_m[0] == outcomes.target_m[12] == (0.605, -0.15, 1.0)
    assert outcomes.target_m[11] == outcomes.target_m[23] == (0.755, -0.05, 1.0)
    assert outcomes.grasp == (0,) * 12 + (1,) * 12
    for success, condition in zip(outcomes.success, outcomes.condition, strict=True):
        assert success == (outcomes.target_m[condition][0] < 0.7 or outcomes.grasp[condition] == 0)
    assert outcomes.success.count(False) == sum(counts[18:24])
