"""VecEnv: when they end, where they begin, and that a restored batch goes on as if nothing had happened."""

import pytest
import torch

from visuomotor.errors import VisuomotorError
from visuomotor.tasks import VecEnv, StagedTask, make_task
from visuomotor.tasks.env import InitialStates

WORLDS = 6


@pytest.fixture(scope="module", params=["lifting", "stacking"])
def task(request) -> StagedTask:
    return make_task(request.param, StagedTask)


@pytest.fixture(scope="module")
def lifting() -> StagedTask:
    return make_task("lifting", StagedTask)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def make(task: StagedTask, seed: int = 0, **arguments) -> VecEnv:
    return VecEnv(task, WORLDS, seeded(seed), image_size=32, **arguments)


def actions(steps: int, seed: int = 1) -> torch.Tensor:
    return 2 * torch.rand(steps, WORLDS, 9, generator=seeded(seed)) - 1


class _StagesByTime:
    """A task whose stages come and go with the steps, whatever is done."""

    def __init__(self, task: StagedTask, stages: tuple[int, ...]):
        self._task, self._coming = task, iter(stages)

    def __getattr__(self, name: str):
        return getattr(self._task, name)

    def stage(self, engine):
        return torch.full((engine.worlds,), next(self._coming, 0))


class GivenStarts:
    """Half of all episodes start from one of the stored states, the others at random."""

    def __init__(self, source: VecEnv):
        self.states, self.physics = source.engine.state(), {k: v.clone() for k, v in source.variation.physics.items()}
        self.asked, self.noted = 0, []

    def choose(self, count: int, generator: torch.Generator) -> tuple[torch.Tensor, InitialStates]:
        given = torch.rand(count, generator=generator) < 0.5
        rows = torch.randint(len(self.states), (int(given.sum()),), generator=generator)
        self.asked += count
        return given, InitialStates(
            self.states[rows], {name: value[rows] for name, value in self.physics.items()}, 3, 10, rows
        )

    def note(self, *what: torch.Tensor) -> None:
        self.noted += list(zip(*(values.tolist() for values in what), strict=True))


class AllGiven(GivenStarts):
    """All episodes start from the stored states, in order."""

    def __init__(self, source: VecEnv, steps: int, patience: int):
        super().__init__(source)
        self._limits = steps, patience

    def choose(self, count: int, generator: torch.Generator) -> tuple[torch.Tensor, InitialStates]:
        physics = {name: value[:count] for name, value in self.physics.items()}
        return torch.ones(count, dtype=torch.bool), InitialStates(
            self.states[:count], physics, *self._limits, torch.arange(count)
        )


def test_episodes_end_by_time_and_start_anew(lifting):
    episodes = make(lifting)
    still = torch.zeros(WORLDS, 9)
    for step in range(lifting.steps):
        transition = episodes.step(still)
        assert transition.ended.all() == transition.ended.any() == (step == lifting.steps - 1)
    assert not transition.diverged.any()
    before = episodes.engine.state()
    ended = torch.tensor([True, False, True, False, False, False])
    episodes.restart(ended)
    assert episodes.elapsed.tolist() == [0, 100, 0, 100, 100, 100]
    changed = (episodes.engine.state() != before).any(-1)
    assert torch.equal(changed, ended)
    assert episodes.random_start.all()


def test_nothing_to_restart_draws_nothing(lifting):
    episodes = make(lifting)
    before = episodes.generator.get_state()
    episodes.restart(torch.zeros(WORLDS, dtype=torch.bool))
    assert torch.equal(episodes.generator.get_state(), before)


def test_staggered_worlds_do_not_end_at_once(lifting):
    episodes = make(lifting, stagger=True)
    ends = []
    for step in range(lifting.steps):
        ended = episodes.step(torch.zeros(WORLDS, 9)).ended
        ends += [step] * int(ended.sum())
        episodes.restart(ended)
    assert len(ends) == WORLDS
    assert len(set(ends)) > 3


def test_readings_and_reward_are_of_the_state_reached(task):
    episodes = make(task)
    transition = episodes.step(actions(1)[0])
    now = episodes.read()
    assert all(torch.equal(value, getattr(now, name)) for name, value in vars(transition.readings).items())
    assert torch.equal(transition.reward, task.reward(now.stage))


def test_worlds_that_do_not_vary_are_plain(lifting):
    episodes = make(lifting, vary=False)
    plain = lifting.plain(WORLDS)
    assert all(torch.equal(value, plain.physics[name]) for name, value in episodes.variation.physics.items())
    assert all(torch.equal(value, plain.looks[name]) for name, value in episodes.variation.looks.items())


def test_given_starts_are_used_as_often_as_asked_with_their_physics(lifting):
    starts = GivenStarts(make(lifting, seed=3))
    episodes = make(lifting, starts=starts)
    random = []
    for _ in range(40):
        episodes.restart(torch.ones(WORLDS, dtype=torch.bool))
        state, physics = episodes.engine.state(), episodes.variation.physics
        match = (state[:, None] == starts.states).all(-1)
        assert torch.equal(match.any(1), ~episodes.random_start)
        for name, value in starts.physics.items():
            rows = match.int().argmax(1)
            same = (physics[name] == value[rows]).flatten(1).all(1)
            assert torch.equal(same, ~episodes.random_start), name
        mass = episodes.engine.model_field("body_mass")[:, lifting.model.body("block").id]
        assert torch.equal(mass, physics["block_mass"][:, 0])  # the engine has them too
        random.append(episodes.random_start.float().mean())
    assert starts.asked == WORLDS * 41
    assert 0.4 < torch.stack(random).mean() < 0.6


