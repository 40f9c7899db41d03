"""The camera in cases that can be checked by hand."""

import warnings

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


def test_a_plane_from_behind_is_three_tenths_opaque(engine: CpuEngine) -> None:
    behind = Camera(engine, "back").render()
    assert len(_places(behind.segmentation[0], engine, "wall")) > 1000
    assert behind.depth[0, 2, 32] == pytest.approx(2.0, rel=1e-5)
    # MuJoCo lays it over the black background twice: 127 * (1 - 0.7^2).
    assert behind.rgb[0, 2, 32].tolist() == pytest.approx([65, 32, 130], abs=1)


def test_geom_groups(engine: CpuEngine) -> None:
    frame = Camera(engine, "front", groups=(3,)).render()
    assert set(np.unique(frame.segmentation)) == {-1, engine.model.geom("hidden").id}


NEAR = """
<mujoco><option jacobian="dense"/><statistic extent="10"/>
  <visual><headlight ambient="1 1 1" diffuse="0 0 0" specular="0 0 0"/><map znear=".1" zfar="2"/></visual>
  <asset><mesh name="wedge" vertex="0 0 0  1 0 0  0 1 0  0 0 1"/></asset>
  <worldbody>
    <camera name="eye" pos="0 0 0" fovy="90"/>
    {geom}
    <geom name="wall" type="plane" size="30 30 1" pos="0 0 -15"/>
  </worldbody>
</mujoco>
"""


@pytest.mark.parametrize(
    "shape",
    [
        'type="box" size=".3 .3 .1" pos="0 0 {z}"',
        'type="cylinder" size=".3 .1" pos="0 0 {z}"',
        'type="sphere" size=".1" pos="0 0 {z}"',
        'type="ellipsoid" size=".2 .3 .1" pos="0 0 {z}"',
        'type="capsule" size=".1 .3" euler="90 0 0" pos="0 0 {z}"',
        'type="plane" size=".3 .3 .1" pos="0 0 {top}"',
    ],
)
def test_nothing_nearer_than_the_near_plane(shape: str) -> None:
    for z, seen in ((-1.15, True), (-1.05, False)):  # nearest depths 1.05 and 0.95; the near plane is at 1
        geom = f'<geom name="thing" {shape.format(z=z, top=z + 0.1)}/>'
        engine = CpuEngine(mujoco.MjModel.from_xml_string(NEAR.format(geom=geom)), 1, 1)
        frame = Camera(engine, "eye", 33, 33).render()
        assert (engine.model.geom(int(frame.segmentation[0, 16, 16])).name == "thing") == seen
        assert frame.depth.min() >= 1.0


def test_a_face_is_cut_at_the_near_plane() -> None:
    spec = mujoco.MjSpec.from_string(NEAR.format(geom=""))
    spec.add_mesh(
        name="ramp",
        uservert=[-9, -1, 0.5, 9, -1, 0.5, 0, -1, -6, 0, -3, -2],
        userface=[0, 1, 2, 0, 2, 3, 2, 1, 3, 1, 0, 3],
    )
    spec.worldbody.add_geom(name="ramp", type=mujoco.mjtGeom.mjGEOM_MESH, meshname="ramp")
    model = spec.compile()
    engine = CpuEngine(model, 1, 1)
    frame = Camera(engine, "eye", 65, 65).render()
    rows = np.unique(_places(frame.segmentation[0], engine, "ramp")[:, 0])
    # The ramp lies 1 m below the camera, so a row at the angle a below the middle sees it at 1 / tan a: from 1 m at the
    # lowest row (45 degrees) to 6 m.
    assert rows.max() == 64
    assert frame.depth[0, 64, 32] == pytest.approx(65 / 64, rel=1e-3)
    assert rows.min() == pytest.approx(32 + 65 / 2 / 6, abs=1)


