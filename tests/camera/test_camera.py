"""The camera in cases that can be checked by hand."""

import mujoco
import numpy as np
import pytest
import torch
from random_scenes import WORLDS, random_engine

from visuomotor.camera import Camera
from visuomotor.engine import CpuEngine
from visuomotor.errors import VisuomotorError

SCENE = """
<mujoco>
  <option jacobian="dense"/>
  <visual><headlight ambient="1 1 1" diffuse="0 0 0" specular="0 0 0"/></visual>
  <worldbody>
    <camera name="front" pos="0 0 0" fovy="90"/>
    <camera name="back" pos="0 0 -8" euler="0 180 0"/>
    <camera name="flat" pos="0 0 0" projection="orthographic" fovy="2"/>
    <geom name="middle" size=".5" pos="0 0 -4" rgba="1 0 0 1"/>
    <geom name="right" type="box" size=".2 .2 .2" pos="2 0 -4" rgba="0 1 0 1"/>
    <geom name="above" type="capsule" size=".2 .2" pos="0 2 -4" rgba="0 0 1 1"/>
    <geom name="hidden" size=".3" pos="0 0 -2" rgba="1 1 1 1" group="3"/>
    <geom name="glass" size=".3" pos="0 0 -2" rgba="1 1 1 0"/>
    <geom name="around" size=".3" pos="0 0 0" rgba="1 1 1 1"/>
    <geom name="wall" type="plane" size="3 3 1" pos="0 0 -6" rgba=".5 .25 1 1"/>
  </worldbody>
</mujoco>
"""


@pytest.fixture
def engine() -> CpuEngine:
    return CpuEngine(mujoco.MjModel.from_xml_string(SCENE), 3)


def _places(segmentation: torch.Tensor, engine: CpuEngine, name: str) -> np.ndarray:
    return np.argwhere(segmentation.numpy() == engine.model.geom(name).id)


def test_depth_is_along_the_view_axis(engine: CpuEngine) -> None:
    frame = Camera(engine, "front", 101, 101).render()
    assert frame.depth[0, 50, 50] == pytest.approx(3.5, rel=1e-5)  # the sphere's nearest point
    assert frame.depth[0, 30, 30] == pytest.approx(6.0, rel=1e-5)  # the wall, though its ray is longer
    assert frame.depth[0, 50, 50 + round(50.5 * 2 / 4)] == pytest.approx(3.8, rel=1e-5)  # the box's front face


def test_outline_of_a_sphere(engine: CpuEngine) -> None:
    frame = Camera(engine, "front", 201, 201).render()
    rows, columns = _places(frame.segmentation[0], engine, "middle").T
    radius = 100.5 * 0.5 / np.sqrt(4**2 - 0.5**2)  # of the cone of rays that touch it, in pixels
    assert columns.max() - columns.min() == 2 * int(radius)
    assert rows.mean() == pytest.approx(100)
    assert len(rows) == pytest.approx(np.pi * radius**2, rel=0.02)


def test_right_is_right_and_up_is_up(engine: CpuEngine) -> None:
    segmentation = Camera(engine, "front").render().segmentation[0]
    middle = _places(segmentation, engine, "middle").mean(axis=0)
    right, above = (
        _places(segmentation, engine, "right").mean(axis=0),
        _places(segmentation, engine, "above").mean(axis=0),
    )
    assert right[1] > middle[1] + 10
    assert right[0] == pytest.approx(middle[0], abs=0.5)
    assert above[0] < middle[0] - 10
    assert above[1] == pytest.approx(middle[1], abs=0.5)


def test_what_cannot_be_seen(engine: CpuEngine) -> None:
    segmentation = Camera(engine, "front").render().segmentation
    for name in ("hidden", "glass", "around"):  # a hidden group; alpha 0; the camera is inside
        assert len(_places(segmentation, engine, name)) == 0
    behind = Camera(engine, "back").render()
    assert len(_places(behind.segmentation, engine, "wall")) == 0  # seen from its back


def test_colours_and_background(engine: CpuEngine) -> None:
    frame = Camera(engine, "front", 64, 128).render()
    assert frame.rgb.shape == (3, 64, 128, 3)
    assert frame.rgb[0, 32, 64].tolist() == [255, 0, 0]
    assert frame.rgb[0, 44, 64].tolist() == [127, 63, 255]
    background = frame.segmentation == -1
    assert background.any()
    assert (frame.depth[background] == 0).all()
    assert (frame.rgb[background] == 0).all()


def test_worlds_differ_where_their_fields_do(engine: CpuEngine) -> None:
    camera = Camera(engine, "front")
    before = camera.rgb()
    assert torch.equal(before[0], before[1])
    engine.model_field("geom_rgba")[1, 0] = torch.tensor([0.0, 1.0, 1.0, 1.0])
    engine.model_field("cam_fovy")[2] = 45.0
    after = camera.rgb()
    assert torch.equal(after[0], before[0])
    assert after[1, 32, 32].tolist() == [0, 255, 255]
    assert not torch.equal(after[2], before[2])
    assert torch.equal(camera.rgb(torch.tensor([2, 0])), after[[2, 0]])


def test_supersampling_averages_the_larger_image() -> None:
    engine = random_engine(3)
    large = Camera(engine, "eye", 96, 60).rgb().float()
    small = Camera(engine, "eye", 32, 20, supersampling=3).rgb().float()
    mean = large.view(WORLDS, 32, 3, 20, 3, 3).mean(dim=(2, 4))
    assert (small - mean).abs().max() <= 0.5001


def test_threads_and_chosen_worlds_change_nothing() -> None:
    engine = random_engine(4)
    one, three = Camera(engine, "eye", threads=1).render(), Camera(engine, "eye", threads=3).render()
    again = Camera(engine, "eye", threads=2).render(torch.arange(1, WORLDS))
    for name in ("rgb", "depth", "segmentation"):
        assert torch.equal(getattr(one, name), getattr(three, name))
        assert torch.equal(getattr(one, name)[1:], getattr(again, name))


def test_every_call_makes_fresh_tensors(engine: CpuEngine) -> None:
    camera = Camera(engine, "front", 8, 8)
    first = camera.rgb()
    copy = first.clone()
    engine.model_field("geom_rgba")[:] = 1.0
    camera.rgb()
    assert torch.equal(first, copy)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "nose"}, "back, flat, front"),
        ({"name": "flat"}, "perspective"),
        ({"height": 0}, "height must be between 1"),
        ({"width": 5000}, "width must be between 1"),
        ({"supersampling": 0}, "supersampling must be between 1"),
        ({"threads": -1}, "threads must be 0"),
    ],
)
def test_bad_arguments(engine: CpuEngine, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(VisuomotorError, match=message):
        Camera(engine, **{"name": "front", **arguments})


@pytest.mark.parametrize("worlds", [torch.tensor([3]), torch.tensor([-1]), torch.tensor([0.0]), torch.tensor(1)])
def test_bad_worlds(engine: CpuEngine, worlds: torch.Tensor) -> None:
    with pytest.raises(VisuomotorError, match="worlds must"):
        Camera(engine, "front", 8, 8).rgb(worlds)
