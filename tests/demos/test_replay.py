import dataclasses

import pytest
import torch

from visuomotor.demos import Demonstrations
from visuomotor.demos.observations import with_observations
from visuomotor.demos.replay import StateReplay
from visuomotor.demos.verify import verify
from visuomotor.errors import VisuomotorError
from visuomotor.tasks.task import OBSERVATIONS


def test_observations_are_those_of_the_states(lifting, episodes):
    """Against one world that is put into one state."""
    episode = episodes[1]
    replay = StateReplay(lifting, image_size=24)
    images, observations = replay.images(episode), replay.observations(episode)
    engine = lifting.make_engine(1)
    lifting.apply_randomization(engine, torch.arange(1), episode.reset_params(lifting))
    engine.set_state(episode.states[5:6])
    assert set(observations) == set(OBSERVATIONS)
    for group, values in observations.items():
        assert torch.equal(values[5], getattr(lifting, group)(engine)[0]), group
    assert set(replay.observations(episode, ("stage", "reward"))) == {"stage", "reward"}
    assert images.shape == (13, 24, 24, 3)
    assert not torch.equal(images[0], images[-1])


def test_the_appearance_can_be_another_and_differ_from_state_to_state(lifting, episodes):
    episode, replay = episodes[0], StateReplay(lifting, 24)
    recorded = replay.images(episode)
    assert torch.equal(recorded, replay.images(episode))
    generator = torch.Generator().manual_seed(1)
    one = replay.images(episode, lifting.sample_reset(1, generator).appearance)
    appearance = lifting.sample_reset(8, generator).appearance
    each = replay.images(episode, appearance)
    assert not torch.equal(recorded, one)
    last = {name: value[-1:] for name, value in appearance.items()}
    assert torch.equal(each[-1], replay.images(episode, last)[-1])
    assert not torch.equal(each[0], replay.images(episode, last)[0])


def test_an_appearance_of_another_version_matters_to_images_only(lifting, episodes):
    episode, replay = episodes[0], StateReplay(lifting, 24)
    stored = episode.appearance
    for appearance in ({**stored, "sunset": torch.ones(3)}, dict(list(stored.items())[1:])):
        old = dataclasses.replace(episode, appearance=appearance)
        features = replay.observations(old, ("object_features",))["object_features"]
        assert torch.equal(features, replay.observations(episode)["object_features"])
        with pytest.raises(VisuomotorError, match=rf"episode {old.name}: .* does not fit 'lifting' today; record it"):
            replay.images(old)
        assert len(replay.images(old, lifting.randomizer.nominal(1).appearance)) == 8


def test_an_appearance_that_cannot_be_drawn_is_named_with_its_episode(lifting, episodes):
    episode = episodes[0]
    closed = {name: 0 * value if name == "camera_zoom" else value for name, value in episode.appearance.items()}
    with pytest.raises(VisuomotorError, match=rf"episode {episode.name}: cam_fovy of camera 'front' is 0"):
        StateReplay(lifting, 24).images(dataclasses.replace(episode, appearance=closed))


def test_episodes_with_observations(lifting, episodes):
    """Of all states, in the recorded appearance."""
    observed = with_observations(lifting, episodes, image_size=24)
    replay = StateReplay(lifting, 24)
    for episode, original in zip(observed, episodes, strict=True):
        assert episode.observations.keys() == {"image", "proprioception"}
        assert torch.equal(episode.observations["image"], replay.images(original))
        proprioception = replay.observations(original, ("proprioception",))["proprioception"]
        assert torch.equal(episode.observations["proprioception"], proprioception)
        assert len(proprioception) == len(original) + 1
    nominal = replay.images(episodes[0], lifting.randomizer.nominal(1).appearance)
    assert not torch.equal(observed[0].observations["image"], nominal)


def test_long_episodes_are_read_in_parts(lifting, episodes):
    """150 states in an engine of 64 worlds, each with a first joint of its own."""
    states = episodes[0].states[:1].repeat(150, 1)
    engine = lifting.make_engine(1)
    engine.set_state(states[:1])
    engine.field("qpos")[0, lifting.robot.qpos[0]] += 1.0
    (place,) = (engine.state()[0] != states[0]).nonzero()[:, 0].tolist()
    states[:, place] = torch.arange(150) / 100
    long = dataclasses.replace(episodes[0], states=states)
    sines = StateReplay(lifting, 8).observations(long, ("proprioception",))["proprioception"][:, 0]
    torch.testing.assert_close(sines, (torch.arange(150) / 100).sin())


def test_an_untouched_recording_passes(lifting, episodes):
    for result in verify(Demonstrations("lifting", episodes, {}), lifting):
        assert result.error == 0
        assert result.passed
        assert str(result).startswith("passed: states reproduce")


def test_without_actions_only_stages_are_compared(lifting, episodes):
    bare = dataclasses.replace(episodes[0], actions=None)
    (result,) = verify(Demonstrations("lifting", [bare], {}), lifting)
    assert result.passed
    assert "no actions" in str(result)
    with pytest.raises(VisuomotorError, match="without actions"):
        StateReplay(lifting, 8).next_states(bare)


def tampered(episode, **changes):
    edited = {}
    for name, change in changes.items():
        value = getattr(episode, name)
        edited[name] = change(value.clone() if isinstance(value, torch.Tensor) else value)
    return dataclasses.replace(episode, **edited)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"actions": lambda it: it.roll(1, 0)}, "do not follow"),
        ({"states": lambda it: it + 1e-4 * (torch.arange(len(it))[:, None] == 6)}, "do not follow"),
        ({"dynamics": lambda it: {**it, "actuator_gain": it["actuator_gain"] * 1.5}}, "do not follow"),
        ({"stages": lambda it: (it + 1) % 3}, "stages are wrong"),
        ({"rewards": lambda it: it + 1}, "12 rewards are wrong"),
        ({"success": lambda it: not it}, "its success is wrong"),
    ],
)
def test_tampered_recordings_fail(lifting, episodes, changes, fault):
    (result,) = verify(Demonstrations("lifting", [tampered(episodes[1], **changes)], {}), lifting)
    assert not result.passed
    assert fault in str(result)
    assert result.name == "demo_12"