def test_lights_that_are_off() -> None:
    scene = NEAR.format(geom='<light pos="0 0 0"/>').replace("<headlight ", '<headlight active="false" ')
    engine = CpuEngine(mujoco.MjModel.from_xml_string(scene), 2, 1)
    engine.model_field("light_active")[1] = 0
    engine.forward()
    images = Camera(engine, "eye", 9, 9).rgb()
    assert images[1, 4, 4].tolist() == [38, 38, 38]  # 0.3 of the geom's 0.5
    assert images[0, 4, 4, 0] > 60


SUN = '<light type="directional" dir="0 0 -1" diffuse=".1 .1 .1" specular="0 0 0"/>'
SPOT = '<light pos="5 0 -10" dir="0 0 -1" diffuse=".8 .8 .8" specular="0 0 0" {}/>'
IMAGE = '<light type="image" texture="sky" diffuse=".8 .8 .8"/>'


@pytest.mark.parametrize(
    ("headlight", "lights", "light"),
    [
        (False, 9 * SUN, 0.8),  # MuJoCo shows 8
        (True, 9 * SUN, 1.7),  # the headlight, whose ambient light is 1, is the first of them
        (False, SUN.replace("/>", ' active="false"/>') + 8 * SUN, 0.8),
        (False, SUN.replace("directional", "point") + 9 * SUN, 0.9),  # MuJoCo leaves point lights out
        (False, IMAGE + 9 * SUN, 0.8),
        (False, IMAGE, 0.3),  # no light at all
        (False, SPOT.format('cutoff="90" exponent="2"'), 0.8 * 0.5**1.5),  # seen by the wall at 45 degrees
        (False, SPOT.format('cutoff="44" exponent="0"'), 0.0),
        (False, SPOT.format('cutoff="180" exponent="2"'), 0.8 * 0.5**0.5),  # no cone
        (False, SPOT.format('cutoff="90" exponent="129"'), 0.8 * 0.5**0.5),  # no number that OpenGL takes
    ],
)
def test_which_lights_shine_and_how_far(headlight: bool, lights: str, light: float) -> None:
    scene = NEAR.format(geom=lights).replace("<headlight ", f'<headlight active="{headlight}" '.lower())
    scene = scene.replace("<asset>", '<asset><texture name="sky" type="cube" builtin="flat" width="8" height="8"/>')
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        camera = Camera(CpuEngine(mujoco.MjModel.from_xml_string(scene), 1, 1), "eye", 9, 9)
    assert int(camera.rgb()[0, 4, 4, 0]) == pytest.approx(127.5 * light, abs=1)


SENSOR = """
<mujoco><option jacobian="dense"/><worldbody>
  <camera name="eye" sensorsize=".02 .015" resolution="64 48" focal=".02 .02" principal="{principal} 0"/>
  <geom type="plane" size="1 .75 .1" pos="0 0 -4"/>
</worldbody></mujoco>
"""


@pytest.mark.parametrize(("height", "width"), [(48, 64), (60, 60), (80, 40), (20, 96)])
def test_the_whole_sensor_is_stretched_over_the_image(height: int, width: int) -> None:
    engine = CpuEngine(mujoco.MjModel.from_xml_string(SENSOR.format(principal=0)), 2, 1)
    engine.model_field("cam_sensorsize")[1] *= 2.0
    seen = Camera(engine, "eye", height, width).render().segmentation.numpy() == 0
    for world, share in ((0, 0.5), (1, 0.25)):  # of the sensor that the plane covers, in both directions
        rows, columns = np.argwhere(seen[world]).T
        for places, size in ((rows, height), (columns, width)):
            middle, half = size / 2, share * size / 2
            assert (places.min(), places.max() + 1) == pytest.approx((middle - half, middle + half), abs=0.6)


def test_the_principal_point_moves_the_image() -> None:
    engine = CpuEngine(mujoco.MjModel.from_xml_string(SENSOR.format(principal=0.0025)), 1, 1)
    columns = np.argwhere(Camera(engine, "eye", 60, 80).render().segmentation[0].numpy() == 0)[:, 1]
    assert (columns.min(), columns.max() + 1) == (10, 50)  # an eighth of the sensor


