"""Textures, transparency, height fields, lights and clipping against MuJoCo's OpenGL renderer, where there is one."""

import warnings

import mujoco
import numpy as np
import pytest
from gl_reference import gl_images

from visuomotor.camera import Camera
from visuomotor.engine import CpuEngine

SIZE = 120
Images = dict[tuple[str, str], tuple[np.ndarray, np.ndarray]]
SCENE = """
<mujoco><option jacobian="dense"/>
<visual><headlight active="{headlight}" ambient=".5 .5 .5" diffuse=".4 .4 .4" specular="0 0 0"/><map znear=".02"/>
</visual><statistic extent="2" center="0 0 0"/><asset>{asset}</asset>
<worldbody>{body}<camera name="eye" pos="0 -3 2" xyaxes="1 0 0 0 .55 .83" fovy="40"/></worldbody></mujoco>
"""
FLOOR = '<geom name="floor" type="plane" size="2 1.5 .05" {}/>'
TEXTURES = """
<texture name="flat" type="2d" builtin="gradient" width="64" height="96" rgb1="1 .2 .1" rgb2=".1 .3 1"
 mark="edge" markrgb="0 1 0"/>
<texture name="cube" type="cube" builtin="gradient" width="32" height="192" rgb1="1 .2 .1" rgb2=".1 .9 .2" mark="cross"
 markrgb="0 0 1"/>
<material name="flat" texture="flat" texrepeat="2 3"/>
<material name="even" texture="flat" texrepeat="2 1" texuniform="true"/>
<material name="odd" texture="flat" texrepeat="1.5 .7"/>
<material name="even_odd" texture="flat" texrepeat="1.5 .7" texuniform="true"/>
<material name="none" texture="flat" texrepeat="0 -2"/>
<material name="cube" texture="cube"/><material name="even_cube" texture="cube" texuniform="true"/>
<mesh name="hull" vertex="-.4 -.3 0  .5 -.3 0  0 .4 0  0 0 .6"/>
<mesh name="leaf" vertex="-.6 0 0  .6 0 0  .6 .3 .7  -.6 .3 .7  0 .6 0" texcoord="0 0  1 0  1 2  0 2  .5 1"
 face="0 1 2 0 2 3 1 4 2 2 4 3 3 4 0 0 4 1"/>
"""
SHAPES = {
    "box": 'type="box" size=".5 .3 .4"',
    "sphere": 'type="sphere" size=".6"',
    "ellipsoid": 'type="ellipsoid" size=".8 .4 .5"',
    "capsule": 'type="capsule" size=".3 .4"',
    "cylinder": 'type="cylinder" size=".4 .5"',
    "mesh": 'type="mesh" mesh="hull"',
    "leaf": 'type="mesh" mesh="leaf"',
    "plane": 'type="plane" size="1 .7 .1"',
    "endless": 'type="plane" size="0 0 .1"',
    "strip_x": 'type="plane" size="1.3 0 .1"',
    "strip_y": 'type="plane" size="0 .8 .1"',
}
SHINY = """
<texture name="squares" type="2d" builtin="checker" width="64" height="64" rgb1="1 .6 .5" rgb2=".3 .6 .9"/>
<material name="plain" specular=".8" shininess=".4" rgba=".6 .5 .4 1"/>
<material name="glowing" specular=".9" shininess=".1" emission=".4" rgba=".9 .8 .7 1"/>
<material name="squares" texture="squares" specular=".8" shininess=".4"/>
<material name="glass" specular=".8" shininess=".4" rgba=".3 .5 .7 .5"/>
<material name="stained" texture="squares" specular=".8" shininess=".4" rgba="1 1 1 .6"/>
<mesh name="slab" vertex="-1.2 -.9 0  1.2 -.9 0  1.2 .9 0  -1.2 .9 0  0 0 -.3"/>
<mesh name="mapped" vertex="-1.2 -.9 0  1.2 -.9 0  1.2 .9 0  -1.2 .9 0  0 0 -.3" texcoord="0 0  3 0  3 2  0 2  1 1"
 face="0 1 2 0 2 3 1 0 4 2 1 4 3 2 4 0 3 4"/>
<mesh name="pillow" vertex="-1.2 -.9 0  1.2 -.9 0  1.2 .9 0  -1.2 .9 0  0 0 .25  0 0 -.5" smoothnormal="true"/>
<mesh name="ground" vertex="-9 -9 0  9 -9 0  9 9 0  -9 9 0  0 0 -.3"/>
<hfield name="terrain" nrow="3" ncol="3" size="1.2 .9 .3 .1" elevation=".2 .6 .1 .9 .4 .3 .2 .7 .5"/>
"""
SHINY_SHAPES = {
    "slab": 'type="mesh" mesh="slab"',
    "mapped": 'type="mesh" mesh="mapped"',
    "pillow": 'type="mesh" mesh="pillow"',
    "ground": 'type="mesh" mesh="ground"',  # reaches behind the camera
    "terrain": 'type="hfield" hfield="terrain"',
}
SHINY_LIGHTS = {
    "sun": '<light type="directional" dir="0 -.83 -.55" diffuse=".3 .35 .4" specular=".7 .6 .5" ambient=".1 .05 .1"/>',
    "spot": '<light pos="0 .4 1.2" dir="0 -.2 -1" cutoff="60" exponent="3" diffuse=".8 .7 .6" specular=".6 .7 .8"'
    ' attenuation=".6 .1 .1"/>',
    "point": '<light pos="0 .6 1" dir="0 0 -1" cutoff="180" diffuse=".8 .7 .6" specular=".6 .7 .8" ambient=".2 .1 .1"'
    ' attenuation=".5 .3 .1"/>',
}
SHINY_SCENES = [
    *(("slab", "plain", light) for light in SHINY_LIGHTS),
    *(("slab", material, "sun") for material in ("squares", "glass", "stained")),
    *(("mapped", material, "spot") for material in ("squares", "stained")),
    *(("pillow", material, light) for material, light in (("plain", "spot"), ("glowing", "point"), ("glass", "point"))),
    *(("ground", "plain", light) for light in SHINY_LIGHTS),
    *(("terrain", "plain", light) for light in ("spot", "point")),
]
ENDLESS = ("endless", "strip_x", "strip_y")
TURNED = 'pos=".1 0 .4" euler="20 10 35"'


