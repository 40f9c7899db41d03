"""Where training episodes start."""

import pytest
import torch

from visuomotor.demos import Episode
from visuomotor.errors import VisuomotorError
from visuomotor.algorithms.ppo_gail.curriculum import Curriculum, steps_to_next_stage

COUNT = 30_000


def episode(number: int, stages: list[int]) -> Episode:
    """States tell their episode and step."""
    length = len(stages)
    states = torch.stack([torch.full((length,), number), torch.arange(length)], 1).double()
    return Episode(
        states=states,
        actions=None,
        stages=torch.tensor(stages),
        rewards=torch.zeros(length - 1),
        physics={"mass": torch.tensor([float(number)])},
        looks={},
        success=True,
    )


EPISODES = [episode(0, [0] * 40 + [1] * 10), episode(1, [0, 1, 2]), episode(2, [0] * 5 + [2] * 20)]


def test_starts_are_random_with_the_given_probability_and_stages_are_equally_likely():
    curriculum = Curriculum(EPISODES, 3, 0.3, 20, 20, "stages")
    given, start = curriculum.choose(COUNT, torch.Generator().manual_seed(0))
    assert given.float().mean() == pytest.approx(0.7, abs=0.01)
    assert len(start.states) == given.sum()
    assert start.steps == 20
    episodes, steps = start.states.long().unbind(1)
    stages = torch.tensor([int(EPISODES[e].stages[s]) for e, s in zip(episodes.tolist(), steps.tolist(), strict=True)])
    torch.testing.assert_close(stages.bincount() / len(stages), torch.full((3,), 1 / 3), atol=0.012, rtol=0)
    # Within a cluster every state is as likely as the others, whichever episode it is of.
    for stage, size in ((0, 46), (1, 11), (2, 21)):
        places = (episodes * 100 + steps)[stages == stage].unique(return_counts=True)[1]
        assert len(places) == size
        assert places.max() < 1.6 * places.min()
    assert torch.equal(start.physics["mass"][:, 0], start.states[:, 0].to(start.physics["mass"].dtype))


def test_all_or_none():
    given, start = Curriculum(EPISODES, 3, 1.0, 20, 20).choose(50, torch.Generator().manual_seed(0))
    assert not given.any()
    assert len(start.states) == 0
    given, _ = Curriculum(EPISODES, 3, 0.0, 20, 20).choose(50, torch.Generator().manual_seed(0))
    assert given.all()


def test_steps_to_go():
    assert steps_to_next_stage(torch.tensor([0, 0, 1, 0, 2, 2, 1])).tolist() == [2, 1, 2, 1, 7, 7, 7]


def test_practice_goes_to_what_sometimes_succeeds():
    """A made-up policy gets on from stage 0 the more rarely the more steps are missing; it learns nothing."""
    generator = torch.Generator().manual_seed(0)
    one = episode(0, [0] * 40 + [1] * 10)
    curriculum = Curriculum([one], 3, 0.0, 20, 20)
    assert [len(part) for part in curriculum.parts] == [4] * 10 + [1] * 10
    to_go = steps_to_next_stage(one.stages)
    counts = torch.zeros(41)
    for round_ in range(400):
        _, start = curriculum.choose(32, generator)
        missing = to_go[start.numbers]
        in_first = one.stages[start.numbers] == 0
        chance = torch.where(in_first, (1 - (missing - 4).clamp(0, 8) / 8.0).float(), torch.ones(len(missing)))
        advanced = torch.rand(len(chance), generator=generator) < chance
        curriculum.note(start.numbers, advanced.long(), advanced.float(), torch.full((len(chance),), 20))
        if round_ >= 200:
            counts += missing[in_first].bincount(minlength=41)[:41]
    often = counts[1:41] / counts.sum()
    assert often[4:12].mean() > 2 * often[16:].mean()  # the frontier, rather than what is out of reach
    assert often[16:].mean() > 2 * often[:4].mean() > 0  # or is mastered; nothing is forgotten
    assert curriculum.success[0] > 0.9
    assert curriculum.success[9] < 0.1
    assert curriculum.progress() == {0: curriculum.success[:10].mean(), 1: curriculum.success[10:].mean()}


def test_what_is_mastered_gives_way_to_random_starts():
    curriculum = Curriculum(EPISODES, 3, 0.4, 20, 20)
    for success, share in ((0.5, 0.4), (0.6, 0.4), (0.8, 0.7), (1.0, 1.0)):
        curriculum.success[:] = success
        assert curriculum.random_fraction == pytest.approx(share)
        given, _ = curriculum.choose(COUNT, torch.Generator().manual_seed(0))
        assert given.float().mean() == pytest.approx(1 - share, abs=0.01)
    paper = Curriculum(EPISODES, 3, 0.4, 20, 20, "stages")
    paper.success[:] = 1.0
    assert paper.random_fraction == pytest.approx(0.4)


def test_random_starts_are_a_share_of_control_steps():
    curriculum = Curriculum(EPISODES, 3, 0.4, steps=20, random_steps=80)
    given, start = curriculum.choose(COUNT, torch.Generator().manual_seed(0))
    random, demonstrated = int((~given).sum()) * 80, int(given.sum()) * start.steps
    assert random / (random + demonstrated) == pytest.approx(0.4, abs=0.01)


def test_what_is_not_mastered_gets_the_control_steps():
    """Stages 0 to 2 get on in none, half and all of their episodes, which last 40, 5 and 20 steps."""
    curriculum = Curriculum(EPISODES, 3, 0.2, steps=40, random_steps=80)
    numbers = torch.tensor([0, 41, 70])  # one state of each stage
    curriculum.success[:] = torch.tensor([0.0] * 10 + [0.5] * 10 + [1.0] * 10)
    lasted = torch.tensor([40, 5, 20])
    success = curriculum.success.clone()
    for _ in range(300):
        curriculum.note(numbers, torch.tensor([0, 1, 2]), torch.zeros(3), lasted)
    torch.testing.assert_close(curriculum.lengths, lasted.double(), atol=1e-3, rtol=0)
    curriculum.success[:] = success
    given, start = curriculum.choose(COUNT, torch.Generator().manual_seed(0))
    stages = torch.cat([one.stages for one in EPISODES])[start.numbers]
    steps = stages.bincount() * lasted
    expected = torch.tensor([1.1, 0.6, 0.1])
    torch.testing.assert_close(steps / steps.sum(), expected / expected.sum(), atol=0.02, rtol=0)
    random = int((~given).sum()) * 80
    assert random / (random + int(steps.sum())) == pytest.approx(0.2, abs=0.01)
    other = Curriculum(EPISODES, 3, 0.2, steps=40, random_steps=80)
    other.restore(curriculum.content())
    again = other.choose(COUNT, torch.Generator().manual_seed(0))[1]
    assert torch.equal(again.numbers, start.numbers)


def test_no_demonstrations():
    with pytest.raises(VisuomotorError, match="hold no episode"):
        Curriculum([], 3, 0.5, 20, 20)
