"""Where training episodes start."""

import pytest
import torch

from visuomotor.algorithms.ppo_gail.curriculum import Curriculum, steps_to_next_stage
from visuomotor.demos import Episode
from visuomotor.errors import VisuomotorError

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
        dynamics={"mass": torch.tensor([float(number)])},
        appearance={},
        success=True,
    )


EPISODES = [episode(0, [0] * 40 + [1] * 10), episode(1, [0, 1, 2]), episode(2, [0] * 5 + [2] * 20)]


def test_starts_are_random_with_the_given_probability_and_stages_are_equally_likely():
    curriculum = Curriculum(EPISODES, 3, 0.3, 20, 20, "stages")
    given, start = curriculum.sample(COUNT, torch.Generator().manual_seed(0))
    assert given.float().mean() == pytest.approx(0.7, abs=0.01)
    assert len(start.states) == given.sum()
    assert start.max_episode_steps == 20
    episodes, steps = start.states.long().unbind(1)
    stages = torch.tensor([int(EPISODES[e].stages[s]) for e, s in zip(episodes.tolist(), steps.tolist(), strict=True)])
    torch.testing.assert_close(stages.bincount() / len(stages), torch.full((3,), 1 / 3), atol=0.012, rtol=0)
    # Within a stage every state is as likely as the others, whichever episode it is of.
    for stage, size in ((0, 46), (1, 11), (2, 21)):
        places = (episodes * 100 + steps)[stages == stage].unique(return_counts=True)[1]
        assert len(places) == size
        assert places.max() < 1.6 * places.min()
    assert torch.equal(start.dynamics["mass"][:, 0], start.states[:, 0].to(start.dynamics["mass"].dtype))


def test_all_or_none():
    given, start = Curriculum(EPISODES, 3, 1.0, 20, 20).sample(50, torch.Generator().manual_seed(0))
    assert not given.any()
    assert len(start.states) == 0
    given, _ = Curriculum(EPISODES, 3, 0.0, 20, 20).sample(50, torch.Generator().manual_seed(0))
    assert given.all()


def test_steps_to_go():
    assert steps_to_next_stage(torch.tensor([0, 0, 1, 0, 2, 2, 1])).tolist() == [2, 1, 2, 1, 7, 7, 7]


def test_states_of_intermediate_difficulty_are_sampled():
    """A made-up policy advances from stage 0 the more rarely the more steps are missing; it learns nothing."""
    generator = torch.Generator().manual_seed(0)
    one = episode(0, [0] * 40 + [1] * 10)
    curriculum = Curriculum([one], 3, 0.0, 20, 20)
    assert [len(part) for part in curriculum.bins] == [4] * 10 + [1] * 10
    to_go = steps_to_next_stage(one.stages)
    counts = torch.zeros(41)
    for round_ in range(400):
        _, start = curriculum.sample(32, generator)
        missing = to_go[start.state_ids]
        in_first = one.stages[start.state_ids] == 0
        chance = torch.where(in_first, (1 - (missing - 4).clamp(0, 8) / 8.0).float(), torch.ones(len(missing)))
        advanced = torch.rand(len(chance), generator=generator) < chance
        curriculum.record_outcomes(start.state_ids, advanced.long(), advanced.float(), torch.full((len(chance),), 20))
        if round_ >= 200:
            counts += missing[in_first].bincount(minlength=41)[:41]
    often = counts[1:41] / counts.sum()
    assert often[4:12].mean() > 2 * often[16:].mean()  # rather than what is out of reach
    assert often[16:].mean() > 2 * often[:4].mean() > 0  # or is mastered; nothing is forgotten
    assert curriculum.advance_rate[0] > 0.9
    assert curriculum.advance_rate[9] < 0.1
    assert curriculum.advance_rate_by_stage() == {
        0: curriculum.advance_rate[:10].mean(),
        1: curriculum.advance_rate[10:].mean(),
    }


def test_what_is_mastered_gives_way_to_random_starts():
    curriculum = Curriculum(EPISODES, 3, 0.4, 20, 20)
    for success, fraction in ((0.5, 0.4), (0.6, 0.4), (0.8, 0.7), (1.0, 1.0)):
        curriculum.advance_rate[:] = success
        assert curriculum.random_fraction == pytest.approx(fraction)
        given, _ = curriculum.sample(COUNT, torch.Generator().manual_seed(0))
        assert given.float().mean() == pytest.approx(1 - fraction, abs=0.01)
    paper = Curriculum(EPISODES, 3, 0.4, 20, 20, "stages")
    paper.advance_rate[:] = 1.0
    assert paper.random_fraction == pytest.approx(0.4)