def test_given_starts_fit_the_world_that_they_come_to(lifting):
    """Derived fields are those of the given state: what is read right after the restart is right."""

    source = make(lifting, seed=3)
    source.step(actions(1)[0])
    starts = AllGiven(source, steps=3, patience=3)
    episodes = make(lifting, starts=starts)
    expected, found = source.read(), episodes.read()
    assert all(torch.equal(value, getattr(found, name)) for name, value in vars(expected).items())
    episodes.task = _StagesByTime(lifting, (1, 2, 0))
    ended = [bool(episodes.step(action).ended.all()) for action in actions(3)]
    assert ended == [False, False, True]  # as long as the start says
    episodes.restart(torch.ones(WORLDS, dtype=torch.bool))
    # and who gave it hears what came of it: the last stage was reached in one of three steps, and left again
    assert starts.noted == [(number, 2, pytest.approx(1 / 3), 3) for number in range(WORLDS)]


def test_an_episode_ends_where_it_has_left_its_first_stage_for_long(lifting):
    """Steps in other stages count, wherever they lead; the share of successes is that of the whole time given."""
    starts = AllGiven(make(lifting, seed=3), steps=10, patience=3)
    episodes = make(lifting, starts=starts)
    assert (episodes.read().stage == 0).all()
    episodes.task = _StagesByTime(lifting, (0, 1, 0, 2, 1, 2))
    ended = [bool(episodes.step(action).ended.all()) for action in actions(5)]
    assert ended == [False, False, False, False, True]
    episodes.restart(torch.ones(WORLDS, dtype=torch.bool))
    assert starts.noted == [(number, 2, pytest.approx(1 / 10), 5) for number in range(WORLDS)]


def test_restored_episodes_go_on_bit_equal(task):
    episodes = make(task, stagger=True)
    for action in actions(7, seed=4):
        episodes.restart(episodes.step(action).ended)
    content, generator = episodes.content(), episodes.generator.get_state()

    def go_on(each: VecEnv) -> list[tuple[torch.Tensor, ...]]:
        seen = []
        for action in actions(30):
            transition = each.step(action)
            each.restart(transition.ended)
            state = (each.engine.state(), each.images(), each.elapsed.clone(), each.random_start.clone())
            seen.append((*state, transition.reward, *vars(transition.readings).values()))
        return seen

    expected = go_on(episodes)
    resumed = make(task, seed=99)
    for other in (resumed, episodes):  # as after a resume, and back in the same object
        other.restore(content)
        other.generator.set_state(generator)
        for step, (ours, theirs) in enumerate(zip(go_on(other), expected, strict=True)):
            assert all(map(torch.equal, ours, theirs)), step


def test_content_of_another_number_of_worlds_is_refused(lifting):
    content = VecEnv(lifting, 2, seeded(), image_size=32).content()
    with pytest.raises(VisuomotorError, match="holds 2 worlds, not 6"):
        make(lifting).restore(content)


def test_actions_that_are_not_finite_are_refused_and_nothing_moves(lifting):
    episodes = make(lifting)
    before, bad = episodes.engine.state(), actions(1)[0]
    bad[2, 3], bad[4, 0] = float("nan"), float("inf")
    with pytest.raises(VisuomotorError, match=r"worlds \[2, 4\] are not finite"):
        episodes.step(bad)
    assert torch.equal(episodes.engine.state(), before)
    assert episodes.elapsed.eq(0).all()


def test_actions_are_fractions_of_the_limits_and_clipped(lifting):
    engines = []
    for action in (torch.full((WORLDS, 9), 3.0), torch.ones(WORLDS, 9)):
        episodes = make(lifting)
        episodes.step(action)
        engines.append(episodes.engine)
    assert torch.equal(engines[0].state(), engines[1].state())
    torch.testing.assert_close(engines[0].field("ctrl")[0], lifting.action_limits)


def test_a_world_that_blows_up_is_flagged_and_the_others_go_on(lifting):
    episodes, calm = make(lifting), make(lifting)
    block = int(lifting.model.joint("block").dofadr[0])
    episodes.engine.field("qvel")[3, block] = 1e12
    action = actions(1)[0]
    transition, expected = episodes.step(action), calm.step(action)
    assert transition.diverged.tolist() == transition.ended.tolist() == [False, False, False, True, False, False]
    assert transition.reward[3] == 0
    assert all(value.isfinite().all() for value in vars(transition.readings).values())
    others = torch.tensor([0, 1, 2, 4, 5])
    assert torch.equal(transition.readings.privileged[others], expected.readings.privileged[others])
    episodes.restart(transition.ended)
    assert episodes.elapsed.tolist() == [1, 1, 1, 0, 1, 1]
    assert episodes.read().stage[3] == 0
    assert not episodes.step(action).diverged.any()
