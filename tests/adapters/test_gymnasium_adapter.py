import copy
import pickle
import sys

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.utils import env_checker
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import vector as wrappers

from visuomotor.adapters.gymnasium import VisuomotorEnv, VisuomotorVectorEnv
from visuomotor.errors import VisuomotorError
from visuomotor.tasks.jaco.lifting import Lifting
from visuomotor.tasks.pr2.hanger import Hanger

WORLDS = 3


def make(**arguments) -> VisuomotorVectorEnv:
    return VisuomotorVectorEnv("lifting", **({"num_envs": WORLDS, "image_size": 36} | arguments))


@pytest.fixture
def env() -> VisuomotorVectorEnv:
    return make()


def still() -> np.ndarray:
    return np.zeros((WORLDS, 9), dtype=np.float32)


def before_the_end(env: VisuomotorVectorEnv) -> None:
    """Leave the episodes one step from their time limit, world 2 two steps."""
    env.reset(seed=0)
    env.vec_env.episode_length_buf[:] = torch.tensor([99, 99, 98])


@pytest.mark.parametrize("observations", [("image", "proprioception"), ("privileged",), ("image", "privileged")])
def test_observations_lie_in_their_spaces(observations):
    env = make(observations=observations)
    assert set(env.single_observation_space.spaces) == set(observations)
    env.action_space.seed(0)
    seen, _ = env.reset(seed=1)
    assert seen in env.observation_space
    for _ in range(3):
        seen, rewards, terminations, truncations, _ = env.step(env.action_space.sample())
        assert seen in env.observation_space
    assert (rewards.dtype, terminations.dtype, truncations.dtype) == (np.float64, np.bool_, np.bool_)
    assert rewards.shape == terminations.shape == truncations.shape == (WORLDS,)


class Short(Lifting):
    """A task of a user's own."""

    name = "short"
    max_episode_steps = 3


@pytest.fixture(scope="module")
def short() -> Short:
    return Short()


@pytest.mark.parametrize("mode", AutoresetMode)
def test_many_worlds_are_as_gymnasiums_own_vector_of_single_ones(short, mode):
    """Observations, rewards, ends and infos, bit for bit: in each mode, with resets of some worlds, and all seeds."""
    options = {"image_size": 32, "observations": ("image", "privileged")}
    ours = VisuomotorVectorEnv(short, WORLDS, autoreset_mode=mode, **options)
    theirs = SyncVectorEnv([lambda: VisuomotorEnv(short, **options)] * WORLDS, autoreset_mode=mode)
    assert ours.single_observation_space == theirs.single_observation_space
    assert ours.observation_space == theirs.observation_space
    assert ours.action_space == theirs.action_space
    assert ours.metadata == theirs.metadata
    ours.action_space.seed(0)
    ended = np.zeros(WORLDS, dtype=np.bool_)
    masks = {2: [True, False, True], 4: [False, True, True]}
    seeds = {0: 5, 8: [7, 3, 7]}
    for step in range(16):
        if step in seeds:
            results = [each.reset(seed=seeds[step]) for each in (ours, theirs)]
        elif step in masks:
            results = [each.reset(options={"reset_mask": np.array(masks[step])}) for each in (ours, theirs)]
        elif mode is AutoresetMode.DISABLED and ended.any():
            results = [each.reset(options={"reset_mask": ended.copy()}) for each in (ours, theirs)]
            ended[:] = False
        else:
            actions = ours.action_space.sample()
            results = [each.step(actions) for each in (ours, theirs)]
            ended = results[0][2] | results[0][3]
        assert env_checker.data_equivalence(*results, exact=True), step


def test_gymnasiums_own_checks():
    """Its warnings are about vectors without bounds, which its own robots have too."""
    env = gymnasium.make("visuomotor/lifting-v0", image_size=24, observations="image").unwrapped
    env_checker.check_env(env)
    env_checker.check_reset_return_type(vector := make())
    env_checker.check_reset_seed_determinism(vector)
    env_checker.check_reset_options(vector)


