"""A run goes on exactly where it was, however it ended."""

import os
import re
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from small_training import assert_same, make, new_run, small

from visuomotor.algorithms.ppo_gail.config import (
    AuxiliaryConfig,
    BehaviorCloningConfig,
    ExplorationConfig,
    PolicyConfig,
    PpoGailConfig,
)
from visuomotor.algorithms.ppo_gail.expert_data import fingerprint
from visuomotor.algorithms.shared_pretraining import SharedPretraining
from visuomotor.algorithms.training import train
from visuomotor.demos import Episode, write_demonstrations
from visuomotor.errors import VisuomotorError
from visuomotor.runs import Run, load_checkpoint, save_checkpoint
from visuomotor.runs.distributed import Distributed
from visuomotor.tasks import make_task


def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(demos: Path, tmp_path: Path):
    cloning = BehaviorCloningConfig(num_updates=3, batch_size=2, renders_per_demo=1)
    exploration = ExplorationConfig(critic_sees_noise=True)
    config = small(
        demos,
        behavior_cloning=cloning,
        auxiliary=AuxiliaryConfig(pretraining_updates=3, batch_size=16, updates_per_iteration=2),
        exploration=exploration,
    )
    whole = new_run(tmp_path, config, "whole")
    train(make(config), whole)
    halves = new_run(tmp_path, config, "halves")

    class Killed(Exception):
        pass

    def stop(row: dict[str, object]) -> None:
        if row["phase"] == "ppo" and row["iteration"] == 3:  # the checkpoint is that of iteration 2
            raise Killed

    with pytest.raises(Killed):
        train(make(config), halves, callback=stop)
    train(make(config), Run.open(halves.path), resume=True)
    assert_same(load_checkpoint(whole.latest_checkpoint), load_checkpoint(halves.latest_checkpoint))
    timed = ("time/", "sps", "elapsed_seconds")
    numbers = [
        [{k: v for k, v in row.items() if not k.startswith(timed)} for row in Run.open(run.path).metrics()]
        for run in (whole, halves)
    ]
    assert numbers[0] == numbers[1]


def test_a_run_with_a_setting_s_old_word_is_resumed(demos: Path, tmp_path: Path):
    run = new_run(tmp_path, small(demos, iterations=1), "old")
    train(make(small(demos, iterations=1)), run)
    path, word = run.path / "config.json", '"intermediate-difficulty"'
    assert word in path.read_text()
    path.write_text(path.read_text().replace(word, '"frontier"'))
    content = load_checkpoint(run.latest_checkpoint)
    content["config"]["curriculum"]["strategy"] = "frontier"
    save_checkpoint(run.latest_checkpoint, content)
    again = Run.open(run.path)
    config = replace(again.config(PpoGailConfig), total_steps=2 * 8 * 6)
    assert train(make(config), again, resume=True)
    assert load_checkpoint(run.latest_checkpoint)["config"]["curriculum"]["strategy"] == "intermediate-difficulty"


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Tests that a shell started in its background ignore SIGINT."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_interrupted_runs_are_saved_first(demos: Path, tmp_path: Path):
    config = small(demos, save_interval=1000)
    run = new_run(tmp_path, config, "stopped")

    def interrupt(row: dict[str, object]) -> None:
        if row["iteration"] == 2:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(make(config), run, callback=interrupt)
    assert load_checkpoint(run.latest_checkpoint)["state"]["iteration"] == 2
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    train(make(config), Run.open(run.path), resume=True)
    assert [row["iteration"] for row in Run.open(run.path).metrics()] == [1, 2, 3, 4]


def test_a_run_that_was_killed_before_its_first_checkpoint_begins_anew(demos: Path, tmp_path: Path):
    config = small(demos, save_interval=1000)
    run = new_run(tmp_path, config, "killed")

    def die(row: dict[str, object]) -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        train(make(config), run, callback=die)
    train(make(config), Run.open(run.path), resume=True)
    assert [row["iteration"] for row in Run.open(run.path).metrics()] == [1, 2, 3, 4]


def test_a_run_from_another_that_was_killed_before_its_first_checkpoint_begins_from_it_again(
    demos: Path, tmp_path: Path
):
    config = small(demos)
    source = new_run(tmp_path, config, "source")
    train(make(config), source)
    run = Run.create(
        tmp_path, name="killed", algorithm="ppo-gail", task="lifting", preset="laptop", seed=1, config=config,
        source=source.path,
    )  # fmt: skip
    resumed = make(config, seed=1)
    weights = load_checkpoint(source.latest_checkpoint)["state"]["policy"]

    def check(row: dict[str, object]) -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        train(resumed, Run.open(run.path), resume=True, callback=check)
    saved = load_checkpoint(run.latest_checkpoint)["state"]["policy"]
    assert all(torch.equal(saved[name], value) for name, value in weights.items())


