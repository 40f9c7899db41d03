import dataclasses

import pytest
import torch

from visuomotor.demos import Demonstrations
from visuomotor.demos.verify import check
from visuomotor.demos.replay import StateReplay
from visuomotor.errors import VisuomotorError


def test_observations_are_those_of_the_states(lifting, episodes):
    """Against one world that is put into one state."""
    episode = episodes[1]
    replay = StateReplay(lifting, image_size=24)
    images, readings = replay.images(episode), replay.readings(episode)
    engine, world = lifting.make_engine(1), torch.zeros(1, dtype=torch.int64)
    lifting.vary(engine, world, episode.variation(lifting))
    engine.set_state(episode.states[5:6])
    assert torch.equal(readings.proprioception[5], lifting.proprioception(engine)[0])
    assert images.shape == (13, 24, 24, 3)
    assert not torch.equal(images[0], images[-1])


def test_looks_can_be_others_and_differ_from_state_to_state(lifting, episodes):
    episode, replay = episodes[0], StateReplay(lifting, 24)
    recorded = replay.images(episode)
    assert torch.equal(recorded, replay.images(episode))
    generator = torch.Generator().manual_seed(1)
    one = replay.images(episode, lifting.draw(1, generator).looks)
    looks = lifting.draw(8, generator).looks
    each = replay.images(episode, looks)
    assert not torch.equal(recorded, one)
    last = {name: value[-1:] for name, value in looks.items()}
    assert torch.equal(each[-1], replay.images(episode, last)[-1])
    assert not torch.equal(each[0], replay.images(episode, last)[0])


def test_looks_of_another_version_do_not_matter_but_to_the_eye(lifting, episodes):
    episode, replay = episodes[0], StateReplay(lifting, 24)
    for looks in ({**episode.looks, "sunset": torch.ones(3)}, dict(list(episode.looks.items())[1:])):
        old = dataclasses.replace(episode, looks=looks)
        assert torch.equal(replay.readings(old).features, replay.readings(episode).features)
        with pytest.raises(VisuomotorError, match="not those that 'lifting' has today; record it anew"):
            replay.images(old)
        assert len(replay.images(old, lifting.plain(1).looks)) == 8


def test_long_episodes_are_read_in_parts(lifting, episodes):
    long = dataclasses.replace(episodes[0], states=episodes[0].states[:1].expand(150, -1))
    readings = StateReplay(lifting, 8).readings(long)
    assert readings.proprioception.shape == (150, lifting.proprioception_size)
    assert torch.equal(readings.features[0], readings.features[-1])


def test_an_untouched_recording_passes(lifting, episodes):
    for result in check(Demonstrations("lifting", episodes, {}), lifting):
        assert result.error == 0
        assert result.passed
        assert str(result).startswith("passed: states reproduce")


def test_without_actions_only_stages_are_compared(lifting, episodes):
    bare = dataclasses.replace(episodes[0], actions=None)
    (result,) = check(Demonstrations("lifting", [bare], {}), lifting)
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
        ({"physics": lambda it: {**it, "motor_gain": it["motor_gain"] * 1.5}}, "do not follow"),
        ({"stages": lambda it: (it + 1) % 3}, "stages are wrong"),
        ({"rewards": lambda it: it + 1}, "12 rewards are wrong"),
        ({"success": lambda it: not it}, "its success is wrong"),
    ],
)
def test_tampered_recordings_fail(lifting, episodes, changes, fault):
    (result,) = check(Demonstrations("lifting", [tampered(episodes[1], **changes)], {}), lifting)
    assert not result.passed
    assert fault in str(result)