QUADRANTS = """
<mujoco><option jacobian="dense"/><statistic extent="1"/>
  <visual><headlight ambient="1 1 1" diffuse="0 0 0" specular="0 0 0"/></visual>
  <asset><texture name="four" type="2d" builtin="flat" width="64" height="64"/>
  <material name="four" texture="four" texrepeat="{repeat}" rgba="1 1 1 {alpha}"/></asset>
  <worldbody><camera name="eye" pos="0 0 2" fovy="90"/>
  <geom type="{kind}" size="{size} .001" material="four"/></worldbody>
</mujoco>
"""


def _quadrants(kind: str = "plane", alpha: float = 1.0, size: str = "1 1", repeat: str = "1 1") -> torch.Tensor:
    """An image of a texture that is red and green above, blue and white below."""
    scene = QUADRANTS.format(kind=kind, alpha=alpha, size=size, repeat=repeat)
    model = mujoco.MjModel.from_xml_string(scene)
    image = np.zeros((64, 64, 3), np.uint8)
    image[:32, :32, 0], image[:32, 32:, 1], image[32:, :32, 2], image[32:, 32:] = 255, 255, 255, 255
    model.tex_data[:] = image.ravel()
    return Camera(CpuEngine(model, 1, 1), "eye", 64, 64).rgb()[0]


@pytest.mark.parametrize("kind", ["plane", "box"])
@pytest.mark.parametrize(("alpha", "white"), [(1.0, 255), (0.5, 192)])
def test_texture_the_right_way_round(kind: str, alpha: float, white: int) -> None:
    pixels = _quadrants(kind, alpha)
    # The texture's first row is at the top of a plane that is seen from above; a half transparent one is laid on twice.
    assert pixels[24, 24].tolist() == [white, 0, 0]
    assert pixels[24, 40].tolist() == [0, white, 0]
    assert pixels[40, 24].tolist() == [0, 0, white]
    assert pixels[40, 40].tolist() == [white, white, white]


@pytest.mark.parametrize(
    ("size", "repeat", "left", "right"),
    [
        ("1 1", "0 -2", [255, 0, 0], [0, 255, 0]),  # no repeat above 0: once
        ("1 0", "1 1", [0, 255, 0], [255, 0, 0]),  # half a texture further along the side that ends
        ("0 1", "1 1", [0, 0, 255], [255, 255, 255]),
        ("0 0", "0 1", [255, 0, 0], [0, 255, 0]),
    ],
)
def test_texture_of_planes_as_in_mujoco(size: str, repeat: str, left: list[int], right: list[int]) -> None:
    pixels = _quadrants(size=size, repeat=repeat)
    assert (pixels[24, 24].tolist(), pixels[24, 40].tolist()) == (left, right)


def _with_ball(subdivision: int, place: list[float]) -> CpuEngine:
    spec = mujoco.MjSpec.from_string(NEAR.format(geom=""))
    mesh = spec.add_mesh(name="ball")
    mesh.make_sphere(subdivision)
    spec.worldbody.add_geom(name="ball", type=mujoco.mjtGeom.mjGEOM_MESH, meshname="ball", pos=place)
    return CpuEngine(spec.compile(), 1, 1)


def test_faces_end_at_the_border() -> None:
    """They are drawn some pixels at a time, which reach into the next row."""
    engine = _with_ball(2, [5.8, -5.8, -6])
    rows, columns = _places(Camera(engine, "eye", 96, 96).render().segmentation[0], engine, "ball").T
    assert min(rows.min(), columns.min()) > 80
    assert (rows.max(), columns.max()) == (95, 95)


