"""VecEnv: when episodes end, where they begin, and that a restored batch goes on as if nothing had happened."""

import numpy as np
import pytest
import torch

from visuomotor.errors import VisuomotorError
from visuomotor.tasks import ResetParams, Task, VecEnv, make_env, make_task
from visuomotor.tasks.env import InitialStates
from visuomotor.tasks.task import OBSERVATIONS

WORLDS = 6
EVERYONE = torch.arange(WORLDS)


@pytest.fixture(scope="module", params=["lifting", "stacking"])
def task(request) -> Task:
    return make_task(request.param)


@pytest.fixture(scope="module")
def lifting() -> Task:
    return make_task("lifting")


@pytest.fixture(scope="module")
def hanger() -> Task:
    return make_task("hanger")


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def make(task: Task, seed: int = 0, worlds: int = WORLDS, **arguments) -> VecEnv:
    return VecEnv(task, worlds, seeded(seed), image_size=32, **arguments)


def actions(steps: int, seed: int = 1, size: int = 9) -> torch.Tensor:
    return 2 * torch.rand(steps, WORLDS, size, generator=seeded(seed)) - 1


def blow_up(env: VecEnv, world: int) -> None:
    env.engine.field("qvel")[world, -1] = 1e12


def same(first: ResetParams, second: ResetParams) -> None:
    for group, rows in vars(first).items():
        assert rows.keys() == getattr(second, group).keys()
        for name, value in rows.items():
            assert torch.equal(value, getattr(second, group)[name]), name


class _StagesByTime:
    """A task whose stages come and go with the steps, whatever is done."""

    def __init__(self, task: Task, stages: tuple[int, ...]):
        self._task, self._coming, self._now = task, iter(stages), 0

    def __getattr__(self, name: str):
        return getattr(self._task, name)

    def step(self, engine, actions):
        self._now = next(self._coming, 0)
        self._task.step(engine, actions)

    def stage(self, engine):
        return torch.full((engine.worlds,), self._now)


class HalfGiven:
    """Half of all episodes start from one of the stored states, the others at random."""

    def __init__(self, source: VecEnv):
        self.states, self.dynamics = source.engine.state(), source.params.clone().dynamics
        self.asked, self.outcomes = 0, []

    def _initial_states(self, rows: torch.Tensor, steps: int, early: int | None) -> InitialStates:
        dynamics = {name: value[rows] for name, value in self.dynamics.items()}
        return InitialStates(self.states[rows], dynamics, steps, early, rows)

    def sample(self, count: int, generator: torch.Generator) -> tuple[torch.Tensor, InitialStates]:
        given = torch.rand(count, generator=generator) < 0.5
        rows = torch.randint(len(self.states), (int(given.sum()),), generator=generator)
        self.asked += count
        return given, self._initial_states(rows, 3, 10)

    def record_outcomes(self, *what: torch.Tensor) -> None:
        self.outcomes += list(zip(*(values.tolist() for values in what), strict=True))


class AllGiven(HalfGiven):
    """All episodes start from the stored states, in order."""

    def __init__(self, source: VecEnv, steps: int, early: int | None):
        super().__init__(source)
        self._limits = steps, early

    def sample(self, count: int, generator: torch.Generator) -> tuple[torch.Tensor, InitialStates]:
        return torch.ones(count, dtype=torch.bool), self._initial_states(torch.arange(count), *self._limits)


def test_episodes_end_by_time_and_start_anew(lifting):
    env = make(lifting)
    still = torch.zeros(WORLDS, 9)
    for step in range(lifting.max_episode_steps):
        transition = env.step(still)
        assert transition.done.all() == transition.done.any() == (step == lifting.max_episode_steps - 1)
    assert not transition.diverged.any()
    before = env.engine.state()
    env.reset(torch.tensor([0, 2]))
    assert env.episode_length_buf.tolist() == [0, 100, 0, 100, 100, 100]
    changed = (env.engine.state() != before).any(-1)
    assert changed.tolist() == [True, False, True, False, False, False]
    assert env.random_start.all()


def test_nothing_to_reset_draws_nothing(lifting):
    env = make(lifting)
    before = env.generator.get_state()
    env.reset(torch.zeros(0, dtype=torch.int64))
    assert torch.equal(env.generator.get_state(), before)