def _scenes() -> dict[str, str]:
    scenes = {}
    for name, shape in SHAPES.items():
        for material in ("flat", "even") if name == "leaf" else ("flat", "even", "cube", "even_cube"):
            if name in ENDLESS and material == "even_cube":
                continue  # half sizes of 0: MuJoCo has no direction there
            place = "" if name in ENDLESS else TURNED
            body = f'<geom name="thing" {shape} material="{material}" {place}/>'
            scenes[f"{name}_{material}"] = SCENE.format(headlight=1, asset=TEXTURES, body=body)
    for name, size in (("half_x", ".8 0 .1"), ("half_y", "0 .6 .1")):
        for material in ("odd", "even_odd"):
            body = f'<geom name="thing" type="plane" size="{size}" material="{material}"/>'
            scenes[f"{name}_{material}"] = SCENE.format(headlight=1, asset=TEXTURES, body=body)
    for name in ("box", "mesh", "leaf", "plane"):  # without repeats
        body = f'<geom name="thing" {SHAPES[name]} material="none" {TURNED}/>'
        scenes[f"{name}_none"] = SCENE.format(headlight=1, asset=TEXTURES, body=body)
    for space in ("sRGB", "linear"):
        asset = TEXTURES.replace("<texture ", f'<texture colorspace="{space}" ').replace('height="192"', 'height="32"')
        for material in ("flat", "cube"):
            body = f'<geom name="thing" {SHAPES["box"]} material="{material}" {TURNED}/>'
            scenes[f"{space}_{material}"] = SCENE.format(headlight=1, asset=asset, body=body)
    heights = " ".join(f"{value:.2f}" for value in np.random.default_rng(0).random(99))
    field = f'<hfield name="h" nrow="9" ncol="11" size="1 .8 .4 .1" elevation="{heights}"/>'
    hill = f'{FLOOR.format("")}<geom type="hfield" hfield="h" pos="0 0 .1" euler="0 0 25" rgba=".8 .5 .3 1"/>'
    scenes["height_field"] = SCENE.format(headlight=1, asset=field, body=hill)
    ball = '<geom size=".3" pos="0 .5 .3" rgba="1 0 0 1"/>'
    panes = "".join(
        f'<geom type="box" size=".8 .02 .4" pos="{x} {y} .5" rgba="{colour} {alpha}"/>'
        for x, y, colour, alpha in ((-0.2, -0.9, "0 0 1", 0.3), (0.3, -0.4, "0 1 0", 0.6), (0, 0.2, "1 1 0", 0.5))
    )
    scenes["panes"] = SCENE.format(headlight=1, asset="", body=FLOOR.format("") + ball + panes)
    behind = '<geom type="plane" size=".7 .5 .1" pos="0 -.5 .6" euler="-90 0 0" rgba=".2 .3 1 1"/>'.replace(
        "-90", "110"
    )
    scenes["behind"] = SCENE.format(headlight=1, asset="", body=FLOOR.format("") + ball + behind)
    lens = '<geom type="box" size=".03 .03 .0005" pos="0 -2.99 1.985"/>'
    scenes["near"] = SCENE.format(headlight=1, asset="", body=FLOOR.format("") + ball + lens)
    around = '<geom type="capsule" size=".2 .5" pos="0 -3 2" zaxis="0 .83 -.55"/>'
    scenes["in_a_capsule"] = SCENE.format(headlight=1, asset="", body=FLOOR.format("") + ball + around)
    whole = SCENE.format(headlight=1, asset="", body=FLOOR.format("") + ball)
    scenes["sensor"] = whole.replace(
        'fovy="40"', 'sensorsize=".02 .015" resolution="64 48" focal=".03 .02" principal=".003 .002"'
    )
    lights = {
        "dark": "",
        "switched_off": '<light pos="0 0 3" active="false"/>',
        "ambient_spot": '<light pos="0 0 3" ambient=".5 .4 .3" diffuse="0 0 0" specular="0 0 0" attenuation="1 .1 0"/>',
        "nine_suns": 9 * '<light type="directional" dir="0 .3 -1" diffuse=".1 .09 .08" specular="0 0 0"/>',
        "wide_spot": '<light pos="0 -1 3" dir="0 .3 -1" cutoff="180" exponent="40" specular="0 0 0"/>',
        "sun": '<light type="directional" dir="0 .3 -1" ambient=".3 .1 .2" specular="0 0 0"/>',
        "no_cone": '<light pos="0 -.5 1" dir="0 .3 -1" cutoff="180" exponent="10" diffuse=".6 .5 .4"/>',
        "many": "".join(
            f'<light type="directional" dir="{0.2 * i} .3 -1" diffuse=".1 {0.02 * i} .05" specular="0 0 0"/>'
            for i in range(11)
        ),
    }
    for name, light in lights.items():
        scenes[name] = SCENE.format(headlight=0, asset="", body=light + FLOOR.format('rgba=".8 .7 .6 1"') + ball)
    scenes["many_and_headlight"] = scenes["many"].replace('active="0"', 'active="1"')
    for repeat in ("0 3", "-2 1", "2.5 1.5"):
        asset = TEXTURES.replace('texrepeat="2 3"', f'texrepeat="{repeat}"')
        body = f'<geom type="plane" size="1.3 0 .1" material="flat"/><geom {SHAPES["box"]} material="flat" {TURNED}/>'
        scenes[f"repeat_{repeat}"] = SCENE.format(headlight=1, asset=asset, body=body)
    chip = 'sensorsize=".02 .012" resolution="640 384" focal=".02 .03" principal=".002 -.001"'
    body = FLOOR.format("") + ball
    scenes["sensor"] = SCENE.format(headlight=1, asset="", body=body).replace('fovy="40"', chip)
    below = '<geom type="box" size=".3 .3 .1" pos="0 0 -.5" rgba="1 0 0 1"/>'
    for shape, material, light in SHINY_SCENES:
        body = f'{SHINY_LIGHTS[light]}{below}<geom {SHINY_SHAPES[shape]} material="{material}"/>'
        scenes[f"{shape}_{material}_{light}"] = SCENE.format(headlight=0, asset=SHINY, body=body)
    sheets = "".join(
        f'<geom {SHINY_SHAPES["slab"]} material="{material}" pos="0 0 {z}"/>'
        for material, z in (("glass", 0.1), ("stained", -0.2))
    )
    scenes["sheets"] = SCENE.format(headlight=0, asset=SHINY, body=SHINY_LIGHTS["sun"] + below + sheets)
    return scenes


