import dataclasses
from types import SimpleNamespace

import pytest
import torch

from visuomotor.camera import Camera
from visuomotor.demos import Demonstrations, ExpertNoise, generate
from visuomotor.demos.generate import demonstrate, demonstrate_by_policy, record
from visuomotor.demos.lifting import lift
from visuomotor.demos.verify import verify
from visuomotor.errors import VisuomotorError
from visuomotor.tasks.jaco.lifting import Lifting
from visuomotor.tasks.jaco.stacking import Stacking
from visuomotor.tasks.pr2.hanger import Hanger


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def lifts(lifting):
    return demonstrate(lifting, 10, seeded(4))


@pytest.fixture(scope="module")
def stacks():
    return demonstrate(Stacking(), 6, seeded(4))


@pytest.fixture(scope="module")
def hangings():
    return demonstrate(Hanger(), 10, seeded(4))


def test_they_nearly_always_succeed_within_a_minute(lifts, stacks):
    for episodes, fewest in ((lifts, 9), (stacks, 6)):
        assert sum(episode.success for episode in episodes) >= fewest
        assert max(map(len, episodes)) < 60 * 20


def test_they_pass_through_every_stage(lifts, stacks, hangings):
    assert set(torch.cat([episode.stages for episode in lifts]).tolist()) == {0, 1, 2}
    assert set(torch.cat([episode.stages for episode in stacks]).tolist()) == {0, 1, 2, 3}
    assert set(torch.cat([episode.stages for episode in hangings]).tolist()) == {0, 1, 2}


def test_what_they_record_reproduces(lifting, lifts, stacks, hangings):
    for task, episodes in ((lifting, lifts), (Stacking(), stacks), (Hanger(), hangings)):
        for result in verify(Demonstrations(task.name, episodes, {}), task):
            assert result.passed, result
            assert result.error < 1e-7


def test_success_is_asked_for_stages_of_n_worlds():
    class Strict(Lifting):
        def success(self, stage):
            (_,) = stage.shape
            return super().success(stage)

    task = Strict()
    (episode,) = demonstrate(task, 1, seeded(4))
    (result,) = verify(Demonstrations(task.name, [episode], {}), task)
    assert result.succeeded == episode.success


def test_they_end_a_second_after_lifting(lifts):
    for episode in lifts:
        assert (episode.stages[-20:] == 2).all()


def test_the_gripper_is_away_when_stacking_ends(stacks):
    task = Stacking()
    engine = task.make_engine(len(stacks))
    engine.set_state(torch.stack([episode.states[-1] for episode in stacks]))
    away = task.keypoints(engine)[:, 0] - task.robot.end_effector_position(engine)
    assert away.norm(dim=-1).min() > 0.08


def test_the_hanger_hangs_in_time_and_stays_when_let_go(hangings):
    task = Hanger()
    assert sum(bool(episode.stages[:101][-1] == 2) for episode in hangings) >= 9
    engine = task.make_engine(len(hangings))
    engine.set_state(torch.stack([episode.states[-1] for episode in hangings]))
    assert task.finish_episode(engine).success.sum() >= 9


def test_people_differ_but_a_seed_is_a_seed(lifting, lifts):
    assert len({len(episode) for episode in lifts}) > 5
    again = demonstrate(lifting, 10, seeded(4))
    for one, other in zip(lifts, again, strict=True):
        assert torch.equal(one.states, other.states)
        assert torch.equal(one.actions, other.actions)


def test_who_misses_tries_again(lifting):
    clumsy = demonstrate(lifting, 4, seeded(1), ExpertNoise(first_miss_chance=1.0))
    sure = demonstrate(lifting, 4, seeded(1), ExpertNoise(first_miss_chance=0.0))
    for episode, grasps in [(it, 2) for it in clumsy] + [(it, 1) for it in sure]:
        closing = (episode.actions[:, -1] == 1).long()
        assert (closing.diff() == 1).sum() >= grasps
        assert episode.success
    assert sum(map(len, clumsy)) > sum(map(len, sure))


def test_an_episode_that_diverges_is_left_out(lifting, lifts, monkeypatch):
    """World 0 gets a speed beyond all bounds in its third step."""
    steps = 0

    def step(engine, actions):
        nonlocal steps
        steps += 1
        if steps == 3:
            engine.field("qvel")[0, 0] = 1e12
        Lifting.step(lifting, engine, actions)

    monkeypatch.setattr(lifting, "step", step)
    episodes = demonstrate(lifting, 10, seeded(4))
    assert len(episodes) == 9
    for one, other in zip(episodes, lifts[1:], strict=True):
        assert torch.equal(one.states, other.states)


def test_failures_are_replaced(lifting, lifts, monkeypatch):
    failure = dataclasses.replace(lifts[0], success=False)
    batches = [[failure, lifts[0], lifts[1]], [lifts[2]]]
    monkeypatch.setattr(generate, "demonstrate", lambda task, count, generator: batches.pop(0)[:count])
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