def test_worlds_that_begin_at_random_lengths_do_not_end_at_once(lifting):
    env = make(lifting, init_at_random_ep_len=True)
    ends = []
    for step in range(lifting.max_episode_steps):
        done = env.step(torch.zeros(WORLDS, 9)).done
        ends += [step] * int(done.sum())
        env.reset(done.nonzero()[:, 0])
    assert len(ends) == WORLDS
    assert len(set(ends)) > 3


def test_observations_and_reward_are_of_the_state_reached(task):
    env = make(task)
    transition = env.step(actions(1)[0])
    assert set(transition.observations) == set(OBSERVATIONS)
    for name, value in transition.observations.items():
        assert torch.equal(value, getattr(task, name)(env.engine)), name
        assert torch.equal(value, env.observe()[name]), name
    assert torch.equal(transition.reward, torch.tensor(task.stage_rewards)[transition.observations["stage"]])


def test_only_the_groups_that_are_asked_for_are_computed(lifting, monkeypatch):
    monkeypatch.setattr(lifting, "privileged", lambda engine: pytest.fail("not asked for"))
    env = make(lifting, observations=("keypoints", "state", "keypoints"))
    assert list(env.step(actions(1)[0]).observations) == ["keypoints", "state", "stage"]


def test_worlds_that_are_not_randomized_are_nominal(lifting):
    env = make(lifting, randomize=False)
    nominal = lifting.sample_reset(WORLDS, seeded(5), randomize=False)
    for group in ("dynamics", "appearance"):
        for name, value in getattr(nominal, group).items():
            assert torch.equal(getattr(env.params, group)[name], value), name
    images = env.render()
    assert torch.equal(env.render_rerandomized(), images)


def test_rerandomized_images_show_the_same_states_and_leave_no_trace(lifting):
    env, plain = make(lifting), make(lifting)
    state, images, params = env.engine.state(), env.render(), env.params.clone()
    other = env.render_rerandomized()
    assert ((other != images).flatten(1).float().mean(1) > 0.5).all()
    assert torch.equal(env.render(), images)
    assert torch.equal(env.engine.state(), state)
    same(env.params, params)
    action = actions(1)[0]
    assert torch.equal(env.step(action).observations["privileged"], plain.step(action).observations["privileged"])
    assert torch.equal(env.render(), plain.render())


@pytest.mark.parametrize("name", ["lifting", "hanger"])
def test_given_parameters_are_the_start(name, request):
    """`reset(params=...)` starts there, draws nothing, and leaves other worlds alone."""
    task = request.getfixturevalue(name)
    env, other = make(task), make(task, seed=7)
    params = task.sample_reset(2, seeded(3))
    before, drawn = env.engine.state(), env.generator.get_state()
    env.reset(torch.tensor([1, 4]), params)
    assert torch.equal(env.generator.get_state(), drawn)
    untouched = [0, 2, 3, 5]
    assert torch.equal(env.engine.state()[untouched], before[untouched])
    same(env.params[torch.tensor([1, 4])], params)
    other.step(actions(1, size=task.action_size)[0])
    other.reset(torch.tensor([0, 2]), params)
    assert torch.equal(other.engine.state()[[0, 2]], env.engine.state()[[1, 4]])
    assert torch.equal(other.render(torch.tensor([0, 2])), env.render(torch.tensor([1, 4])))
    assert other.episode_length_buf.tolist() == [0, 1, 0, 1, 1, 1]
    params.placement[next(iter(params.placement))] += 1.0  # the caller's own: the environment keeps a copy
    again = env.params.clone()
    env.reset(params=again)
    assert torch.equal(env.engine.state()[[1, 4]], other.engine.state()[[0, 2]])


def test_splits_are_those_of_the_task(hanger):
    env = VecEnv(hanger, 18, seeded(), image_size=32, split="visual", randomize=False)
    same(env.params, hanger.sample_reset(18, seeded(1), "visual", randomize=False))
    with pytest.raises(VisuomotorError, match="no split of task 'hanger' 'night'"):
        make(hanger, split="night")