def test_a_single_world(short):
    env = VisuomotorEnv(short, image_size=24)
    seen, info = env.reset(seed=1)
    assert info == {"stage": 0, "is_success": False}
    assert np.array_equal(env.render(), seen["image"])
    for step in range(3):
        seen, reward, terminated, truncated, info = env.step(np.zeros(9))
        assert seen in env.observation_space
        assert (type(reward), terminated, truncated) == (float, False, step == 2)
    with pytest.raises(VisuomotorError, match=r"worlds \[0\] are over; reset"):
        env.step(np.zeros(9))
    env.reset()
    env._env.vec_env.engine.field("qvel")[0, int(short.model.joint("block").dofadr[0])] = 1e12
    assert env.step(np.zeros(9))[1:4] == (0.0, True, False)


def test_worlds_without_a_seed_differ(short):
    """Also single ones, of which gymnasium makes a vector."""
    images = [VisuomotorEnv(short, image_size=24).reset()[0]["image"] for _ in range(2)]
    assert not np.array_equal(*images)
    first, second = make().reset()[0]["image"], make().reset()[0]["image"]
    assert not np.array_equal(first[0], first[1])
    assert not np.array_equal(first, second)


def test_a_list_of_seeds_is_of_worlds_one_by_one(env):
    images = env.reset(seed=[4, 2, 4])[0]["image"]
    assert np.array_equal(images[0], images[2])
    assert not np.array_equal(images[0], images[1])
    assert np.array_equal(env.reset(seed=np.int64(2))[0]["image"][0], images[1])  # world i has seed + i
    assert np.array_equal(env.reset(seed=2)[0]["image"][2], images[0])
    expected = env.reset()[0]["image"]
    env.reset(seed=2)
    assert np.array_equal(env.reset(seed=[None, 9, None])[0]["image"][[0, 2]], expected[[0, 2]])
    env.reset(seed=2)
    env.reset(seed=[7, 9, 8], options={"reset_mask": np.array([False, True, False])})  # seeds of that world only
    assert np.array_equal(env.reset()[0]["image"][[0, 2]], expected[[0, 2]])


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, "Disabled"])
@pytest.mark.parametrize(
    ("wrap", "observations"),
    [
        (lambda env: wrappers.FilterObservation(env, ["proprioception"]), ("image", "proprioception")),
        (wrappers.FlattenObservation, ("image", "proprioception")),
        (wrappers.GrayscaleObservation, "image"),
        (lambda env: wrappers.ReshapeObservation(env, (24 * 24, 3)), "image"),
        (lambda env: wrappers.RescaleObservation(env, 0, 1), "image"),
        (lambda env: wrappers.DtypeObservation(env, np.float64), "privileged"),
        (wrappers.NormalizeObservation, "privileged"),
        (lambda env: wrappers.TransformObservation(env, lambda seen: seen), ("image", "privileged")),
        (wrappers.RecordEpisodeStatistics, ("image", "proprioception")),
        (wrappers.NormalizeReward, "image"),
        (wrappers.DictInfoToList, "image"),
    ],
)
def test_gymnasiums_wrappers_run(short, wrap, observations, mode):
    if wrap is wrappers.NormalizeObservation and mode == "Disabled":
        pytest.skip("takes only NextStep")
    env = wrap(VisuomotorVectorEnv(short, 2, image_size=24, observations=observations, autoreset_mode=mode))
    seen, _ = env.reset(seed=0)
    for _ in range(4):
        seen, _, _, truncations, _ = env.step(env.action_space.sample())
        if mode == "Disabled" and truncations.any():
            env.reset(options={"reset_mask": np.asarray(truncations)})
    assert seen in env.observation_space


def test_a_name_alone_gives_its_array_alone():
    env, other = make(observations="privileged"), make(observations=["privileged"])
    seen = env.reset(seed=0)[0]
    assert seen in env.observation_space
    assert np.array_equal(seen, other.reset(seed=0)[0]["privileged"])
    env.vec_env.episode_length_buf[1] = 99
    final = env.step(still())[-1]["final_obs"]
    assert final[1] in env.single_observation_space
    assert final[0] is None


def test_the_same_seed_and_actions_give_the_same_episodes(env):
    seen = []
    for each in (env, make(seed=5)):
        each.reset(seed=7)
        each.vec_env.episode_length_buf[0] = 98
        each.action_space.seed(0)
        seen.append([each.step(each.action_space.sample())[:4] for _ in range(4)])
    assert env_checker.data_equivalence(*seen, exact=True)


def test_what_was_returned_is_never_written_again(env):
    first, _ = env.reset(seed=0)
    kept = {name: value.copy() for name, value in first.items()}
    for _ in range(3):
        env.step(np.ones((WORLDS, 9), dtype=np.float32))
    assert all(np.array_equal(value, kept[name]) for name, value in first.items())


