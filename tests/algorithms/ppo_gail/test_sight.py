"""Learning to see: lessons in many looks, the loss, and which updates touch the vision layers."""

import dataclasses

import pytest
import torch
from bead_task import Bead, Oracle, position_in, push

from visuomotor.demos.demonstrator import demonstrate
from visuomotor.errors import VisuomotorError
from visuomotor.policies.recurrent_policy import RecurrentPolicy
from visuomotor.ppo_gail.config import CurriculumConfig, ImitationConfig, PpoConfig, PpoGailConfig, SightConfig
from visuomotor.ppo_gail.rollout import Collector
from visuomotor.ppo_gail.sight import Lessons, Sight, sight_loss
from visuomotor.ppo_gail.trainer import Trainer
from visuomotor.runs.ranks import Ranks
from visuomotor.tasks import Episodes, StagedTask, make_task


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

    def lessons(seed: int = 0) -> Lessons:
        return Lessons(task, shown, SightConfig(batch=6), 64, 1, vary=True, seed=seed)

    first = lessons()
    images, objects = first.draw(3)
    first.draw(4)
    again, objects_again = first.draw(3)
    assert torch.equal(images, again)
    assert torch.equal(objects, objects_again)
    assert torch.equal(lessons().draw(3)[0], images)
    assert not torch.equal(lessons(seed=1).draw(3)[0], images)
    corners = images[:, :4, :4].float().mean((1, 2))  # of the background, where nothing moves
    assert torch.cdist(corners, corners)[~torch.eye(6, dtype=torch.bool)].min() > 1  # looks differ within a lesson


def test_lessons_hold_random_starts_and_demonstrated_states(task: StagedTask):
    shown = demonstrate(task, 1, torch.Generator().manual_seed(1))
    config = SightConfig(batch=200, random_starts=0.25)
    _, objects = Lessons(task, shown, config, 20, 1, vary=True, seed=0).draw(0)
    demonstrated = torch.cat([episode.states for episode in shown])
    engine = task.make_engine(len(demonstrated))
    engine.set_state(demonstrated)
    engine.forward()
    known = torch.cdist(objects[:, 0], task.object_positions(engine)[:, 0]).amin(1) < 1e-6
    assert known.float().mean() == pytest.approx(0.75, abs=0.1)
    alone = Lessons(task, [], config, 20, 1, vary=True, seed=0).draw(0)[1]  # without demonstrations
    assert (alone[:, 0, 2] < 0.031).all()


def test_lessons_pair_every_image_with_what_is_in_it():
    """A policy that reads the position off the image is right about every pair."""
    for shown in ([], [push(-1.4, [0.3] * 10), push(1.4, [-0.4] * 5)]):
        lessons = Lessons(Bead(), shown, SightConfig(batch=20), 32, 3, vary=True, seed=0)
        sight = Sight(Oracle(), SightConfig(lessons=3), Ranks())  # pyright: ignore[reportArgumentType]
        for number in range(3):
            images, objects = lessons.draw(number)
            torch.testing.assert_close(position_in(images), objects[:, 0, 0], atol=0.02, rtol=0)
            assert objects[:, 0, 0].std() > 0.1  # of another image they would differ
        assert sight.teach(lessons, 3) < 0.02


def test_updates_on_a_rollout_pair_every_image_with_what_is_in_it():
    generator = torch.Generator().manual_seed(0)
    episodes = Episodes(Bead(), 6, generator, image_size=32, supersampling=3, stagger=True)
    policy = RecurrentPolicy(1, 1, 1, image_size=32, initial_log_std=0.0)
    rollout, _ = Collector(episodes, policy, 10, generator, other_looks=True).collect()
    oracle = Oracle()
    sight = Sight(oracle, SightConfig(updates=4), Ranks())  # pyright: ignore[reportArgumentType]
    assert sight.look_again(rollout, 0.0, torch.Generator().manual_seed(0)) < 0.02
    assert oracle.images == [15] * 4  # each of the rollout's 60 states once
    # Without other images it only tells how far off the features of those that the policy acted on are.
    unseen = dataclasses.replace(rollout, other_images=None, seen=position_in(rollout.images)[..., None] + 0.5)
    assert sight.look_again(unseen, 1.0, torch.Generator()) == pytest.approx(0.5, abs=0.02)
    assert oracle.log_std == 0