def test_given_states_are_used_as_often_as_asked_with_their_dynamics(lifting):
    source = HalfGiven(make(lifting, seed=3))
    env = make(lifting, initial_states=source)
    random = []
    for _ in range(40):
        env.reset()
        state, dynamics = env.engine.state(), env.params.dynamics
        match = (state[:, None] == source.states).all(-1)
        assert torch.equal(match.any(1), ~env.random_start)
        assert torch.equal(env.initial_state_id, torch.where(match.any(1), match.int().argmax(1), -1))
        for name, value in source.dynamics.items():
            rows = match.int().argmax(1)
            equal = (dynamics[name] == value[rows]).flatten(1).all(1)
            assert torch.equal(equal, ~env.random_start), name
        mass = env.engine.model_field("body_mass")[:, lifting.model.body("block").id]
        assert torch.equal(mass, dynamics["block_mass"][:, 0])  # the engine has them too
        random.append(env.random_start.float().mean())
    assert source.asked == WORLDS * 41
    assert 0.4 < torch.stack(random).mean() < 0.6


def test_given_states_fit_the_world_that_they_come_to(lifting):
    """Derived fields are those of the given state: what is observed right after the reset is right."""
    source = make(lifting, seed=3)
    source.step(actions(1)[0])
    given = AllGiven(source, steps=3, early=3)
    env = make(lifting, initial_states=given)
    expected, found = source.observe(), env.observe()
    assert all(torch.equal(value, found[name]) for name, value in expected.items())
    env.task = _StagesByTime(lifting, (1, 2, 0))
    done = [bool(env.step(action).done.all()) for action in actions(3)]
    assert done == [False, False, True]  # as long as the state says
    env.reset()
    # and who gave it hears of the outcome: the last stage was reached in one of three steps, and left again
    assert given.outcomes == [(state_id, 2, pytest.approx(1 / 3), 3) for state_id in range(WORLDS)]


def test_an_episode_ends_where_it_has_left_its_first_stage_for_long(lifting):
    """Steps in other stages count, wherever they lead; the success fraction is that of the whole time given."""
    given = AllGiven(make(lifting, seed=3), steps=10, early=3)
    env = make(lifting, initial_states=given)
    assert (env.observe()["stage"] == 0).all()
    env.task = _StagesByTime(lifting, (0, 1, 0, 2, 1, 2))
    done = [bool(env.step(action).done.all()) for action in actions(5)]
    assert done == [False, False, False, False, True]
    env.reset()
    assert given.outcomes == [(state_id, 2, pytest.approx(1 / 10), 5) for state_id in range(WORLDS)]
    # the next episode begins in stage 1
    env.task = _StagesByTime(lifting, (1, 1, 2, 0, 2))
    env.task._now = 1
    env.reset()
    assert [bool(env.step(action).done.all()) for action in actions(5)] == [False, False, False, False, True]


def test_without_early_termination_time_alone_ends_an_episode(lifting):
    given = AllGiven(make(lifting, seed=3), steps=4, early=None)
    env = make(lifting, initial_states=given)
    env.task = _StagesByTime(lifting, (1, 1, 2, 2))
    assert [bool(env.step(action).done.any()) for action in actions(4)] == [False, False, False, True]
    env.reset()
    assert given.outcomes == [(state_id, 2, pytest.approx(2 / 4), 4) for state_id in range(WORLDS)]


def test_random_starts_and_blow_ups_have_no_recorded_outcome(lifting):
    """Whether physics blew up in the last step or earlier."""
    given = AllGiven(make(lifting, seed=3), steps=10, early=None)
    env = make(lifting, initial_states=given)
    blow_up(env, 1)
    env.step(actions(1)[0])
    blow_up(env, 4)
    env.step(actions(1)[0])
    env.initial_state_id[0] = -1
    env.reset()
    assert [state_id for state_id, *_ in given.outcomes] == [2, 3, 5]