def test_the_seed_of_the_constructor_counts_too():
    first, same, other = (make(seed=seed).reset()[0]["image"] for seed in (0, 0, 1))
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)


def test_the_time_limit_truncates_and_tells_the_end_within_the_step(env):
    """Against a twin whose time is not up: it shows the states that the episodes ended in."""
    assert env.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    twin = make()
    before_the_end(env)
    before_the_end(twin)
    twin.vec_env.episode_length_buf[:] = 0
    actions = np.full((WORLDS, 9), 0.5, dtype=np.float32)
    expected = twin.step(actions)
    seen, _, terminations, truncations, infos = env.step(actions)
    assert truncations.tolist() == [True, True, False]
    assert not terminations.any()
    assert infos["_final_obs"].tolist() == infos["_final_info"].tolist() == [True, True, False]
    assert infos["final_obs"][2] is None
    for name in ("image", "proprioception"):
        for world in (0, 1):
            assert np.array_equal(infos["final_obs"][world][name], expected[0][name][world])
            assert not np.array_equal(seen[name][world], expected[0][name][world])
        assert np.array_equal(seen[name][2], expected[0][name][2])
    assert set(infos["final_info"]) == {"stage", "_stage", "is_success", "_is_success"}
    assert env.vec_env.episode_length_buf.tolist() == [0, 0, 99]


def test_stage_and_success_are_of_the_final_state(env, monkeypatch):
    before_the_end(env)
    before, after = torch.tensor([2, 1, 2]), torch.tensor([0, 0, 2])
    lengths = env.vec_env.episode_length_buf
    monkeypatch.setattr(env.task, "stage", lambda engine: after if lengths.eq(0).any() else before)
    _, rewards, _, _, infos = env.step(still())
    assert rewards.tolist() == [1.0, 0.125, 1.0]
    assert infos["final_info"]["stage"].tolist() == [2, 1, 0]
    assert infos["final_info"]["is_success"].tolist() == [True, False, False]
    assert infos["stage"].tolist() == [0, 0, 2]
    assert infos["is_success"].tolist() == [False, False, True]


def test_a_world_that_blows_up_is_terminated(env):
    env.reset(seed=0)
    env.vec_env.engine.field("qvel")[1, int(env.task.model.joint("block").dofadr[0])] = 1e12
    seen, rewards, terminations, truncations, infos = env.step(still())
    assert terminations.tolist() == [False, True, False]
    assert not truncations.any()
    assert rewards[1] == 0
    assert infos["_final_obs"].tolist() == [False, True, False]
    assert seen in env.observation_space


def test_gymnasiums_wrappers_see_whole_episodes(env):
    wrapped = wrappers.RecordEpisodeStatistics(env)
    wrapped.reset(seed=0)
    lengths = []
    for _ in range(env.task.max_episode_steps):
        infos = wrapped.step(still())[-1]
        if "final_info" in infos:
            lengths += infos["final_info"].get("episode", infos.get("episode"))["l"].tolist()
    assert lengths == [env.task.max_episode_steps] * WORLDS


def test_every_world_is_rendered(env):
    seen, _ = env.reset(seed=0)
    assert np.array_equal(np.stack(env.render()), seen["image"])
    assert np.array_equal(np.stack(env.call("render")), seen["image"])
    assert env.metadata["render_fps"] == 20
    silent = make(render_mode=None)
    assert silent.render() is None
    assert silent.call("render") == (None,) * WORLDS


def test_worlds_share_what_the_environment_has(env):
    assert env.get_attr("render_mode") == env.call("render_mode") == ("rgb_array",) * WORLDS
    with pytest.raises(AttributeError):
        env.get_attr("speed")
    with pytest.raises(VisuomotorError, match="no method 'reset'"):
        env.call("reset")
    with pytest.raises(VisuomotorError, match="no attribute 'speed'"):
        env.set_attr("speed", 1)