@pytest.mark.parametrize(
    ("expert", "message"),
    [
        (None, r"'lifting' has no scripted expert; in its class Mine set expert to a generator function"),
        ("visuomotor.demos.lifting:lower", "'visuomotor.demos.lifting:lower' .* cannot be imported"),
        ("visuomotor.demos.juggling:juggle", "write module:function"),
        ("lift", "write module:function"),
        (3, "must be a function, not 3"),
        (lambda expert: None, "is no generator"),
    ],
)
def test_a_task_without_an_expert_says_what_to_add(expert, message):
    mine = type("Mine", (Lifting,), {"expert": expert})
    with pytest.raises(VisuomotorError, match=message):
        demonstrate(mine(), 1, seeded(0))


def _without_arguments():
    yield


def _misspelt(expert):
    yield
    expert.mvoe((0, 0, 0))


def _beyond_the_objects(expert):
    yield
    expert.object(1)


def _quits(expert):
    yield
    raise SystemExit(3)


def _line_of(function, below):
    return function.__code__.co_firstlineno + below


@pytest.mark.parametrize(
    ("expert", "message"),
    [
        (_without_arguments, "raises TypeError: .*takes 0 positional arguments but 1 was given; expected a generator"),
        (_misspelt, f"raises AttributeError in line {_line_of(_misspelt, 2)}: .*'mvoe'; expected a generator function"),
        (_beyond_the_objects, f"in line {_line_of(_beyond_the_objects, 2)}: the expert of .* handles object 1"),
        (_quits, f"raises SystemExit in line {_line_of(_quits, 2)}: 3; expected a generator function of one Scripted"),
    ],
)
def test_what_an_expert_raises_is_told_in_one_line(expert, message):
    mine = type("Mine", (Lifting,), {"expert": staticmethod(expert)})
    with pytest.raises(VisuomotorError, match=f"^task 'lifting': expert {message}") as caught:
        demonstrate(mine(), 2, seeded(0))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["1 / 0", "exit(3)", "def plan(:"])
def test_a_module_of_an_expert_may_raise_anything(tmp_path, monkeypatch, text):
    (tmp_path / "broken_expert.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    mine = type("Mine", (Lifting,), {"expert": "broken_expert:plan"})
    told = "the expert 'broken_expert:plan' of task 'lifting' cannot be imported .*; write module:function"
    with pytest.raises(VisuomotorError, match=told) as caught:
        demonstrate(mine(), 1, seeded(0))
    assert "\n" not in str(caught.value)


def test_an_interrupt_in_an_expert_is_one():
    def interrupted(expert):
        yield
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        demonstrate(type("Mine", (Lifting,), {"expert": interrupted})(), 1, seeded(0))


def test_an_expert_may_be_a_function(lifts):
    """Of the class, it must not become the task's method."""
    mine = type("Mine", (Lifting,), {"expert": lift})
    (episode, *_) = demonstrate(mine(), 10, seeded(4))
    assert torch.equal(episode.states, lifts[0].states)


class Shoulder:
    """A policy that turns the shoulder, the more the redder the image."""

    spec = SimpleNamespace(image_size=20, supersampling=1)

    def __init__(self):
        self.images, self.readings = [], []

    def reset(self, n):
        self.images.clear()

    def act(self, images, proprioception):
        self.images.append(images.clone())
        self.readings.append(proprioception.clone())
        torques = torch.zeros(len(images), 7)
        torques[:, 0] = 1e3 * images[..., 0].float().mean((1, 2)) / 255
        torques[:, 1] = 0.5
        return torques


def test_a_policy_demonstrates_from_pixels():
    task, policy = Hanger(), Shoulder()
    episodes = demonstrate_by_policy(task, policy, 2, seeded(1))
    assert [len(episode) for episode in episodes] == [task.max_episode_steps] * 2
    limits = task.robot.action_limits
    assert all((episode.actions[:, 0] == 1).all() for episode in episodes)  # clipped
    assert episodes[0].actions[:, 1].tolist() == pytest.approx([0.5 / float(limits[1])] * task.max_episode_steps)
    assert all(result.passed for result in verify(Demonstrations(task.name, episodes, {}), task))
    # what it saw at a step is what the recorded state looks like
    engine, step = task.make_engine(1), 30
    replayed = episodes[1].reset_params(task)
    task.apply_randomization(engine, torch.arange(1), replayed)
    engine.set_state(episodes[1].states[step][None])
    assert torch.equal(Camera(engine, task.camera, 20, 20).rgb()[0], policy.images[step][1])
    torch.testing.assert_close(task.proprioception(engine)[0], policy.readings[step][1])


def test_a_policy_takes_the_expert_s_place(lifts, monkeypatch):
    task, policy = Hanger(), Shoulder()
    seen = []
    monkeypatch.setattr(generate, "demonstrate_by_policy", lambda *words: seen.append(words[:3]) or lifts[:1])
    assert record(task, 1, seeded(0), policy=policy) == (lifts[:1], 1.0)
    assert seen == [(task, policy, 1)]
    monkeypatch.setattr(generate, "demonstrate_by_policy", lambda *words: [])
    with pytest.raises(VisuomotorError, match=r"only 0 of .* the policy is at fault"):
        record(task, 1, seeded(0), policy=policy)
