"""The algorithm as a whole: exact resume, the pure methods as its limits, several processes, bad input."""

import copy
import dataclasses
import math
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from visuomotor.algorithms.ppo_gail import PpoGail
from visuomotor.algorithms.ppo_gail.config import (
    AuxiliaryConfig,
    BehaviorCloningConfig,
    CriticConfig,
    CurriculumConfig,
    ExplorationConfig,
    ImitationConfig,
    PolicyConfig,
    PpoConfig,
    PpoGailConfig,
)
from visuomotor.algorithms.ppo_gail.ppo import policy_loss, update_critic
from visuomotor.algorithms.ppo_gail.returns import compute_returns
from visuomotor.algorithms.ppo_gail.rollout import Rollout
from visuomotor.algorithms.training import train
from visuomotor.demos import Episode, write_demonstrations
from visuomotor.demos.generate import demonstrate
from visuomotor.errors import VisuomotorError
from visuomotor.runs import Run, load_checkpoint
from visuomotor.runs.distributed import Distributed
from visuomotor.tasks import make_task


@pytest.fixture(scope="module")
def demonstrations() -> list[Episode]:
    return demonstrate(make_task("lifting"), 3, torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def demos(demonstrations: list[Episode], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("demos") / "lifting.hdf5"
    write_demonstrations(path, make_task("lifting"), demonstrations)
    return path


def small(demos: Path | None, iterations: int = 4, **changes: object) -> PpoGailConfig:
    config = PpoGailConfig(
        demos=demos,
        num_envs=8,
        total_steps=iterations * 8 * 6,
        save_interval=1,
        ppo=PpoConfig(num_steps=6, num_epochs=2, num_minibatches=2),
        imitation=ImitationConfig(batch_size=32, num_updates=2),
        auxiliary=AuxiliaryConfig(batch_size=16, updates_per_iteration=2),
    )
    return dataclasses.replace(config, **changes)  # pyright: ignore[reportArgumentType]


def make(config: PpoGailConfig) -> PpoGail:
    return PpoGail(make_task("lifting"), config, 0)


def new_run(root: Path, config: PpoGailConfig, name: str) -> Run:
    return Run.create(root, algorithm="ppo-gail", task="lifting", preset="laptop", seed=0, config=config, name=name)


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
    elif not where.endswith("['elapsed_seconds']"):
        assert a == b, where


def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(demos: Path, tmp_path: Path):
    cloning = BehaviorCloningConfig(num_updates=3, batch_size=2, renders_per_demo=1)
    exploration = ExplorationConfig(critic_sees_noise=True, std_schedule="geometric")
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


def test_weight_0_is_reinforcement_and_weight_1_is_imitation(demos: Path):
    """With weight 0 nothing depends on the discriminator, while demonstrated starts are used; with weight 1 nothing
    depends on the task's reward."""
    reinforced = []
    for settings in ({}, {"reward_type": "airl", "learning_rate": 0.1, "features": "privileged", "actions": True}):
        algorithm = make(small(demos, 2, imitation=ImitationConfig(weight=0.0, **settings)))
        rows = list(algorithm.steps())
        assert "discriminator_loss" not in rows[0]
        assert not algorithm.env.random_start.all()
        reinforced.append(algorithm.recurrent_policy.state_dict())
    assert_same(reinforced[0], reinforced[1])
    policies = []
    for scale in (1.0, 100.0):
        algorithm = make(small(demos, 2, imitation=ImitationConfig(weight=1.0, batch_size=32)))
        reward = algorithm.task.reward
        algorithm.task.reward = lambda engine, reward=reward, scale=scale: scale * reward(engine) + scale
        list(algorithm.steps())
        policies.append(algorithm.recurrent_policy.state_dict())
    assert_same(policies[0], policies[1])


def test_the_task_reward_can_take_the_discriminators_place(demos: Path):
    """The discriminator goes on learning beside it."""
    imitation = ImitationConfig(weight=0.3, reward_source="task", batch_size=32)
    algorithm = make(small(demos, 2, imitation=imitation))
    (row, _) = algorithm.steps()
    assert row["discriminator_accuracy/demo"] > 0
    rollout, _ = algorithm.collector.collect()
    rollout.task_reward.uniform_()
    before = copy.deepcopy(algorithm.gail.discriminator.state_dict())
    reward, imitation_reward, _ = algorithm.gail.reward(rollout, algorithm.generators["own"])
    torch.testing.assert_close(reward, rollout.task_reward)
    assert imitation_reward is not None
    assert not torch.allclose(imitation_reward, rollout.task_reward)
    after = algorithm.gail.discriminator.state_dict()
    assert not all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("recurrent", [True, False])
@pytest.mark.parametrize("features", ["object-centric", "privileged"])
def test_every_variant_trains(demos: Path, recurrent: bool, features: str):
    imitation = ImitationConfig(features=features, actions=True, batch_size=32, reward_type="airl")  # pyright: ignore[reportArgumentType]
    ppo = PpoConfig(num_steps=6, num_epochs=1, num_minibatches=2, clip_range=None, gae_lambda=1.0, entropy_coef=0.01)
    config = small(demos, 2, policy=PolicyConfig(recurrent=recurrent), imitation=imitation, ppo=ppo)
    rows = list(make(config).steps())
    assert len(rows) == 2
    assert all(value == value for row in rows for value in row.values())  # no NaN


@pytest.mark.parametrize("form", ["white", "marginal", "exact", "biased"])
def test_a_rollout_is_replayed_with_the_same_probabilities(demos: Path, form: str):
    """What minibatches compute of whole sequences is what was computed step by step while acting: every ratio is 1."""
    exploration = ExplorationConfig(noise=form, correlation=0.7)  # pyright: ignore[reportArgumentType]
    algorithm = make(small(demos, exploration=exploration))
    with torch.no_grad():
        algorithm.noise.log_std += 0.1 * torch.arange(algorithm.task.action_size)
    algorithm.env.episode_length[:] = (
        torch.arange(8) + algorithm.task.max_episode_steps - 7
    )  # episodes end all along the rollout
    before, _ = algorithm.collector.collect()
    last = before.noise[-1].clone()
    algorithm.env.episode_length[:4] = algorithm.task.max_episode_steps - 3
    algorithm.env.episode_length[4] = algorithm.task.max_episode_steps - 6  # ends with the last step
    rollout, _ = algorithm.collector.collect()
    assert rollout.episode_starts[1:].any()
    assert (~rollout.episode_starts).any()
    assert algorithm.collector.episode_starts[4]
    part = torch.tensor([6, 1, 3])
    sequence = algorithm.recurrent_policy.forward_sequence(
        algorithm.recurrent_policy.encode_images(rollout.images[:, part]),
        rollout.proprioception[:, part],
        rollout.initial_hidden_state[part],
        rollout.episode_starts[:, part],
    )
    torch.testing.assert_close(
        rollout.image_features, algorithm.recurrent_policy.encode_images(rollout.images), atol=1e-5, rtol=1e-4
    )
    torch.testing.assert_close(sequence.mean, rollout.means[:, part], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(rollout.actions, rollout.means + rollout.noise)
    # What is carried is the step before's noise, nothing at an episode's start.
    before, carried = (
        torch.cat([last[None], rollout.noise]),
        torch.cat([rollout.carried, rollout.bootstrap_carried[None]]),
    )
    starts = torch.cat([rollout.episode_starts, algorithm.collector.episode_starts[None]])
    torch.testing.assert_close(carried, before * ~starts[..., None])
    part, distributed = torch.arange(8), Distributed()
    advantages = torch.ones(rollout.episode_starts.shape)
    config = dataclasses.replace(algorithm.config.ppo, clip_range=1e-3)
    _, sums = policy_loss(
        algorithm.recurrent_policy, algorithm.noise, rollout, advantages, part, config, algorithm.kl, distributed
    )
    count, surrogate, divergence, clipped = sums.tolist()
    assert surrogate / count == pytest.approx(1, abs=1e-5)
    assert clipped == 0
    assert divergence / count == pytest.approx(0, abs=1e-6)


def test_exploration_noise_is_correlated_and_has_the_configs_deviation(demos: Path):
    ppo, exploration = PpoConfig(num_steps=40, num_minibatches=2), ExplorationConfig(correlation=0.7)
    config = small(demos, num_envs=64, ppo=ppo, exploration=exploration, randomize=False)
    algorithm = make(config)
    algorithm.env.episode_length[:] = -1000  # no episode ends
    algorithm.collector.collect()
    rollout, _ = algorithm.collector.collect()
    noise = (rollout.actions - rollout.means).flatten(1)
    assert noise.std() == pytest.approx(math.exp(algorithm.config.exploration.initial_log_std), rel=0.03)
    for lag in (1, 2):
        found = (noise[lag:] * noise[:-lag]).mean() / noise.square().mean()
        assert found == pytest.approx(0.7**lag, abs=0.03)


def test_what_a_rollout_tells_of_ends(demos: Path):
    """An episode's last state is kept apart from the next episode's first one."""
    algorithm = make(small(demos))
    algorithm.env.episode_length[:] = algorithm.task.max_episode_steps - 3  # all end with the third of six steps
    algorithm.env._outside_limit[:] = 1000
    around_reset: list[torch.Tensor] = []
    reset = algorithm.env.reset

    def remember(env_ids: torch.Tensor) -> None:
        before = algorithm.env.observe()["privileged"]
        reset(env_ids)
        if len(env_ids):
            around_reset.extend([before, algorithm.env.observe()["privileged"]])

    algorithm.env.reset = remember  # pyright: ignore[reportAttributeAccessIssue]
    rollout, _ = algorithm.collector.collect()
    assert rollout.dones.tolist() == [[step == 2] * 8 for step in range(6)]
    assert rollout.episode_starts.tolist() == [[step in (0, 3)] * 8 for step in range(6)]
    last, first = around_reset
    assert torch.equal(rollout.next_privileged[2], last)
    assert torch.equal(rollout.privileged[3], first)
    assert not torch.equal(last, first)
    going_on = torch.tensor([0, 1, 3, 4])
    assert torch.equal(rollout.next_privileged[going_on], rollout.privileged[going_on + 1])
    assert torch.equal(rollout.next_stage[going_on], rollout.stage[going_on + 1])
    assert torch.equal(rollout.bootstrap_privileged, rollout.next_privileged[-1])


def advantages_by_hand(algorithm: PpoGail, rollout: Rollout, reward: torch.Tensor, values: dict) -> torch.Tensor:
    """Generalised advantages `(K, W)`, from the last step to the first; none where the physics diverged. values: of the
    states `now` acted in and of those `reached`, `(K, W)` each."""
    ppo, following = algorithm.config.ppo, torch.zeros(reward.shape[1])
    advantages = torch.empty_like(reward)
    for step in reversed(range(len(reward))):
        error = reward[step] + ppo.gamma * values["reached"][step] - values["now"][step]
        following = error + ppo.gamma * ppo.gae_lambda * following * ~rollout.dones[step]
        advantages[step] = following = following * ~rollout.diverged[step]
    return advantages


def test_returns_hold_the_value_of_what_each_step_led_to(demos: Path):
    """Also where that is the last state of an episode, which none of the rollout's rows but its own tells."""
    exploration = ExplorationConfig(critic_sees_noise=True)
    algorithm = make(small(demos, num_envs=16, exploration=exploration))
    algorithm.env.episode_length[::4] = algorithm.task.max_episode_steps - 3  # a time limit within the rollout
    rollout, _ = algorithm.collector.collect()
    rollout.diverged[2, 1] = rollout.dones[2, 1] = True
    ended = rollout.dones & ~rollout.diverged
    assert ended[:-1].any()
    reward = torch.randn(rollout.task_reward.shape, generator=torch.Generator().manual_seed(0))
    ppo, distributed = algorithm.config.ppo, Distributed()
    before = copy.deepcopy(algorithm.critic)
    advantages, returns, states = compute_returns(algorithm.critic, rollout, reward, ppo, distributed, True)
    of_returns = algorithm.critic.returns
    before.inputs.load_state_dict(algorithm.critic.inputs.state_dict())  # learned before it values
    with torch.no_grad():
        # The noise of the step before is part of a state; only a new episode forgets it.
        previous = torch.cat([rollout.carried[:1], rollout.noise[:-1]]) * ~rollout.episode_starts[..., None]
        now = torch.cat([rollout.privileged, previous], -1)
        reached = torch.cat([rollout.next_privileged, rollout.noise], -1)
        values = {"now": before(now), "reached": before(reached)}
    expected = advantages_by_hand(algorithm, rollout, reward, values)
    valid = ~rollout.diverged
    torch.testing.assert_close(returns, (expected + values["now"])[valid])
    assert torch.equal(states, now[valid])
    assert not advantages[~valid].any()
    # The critic's normalizers know the steps that did not diverge, and no others.
    torch.testing.assert_close(algorithm.critic.inputs.mean, states.double().mean(0))
    torch.testing.assert_close(of_returns.mean[0], returns.double().mean())
    torch.testing.assert_close(of_returns.std[0], returns.double().std(correction=0))
    mean, deviation = expected[valid].mean(), expected[valid].std(correction=0)
    torch.testing.assert_close(advantages[valid], ((expected - mean) / deviation)[valid], rtol=1e-4, atol=1e-5)


def test_a_rollout_that_diverged_in_every_step_is_refused(demos: Path):
    algorithm = make(small(demos))
    rollout, _ = algorithm.collector.collect()
    rollout.diverged[:] = True
    with pytest.raises(VisuomotorError, match="blew up in every step"):
        compute_returns(algorithm.critic, rollout, rollout.task_reward, algorithm.config.ppo, Distributed())


def test_fewer_steps_than_minibatches_leave_the_critic_finite(demos: Path):
    algorithm = make(small(demos))
    states, returns = torch.randn(3, algorithm.task.size("privileged")), torch.randn(3)
    optimizer, config = algorithm.optimizers["critic"], CriticConfig(num_minibatches=4)
    generator = torch.Generator().manual_seed(0)
    loss = update_critic(algorithm.critic, optimizer, states, returns, config, Distributed(), generator)
    assert math.isfinite(loss)
    assert all(parameter.isfinite().all() for parameter in algorithm.critic.parameters())


def test_nothing_is_learned_from_diverged_steps(demos: Path):
    """What was done in such a step and where it led may be anything."""
    learned = []
    for garbage in (0.0, 1.0):
        algorithm = make(small(demos, 1))
        collect = algorithm.collector.collect

        def spoiled(collect=collect, garbage=garbage):
            rollout, timings = collect()
            rollout.diverged[3, ::2] = True
            rollout.dones[3, ::2] = rollout.episode_starts[4, ::2] = True
            rollout.actions[3, ::2] += garbage
            rollout.task_reward[3, ::2] += garbage
            rollout.next_privileged[3, ::2] += 1e6 * garbage
            return rollout, timings

        algorithm.collector.collect = spoiled
        row = next(iter(algorithm.steps()))
        networks = algorithm.recurrent_policy.state_dict(), algorithm.critic.state_dict(), algorithm.gail.state_dict()
        learned.append((*networks, row["kl"]))
    assert_same(learned[0], learned[1])


def test_the_imitation_reward_is_centred(demos: Path):
    for center in (True, False):
        imitation = ImitationConfig(weight=1.0, batch_size=32, center_reward=center)
        algorithm = make(small(demos, imitation=imitation))
        rollout, _ = algorithm.collector.collect()
        hybrid, reward, _ = algorithm.gail.reward(rollout, algorithm.generators["own"])
        assert reward is not None
        assert reward.mean() > 0.1
        torch.testing.assert_close(hybrid, reward - reward.mean() if center else reward)


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


def test_a_checkpoint_of_other_circumstances_is_refused(demos: Path, demonstrations: list[Episode], tmp_path: Path):
    content = make(small(demos)).state_dict()
    other = tmp_path / "other.hdf5"
    write_demonstrations(other, make_task("lifting"), demonstrations[:2])
    with pytest.raises(VisuomotorError, match="does not hold the demonstrations that this run began with"):
        make(small(other)).load_state_dict(content)
    with pytest.raises(VisuomotorError, match=r"another camera \(supersampling 1, now 2\)"):
        make(small(demos, policy=PolicyConfig(supersampling=2))).load_state_dict(content)
    with pytest.raises(VisuomotorError, match="holds 8 worlds, not 16"):
        make(small(demos, num_envs=16)).load_state_dict(content)
    with pytest.raises(VisuomotorError, match="written by 2 processes, this job has 1"):
        make(small(demos)).load_state_dict(content | {"processes": 2 * content["processes"]})


def test_learning_rates_fall_to_what_is_left(demos: Path):
    ppo = PpoConfig(num_steps=6, num_epochs=1, num_minibatches=2, final_lr_fraction=0.2)
    config = small(demos, ppo=ppo, exploration=ExplorationConfig(log_std_learning_rate=3e-3))
    algorithm = make(config)
    rates = []
    for _ in algorithm.steps():
        groups = algorithm.optimizers["policy"].param_groups
        rates.append([group["lr"] for group in groups] + [algorithm.auxiliary._optimizer.param_groups[0]["lr"]])
    first = [config.ppo.learning_rate, config.ppo.vision_learning_rate, 3e-3, config.auxiliary.update_learning_rate]
    for number, rate in enumerate(rates):
        assert rate == pytest.approx([0.2 ** (number / 4) * value for value in first])
    assert len(rates) == 4


def test_a_scheduled_deviation_follows_the_control_steps(demos: Path):
    exploration = ExplorationConfig(std_schedule="geometric", initial_log_std=-1.0, final_log_std=-2.0)
    rows = list(make(small(demos, exploration=exploration)).steps())
    found = [row["noise_std"] for row in rows]
    assert found == pytest.approx([math.exp(-1 - number / 4) for number in range(4)])


def test_what_a_user_can_get_wrong(demos: Path, demonstrations: list[Episode], tmp_path: Path):
    with pytest.raises(VisuomotorError, match="between 0"):
        ImitationConfig(weight=1.5)
    with pytest.raises(VisuomotorError, match="between 0"):
        ImitationConfig(weight=float("nan"))
    for refused in (
        lambda: PpoConfig(final_lr_fraction=0.0),
        lambda: PpoConfig(gamma=1.5),
        lambda: PpoConfig(learning_rate=float("nan")),
        lambda: PpoConfig(num_steps=0),
        lambda: PpoConfig(clip_range=-0.1),
        lambda: CriticConfig(num_minibatches=0),
        lambda: CurriculumConfig(max_episode_steps=0),
        lambda: AuxiliaryConfig(batch_size=0),
        lambda: BehaviorCloningConfig(renders_per_demo=0),
        lambda: PolicyConfig(image_size=3),
        lambda: PpoGailConfig(save_interval=0),
        lambda: PpoGailConfig(num_envs=2),  # of which four minibatches cannot be made
    ):
        with pytest.raises(VisuomotorError, match="must be between"):
            refused()
    with pytest.raises(VisuomotorError, match="would learn nothing"):
        PpoGailConfig(total_steps=0)
    with pytest.raises(VisuomotorError, match="visuomotor demos generate lifting"):
        make(small(None))
    moved = tmp_path / "moved.hdf5"
    later = [dataclasses.replace(episode, stages=episode.stages.roll(3)) for episode in demonstrations]
    write_demonstrations(moved, make_task("lifting"), later)
    with pytest.raises(VisuomotorError, match=r"are in other stages of 'lifting' today .* --overwrite"):
        make(small(moved))
    with pytest.raises(VisuomotorError, match="stacking"):
        PpoGail(make_task("stacking"), small(demos), 0)
    failed = tmp_path / "failed.hdf5"
    write_demonstrations(
        failed,
        make_task("lifting"),
        [dataclasses.replace(episode, success=False) for episode in demonstrations],
    )
    with pytest.raises(VisuomotorError, match="ends in success"):
        make(small(failed))
    silent = tmp_path / "states.hdf5"
    write_demonstrations(
        silent,
        make_task("lifting"),
        [dataclasses.replace(episode, actions=None) for episode in demonstrations],
    )
    assert len(list(make(small(silent, 1)).steps())) == 1  # states alone are enough
    with pytest.raises(VisuomotorError, match="hold no actions"):
        make(small(silent, imitation=ImitationConfig(actions=True)))


def test_the_largest_seed_trains(demos: Path):
    algorithm = PpoGail(
        make_task("lifting"),
        small(demos, 1, auxiliary=AuxiliaryConfig(pretraining_updates=1, batch_size=4, updates_per_iteration=1)),
        2**31 - 1,
    )
    assert len(list(algorithm.steps())) == 2
