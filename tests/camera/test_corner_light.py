"""Large faces of meshes are lit at their corners, small ones at their pixels: cases that can be checked by hand."""

from math import sqrt

import mujoco
import numpy as np
import pytest
import torch

from visuomotor.camera import Camera
from visuomotor.engine import CpuEngine

SCENE = """
<mujoco><option jacobian="dense"/><statistic extent="1" center="0 0 0"/>
<visual><headlight active="0"/><map znear=".01"/></visual>
<asset><mesh name="thing" vertex="{corners} .1 .1 -.3"/>
<material name="black" rgba="0 0 0 1" specular=".5" shininess="{shininess}"/></asset>
<worldbody>{light}<camera name="eye" {camera}/><geom name="thing" type="mesh" mesh="thing" {look}/></worldbody></mujoco>
"""
POINT_LIGHT = '<light pos="0 0 1" dir="0 0 -1" cutoff="180" diffuse="1.6 1.6 1.6" specular="0 0 0"/>'
SUN = '<light type="directional" dir="0 0 -1" diffuse="0 0 0" specular="1 1 1"/>'
TRIANGLE = f"0 0 0  {sqrt(3)} 0 0  0 {sqrt(8)} 0"
ASIDE = 'pos=".5 -1.5 2" xyaxes="1 0 0 0 .7 .7" fovy="60"'


def _light_over_triangle(alpha: float) -> mujoco.MjModel:
    """A point light 1 m above the first corner, which is 2 m from the second and 3 m from the third."""
    look = f'rgba="1 .5 .25 {alpha}"'
    scene = SCENE.format(corners=TRIANGLE, light=POINT_LIGHT, camera=ASIDE, look=look, shininess=0)
    return mujoco.MjModel.from_xml_string(scene)


