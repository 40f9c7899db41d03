"""The algorithm as a whole: the pure methods as its limits, its variants, its schedules, bad input."""

import copy
import dataclasses
from pathlib import Path

import pytest
import torch
from small_training import assert_same, make, small

from visuomotor.algorithms.ppo_gail import PpoGail, ppo_gail
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
from visuomotor.demos import Episode, write_demonstrations
from visuomotor.errors import VisuomotorError
from visuomotor.tasks import make_task


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


def test_the_imitation_reward_is_centred(demos: Path):
    for center in (True, False):
        imitation = ImitationConfig(weight=1.0, batch_size=32, center_reward=center)
        algorithm = make(small(demos, imitation=imitation))
        rollout, _ = algorithm.collector.collect()
        hybrid, reward, _ = algorithm.gail.reward(rollout, algorithm.generators["own"])
        assert reward is not None
        assert reward.mean() > 0.1
        torch.testing.assert_close(hybrid, reward - reward.mean() if center else reward)


@pytest.mark.parametrize("recurrent", [True, False])
@pytest.mark.parametrize("features", ["object-centric", "privileged"])
def test_every_variant_trains(demos: Path, recurrent: bool, features: str):
    imitation = ImitationConfig(features=features, actions=True, batch_size=32, reward_type="airl")  # pyright: ignore[reportArgumentType]
    ppo = PpoConfig(num_steps=6, num_epochs=1, num_minibatches=2, clip_range=None, gae_lambda=1.0, entropy_coef=0.01)
    config = small(demos, 2, policy=PolicyConfig(recurrent=recurrent), imitation=imitation, ppo=ppo)
    rows = list(make(config).steps())
    assert len(rows) == 2
    assert all(value == value for row in rows for value in row.values())  # no NaN


def test_learning_rates_fall_to_what_is_left(demos: Path, monkeypatch: pytest.MonkeyPatch):
    ppo = PpoConfig(num_steps=6, num_epochs=1, num_minibatches=2, final_lr_fraction=0.2, entropy_coef=0.4)
    config = small(demos, ppo=ppo, exploration=ExplorationConfig(log_std_learning_rate=3e-3))
    algorithm = make(config)
    rates, entropies, update = [], [], ppo_gail.update_policy
    noted = lambda *words: (entropies.append(words[5].entropy_coef), update(*words))[1]  # noqa: E731
    monkeypatch.setattr(ppo_gail, "update_policy", noted)
    for _ in algorithm.steps():
        groups = algorithm.optimizers["policy"].param_groups
        rates.append([group["lr"] for group in groups] + [algorithm.auxiliary._optimizer.param_groups[0]["lr"]])
    first = [config.ppo.learning_rate, config.ppo.vision_learning_rate, 3e-3, config.auxiliary.update_learning_rate]
    for number, rate in enumerate(rates):
        assert rate == pytest.approx([0.2 ** (number / 4) * value for value in first])
    assert len(rates) == 4
    assert entropies == pytest.approx([0.4, 0.3, 0.2, 0.1])  # the weight of entropy falls to zero


def test_what_a_user_can_get_wrong(
    demos: Path, demonstrations: list[Episode], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name, settings in {
        "imitation.weight": {"imitation": ImitationConfig(weight=1.5)},
        "imitation.clip": {"imitation": ImitationConfig(clip=float("nan"))},
        "ppo.final_lr_fraction": {"ppo": PpoConfig(final_lr_fraction=0.0)},
        "ppo.gamma": {"ppo": PpoConfig(gamma=1.5)},
        "ppo.learning_rate": {"ppo": PpoConfig(learning_rate=float("nan"))},
        "ppo.num_steps": {"ppo": PpoConfig(num_steps=0)},
        "ppo.clip_range": {"ppo": PpoConfig(clip_range=-0.1)},
        "critic.num_minibatches": {"critic": CriticConfig(num_minibatches=0)},
        "critic.hidden": {"critic": CriticConfig(hidden=(3, 0))},
        "curriculum.max_episode_steps": {"curriculum": CurriculumConfig(max_episode_steps=0)},
        "auxiliary.batch_size": {"auxiliary": AuxiliaryConfig(batch_size=0)},
        "behavior_cloning.renders_per_demo": {"behavior_cloning": BehaviorCloningConfig(renders_per_demo=0)},
        "policy.image_size": {"policy": PolicyConfig(image_size=3)},
        "save_interval": {"save_interval": 0},
        "ppo.num_minibatches": {"num_envs": 2},  # of which four minibatches cannot be made
    }.items():
        with pytest.raises(VisuomotorError, match=f"^{name}.* must be between"):
            PpoGailConfig(**settings)  # pyright: ignore[reportArgumentType]
    with pytest.raises(VisuomotorError, match="would learn nothing"):
        PpoGailConfig(total_steps=0)
    monkeypatch.chdir(tmp_path)
    command = "visuomotor demos generate lifting --out demos/lifting.hdf5"
    with pytest.raises(VisuomotorError, match=rf"make some with `{command}` and give --demos demos/lifting.hdf5 \(or"):
        make(small(None))
    Path("demos").mkdir()
    Path("demos/lifting.hdf5").touch()
    with pytest.raises(VisuomotorError, match=r"needs demonstrations: give --demos demos/lifting.hdf5 \(or do without"):
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
        [dataclasses.replace(each, success=False, stages=each.stages.clamp(max=0)) for each in demonstrations],
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
