"""VecEnv: when episodes end, where they begin, and that a restored batch goes on as if nothing had happened."""

import pytest
import torch
from vec_envs import WORLDS, AllGiven, HalfGiven, actions, blow_up, make, same, seeded

from visuomotor.errors import VisuomotorError
from visuomotor.tasks import ResetParams, VecEnv
from visuomotor.tasks.task import OBSERVATIONS


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


def test_given_states_keep_their_time_limit_where_lengths_are_random(lifting):
    steps = 3
    given = AllGiven(make(lifting, seed=3), steps=steps, early=None)
    env = make(lifting, init_at_random_ep_len=True, initial_states=given)
    left = env.max_episode_steps - env.episode_length_buf
    assert left.min() >= 1
    assert left.max() <= steps


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
    with pytest.raises(VisuomotorError, match=r"^task 'hanger' has no split 'night'; choose one of: "):
        make(hanger, split="night")


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
    for wrong in (torch.zeros(1, size), torch.zeros(size), torch.zeros(3, 1), torch.zeros(3, size).numpy(), None):
        with pytest.raises(VisuomotorError, match=r"actions must be a tensor of numbers \(3, 9\), not"):
            env.step(wrong)
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
