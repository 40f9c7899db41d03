"""A world whose physics diverges: it has failed, earns nothing, and leaves the others alone."""

import torch
from vec_envs import WORLDS, actions, blow_up, make


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
