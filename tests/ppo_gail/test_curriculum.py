"""Where training episodes start."""

import pytest
import torch

from visuomotor.demos import Episode
from visuomotor.errors import VisuomotorError
from visuomotor.ppo_gail.curriculum import Curriculum

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
    curriculum = Curriculum(EPISODES, 0.3, 20)
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
    given, start = Curriculum(EPISODES, 1.0, 20).choose(50, torch.Generator().manual_seed(0))
    assert not given.any()
    assert len(start.states) == 0
    given, _ = Curriculum(EPISODES, 0.0, 20).choose(50, torch.Generator().manual_seed(0))
    assert given.all()


def test_no_demonstrations():
    with pytest.raises(VisuomotorError, match="hold no episode"):
        Curriculum([], 0.5, 20)
