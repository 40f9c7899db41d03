"""The trainer as a whole: exact resume, the pure methods as its limits, several processes, bad input."""

import copy
import dataclasses
import math
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from visuomotor.demos import Episode, write_demonstrations
from visuomotor.demos.generate import demonstrate
from visuomotor.errors import VisuomotorError
from visuomotor.algorithms.ppo_gail.advantages import judge
from visuomotor.algorithms.ppo_gail.config import (
    BehaviorCloningConfig,
    CriticConfig,
    CurriculumConfig,
    ExplorationConfig,
    ImitationConfig,
    PolicyConfig,
    PpoConfig,
    PpoGailConfig,
    AuxiliaryConfig,
)
from visuomotor.algorithms.ppo_gail.ppo import policy_loss, update_critic
from visuomotor.algorithms.ppo_gail.rollout import Rollout
from visuomotor.algorithms.ppo_gail.ppo_gail import Trainer, train
from visuomotor.runs import Run, load_checkpoint
from visuomotor.runs.distributed import Distributed
from visuomotor.tasks import StagedTask, make_task


@pytest.fixture(scope="module")
def demonstrations() -> list[Episode]:
    return demonstrate(make_task("lifting", StagedTask), 3, torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def demos(demonstrations: list[Episode], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("demos") / "lifting.hdf5"
    write_demonstrations(path, make_task("lifting", StagedTask), demonstrations)
    return path


def small(demos: Path | None, iterations: int = 4, **changes: object) -> PpoGailConfig:
    config = PpoGailConfig(
        demos=demos,
        worlds=8,
        control_steps=iterations * 8 * 6,
        checkpoint_every=1,
        ppo=PpoConfig(rollout=6, epochs=2, minibatches=2),
        imitation=ImitationConfig(batch=32, updates=2),
        sight=AuxiliaryConfig(batch=16, updates=2),
    )
    return dataclasses.replace(config, **changes)  # pyright: ignore[reportArgumentType]


def new_run(root: Path, config: PpoGailConfig, name: str) -> Run:
    return Run.create(root, method="ppo-gail", task="lifting", preset="laptop", seed=0, config=config, name=name)


def assert_same(a: object, b: object, where: str = "content") -> None:
    if isinstance(a, torch.Tensor):
        assert isinstance(b, torch.Tensor), where
        assert torch.equal(a, b), where
    elif isinstance(a, dict):
        assert isinstance(b, dict), where
        assert a.keys() == b.keys(), where
        for key in a:
            assert_same(a[key], b[key], f"{where}[{key!r}]")
    elif isinstance(a, list | tuple):
        assert isinstance(b, list | tuple), where
        assert len(a) == len(b), where
        for index, (x, y) in enumerate(zip(a, b, strict=True)):
            assert_same(x, y, f"{where}[{index}]")
    elif not where.endswith("['elapsed']"):
        assert a == b, where


def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(demos: Path, tmp_path: Path):
    cloning = BehaviorCloningConfig(updates=3, batch=2, renderings=1)
    exploration = ExplorationConfig(critic_sees_noise=True, std_schedule="geometric")
    config = small(demos, cloning=cloning, sight=AuxiliaryConfig(lessons=3, batch=16, updates=2), exploration=exploration)
    whole = new_run(tmp_path, config, "whole")
    train("lifting", "laptop", config, whole)
    halves = new_run(tmp_path, config, "halves")

    class Killed(Exception):
        pass

    def stop(row: dict[str, object]) -> None:
        if row["phase"] == "ppo" and row["iteration"] == 3:  # the checkpoint is that of iteration 2
            raise Killed

    with pytest.raises(Killed):
        train("lifting", "laptop", config, halves, report=stop)
    train("lifting", "laptop", config, Run.open(halves.path), resume=True)
    assert_same(load_checkpoint(whole.latest_checkpoint), load_checkpoint(halves.latest_checkpoint))
    numbers = [
        [{k: v for k, v in row.items() if "second" not in k and k != "time"} for row in Run.open(run.path).metrics()]
        for run in (whole, halves)
    ]
    assert numbers[0] == numbers[1]


def test_weight_0_is_reinforcement_and_weight_1_is_imitation(demos: Path):
    """With weight 0 nothing depends on the discriminator, while demonstrated starts are used; with weight 1 nothing
    depends on the task's reward."""
    reinforced = []
    for settings in ({}, {"form": "airl", "learning_rate": 0.1, "features": "privileged", "actions": True}):
        trainer = Trainer("lifting", small(demos, 2, imitation=ImitationConfig(weight=0.0, **settings)), 0)
        rows = list(trainer.steps())
        assert "discriminator_loss" not in rows[0]
        assert not trainer.episodes.random_start.all()
        reinforced.append(trainer.policy.state_dict())
    assert_same(reinforced[0], reinforced[1])
    policies = []
    for scale in (1.0, 100.0):
        trainer = Trainer("lifting", small(demos, 2, imitation=ImitationConfig(weight=1.0, batch=32)), 0)
        reward = trainer.task.reward
        trainer.task.reward = lambda stage, reward=reward, scale=scale: scale * reward(stage) + scale
        list(trainer.steps())
        policies.append(trainer.policy.state_dict())
    assert_same(policies[0], policies[1])


def test_ground_truth_in_the_discriminators_place_is_the_task_reward(demos: Path):
    """The discriminator goes on learning beside it."""
    imitation = ImitationConfig(weight=0.3, source="ground-truth", batch=32)
    trainer = Trainer("lifting", small(demos, 2, imitation=imitation), 0)
    (row, _) = trainer.steps()
    assert row["discriminator_demonstration_accuracy"] > 0
    rollout, _ = trainer.collector.collect()
    rollout.task_reward.uniform_()
    before = copy.deepcopy(trainer.imitation.discriminator.state_dict())
    reward, discriminator_stats, _ = trainer.imitation.reward(rollout, trainer.generators["own"])
    torch.testing.assert_close(reward, rollout.task_reward)
    assert discriminator_stats is not None
    assert not torch.allclose(discriminator_stats, rollout.task_reward)
    after = trainer.imitation.discriminator.state_dict()
    assert not all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("recurrent", [True, False])
@pytest.mark.parametrize("features", ["object-centric", "privileged"])
def test_every_variant_trains(demos: Path, recurrent: bool, features: str):
    imitation = ImitationConfig(features=features, actions=True, batch=32, form="airl", penalty_on="interpolated")  # pyright: ignore[reportArgumentType]
    ppo = PpoConfig(rollout=6, epochs=1, minibatches=2, clip=None, advantage="k-step", entropy=0.01)
    config = small(demos, 2, policy=PolicyConfig(recurrent=recurrent), imitation=imitation, ppo=ppo)
    rows = list(Trainer("lifting", config, 0).steps())
    assert len(rows) == 2
    assert all(value == value for row in rows for value in row.values())  # no NaN


@pytest.mark.parametrize("form", ["white", "marginal", "exact", "biased"])
def test_a_rollout_is_replayed_with_the_same_probabilities(demos: Path, form: str):
    """What minibatches compute of whole sequences is what was computed step by step while acting: every ratio is 1."""
    exploration = ExplorationConfig(noise=form, correlation=0.7)  # pyright: ignore[reportArgumentType]
    trainer = Trainer("lifting", small(demos, exploration=exploration), 0)
    with torch.no_grad():
        trainer.noise.log_std += 0.1 * torch.arange(trainer.task.action_size)
    trainer.episodes.elapsed[:] = torch.arange(8) + trainer.task.steps - 7  # episodes end all along the rollout
    before, _ = trainer.collector.collect()
    last = before.noise[-1].clone()
    trainer.episodes.elapsed[:4] = trainer.task.steps - 3
    rollout, _ = trainer.collector.collect()
    assert rollout.starts[1:].any()
    assert (~rollout.starts).any()
    part = torch.tensor([6, 1, 3])
    sequence = trainer.policy.forward_sequence(
        trainer.policy.encode_images(rollout.images[:, part]),
        rollout.proprioception[:, part],
        rollout.first_state[part],
        rollout.starts[:, part],
    )
    torch.testing.assert_close(rollout.seen, trainer.policy.encode_images(rollout.images), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(sequence.mean, rollout.means[:, part], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(rollout.actions, rollout.means + rollout.noise)
    # What is carried is the step before's noise, nothing at an episode's start.
    before, carried = torch.cat([last[None], rollout.noise]), torch.cat([rollout.carried, rollout.bootstrap_carried[None]])
    starts = torch.cat([rollout.starts, trainer.collector.starts[None]])
    torch.testing.assert_close(carried, before * ~starts[..., None])
    part, distributed = torch.arange(8), Distributed()
    advantages = torch.ones(rollout.starts.shape)
    config = dataclasses.replace(trainer.config.ppo, clip=1e-3)
    _, sums = policy_loss(trainer.policy, trainer.noise, rollout, advantages, part, config, trainer.kl, distributed)
    count, surrogate, divergence, clipped = sums.tolist()
    assert surrogate / count == pytest.approx(1, abs=1e-5)
    assert clipped == 0
    assert divergence / count == pytest.approx(0, abs=1e-6)


def test_exploration_noise_is_correlated_and_has_the_policys_deviation(demos: Path):
    ppo, exploration = PpoConfig(rollout=40, minibatches=2), ExplorationConfig(correlation=0.7)
    config = small(demos, worlds=64, ppo=ppo, exploration=exploration, vary=False)
    trainer = Trainer("lifting", config, 0)
    trainer.episodes.elapsed[:] = -1000  # no episode ends
    trainer.collector.collect()
    rollout, _ = trainer.collector.collect()
    noise = (rollout.actions - rollout.means).flatten(1)
    assert noise.std() == pytest.approx(math.exp(trainer.config.exploration.initial_log_std), rel=0.03)
    for lag in (1, 2):
        found = (noise[lag:] * noise[:-lag]).mean() / noise.square().mean()
        assert found == pytest.approx(0.7**lag, abs=0.03)


def test_what_a_rollout_tells_of_ends(demos: Path):
    """An episode's last state is kept apart from the next episode's first one."""
    trainer = Trainer("lifting", small(demos), 0)
    trainer.episodes.elapsed[:] = trainer.task.steps - 3  # all end with the third of six steps
    trainer.episodes._patience[:] = 1000
    restarted: list[torch.Tensor] = []
    restart = trainer.episodes.restart

    def remember(ended: torch.Tensor) -> None:
        before = trainer.episodes.read().privileged
        restart(ended)
        if ended.any():
            restarted.extend([before, trainer.episodes.read().privileged])

    trainer.episodes.restart = remember  # pyright: ignore[reportAttributeAccessIssue]
    rollout, _ = trainer.collector.collect()
    assert rollout.ended.tolist() == [[step == 2] * 8 for step in range(6)]
    assert rollout.starts.tolist() == [[step in (0, 3)] * 8 for step in range(6)]
    last, first = restarted
    assert torch.equal(rollout.next_privileged[2], last)
    assert torch.equal(rollout.privileged[3], first)
    assert not torch.equal(last, first)
    going_on = torch.tensor([0, 1, 3, 4])
    assert torch.equal(rollout.next_privileged[going_on], rollout.privileged[going_on + 1])
    assert torch.equal(rollout.next_stage[going_on], rollout.stage[going_on + 1])
    assert torch.equal(rollout.bootstrap_privileged, rollout.next_privileged[-1])


def advantages_by_hand(trainer: Trainer, rollout: Rollout, reward: torch.Tensor, values: dict) -> torch.Tensor:
    """Generalised advantages `(K, W)`, from the last step to the first. values: of the states `now` acted in and of
    those `reached`, `(K, W)` each."""
    ppo, following = trainer.config.ppo, torch.zeros(reward.shape[1])
    advantages = torch.empty_like(reward)
    for step in reversed(range(len(reward))):
        error = reward[step] + ppo.discount * values["reached"][step] * ~rollout.diverged[step] - values["now"][step]
        following = error + ppo.discount * ppo.gae_lambda * following * ~rollout.ended[step]
        advantages[step] = following
    return advantages


def test_a_rollout_is_judged_with_the_value_of_what_each_step_led_to(demos: Path):
    """Also where that is the last state of an episode, which none of the rollout's rows but its own tells."""
    exploration = ExplorationConfig(critic_sees_noise=True)
    trainer = Trainer("lifting", small(demos, worlds=16, exploration=exploration), 0)
    trainer.episodes.elapsed[::4] = trainer.task.steps - 3  # a time limit within the rollout
    rollout, _ = trainer.collector.collect()
    rollout.diverged[2, 1] = rollout.ended[2, 1] = True
    ended = rollout.ended & ~rollout.diverged
    assert ended[:-1].any()
    reward = torch.randn(rollout.task_reward.shape, generator=torch.Generator().manual_seed(0))
    ppo, distributed = trainer.config.ppo, Distributed()
    before = copy.deepcopy(trainer.critic)
    advantages, returns, states = judge(trainer.critic, rollout, reward, ppo, distributed, sees_noise=True)
    before.inputs.load_state_dict(trainer.critic.inputs.state_dict())  # learned before it values
    with torch.no_grad():
        # The noise of the step before is part of a state; only a new episode forgets it.
        previous = torch.cat([rollout.carried[:1], rollout.noise[:-1]]) * ~rollout.starts[..., None]
        now = torch.cat([rollout.privileged, previous], -1)
        reached = torch.cat([rollout.next_privileged, rollout.noise], -1)
        values = {"now": before(now), "reached": before(reached)}
    expected = advantages_by_hand(trainer, rollout, reward, values)
    valid = ~rollout.diverged
    torch.testing.assert_close(returns, (expected + values["now"])[valid])
    assert torch.equal(states, now[valid])
    mean, deviation = expected[valid].mean(), expected[valid].std(correction=0)
    torch.testing.assert_close(advantages[valid], ((expected - mean) / deviation)[valid], rtol=1e-4, atol=1e-5)


def test_a_rollout_without_a_sound_step_is_refused(demos: Path):
    trainer = Trainer("lifting", small(demos), 0)
    rollout, _ = trainer.collector.collect()
    rollout.diverged[:] = True
    with pytest.raises(VisuomotorError, match="blew up in every step"):
        judge(trainer.critic, rollout, rollout.task_reward, trainer.config.ppo, Distributed())


def test_fewer_steps_than_minibatches_leave_the_critic_sound(demos: Path):
    trainer = Trainer("lifting", small(demos), 0)
    states, returns = torch.randn(3, trainer.task.privileged_size), torch.randn(3)
    optimiser, config = trainer.optimisers["critic"], CriticConfig(minibatches=4)
    update_critic(trainer.critic, optimiser, states, returns, config, Distributed(), torch.Generator().manual_seed(0))
    assert all(parameter.isfinite().all() for parameter in trainer.critic.parameters())


def test_worlds_that_blow_up_teach_nothing(demos: Path):
    """What was done in such a step and where it led may be anything."""
    learned = []
    for garbage in (0.0, 1.0):
        trainer = Trainer("lifting", small(demos, 1), 0)
        collect = trainer.collector.collect

        def spoilt(collect=collect, garbage=garbage):
            rollout, seconds = collect()
            rollout.diverged[3, ::2] = True
            rollout.ended[3, ::2] = rollout.starts[4, ::2] = True
            rollout.actions[3, ::2] += garbage
            rollout.next_privileged[3, ::2] += 1e6 * garbage
            return rollout, seconds

        trainer.collector.collect = spoilt
        row = next(iter(trainer.steps()))
        networks = trainer.policy.state_dict(), trainer.critic.state_dict(), trainer.imitation.content()
        learned.append((*networks, row["kl"]))
    assert_same(learned[0], learned[1])


def test_the_imitation_reward_is_centred(demos: Path):
    for centred in (True, False):
        trainer = Trainer("lifting", small(demos, imitation=ImitationConfig(weight=1.0, batch=32, centred=centred)), 0)
        rollout, _ = trainer.collector.collect()
        hybrid, imitation, _ = trainer.imitation.reward(rollout, trainer.generators["own"])
        assert imitation is not None
        assert imitation.mean() > 0.1
        torch.testing.assert_close(hybrid, imitation - imitation.mean() if centred else imitation)


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Tests that a shell started in its background ignore SIGINT."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_interrupted_runs_are_saved_first(demos: Path, tmp_path: Path):
    config = small(demos, checkpoint_every=1000)
    run = new_run(tmp_path, config, "stopped")

    def interrupt(row: dict[str, object]) -> None:
        if row["iteration"] == 2:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train("lifting", "laptop", config, run, report=interrupt)
    assert load_checkpoint(run.latest_checkpoint)["iteration"] == 2
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    train("lifting", "laptop", config, Run.open(run.path), resume=True)
    assert [row["iteration"] for row in Run.open(run.path).metrics()] == [1, 2, 3, 4]


def test_a_run_that_was_killed_before_its_first_checkpoint_begins_anew(demos: Path, tmp_path: Path):
    config = small(demos, checkpoint_every=1000)
    run = new_run(tmp_path, config, "killed")

    def die(row: dict[str, object]) -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        train("lifting", "laptop", config, run, report=die)
    train("lifting", "laptop", config, Run.open(run.path), resume=True)
    assert [row["iteration"] for row in Run.open(run.path).metrics()] == [1, 2, 3, 4]


def test_resumed_with_other_demonstrations_or_another_camera(
    demos: Path, demonstrations: list[Episode], tmp_path: Path
):
    content = Trainer("lifting", small(demos), 0).content()
    other = tmp_path / "other.hdf5"
    write_demonstrations(other, make_task("lifting", StagedTask), demonstrations[:2])
    with pytest.raises(VisuomotorError, match="does not hold the demonstrations that this run began with"):
        Trainer("lifting", small(other), 0).restore(content)
    with pytest.raises(VisuomotorError, match=r"another camera \(supersampling 1, now 2\)"):
        Trainer("lifting", small(demos, policy=PolicyConfig(supersampling=2)), 0).restore(content)


def test_learning_rates_fall_to_what_is_left(demos: Path):
    ppo = PpoConfig(rollout=6, epochs=1, minibatches=2, last_learning_rate=0.2)
    config = small(demos, ppo=ppo, exploration=ExplorationConfig(log_std_learning_rate=3e-3))
    trainer = Trainer("lifting", config, 0)
    rates = []
    for _ in trainer.steps():
        groups = trainer.optimisers["policy"].param_groups
        rates.append([group["lr"] for group in groups] + [trainer.sight._optimiser.param_groups[0]["lr"]])
    first = [config.ppo.learning_rate, config.ppo.vision_learning_rate, 3e-3, config.sight.update_learning_rate]
    for number, rate in enumerate(rates):
        assert rate == pytest.approx([0.2 ** (number / 4) * value for value in first])
    assert len(rates) == 4


def test_what_a_user_can_get_wrong(demos: Path, demonstrations: list[Episode], tmp_path: Path):
    with pytest.raises(VisuomotorError, match="between 0"):
        ImitationConfig(weight=1.5)
    with pytest.raises(VisuomotorError, match="between 0"):
        ImitationConfig(weight=float("nan"))
    for make in (
        lambda: PpoConfig(last_learning_rate=0.0),
        lambda: PpoConfig(discount=1.5),
        lambda: PpoConfig(learning_rate=float("nan")),
        lambda: PpoConfig(rollout=0),
        lambda: PpoConfig(clip=-0.1),
        lambda: CriticConfig(minibatches=0),
        lambda: CurriculumConfig(steps=0),
        lambda: AuxiliaryConfig(batch=0),
        lambda: BehaviorCloningConfig(renderings=0),
        lambda: PolicyConfig(image_size=3),
        lambda: PpoGailConfig(checkpoint_every=0),
        lambda: PpoGailConfig(worlds=2),  # of which four minibatches cannot be made
    ):
        with pytest.raises(VisuomotorError, match="must be between"):
            make()
    with pytest.raises(VisuomotorError, match="would learn nothing"):
        PpoGailConfig(control_steps=0)
    with pytest.raises(VisuomotorError, match="visuomotor demos script lifting"):
        Trainer("lifting", small(None), 0)
    moved = tmp_path / "moved.hdf5"
    later = [dataclasses.replace(episode, stages=episode.stages.roll(3)) for episode in demonstrations]
    write_demonstrations(moved, make_task("lifting", StagedTask), later)
    with pytest.raises(VisuomotorError, match=r"are in other stages of 'lifting' today .* --overwrite"):
        Trainer("lifting", small(moved), 0)
    with pytest.raises(VisuomotorError, match="stacking"):
        Trainer("stacking", small(demos), 0)
    failed = tmp_path / "failed.hdf5"
    write_demonstrations(
        failed,
        make_task("lifting", StagedTask),
        [dataclasses.replace(episode, success=False) for episode in demonstrations],
    )
    with pytest.raises(VisuomotorError, match="ends in success"):
        Trainer("lifting", small(failed), 0)
    silent = tmp_path / "states.hdf5"
    write_demonstrations(
        silent,
        make_task("lifting", StagedTask),
        [dataclasses.replace(episode, actions=None) for episode in demonstrations],
    )
    assert len(list(Trainer("lifting", small(silent, 1), 0).steps())) == 1  # states alone are enough
    with pytest.raises(VisuomotorError, match="hold no actions"):
        Trainer("lifting", small(silent, imitation=ImitationConfig(actions=True)), 0)
    with pytest.raises(VisuomotorError, match="no stages and rewards"):
        Trainer("hanger", small(demos), 0)


def test_the_largest_seed_trains(demos: Path):
    trainer = Trainer("lifting", small(demos, 1, sight=AuxiliaryConfig(lessons=1, batch=4, updates=1)), 2**31 - 1)
    assert len(list(trainer.steps())) == 2