def test_a_restored_batch_goes_on_bit_equal(task):
    env = make(task, init_at_random_ep_len=True, initial_states=HalfGiven(make(task, seed=3)))
    for action in actions(7, seed=4):
        env.reset(env.step(action).done.nonzero()[:, 0])
    content, generator = env.state_dict(), env.generator.get_state()

    def go_on(each: VecEnv) -> list[tuple[torch.Tensor, ...]]:
        seen = []
        for action in actions(15):
            transition = each.step(action)
            each.reset(transition.done.nonzero()[:, 0])
            state = (each.engine.state(), each.render(), each.episode_length_buf.clone(), each.initial_state_id.clone())
            seen.append((*state, transition.reward, transition.done, *transition.observations.values()))
        return seen

    outcomes = env._initial_states.outcomes
    del outcomes[:]
    expected, expected_outcomes = go_on(env), list(outcomes)
    assert expected_outcomes
    resumed = make(task, seed=99, initial_states=HalfGiven(make(task, seed=3)))
    for other in (resumed, env):  # as after a resume, and back in the same object
        other.load_state_dict(content)
        other.generator.set_state(generator)
        del other._initial_states.outcomes[:]
        for step, (ours, theirs) in enumerate(zip(go_on(other), expected, strict=True)):
            assert all(map(torch.equal, ours, theirs)), step
        assert other._initial_states.outcomes == expected_outcomes


def test_a_state_dict_is_a_copy(lifting):
    env = make(lifting)
    content = env.state_dict()
    kept = {name: value.clone() for name, value in content.items() if isinstance(value, torch.Tensor)}
    params = ResetParams(**content["params"]).clone()
    blow_up(env, 2)
    env.step(actions(1)[0])
    env.reset()
    for name, value in kept.items():
        assert torch.equal(content[name], value), name
    same(ResetParams(**content["params"]), params)


def test_the_state_of_another_number_of_worlds_is_refused(lifting):
    content = make(lifting, worlds=2).state_dict()
    with pytest.raises(VisuomotorError, match="holds 2 worlds, not 6"):
        make(lifting).load_state_dict(content)


def test_actions_that_are_not_finite_are_refused_and_nothing_moves(lifting):
    env = make(lifting)
    before, bad = env.engine.state(), actions(1)[0]
    bad[2, 3], bad[4, 0] = float("nan"), float("inf")
    with pytest.raises(VisuomotorError, match=r"worlds \[2, 4\] are not finite"):
        env.step(bad)
    assert torch.equal(env.engine.state(), before)
    assert env.episode_length_buf.eq(0).all()


def test_actions_and_worlds_of_another_shape_are_refused_before_anything_moves(lifting):
    env = VecEnv(lifting, 3, torch.Generator().manual_seed(0), observations=("stage",))
    env.step(torch.zeros(3, lifting.action_size))
    before = env.state_dict()["state"]
    size = lifting.action_size
    for actions in (torch.zeros(1, size), torch.zeros(size), torch.zeros(3, 1), torch.zeros(3, size).numpy(), None):
        with pytest.raises(VisuomotorError, match=r"actions must be a tensor of numbers \(3, 9\), not"):
            env.step(actions)
    for worlds in (torch.tensor([True, False, True]), torch.tensor([1, 0]), [0], torch.tensor([3])):
        with pytest.raises(VisuomotorError, match="worlds must"):
            env.reset(worlds)
    assert torch.equal(env.state_dict()["state"], before)
    assert env.episode_length_buf.tolist() == [1, 1, 1]


def test_actions_are_fractions_of_the_limits_and_clipped(lifting):
    engines = []
    for action in (torch.full((WORLDS, 9), 3.0), torch.ones(WORLDS, 9)):
        env = make(lifting)
        env.step(action)
        engines.append(env.engine)
    assert torch.equal(engines[0].state(), engines[1].state())
    torch.testing.assert_close(engines[0].field("ctrl")[0], lifting.robot.action_limits)


def test_a_world_that_blows_up_is_flagged_and_the_others_go_on(lifting):
    env, calm = make(lifting), make(lifting)
    blow_up(env, 3)
    action = actions(1)[0]
    transition, expected = env.step(action), calm.step(action)
    assert transition.diverged.tolist() == transition.done.tolist() == [False, False, False, True, False, False]
    assert transition.reward[3] == 0
    assert all(value.isfinite().all() for value in transition.observations.values())
    others = torch.tensor([0, 1, 2, 4, 5])
    assert torch.equal(transition.observations["privileged"][others], expected.observations["privileged"][others])
    env.reset(transition.done.nonzero()[:, 0])
    assert env.episode_length_buf.tolist() == [1, 1, 1, 0, 1, 1]
    assert env.observe()["stage"][3] == 0
    assert not env.step(action).diverged.any()