@pytest.mark.parametrize(("taught", "rate"), [(0, 1.0), (3, 0.25)])
def test_the_rate_of_lessons_falls_to_nothing(taught: int, rate: float):
    """Adam's first step moves every weight with a gradient by the learning rate."""
    torch.manual_seed(0)
    policy = RecurrentPolicy(1, 1, 1, image_size=32)
    sight = Sight(policy, SightConfig(lessons=4, learning_rate=0.01), Ranks())
    sight.taught = taught
    before = policy.auxiliary[0].bias.detach().clone()
    sight.teach(Lessons(Bead(), [], SightConfig(batch=4), 32, 1, vary=True, seed=0), 1)
    assert (policy.auxiliary[0].bias - before).abs().max().item() == pytest.approx(0.01 * rate, rel=1e-3)


def test_the_loss_is_hubers():
    torch.manual_seed(0)
    policy = RecurrentPolicy(4, 3, 1, image_size=20)
    images = torch.randint(256, (3, 20, 20, 3), dtype=torch.uint8)
    objects = policy.locate(policy.see(images)).detach()
    objects[0, 0, 0] += 0.02
    objects[1, 0, 1] -= 0.30
    loss, distance = sight_loss(policy, policy.see(images), objects)
    # In decimetres, over nine numbers: 0.2^2 / 2 within 0.5, and 0.5 (3 - 0.25) beyond it.
    assert loss.item() == pytest.approx((0.02 + 1.375) / 9, rel=1e-4)
    assert distance.item() == pytest.approx(0.02, rel=1e-3)  # the middle one of 0, 0.02 and 0.30


def test_it_learns_to_see(task: StagedTask):
    torch.manual_seed(0)
    policy = RecurrentPolicy(task.proprioception_size, 9, 1)
    lessons = Lessons(task, [], SightConfig(batch=128), 64, 1, vary=False, seed=0)
    sight = Sight(policy, SightConfig(lessons=125), Ranks())
    assert sight.teach(lessons, 1) > 0.05
    sight.teach(lessons, 119)
    assert not sight.done
    assert sight.teach(lessons, 1000) < 0.025  # the last five
    assert sight.done
    assert sight.taught == 125


def test_other_looks_are_for_one_image_only(task: StagedTask):
    episodes = Episodes(task, 4, torch.Generator().manual_seed(0))
    before, state = episodes.images(), episodes.engine.state()
    other = episodes.images_in_other_looks()
    assert ((other.float() - before.float()).abs().mean((1, 2, 3)) > 3).all()
    assert not torch.equal(episodes.images_in_other_looks(), other)
    assert torch.equal(episodes.images(), before)
    assert torch.equal(episodes.engine.state(), state)
    plain = Episodes(task, 4, torch.Generator().manual_seed(0), vary=False)
    assert torch.equal(plain.images_in_other_looks(), plain.images())


@pytest.mark.parametrize("name", ["camera_shift", "camera_turn", "camera_zoom", "lamp_tilt", "table_color"])
def test_other_looks_are_of_every_kind(task: StagedTask, monkeypatch, name):
    episodes = Episodes(task, 2, torch.Generator().manual_seed(0))
    before, other = episodes.images(), episodes.variation.clone()
    other.looks[name] += 0.1
    monkeypatch.setattr(task, "draw", lambda count, generator: other)
    assert not torch.equal(episodes.images_in_other_looks(), before)
    assert torch.equal(episodes.images(), before)


def test_vision_learns_in_the_last_epochs_only():
    """Without such epochs, and without lessons, nothing moves the vision layers; with one, they move."""
    for epochs in (0, 1):
        ppo = PpoConfig(rollout=5, epochs=2, minibatches=2, vision_epochs=epochs)
        trainer = Trainer("lifting", reinforcement(ppo=ppo, sight=SightConfig(updates=0)), 0)
        before = [parameter.detach().clone() for parameter in trainer.policy.vision]
        memory = trainer.policy.mean_layer[0].weight.detach().clone()
        list(trainer.steps())
        same = [torch.equal(a, b) for a, b in zip(before, trainer.policy.vision, strict=True)]
        assert all(same) if epochs == 0 else not any(same)
        assert not torch.equal(memory, trainer.policy.mean_layer[0].weight)
    with pytest.raises(VisuomotorError, match="vision_epochs"):
        PpoConfig(epochs=2, vision_epochs=3)


def test_updates_beside_reinforcement_train_vision_and_head_only():
    ppo = PpoConfig(rollout=5, epochs=1, minibatches=2, learning_rate=0.0, vision_epochs=0)
    trainer = Trainer("lifting", reinforcement(ppo=ppo, sight=SightConfig(updates=2)), 0)
    before = {name: value.clone() for name, value in trainer.policy.state_dict().items()}
    list(trainer.steps())
    moved = {name.split(".")[0] for name, value in trainer.policy.state_dict().items() if not value.equal(before[name])}
    assert moved == {"conv1", "conv2", "image_layer", "auxiliary"}
