"""Learning to see: lessons in many looks, the loss, and which updates touch the vision layers."""

import dataclasses

import pytest
import torch

from visuomotor.demos.generate import demonstrate
from visuomotor.errors import VisuomotorError
from visuomotor.policies.recurrent_policy import RecurrentPolicy
from visuomotor.algorithms.ppo_gail.config import CurriculumConfig, ImitationConfig, PpoConfig, PpoGailConfig, AuxiliaryConfig
from visuomotor.algorithms.ppo_gail.auxiliary_task import PretrainingBatches, AuxiliaryTask, object_position_loss
from visuomotor.algorithms.ppo_gail.ppo_gail import Trainer
from visuomotor.runs.distributed import Distributed
from visuomotor.tasks import VecEnv, StagedTask, make_task


@pytest.fixture(scope="module")
def task() -> StagedTask:
    return make_task("lifting", StagedTask)


def reinforcement(**changes: object) -> PpoGailConfig:
    """No demonstrations are needed."""
    config = PpoGailConfig(
        worlds=8,
        control_steps=2 * 8 * 5,
        ppo=PpoConfig(rollout=5, epochs=2, minibatches=2),
        imitation=ImitationConfig(weight=0.0),
        curriculum=CurriculumConfig(random_starts=1.0),
    )
    return dataclasses.replace(config, **changes)  # pyright: ignore[reportArgumentType]


def test_a_lesson_depends_on_its_number_alone(task: StagedTask):
    shown = demonstrate(task, 1, torch.Generator().manual_seed(1))

    def lessons(seed: int = 0) -> PretrainingBatches:
        return PretrainingBatches(task, shown, AuxiliaryConfig(batch=6), 64, 1, vary=True, seed=seed)

    first = lessons()
    images, objects = first.draw(3)
    first.draw(4)
    again, objects_again = first.draw(3)
    assert torch.equal(images, again)
    assert torch.equal(objects, objects_again)
    assert torch.equal(lessons().draw(3)[0], images)
    assert not torch.equal(lessons(seed=1).draw(3)[0], images)
    corners = images[:, :4, :4].float().mean((1, 2))  # of the background, where nothing moves
    assert torch.cdist(corners, corners)[~torch.eye(6, dtype=torch.bool)].min() > 1  # looks differ check_range a policy_targets


def test_lessons_hold_random_starts_and_demonstrated_states(task: StagedTask):
    shown = demonstrate(task, 1, torch.Generator().manual_seed(1))
    config = AuxiliaryConfig(batch=200, random_starts=0.25)
    _, objects = PretrainingBatches(task, shown, config, 20, 1, vary=True, seed=0).draw(0)
    demonstrated = torch.cat([episode.states for episode in shown])
    engine = task.make_engine(len(demonstrated))
    engine.set_state(demonstrated)
    engine.forward()
    known = torch.cdist(objects[:, 0], task.keypoints(engine)[:, 0]).amin(1) < 1e-6
    assert known.float().mean() == pytest.approx(0.75, abs=0.1)
    alone = PretrainingBatches(task, [], config, 20, 1, vary=True, seed=0).draw(0)[1]  # without demonstrations
    assert (alone[:, 0, 2] < 0.031).all()


def test_the_loss_is_hubers():
    torch.manual_seed(0)
    policy = RecurrentPolicy(4, 3, 1, image_size=20)
    images = torch.randint(256, (3, 20, 20, 3), dtype=torch.uint8)
    objects = policy.predict_keypoints(policy.encode_images(images)).detach()
    objects[0, 0, 0] += 0.02
    objects[1, 0, 1] -= 0.30
    loss, distance = object_position_loss(policy, policy.encode_images(images), objects)
    # In decimetres, over nine numbers: 0.2^2 / 2 check_range 0.5, and 0.5 (3 - 0.25) beyond it.
    assert loss.item() == pytest.approx((0.02 + 1.375) / 9, rel=1e-4)
    assert distance.item() == pytest.approx(0.02, rel=1e-3)  # the middle one of 0, 0.02 and 0.30


def test_it_learns_to_see(task: StagedTask):
    torch.manual_seed(0)
    policy = RecurrentPolicy(task.proprioception_size, 9, 1)
    lessons = PretrainingBatches(task, [], AuxiliaryConfig(batch=128), 64, 1, vary=False, seed=0)
    sight = AuxiliaryTask(policy, AuxiliaryConfig(lessons=125), Distributed())
    assert sight.fit(lessons, 1) > 0.05
    sight.fit(lessons, 119)
    assert not sight.done
    assert sight.fit(lessons, 1000) < 0.025  # the last five
    assert sight.done
    assert sight.targets == 125


def test_other_looks_are_for_one_image_only(task: StagedTask):
    episodes = VecEnv(task, 4, torch.Generator().manual_seed(0))
    before, state = episodes.images(), episodes.engine.state()
    other = episodes.render_rerandomized()
    assert ((other.float() - before.float()).abs().mean((1, 2, 3)) > 3).all()
    assert not torch.equal(episodes.render_rerandomized(), other)
    assert torch.equal(episodes.images(), before)
    assert torch.equal(episodes.engine.state(), state)
    plain = VecEnv(task, 4, torch.Generator().manual_seed(0), vary=False)
    assert torch.equal(plain.render_rerandomized(), plain.images())


@pytest.mark.parametrize("name", ["camera_shift", "camera_turn", "camera_zoom", "lamp_tilt", "table_color"])
def test_other_looks_are_of_every_kind(task: StagedTask, monkeypatch, name):
    episodes = VecEnv(task, 2, torch.Generator().manual_seed(0))
    before, other = episodes.images(), episodes.variation.clone()
    other.looks[name] += 0.1
    monkeypatch.setattr(task, "draw", lambda count, generator: other)
    assert not torch.equal(episodes.render_rerandomized(), before)
    assert torch.equal(episodes.images(), before)


def test_vision_learns_in_the_last_epochs_only():
    """Without such epochs, and without lessons, nothing moves the vision layers; with one, they move."""
    for epochs in (0, 1):
        ppo = PpoConfig(rollout=5, epochs=2, minibatches=2, vision_epochs=epochs)
        trainer = Trainer("lifting", reinforcement(ppo=ppo, sight=AuxiliaryConfig(updates=0)), 0)
        before = [parameter.detach().clone() for parameter in trainer.policy.vision]
        memory = trainer.policy.action_mean[0].weight.detach().clone()
        list(trainer.steps())
        same = [torch.equal(a, b) for a, b in zip(before, trainer.policy.vision, strict=True)]
        assert all(same) if epochs == 0 else not any(same)
        assert not torch.equal(memory, trainer.policy.action_mean[0].weight)
    with pytest.raises(VisuomotorError, match="vision_epochs"):
        PpoConfig(epochs=2, vision_epochs=3)


def test_updates_beside_reinforcement_train_vision_and_head_only():
    ppo = PpoConfig(rollout=5, epochs=1, minibatches=2, learning_rate=0.0, vision_epochs=0)
    trainer = Trainer("lifting", reinforcement(ppo=ppo, sight=AuxiliaryConfig(updates=2)), 0)
    before = {name: value.clone() for name, value in trainer.policy.state_dict().items()}
    list(trainer.steps())
    moved = {name.split(".")[0] for name, value in trainer.policy.state_dict().items() if not value.equal(before[name])}
    assert moved == {"conv1", "conv2", "image_proj", "auxiliary"}