def test_a_fingerprint_tells_all_that_training_takes(demonstrations: list[Episode]):
    one = demonstrations[0]
    assert one.actions is not None
    name = next(iter(one.dynamics))
    others = [
        replace(one, states=one.states + 1e-9),
        replace(one, actions=one.actions + 1e-3),
        replace(one, actions=None),
        replace(one, stages=one.stages + 1),
        replace(one, rewards=one.rewards + 1),
        replace(one, dynamics=one.dynamics | {name: one.dynamics[name] + 1e-6}),
    ]
    prints = [fingerprint([each]) for each in (one, *others)]
    assert len(set(prints)) == len(prints)
    assert fingerprint([replace(one, name="other")]) == prints[0]
    assert fingerprint([]) is None


def test_a_checkpoint_of_other_circumstances_is_refused(demos: Path, demonstrations: list[Episode], tmp_path: Path):
    content = make(small(demos)).state_dict()
    other = tmp_path / "other.hdf5"
    write_demonstrations(other, make_task("lifting"), demonstrations[:2])
    with pytest.raises(VisuomotorError, match="does not hold the demonstrations that this run began with"):
        make(small(other)).load_state_dict(content)
    with pytest.raises(VisuomotorError, match=r"another camera \(supersampling 1, now 2\)"):
        make(small(demos, policy=PolicyConfig(supersampling=2))).load_state_dict(content)
    message = r"state\.processes\[0\]\.collector\.env\.state has the shape \(8, \d+\), expected \(16, "
    with pytest.raises(VisuomotorError, match=message):
        make(small(demos, num_envs=16)).load_state_dict(content)


@pytest.mark.parametrize(
    ("place", "number"),
    [
        ("collector.env.state", 1e11),
        ("collector.env.params.dynamics.block_mass", -0.1),
        ("collector.env.episode_length", -1),
        ("collector.env.episode_length", 1000),
        ("collector.env.initial_state_id", 10_000),
        ("collector.env.episodes", -1),
        ("curriculum.advance_rate", 1.5),
        ("curriculum.mean_lengths", -1.0),
    ],
)
def test_a_checkpoint_with_a_number_out_of_bounds_is_refused(demos: Path, place: str, number: float):
    training = make(small(demos))
    content = training.state_dict()
    entry = content["processes"][0]
    for name in place.split("."):
        entry = entry[name]
    entry.view(-1)[-1] = number
    message = rf"^state\.processes\[0\]\.{place}\[.*\] is {re.escape(f'{number:g}')}, expected a number"
    with pytest.raises(VisuomotorError, match=message):
        training.load_state_dict(content)


def test_processes_that_are_fewer_or_more_take_up_what_there_is(demos: Path, tmp_path: Path):
    """Two processes' checkpoint in one: the first one's worlds. One's in two: the second begins worlds of its own, with
    what is known of the demonstrations' starts."""
    saved = make(small(demos))
    list(zip(saved.steps(), range(2), strict=False))
    content = saved.state_dict()
    [own] = content["processes"]
    other = make(small(demos), seed=1)._own_state()
    alone = make(small(demos))
    alone.load_state_dict(content | {"processes": [own, other]})
    assert_same(alone.state_dict(), content | {"most_processes": 2})
    third = make(small(demos))
    third.load_state_dict(alone.state_dict())
    for later in (alone, third):  # two have trained it, whoever goes on
        assert "processes 2" in later.policy().spec.training["notes"]
    old = {name: value for name, value in content.items() if name != "most_processes"}
    third.load_state_dict(old)
    assert not any(note.startswith("processes") for note in third.policy().spec.training["notes"])

    job = Distributed()
    job.rank, job.world_size = 1, 2
    second = make(small(demos), job)
    fresh = second._own_state()
    second.load_state_dict(content)
    assert_same(second.recurrent_policy.state_dict(), saved.recurrent_policy.state_dict())
    assert_same(second._own_state()["collector"], fresh["collector"])
    assert_same(second._own_state()["curriculum"], own["curriculum"])
    assert second.episode_statistics.recent == saved.episode_statistics.recent
    states = [g.get_state() for g in (second.generators["own"], saved.generators["own"])]
    assert not torch.equal(*states)
    assert not torch.equal(states[0], fresh["generator"])
    assert second.control_steps == saved.control_steps > 0