def test_mistakes_are_told(env):
    with pytest.raises(VisuomotorError, match="no observation 'images'; choose one of: image, privileged"):
        make(observations=["images"])
    with pytest.raises(VisuomotorError, match="no task 'hangar'"):
        VisuomotorVectorEnv("hangar", 2)
    for task in (None, 5, Lifting):
        with pytest.raises(VisuomotorError, match="task must be the name of a task, or one that make_task has made"):
            VisuomotorVectorEnv(task, 2)  # pyright: ignore[reportArgumentType]
    for bad, told in (
        *(({"num_envs": bad}, "num_envs must be a whole number from 1") for bad in (0, 1.5, "3", None, True)),
        *(({"image_size": bad}, "image_size must be a whole number from 1 to 4096") for bad in (0, 1.5, "64", 5000)),
        *(({"supersampling": bad}, "supersampling must be a whole number from 1 to 8") for bad in (0, 1.5, 9)),
        *(({"threads": bad}, "threads must be a whole number from 0") for bad in (-1, "2", None)),
        *(({"observations": bad}, "observations are a list of image, proprioception, ") for bad in (5, None)),
        *(
            ({"seed": bad}, "seed must be a whole number.* not (1.5|nan|True)")
            for bad in (1.5, float("nan"), True, [1, True, 2])
        ),
        *(({"randomize": bad}, "randomize must be True or False, not") for bad in ("False", None, 1, 0.0)),
        ({"observations": ()}, "nothing is observed"),
        ({"autoreset_mode": "SameWeek"}, "no autoreset mode 'SameWeek'; choose one of: Disabled, NextStep, SameStep"),
        ({"render_mode": "human"}, "no render mode 'human'"),
        ({"seed": -1}, "from 0 .* not -1"),
    ):
        with pytest.raises(VisuomotorError, match=told):
            make(**bad)


@pytest.mark.parametrize(
    ("actions", "told"),
    [
        (np.zeros(9), r"shape \(3, 9\), not \(9,\)"),
        (np.full((3, 9), "a"), r"numbers of shape \(3, 9\), not \(3, 9\) <U1"),
        (np.zeros((3, 9), complex), "complex128"),
        ([[1], [1, 2], [3]], r"array of shape \(3, 9\) \(setting an array element"),
        (None, r"not \(\) object"),
    ],
)
def test_what_are_no_actions_moves_nothing(env, actions, told):
    before = env.vec_env.engine.state()
    with pytest.raises(VisuomotorError, match=told):
        env.step(actions)
    assert torch.equal(env.vec_env.engine.state(), before)


@pytest.mark.parametrize("mode", AutoresetMode)
def test_steps_come_after_a_reset(mode):
    env = make(image_size=8, autoreset_mode=mode)
    with pytest.raises(VisuomotorError, match=r"no episode has begun in worlds \[0, 1, 2\]; call reset first"):
        env.step(still())
    env.reset(options={"reset_mask": np.array([True, False, True])})
    with pytest.raises(VisuomotorError, match=r"no episode has begun in worlds \[1\]; call reset first"):
        env.step(still())
    env.reset(options={"reset_mask": np.array([False, True, False])})
    env.step(still())
    with pytest.raises(VisuomotorError, match=r"no episode has begun in worlds \[0\]"):
        VisuomotorEnv(image_size=8).step(still()[0])


@pytest.mark.parametrize("single", [False, True])
def test_a_closed_environment_says_so_and_none_can_be_copied(single):
    env = VisuomotorEnv(image_size=8) if single else make(image_size=8)
    for copied in (pickle.dumps, copy.deepcopy):
        with pytest.raises(VisuomotorError, match="can be neither pickled nor copied"):
            copied(env)
    env.close()
    env.close()
    for call in (env.reset, env.render, lambda: env.step(np.zeros(env.action_space.shape))):
        with pytest.raises(VisuomotorError, match="is closed"):
            call()


@pytest.mark.parametrize("option", ["num_envs", "autoreset_mode"])
def test_a_single_environment_has_one_world(option):
    with pytest.raises(VisuomotorError, match=f"no option {option}; gymnasium.make_vec makes many worlds"):
        gymnasium.make("visuomotor/lifting-v0", **{option: 3})