def test_random_starts_are_a_fraction_of_control_steps():
    curriculum = Curriculum(EPISODES, 3, 0.4, max_episode_steps=20, random_episode_steps=80)
    given, start = curriculum.sample(COUNT, torch.Generator().manual_seed(0))
    random, demonstrated = int((~given).sum()) * 80, int(given.sum()) * start.max_episode_steps
    assert random / (random + demonstrated) == pytest.approx(0.4, abs=0.01)


def test_what_is_not_mastered_gets_the_control_steps():
    """Stages 0 to 2 advance in none, half and all of their episodes, which last 40, 5 and 20 steps."""
    curriculum = Curriculum(EPISODES, 3, 0.2, max_episode_steps=40, random_episode_steps=80)
    state_ids = torch.tensor([0, 41, 70])  # one state of each stage
    curriculum.advance_rate[:] = torch.tensor([0.0] * 10 + [0.5] * 10 + [1.0] * 10)
    lasted = torch.tensor([40, 5, 20])
    rates = curriculum.advance_rate.clone()
    for _ in range(300):
        curriculum.record_outcomes(state_ids, torch.tensor([0, 1, 2]), torch.zeros(3), lasted)
    torch.testing.assert_close(curriculum.mean_lengths, lasted.double(), atol=1e-3, rtol=0)
    curriculum.advance_rate[:] = rates
    given, start = curriculum.sample(COUNT, torch.Generator().manual_seed(0))
    stages = torch.cat([one.stages for one in EPISODES])[start.state_ids]
    steps = stages.bincount() * lasted
    expected = torch.tensor([1.1, 0.6, 0.1])
    torch.testing.assert_close(steps / steps.sum(), expected / expected.sum(), atol=0.02, rtol=0)
    random = int((~given).sum()) * 80
    assert random / (random + int(steps.sum())) == pytest.approx(0.2, abs=0.01)
    other = Curriculum(EPISODES, 3, 0.2, max_episode_steps=40, random_episode_steps=80)
    other.load_state_dict(curriculum.state_dict())
    again = other.sample(COUNT, torch.Generator().manual_seed(0))[1]
    assert torch.equal(again.state_ids, start.state_ids)


def test_what_counts_as_advancing():
    """From the last stage the fraction of steps spent there; from others whether a later stage was reached, and only
    that. An episode leaves 95% of what is known of its bin as it was."""
    curriculum = Curriculum(EPISODES, 3, 0.4, 20, 20)
    states = torch.cat([one.stages for one in EPISODES])
    for stage, best, success, expected in (
        (0, 0, 0.8, 0.0),
        (0, 1, 0.0, 1.0),
        (0, 2, 0.3, 1.0),
        (1, 1, 0.8, 0.0),
        (1, 2, 0.0, 1.0),
        (2, 2, 0.3, 0.3),
        (2, 2, 0.0, 0.0),
    ):
        number = int((states == stage).nonzero()[0, 0])
        (of,) = (index for index, state_ids in enumerate(curriculum.bins) if number in state_ids)
        curriculum.advance_rate[:] = 0.5
        curriculum.record_outcomes(*(torch.tensor([value]) for value in (number, best, success, 7)))
        changed = torch.full_like(curriculum.advance_rate, 0.5)
        changed[of] = 0.95 * 0.5 + 0.05 * expected
        torch.testing.assert_close(curriculum.advance_rate, changed)


@pytest.mark.parametrize("strategy", ["intermediate-difficulty", "stages"])
def test_starts_are_called_by_their_ids(strategy):
    curriculum = Curriculum(EPISODES, 3, 0.0, 20, 20, strategy)
    _, start = curriculum.sample(200, torch.Generator().manual_seed(0))
    assert torch.equal(torch.cat([one.states for one in EPISODES])[start.state_ids], start.states)
    assert len(start.state_ids.unique()) > 20


def test_no_demonstrations():
    with pytest.raises(VisuomotorError, match="hold no episode"):
        Curriculum([], 3, 0.5, 20, 20)