def test_a_prolonged_run_goes_on_with_the_rates_of_its_new_length(demos: Path, tmp_path: Path):
    config = small(demos)
    run = new_run(tmp_path, config, "prolonged")
    assert train(make(config), run)
    longer = replace(config, total_steps=2 * config.total_steps)
    resumed = make(longer)
    rates = []
    train(
        resumed,
        Run.open(run.path),
        resume=True,
        callback=lambda row: rates.append(resumed.optimizers["policy"].param_groups[0]["lr"]),
    )
    assert [row["iteration"] for row in Run.open(run.path).metrics()] == list(range(1, 9))
    fractions = [0.5 + i / 8 for i in range(4)]
    assert rates == pytest.approx([config.ppo.learning_rate * config.ppo.final_lr_fraction**f for f in fractions])
    before = {"row": 4, "before": {"total_steps": config.total_steps}}
    assert Run.open(run.path).metadata["changes"] == [before]
    steps = longer.total_steps
    with pytest.raises(VisuomotorError, match=f"has {steps} steps already, more than total_steps {steps - 1}; give"):
        train(make(replace(config, total_steps=steps - 1)), Run.open(run.path), resume=True)
    assert Run.open(run.path).metadata["changes"] == [before]


def test_a_policy_file_gives_its_network_and_nothing_else(demos: Path, tmp_path: Path):
    saved = make(small(demos))
    next(saved.steps())
    policy = saved.policy()
    assert policy is not None
    file = tmp_path / "mine.safetensors"
    policy.save(file)
    run = Run.create(
        tmp_path, name="begun", algorithm="ppo-gail", task="lifting", preset="laptop", seed=5, config=small(demos),
        source=file,
    )  # fmt: skip
    fresh, begun = make(small(demos), seed=5).state_dict(), make(small(demos), seed=5)

    class Killed(Exception):
        pass

    def kill(row: dict[str, object]) -> None:
        raise Killed

    for beginning in ({"source": str(file)}, {"resume": True}):  # also where it died before its first checkpoint
        run.latest_checkpoint.unlink(missing_ok=True)
        with pytest.raises(Killed):
            train(make(small(demos), seed=5), Run.open(run.path), **beginning, callback=kill)
        found = load_checkpoint(run.latest_checkpoint)["state"]
        assert_same(found["policy"], saved.state_dict()["policy"])
        for name in ("critic", "gail", "noise", "optimizers", "processes", "iteration", "generators"):
            assert_same(found[name], fresh[name])
    algorithm = make(small(demos), seed=5)
    for other in ({"resume": True}, {"pretraining": SharedPretraining(tmp_path / "shared", algorithm)}):
        with pytest.raises(VisuomotorError, match="each say what training begins with"):
            train(algorithm, run, source=file, **other)
    weights = dict(policy.network.state_dict())
    del weights["keypoint_head.0.weight"]
    with pytest.warns(UserWarning, match=r"in that policy, so trained from scratch: keypoint_head\.0\.weight"):
        begun.load_policy_weights(weights)
    with pytest.raises(VisuomotorError, match="no tensor of policy has the size"):
        begun.load_policy_weights({})


def test_the_networks_of_another_run_and_nothing_else(demos: Path):
    saved = make(small(demos))
    next(saved.steps())
    content = saved.state_dict()
    begun = make(small(demos), seed=5)
    fresh = begun.state_dict()
    begun.load_weights(content)
    found = begun.state_dict()
    for name in ("policy", "critic"):
        assert_same(found[name], content[name])
    assert_same(found["gail"]["discriminator"], content["gail"]["discriminator"])
    for name in ("noise", "optimizers", "processes", "iteration", "generators"):
        assert_same(found[name], fresh[name])
    # parts of other sizes begin anew, and are told
    content["critic"]["layers.0.weight"] = torch.zeros(3, 3)
    del content["policy"]["keypoint_head.0.weight"]
    with pytest.warns(UserWarning, match=r"trained from scratch: keypoint_head.0.weight, the critic"):
        begun.load_weights(content)
    with pytest.raises(VisuomotorError, match=r"no tensor of state\.policy has the size"):
        begun.load_weights(content | {"policy": {}})
    spoiled = {name: torch.full_like(value, torch.nan) for name, value in content["policy"].items()}
    with pytest.raises(VisuomotorError, match=r"state\.policy\.\S+ holds NaN"):
        begun.load_weights(content | {"policy": spoiled})