@pytest.fixture(scope="module")
def models() -> dict[str, mujoco.MjModel]:
    return {name: mujoco.MjModel.from_xml_string(scene) for name, scene in _scenes().items()}


@pytest.fixture(scope="module")
def expected(models: dict[str, mujoco.MjModel], tmp_path_factory: pytest.TempPathFactory) -> Images:
    images = gl_images(models, SIZE, tmp_path_factory.mktemp("gl"))
    if images is None:
        pytest.skip("there is no OpenGL here")
    return images


@pytest.mark.parametrize("name", list(_scenes()))
def test_agrees_with_opengl(name: str, models: dict[str, mujoco.MjModel], expected: Images) -> None:
    engine = CpuEngine(models[name], 1, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frame = Camera(engine, "eye", SIZE, SIZE).render()
    colour, geom = expected[name, "eye"]
    same = (frame.segmentation[0].numpy() == geom).mean()
    alike = (np.abs(frame.rgb[0].numpy().astype(int) - colour).max(-1) <= 8).mean()
    print(f"{name}: geom {same:.4f}, colour {alike:.4f}")
    assert same >= 0.99
    # Drivers choose mipmap levels a little differently, which shows where a texture is squeezed most.
    assert alike >= (0.94 if name in ("leaf_even", "leaf_none") else 0.95)
