"""The auxiliary task: pretraining in many appearances, the loss, and which updates touch the vision layers."""

import dataclasses

import pytest
import torch
from bead_task import Bead, Oracle, noise, position_in, push

from visuomotor.algorithms.ppo_gail import PpoGail
from visuomotor.algorithms.ppo_gail.auxiliary_task import AuxiliaryTask, PretrainingBatches, object_position_loss
from visuomotor.algorithms.ppo_gail.config import (
    AuxiliaryConfig,
    CurriculumConfig,
    ImitationConfig,
    PpoConfig,
    PpoGailConfig,
)
from visuomotor.algorithms.ppo_gail.rollout import Collector
from visuomotor.demos.generate import demonstrate
from visuomotor.errors import VisuomotorError
from visuomotor.policies.recurrent_policy import RecurrentPolicy
from visuomotor.runs.distributed import Distributed
from visuomotor.tasks import Task, VecEnv, make_task


@pytest.fixture(scope="module")
def task() -> Task:
    return make_task("lifting")


def reinforcement(**changes: object) -> PpoGailConfig:
    """No demonstrations are needed."""
    config = PpoGailConfig(
        num_envs=8,
        total_steps=2 * 8 * 5,
        ppo=PpoConfig(num_steps=5, num_epochs=2, num_minibatches=2),
        imitation=ImitationConfig(weight=0.0),
        curriculum=CurriculumConfig(random_start_fraction=1.0),
    )
    return dataclasses.replace(config, **changes)  # pyright: ignore[reportArgumentType]


def test_a_batch_depends_on_its_number_alone(task: Task):
    shown = demonstrate(task, 1, torch.Generator().manual_seed(1))

    def batches(seed: int = 0) -> PretrainingBatches:
        return PretrainingBatches(task, shown, AuxiliaryConfig(batch_size=6), 64, 1, randomize=True, seed=seed)

    first = batches()
    images, keypoints = first.draw(3)
    first.draw(4)
    again, keypoints_again = first.draw(3)
    assert torch.equal(images, again)
    assert torch.equal(keypoints, keypoints_again)
    assert torch.equal(batches().draw(3)[0], images)
    assert not torch.equal(batches(seed=1).draw(3)[0], images)
    assert not torch.equal(first.draw(4)[0], images)
    corners = images[:, :4, :4].float().mean((1, 2))  # of the background, where nothing moves
    assert torch.cdist(corners, corners)[~torch.eye(6, dtype=torch.bool)].min() > 1  # appearances differ


def test_batches_hold_random_starts_and_demonstrated_states(task: Task):
    shown = demonstrate(task, 1, torch.Generator().manual_seed(1))
    config = AuxiliaryConfig(batch_size=200, random_start_fraction=0.25)
    _, keypoints = PretrainingBatches(task, shown, config, 20, 1, randomize=True, seed=0).draw(0)
    demonstrated = torch.cat([episode.states for episode in shown])
    engine = task.make_engine(len(demonstrated))
    engine.set_state(demonstrated)
    engine.forward()
    known = torch.cdist(keypoints[:, 0], task.keypoints(engine)[:, 0]).amin(1) < 1e-6
    assert known.float().mean() == pytest.approx(0.75, abs=0.1)
    alone = PretrainingBatches(task, [], config, 20, 1, randomize=True, seed=0).draw(0)[1]  # without demonstrations
    assert (alone[:, 0, 2] < 0.031).all()


def test_batches_pair_every_image_with_what_is_in_it():
    """A policy that reads the position off the image is right about every pair."""
    for shown in ([], [push(-1.4, [0.3] * 10), push(1.4, [-0.4] * 5)]):
        batches = PretrainingBatches(Bead(), shown, AuxiliaryConfig(batch_size=20), 32, 3, randomize=True, seed=0)
        auxiliary = AuxiliaryTask(Oracle(), AuxiliaryConfig(pretraining_updates=3), Distributed())  # pyright: ignore[reportArgumentType]
        for number in range(3):
            images, keypoints = batches.draw(number)
            torch.testing.assert_close(position_in(images), keypoints[:, 0, 0], atol=0.02, rtol=0)
            assert keypoints[:, 0, 0].std() > 0.1  # of another image they would differ
        assert auxiliary.pretrain(batches, 3) < 0.02


def test_updates_on_a_rollout_pair_every_image_with_what_is_in_it():
    generator = torch.Generator().manual_seed(0)
    env = VecEnv(Bead(), 6, generator, image_size=32, supersampling=3, init_at_random_ep_len=True)
    policy = RecurrentPolicy(1, 1, 1, image_size=32)
    rollout, _ = Collector(env, policy, noise(), 10, generator, rerandomize=True).collect()
    oracle = Oracle()
    auxiliary = AuxiliaryTask(oracle, AuxiliaryConfig(updates_per_iteration=4), Distributed())  # pyright: ignore[reportArgumentType]
    assert auxiliary.update_on_rollout(rollout, 0.0, torch.Generator().manual_seed(0)) < 0.02
    assert oracle.images == [15] * 4  # each of the rollout's 60 states once
    # Without other images it only tells how far off the features of those that the policy acted on are.
    unseen = dataclasses.replace(
        rollout, rerandomized_images=None, image_features=position_in(rollout.images)[..., None] + 0.5
    )
    assert auxiliary.update_on_rollout(unseen, 1.0, torch.Generator()) == pytest.approx(0.5, abs=0.02)
    assert oracle.weight == 0