def test_a_world_that_blows_up_earns_nothing(lifting, monkeypatch):
    monkeypatch.setattr(lifting, "reward", lambda engine: torch.ones(engine.worlds))
    env = make(lifting)
    blow_up(env, 3)
    assert env.step(actions(1)[0]).reward.tolist() == [1, 1, 1, 0, 1, 1]


def test_worlds_that_have_blown_up_have_failed_whatever_the_task_says(lifting, monkeypatch):
    monkeypatch.setattr(lifting, "success", lambda stage: torch.ones_like(stage, dtype=torch.bool))
    env = make(lifting)
    blow_up(env, 1)
    env.step(actions(1)[0])
    assert not env.step(actions(1)[0]).diverged.any()
    assert env.finish_episodes().success.tolist() == [True, False, True, True, True, True]
    restored = make(lifting)
    restored.load_state_dict(env.state_dict())
    assert restored.finish_episodes().success.tolist() == [True, False, True, True, True, True]
    env.reset(torch.tensor([1]))
    assert env.finish_episodes().success.all()


def test_a_blow_up_of_the_hanger_fails_and_leaves_the_others_alone(hanger, monkeypatch):
    """Also while the gripper opens, and wherever the hanger is then."""
    monkeypatch.setattr(hanger, "_hook_from_bar", lambda engine: torch.zeros(engine.worlds, 3))
    env, calm = make(hanger, randomize=False), make(hanger, randomize=False)
    still = torch.zeros(WORLDS, 7)
    for each in (env, calm):
        each.step(still)
    blow_up(env, 0)
    env.step(still)
    calm.step(still)
    count = 0

    def shake() -> None:
        nonlocal count
        count += 1
        if count == 3:
            blow_up(env, 5)

    outcome, expected = env.finish_episodes(shake), calm.finish_episodes()
    assert count == 30  # 1.5 s
    assert env.engine.num_diverged == 2
    assert outcome.success.tolist() == [False, True, True, True, True, False]
    assert expected.success.all()
    assert torch.equal(outcome.distance[1:], expected.distance[1:])
    assert outcome.distance.isfinite().all()


def test_reset_params_are_rows():
    rows = {"a": torch.arange(4.0), "b": torch.arange(8.0).view(4, 2)}
    params = ResetParams({}, {"a": rows["a"].clone()}, {"b": rows["b"].clone()})
    assert (len(params), len(ResetParams())) == (4, 0)
    taken = params[torch.tensor([3, 1])]
    assert taken.dynamics["a"].tolist() == [3, 1]
    assert taken.appearance["b"].tolist() == [[6, 7], [2, 3]]
    taken.dynamics["a"] += 10
    assert torch.equal(params.dynamics["a"], rows["a"])
    other = params.clone()
    other.assign(torch.tensor([0, 2]), taken)
    assert other.dynamics["a"].tolist() == [13, 1, 11, 3]
    assert other.appearance["b"].tolist() == [[6, 7], [2, 3], [2, 3], [6, 7]]
    assert torch.equal(params.dynamics["a"], rows["a"])


@pytest.mark.parametrize(
    ("option", "values", "told"),
    [
        ("observations", ("state", None, 5), "observations must be a list of groups, such as .*, not "),
        ("observations", (["states"], ("state", 5)), "no group of observations .*; choose one of: keypoints, "),
        ("seed", (None, "a", 1.5, 2**70), "seed must be "),
        ("image_sise", (24,), "no option of make_env 'image_sise'; choose one of: image_size, "),
        ("generator", (None,), "no option of make_env 'generator'"),
    ],
)
def test_what_make_env_cannot_take_is_told(lifting, option, values, told):
    for value in values:
        with pytest.raises(VisuomotorError, match=told):
            make_env(lifting, 1, **{option: value})


def test_make_env_takes_numbers_of_numpy(lifting):
    theirs = make_env(lifting, np.int64(2), np.int64(3), image_size=np.int32(16), max_episode_steps=np.int64(5))
    ours = make_env(lifting, 2, 3, image_size=16, max_episode_steps=5)
    assert torch.equal(theirs.engine.state(), ours.engine.state())
    assert torch.equal(theirs.render(), ours.render())


@pytest.mark.parametrize("name", [None, 5, b"lifting"])
def test_the_name_of_a_task_is_text(name):
    with pytest.raises(VisuomotorError, match="the name of a task is text, not"):
        make_task(name)