def _blend(model: mujoco.MjModel, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Colours `(size, size, 3)` of the triangle, and where in the image it is."""
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    half = np.tan(np.radians(30.0))
    y, x = half * (1.0 - (2.0 * np.mgrid[:size, :size] + 1.0) / size) * np.array([1.0, -1.0])[:, None, None]
    rays = np.stack([x, y, -np.ones_like(x)], axis=-1) @ data.cam_xmat[0].reshape(3, 3).T
    eye = data.cam_xpos[0]
    points = eye - rays * (eye[2] / rays[..., 2:])
    second, third = points[..., 0] / sqrt(3), points[..., 1] / sqrt(8)
    weights = np.stack([1.0 - second - third, second, third], axis=-1)
    # The cosines of incidence are 1, 1/2 and 1/3. The first corner's red is cut: 1.6 * 1 to 1.
    corners = np.array([[1.0, 0.8, 0.4], [0.8, 0.4, 0.2], [1.6 / 3, 0.8 / 3, 0.4 / 3]])
    return 255.0 * weights @ corners, weights.min(axis=-1) > 0.01


@pytest.mark.parametrize(("alpha", "share"), [(1.0, 1.0), (0.5, 0.75)])  # MuJoCo lays what is transparent on twice
def test_colours_of_the_corners_are_blended(alpha: float, share: float) -> None:
    model = _light_over_triangle(alpha)
    image = Camera(CpuEngine(model, 1, 1), "eye", 96, 96).rgb()[0].numpy()
    expected, inside = _blend(model, 96)
    assert inside.sum() > 1000
    assert np.ptp(expected[inside], axis=0).min() > 50
    assert np.abs(image - share * expected)[inside].max() < 2.5


def test_no_world_has_the_light_of_another() -> None:
    engine = CpuEngine(_light_over_triangle(1.0), 12, 1)
    engine.model_field("light_diffuse")[1::2] *= 0.5
    images = Camera(engine, "eye", 48, 48, threads=1).rgb()
    assert torch.equal(images[0::2], images[:1].expand(6, -1, -1, -1))
    assert torch.equal(images[1::2], images[1:2].expand(6, -1, -1, -1))
    green = images[:2, ..., 1].float()
    assert (green[1] - 0.5 * green[0]).abs().max() <= 1
    assert green[0].max() > 150


SIDE = 0.75 * sqrt(0.5)
SQUARE = f"{-SIDE} {-SIDE} 0  {SIDE} {-SIDE} 0  {SIDE} {SIDE} 0  {-SIDE} {SIDE} 0"
HALF_SQUARE = "-.75 0 0  .75 0 0  0 .75 0"
DOWN, LEVEL = 'pos="0 0 1" fovy="60"', 'pos="0 0 1" xyaxes="1 0 0 0 0 1" fovy="135"'


@pytest.mark.parametrize(
    ("corners", "camera", "size", "brightest"),
    [
        (SQUARE, DOWN, 41, 0.5 * 0.9**8),
        (SQUARE, LEVEL, 41, 0.5 * 0.9**8),  # two corners are behind the camera
        (HALF_SQUARE, LEVEL, 41, 0.5 * 0.9**8),  # two are beside it, at depth 0
        (SQUARE, DOWN, 11, 0.5),  # small faces
    ],
)
def test_a_highlight_inside_of_a_large_face_does_not_show(
    corners: str, camera: str, size: int, brightest: float
) -> None:
    """The sun is above, and the camera 1 m above the middle and 1.25 m from all corners.

    In the middle n.H is 1. At a corner the cosine of the view with n is 4/5, so (n.H)^2 = (1 + 4/5) / 2. The exponent
    is 16.
    """
    scene = SCENE.format(corners=corners, light=SUN, camera=camera, look='material="black"', shininess=16 / 128)
    frame = Camera(CpuEngine(mujoco.MjModel.from_xml_string(scene), 1, 1), "eye", size, size).render()
    pixels = frame.rgb[0][frame.segmentation[0] == 0].numpy()
    assert len(pixels) > 60
    assert pixels.min() == pytest.approx(255 * 0.5 * 0.9**8, abs=5)
    assert pixels.max() == pytest.approx(255 * brightest, abs=1)


def _board(cells: int) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and faces of a pyramid that stands on its tip: its top, 2 m wide at height 0, is cut into cells."""
    line = np.linspace(-1, 1, cells + 1)
    vertices = [(x, y, 0.0) for y in line for x in line] + [(0.0, 0.0, -0.2)]
    grid = np.arange((cells + 1) ** 2).reshape(cells + 1, cells + 1)
    a, b, c, d = grid[:-1, :-1], grid[:-1, 1:], grid[1:, 1:], grid[1:, :-1]
    border = np.concatenate([grid[0, :-1], grid[:-1, -1], grid[-1, :0:-1], grid[:0:-1, 0]])
    sides = np.stack([np.roll(border, -1), border, np.full_like(border, len(vertices) - 1)], axis=-1)
    top = [np.stack([a, b, c], axis=-1).reshape(-1, 3), np.stack([a, c, d], axis=-1).reshape(-1, 3)]
    return np.array(vertices), np.concatenate([*top, sides])


def test_small_faces_look_like_a_box_which_is_lit_at_every_pixel() -> None:
    camera = 'pos="0 0 2" fovy="50"'
    scene = SCENE.format(corners=SQUARE, light=SUN, camera=camera, look='material="black"', shininess=1)
    images = []
    for name in ("coarse", "fine", "box"):
        spec = mujoco.MjSpec.from_string(scene)
        thing = spec.geom("thing")
        if name == "box":
            thing.type, thing.size, thing.pos, thing.meshname = mujoco.mjtGeom.mjGEOM_BOX, [1, 1, 0.1], [0, 0, -0.1], ""
        else:
            vertices, faces = _board(11 if name == "fine" else 5)  # a cell is 9 or 21 pixels wide
            spec.add_mesh(name=name, uservert=vertices.ravel(), userface=faces.ravel())
            thing.meshname = name
        image = Camera(CpuEngine(spec.compile(), 1, 1), "eye", 96, 96).rgb()[0, 24:72, 24:72].int()
        images.append(image)  # without the border, where the pyramid's normals lean outwards
    coarse, fine, box = images
    assert box.max() > 120
    assert (fine - box).abs().max() <= 1
    assert (coarse - box).abs().max() > 5