@pytest.mark.parametrize(("updates", "rate"), [(1, 0.85355), (3, 0.14645)])
def test_the_rate_of_pretraining_falls_along_a_cosine(updates: int, rate: float):
    """Adam's first step moves every weight with a gradient by the learning rate."""
    torch.manual_seed(0)
    policy = RecurrentPolicy(1, 1, 1, image_size=32)
    auxiliary = AuxiliaryTask(policy, AuxiliaryConfig(pretraining_updates=4, learning_rate=0.01), Distributed())
    auxiliary.num_updates = updates
    before = policy.keypoint_head[0].bias.detach().clone()
    auxiliary.pretrain(PretrainingBatches(Bead(), [], AuxiliaryConfig(batch_size=4), 32, 1, randomize=True, seed=0), 1)
    assert (policy.keypoint_head[0].bias - before).abs().max().item() == pytest.approx(0.01 * rate, rel=2e-3)


def test_the_loss_is_the_mean_distance_in_decimetres():
    torch.manual_seed(0)
    policy = RecurrentPolicy(4, 3, 1, image_size=20)
    images = torch.randint(256, (3, 20, 20, 3), dtype=torch.uint8)
    keypoints = policy.predict_keypoints(policy.encode_images(images)).detach()
    keypoints[0, 0, 0] += 0.02
    keypoints[1, 0, 1] -= 0.30
    loss, distance = object_position_loss(policy, policy.encode_images(images), keypoints)
    smooth = [(distance**2 + 0.03**2) ** 0.5 for distance in (0.2, 3.0, 0.0)]
    assert loss.item() == pytest.approx(sum(smooth) / 3, rel=1e-4)
    assert distance.item() == pytest.approx(0.02, rel=1e-3)  # the middle one of 0, 0.02 and 0.30


def test_it_learns_to_see(task: Task):
    torch.manual_seed(0)
    policy = RecurrentPolicy(task.size("proprioception"), 9, 1)
    batches = PretrainingBatches(task, [], AuxiliaryConfig(batch_size=128), 64, 1, randomize=False, seed=0)
    auxiliary = AuxiliaryTask(policy, AuxiliaryConfig(pretraining_updates=125), Distributed())
    assert auxiliary.pretrain(batches, 1) > 0.05
    auxiliary.pretrain(batches, 119)
    assert not auxiliary.pretrained
    assert auxiliary.pretrain(batches, 1000) < 0.025  # the last five
    assert auxiliary.pretrained
    assert auxiliary.num_updates == 125


def test_another_appearance_is_for_one_image_only(task: Task):
    env = VecEnv(task, 4, torch.Generator().manual_seed(0))
    before, state = env.render(), env.engine.state()
    other = env.render_rerandomized()
    assert ((other.float() - before.float()).abs().mean((1, 2, 3)) > 3).all()
    assert not torch.equal(env.render_rerandomized(), other)
    assert torch.equal(env.render(), before)
    assert torch.equal(env.engine.state(), state)
    plain = VecEnv(task, 4, torch.Generator().manual_seed(0), randomize=False)
    assert torch.equal(plain.render_rerandomized(), plain.render())


@pytest.mark.parametrize("name", ["camera_shift", "camera_turn", "camera_zoom", "light_tilt", "table_color"])
def test_another_appearance_is_of_every_kind(task: Task, monkeypatch, name):
    env = VecEnv(task, 2, torch.Generator().manual_seed(0))
    before, other = env.render(), env.params.clone()
    other.appearance[name] += 0.1
    monkeypatch.setattr(task, "sample_reset", lambda *_: other)
    assert not torch.equal(env.render_rerandomized(), before)
    assert torch.equal(env.render(), before)


def test_vision_learns_in_the_last_epochs_only():
    """Without such epochs, and without the auxiliary task, nothing moves the vision layers; with one, they move."""
    for epochs in (0, 1):
        ppo = PpoConfig(num_steps=5, num_epochs=2, num_minibatches=2, vision_epochs=epochs)
        algorithm = PpoGail(
            make_task("lifting"), reinforcement(ppo=ppo, auxiliary=AuxiliaryConfig(updates_per_iteration=0)), 0
        )
        before = [parameter.detach().clone() for parameter in algorithm.recurrent_policy.vision_parameters]
        memory = algorithm.recurrent_policy.action_mean[0].weight.detach().clone()
        list(algorithm.steps())
        same = [torch.equal(a, b) for a, b in zip(before, algorithm.recurrent_policy.vision_parameters, strict=True)]
        assert all(same) if epochs == 0 else not any(same)
        assert not torch.equal(memory, algorithm.recurrent_policy.action_mean[0].weight)
    with pytest.raises(VisuomotorError, match="vision_epochs"):
        PpoGailConfig(ppo=PpoConfig(num_epochs=2, vision_epochs=3))


def test_updates_beside_reinforcement_train_vision_and_head_only():
    ppo = PpoConfig(num_steps=5, num_epochs=1, num_minibatches=2, learning_rate=0.0, vision_epochs=0)
    algorithm = PpoGail(
        make_task("lifting"), reinforcement(ppo=ppo, auxiliary=AuxiliaryConfig(updates_per_iteration=2)), 0
    )
    before = {name: value.clone() for name, value in algorithm.recurrent_policy.state_dict().items()}
    list(algorithm.steps())
    moved = {
        name.split(".")[0]
        for name, value in algorithm.recurrent_policy.state_dict().items()
        if not value.equal(before[name])
    }
    assert moved == {"conv1", "conv2", "image_proj", "keypoint_head"}
