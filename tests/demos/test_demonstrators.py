import dataclasses

import numpy as np
import pytest
import torch

from visuomotor.demos import Demonstrations
from visuomotor.demos import demonstrator as demonstrators
from visuomotor.demos.verify import check
from visuomotor.demos.generate import demonstrate, record
from visuomotor.demos.expert import ExpertNoise, ScriptedExpert
from visuomotor.errors import VisuomotorError
from visuomotor.tasks.jaco.lifting import Lifting
from visuomotor.tasks.jaco.stacking import Stacking


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def lifts(lifting):
    return demonstrate(lifting, 10, seeded(4))


@pytest.fixture(scope="module")
def stacks():
    return demonstrate(Stacking(), 6, seeded(4))


def test_they_nearly_always_succeed_within_a_minute(lifts, stacks):
    for episodes, fewest in ((lifts, 9), (stacks, 6)):
        assert sum(episode.success for episode in episodes) >= fewest
        assert max(map(len, episodes)) < 60 * 20


def test_they_pass_through_every_stage(lifts, stacks):
    assert set(torch.cat([episode.stages for episode in lifts]).tolist()) == {0, 1, 2}
    assert set(torch.cat([episode.stages for episode in stacks]).tolist()) == {0, 1, 2, 3}


def test_what_they_record_reproduces(lifting, lifts, stacks):
    for task, episodes in ((lifting, lifts), (Stacking(), stacks)):
        for result in check(Demonstrations(task.name, episodes, {}), task):
            assert result.passed, result
            assert result.error < 1e-7


def test_they_end_a_second_after_lifting(lifts):
    for episode in lifts:
        assert (episode.stages[-20:] == 2).all()


def test_the_hand_is_away_when_stacking_ends(stacks):
    task = Stacking()
    engine = task.make_engine(len(stacks))
    engine.set_state(torch.stack([episode.states[-1] for episode in stacks]))
    assert (task.keypoints(engine)[:, 0] - task.pinch_position(engine)).norm(dim=-1).min() > 0.08


def test_people_differ_but_a_seed_is_a_seed(lifting, lifts):
    assert len({len(episode) for episode in lifts}) > 5
    again = demonstrate(lifting, 10, seeded(4))
    for one, other in zip(lifts, again, strict=True):
        assert torch.equal(one.states, other.states)
        assert torch.equal(one.actions, other.actions)


def test_a_person_who_misses_tries_again(lifting):
    clumsy = demonstrate(lifting, 4, seeded(1), ExpertNoise(first_miss_chance=1.0))
    sure = demonstrate(lifting, 4, seeded(1), ExpertNoise(first_miss_chance=0.0))
    for episode, grasps in [(it, 2) for it in clumsy] + [(it, 1) for it in sure]:
        closing = (episode.actions[:, -1] == 1).long()
        assert (closing.diff() == 1).sum() >= grasps
        assert episode.success
    assert sum(map(len, clumsy)) > sum(map(len, sure))


def test_the_wobble_is_smooth_and_of_the_size_asked_for(lifting):
    engine = lifting.make_engine(1)
    lifting.exhibit(engine)
    hand = ScriptedExpert(lifting, engine, 0, seeded(0), ExpertNoise(tremor=0.01))
    wobbles = []
    for _ in range(20_000):
        hand._shake()
        wobbles.append(hand._wobble[1].copy())
    assert np.std(wobbles) == pytest.approx(0.01, rel=0.05)
    assert np.std(np.diff(wobbles, axis=0)) < 0.003


def test_failures_are_replaced(lifting, lifts, monkeypatch):
    failure = dataclasses.replace(lifts[0], success=False)
    batches = [[failure, lifts[0], lifts[1]], [lifts[2]]]
    monkeypatch.setattr(demonstrators, "demonstrate", lambda task, count, generator: batches.pop(0)[:count])
    kept, rate = record(lifting, 3, seeded(0))
    assert kept == [lifts[0], lifts[1], lifts[2]]
    assert rate == 3 / 4
    batches[:] = [[failure, lifts[0]]]
    kept, rate = record(lifting, 2, seeded(0), keep_failures=True)
    assert kept == [failure, lifts[0]]
    assert rate == 1 / 2
    batches[:] = [[failure]] * 20
    with pytest.raises(VisuomotorError, match="only 0 of"):
        record(lifting, 1, seeded(0))


def test_other_tasks_have_no_demonstrator():
    task = Lifting()
    task.name = "juggling"  # pyright: ignore
    with pytest.raises(VisuomotorError, match=r"no scripted demonstrator for 'juggling'.*lifting, stacking"):
        demonstrate(task, 1, seeded(0))
