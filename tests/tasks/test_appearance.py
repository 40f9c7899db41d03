"""Appearances to train on: lights that follow a body are turned too."""

import mujoco
import pytest
import torch

from visuomotor.engine import CpuEngine
from visuomotor.tasks.appearance import AppearanceRandomizer

SCENE = """
<mujoco><option jacobian="dense"/><worldbody><body name="b"><joint type="slide"/><geom size=".1"/></body>
<body pos="0 0 2"><light mode="{}" target="b" dir="0 0 -1"/></body></worldbody></mujoco>
"""


@pytest.mark.parametrize("mode", ["fixed", "track", "trackcom"])
def test_lights_are_turned_and_turned_back(mode):
    model = mujoco.MjModel.from_xml_string(SCENE.format(mode))
    engine, randomizer = CpuEngine(model, 4, 1), AppearanceRandomizer(model)
    engine.forward()
    own = engine.field("light_xdir").clone()
    randomizer.randomize(engine, torch.Generator().manual_seed(0))
    engine.forward()
    turned = torch.acos((engine.field("light_xdir") * own).sum(-1).clamp(-1, 1))
    assert (turned > 0.02).all()
    randomizer.restore(engine, torch.arange(4))
    engine.forward()
    torch.testing.assert_close(engine.field("light_xdir"), own)