def test_a_large_mesh_is_drawn_face_by_face() -> None:
    """A sphere of 5,120 triangles, some two to a pixel, has the outline and depth of a sphere."""
    engine = _with_ball(4, [0.3, 0.2, -6])
    assert engine.model.nmeshface > 5_000
    frame = Camera(engine, "eye", 96, 96).render()
    ball = frame.segmentation[0] == engine.model.geom("ball").id
    y, x = np.mgrid[47.5:-48:-1, -47.5:48] / 48
    d = np.stack([x, y, -np.ones_like(x)], -1)
    centre = np.array([0.3, 0.2, -6])
    a, b = (d * d).sum(-1), d @ centre
    root = b * b - a * (centre @ centre - 1)
    assert (ball.numpy() == (root >= 0)).mean() > 0.995
    inside = ball.numpy() & (root > 0.5)
    assert np.abs(frame.depth[0].numpy() - (b - np.sqrt(np.maximum(root, 0))) / a)[inside].max() < 0.01
    assert inside.sum() > 100


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
        ({"name": ""}, "back, flat, front"),
        ({"height": 0}, "height must be a whole number from 1 to 4096, not 0"),
        ({"width": 5000}, "width must be a whole number from 1"),
        ({"width": 64.0}, "width must be a whole number from 1 to 4096, not 64.0"),
        ({"supersampling": 0}, "supersampling must be a whole number from 1 to 8"),
        ({"supersampling": 1.5}, "supersampling must be a whole number"),
        ({"threads": -1}, "threads .* must be a whole number"),
    ],
)
def test_bad_arguments(engine: CpuEngine, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(VisuomotorError, match=message):
        Camera(engine, **{"name": "front", **arguments})


@pytest.mark.parametrize("worlds", [torch.tensor([3]), torch.tensor([-1]), torch.tensor([0.0]), torch.tensor(1)])
def test_bad_worlds(engine: CpuEngine, worlds: torch.Tensor) -> None:
    with pytest.raises(VisuomotorError, match="worlds must"):
        Camera(engine, "front", 8, 8).rgb(worlds)


SITES = """
<mujoco><option jacobian="dense"/><asset></asset><worldbody><geom size=".5"/>
<camera name="eye" pos="0 -3 2"/></worldbody></mujoco>
"""


@pytest.mark.parametrize("site", ['rgba="1 0 0 0"', 'material="clear"'])
def test_sites_that_nobody_sees_are_not_named(site: str, recwarn: pytest.WarningsRecorder) -> None:
    scene = SITES.replace("</asset>", '<material name="clear" rgba="1 0 0 0"/></asset>')
    scene = scene.replace("<camera", f"<site {site}/><camera")
    Camera(CpuEngine(mujoco.MjModel.from_xml_string(scene), 1, 1), "eye", 16, 16)
    assert not [warning for warning in recwarn if "site" in str(warning.message)]


CUBED = """
<mujoco>
  <option jacobian="dense"/>
  <visual><headlight ambient="1 1 1" diffuse="0 0 0" specular="0 0 0"/></visual>
  <asset>
    <texture name="six" type="cube" builtin="gradient" mark="edge" markrgb="1 0 0" rgb1="1 1 0" rgb2="0 0 1" width="16"
      height="96"/>
    <material name="six" texture="six"/>
    <mesh name="thing" vertex="-.6 0 0  .6 0 0  .6 .3 .7  -.6 .3 .7  0 .6 0" {coordinates}
      face="0 1 2 0 2 3 1 4 2 2 4 3 3 4 0 0 4 1"/>
  </asset>
  <worldbody>
    <camera name="eye" pos="0 -2 1" xyaxes="1 0 0 0 .4 .9"/>
    <geom type="mesh" mesh="thing" material="six" euler="20 10 35"/>
  </worldbody>
</mujoco>
"""


def test_a_cube_texture_does_not_follow_a_mesh_s_coordinates() -> None:
    images = []
    for coordinates in ("", 'texcoord="0 0  1 0  1 2  0 2  .5 1"'):
        model = mujoco.MjModel.from_xml_string(CUBED.format(coordinates=coordinates))
        images.append(Camera(CpuEngine(model, 1, 1), "eye", 240, 240).render().rgb)
    assert images[0].float().std(dim=(1, 2)).min() > 5
    assert torch.equal(*images)
