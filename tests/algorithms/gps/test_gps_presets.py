"""Every preset of gps makes a policy that sees images of its size, and trains its vision layers on them."""

from dataclasses import replace

import pytest
import torch

from visuomotor.algorithms.gps.config import PRESETS
from visuomotor.algorithms.gps.gps import Gps
from visuomotor.tasks import VecEnv, make_task


def test_presets_are_those_of_the_command_line():
    assert set(PRESETS) == {"laptop", "paper", "gpu"}


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_makes_a_policy_that_sees(preset: str):
    config = PRESETS[preset]
    small = replace(config, device="cpu", pose=replace(config.pose, images=20, batch=10, epochs=1))
    task = make_task("hanger")
    gps = Gps(task, small, 0)
    before = [parameter.detach().clone() for parameter in gps.pose_network.parameters()]
    row = next(gps.steps())
    assert row["phase"] == "vision_pretraining"
    assert all(value == value for value in row.values())  # no NaN
    assert not all(map(torch.equal, before, gps.pose_network.parameters()))
    size, generator = config.image.size, torch.Generator().manual_seed(1)
    env = VecEnv(task, 2, generator, image_size=size, supersampling=config.image.supersampling, randomize=False)
    images = env.render()
    assert images.shape == (2, size, size, 3)
    with torch.no_grad():
        actions = gps.visuomotor_policy(images, env.observe()["proprioception"])
    assert actions.shape == (2, task.action_size)
    assert not torch.equal(actions[0], actions[1])