def test_a_single_world_takes_actions_without_an_axis_for_worlds(short):
    env = VisuomotorEnv(short, image_size=8)
    env.reset(seed=np.int64(0))
    for wrong in (np.zeros((1, 9)), None, [[1], [1, 2]]):
        with pytest.raises(VisuomotorError, match=r"shape \(9,\)"):
            env.step(wrong)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"seed": [1, 2]}, "2 seeds for 3 worlds"),
        ({"seed": [1, 2.5, 3]}, "not 2.5"),
        ({"seed": [1, -2, 3]}, "not -2"),
        ({"options": {"mask": None}}, "no option of reset 'mask'; choose one of: reset_mask"),
        ({"options": {"reset_mask": np.array([True, False])}}, r"\(3,\) bool .* not \(2,\) bool"),
        ({"options": {"reset_mask": np.array([1, 0, 0])}}, r"not \(3,\) int64"),
        ({"options": {"reset_mask": np.zeros(3, dtype=np.bool_)}}, "without any"),
        ({"options": "x"}, "options of reset are a dict, not 'x'"),
        ({"seed": 1.5}, r"seed must be a whole number, or a list with one for each world, not 1\.5"),
        ({"seed": {1, 2, 3}}, "or a list with one for each world, not {1, 2, 3}"),
        ({"seed": 2**64}, "not 18446744073709551616"),
        ({"seed": -1}, "not -1"),
    ],
)
def test_a_reset_that_cannot_be_leaves_all_as_it_was(env, arguments, told):
    before = env.vec_env.engine.state()
    drawn = [generator.get_state() for generator in env._starts._generators]
    with pytest.raises(VisuomotorError, match=told):
        env.reset(**arguments)
    assert torch.equal(env.vec_env.engine.state(), before)
    assert all(map(torch.equal, drawn, [generator.get_state() for generator in env._starts._generators]))


@pytest.mark.parametrize("task", ["hanger", Hanger(), Short()], ids=["name", "object", "own"])
def test_any_task_by_name_or_object(task):
    env = VisuomotorVectorEnv(task, 2, image_size=32, observations=("image", "privileged"))
    seen, infos = env.reset(seed=0)
    assert seen in env.observation_space
    assert infos["stage"].tolist() == [0, 0]
    seen, rewards, _, _, _ = env.step(np.zeros(env.action_space.shape, dtype=np.float32))
    assert seen in env.observation_space
    assert rewards.tolist() == [0.0, 0.0]
    if isinstance(task, Short):
        assert env.task is task


def test_without_randomization_worlds_look_alike():
    plain = make(randomize=False)
    params = plain.vec_env.params
    for rows in (params.dynamics, params.appearance):
        for value in rows.values():
            assert torch.equal(value, value[:1].expand_as(value))
    varied = make().vec_env.params.dynamics
    assert not all(torch.equal(value, value[:1].expand_as(value)) for value in varied.values())


def test_a_missing_gymnasium_is_named_with_the_extra(monkeypatch):
    monkeypatch.delitem(sys.modules, "visuomotor.adapters.gymnasium")
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    with pytest.raises(VisuomotorError, match=r"pip install 'visuomotor\[gym\]'"):
        import visuomotor.adapters.gymnasium  # noqa: F401


def test_the_time_limit_can_be_another_one(short):
    """As gymnasium.make_vec asks for with `max_episode_steps`."""
    env = VisuomotorVectorEnv(short, 2, image_size=8, max_episode_steps=2)
    env.reset(seed=0)
    still = np.zeros(env.action_space.shape, np.float32)
    assert [env.step(still)[3].tolist() for _ in range(4)] == [[False] * 2, [True] * 2] * 2
    longer = VisuomotorVectorEnv(short, 1, image_size=8, max_episode_steps=5)
    longer.reset(seed=0)
    assert [bool(longer.step(still[:1])[3]) for _ in range(5)] == [False] * 4 + [True]
    with pytest.raises(VisuomotorError, match="max_episode_steps must be"):
        VisuomotorVectorEnv(short, 1, max_episode_steps=0)


def test_small_integers_of_numpy_are_seeds_as_others(env):
    """255 of eight bits, and worlds after it get 256, 257."""
    first = env.reset(seed=np.uint8(255))[0]
    again = env.reset(seed=[255, 256, 257])[0]
    for name, array in first.items():
        np.testing.assert_array_equal(array, again[name])


def test_finite_actions_that_float32_has_no_room_for_are_clipped():
    env = VisuomotorVectorEnv("lifting", 2, observations="privileged")
    env.reset(seed=0)
    large = env.step(np.full((2, 9), [[1e300], [-1e300]]))[0]
    env.reset(seed=0)
    ones = env.step(np.full((2, 9), [[1.0], [-1.0]]))[0]
    assert np.array_equal(large, ones)
    with pytest.raises(VisuomotorError, match="not finite"):
        env.step(np.full((2, 9), np.inf))
