"""The camera's warning names what it leaves out, and nothing else."""

import warnings

import mujoco
import pytest

from visuomotor.camera import Camera
from visuomotor.engine import CpuEngine

SKY = '<texture name="sky" type="skybox" builtin="flat" width="8" height="8"/>'
MIRROR = '<material name="m" reflectance=".5"/>'
LAMP = '<light pos="0 0 3"/>'


@pytest.mark.parametrize(
    ("assets", "body", "visual", "named"),
    [
        ("", '<site pos="0 0 -2"/>', "", ["1 site"]),
        ("", 2 * '<site pos="0 0 -2"/>' + '<site group="4"/><site rgba="1 0 0 0"/>', "", ["2 sites"]),
        ('<material name="m" rgba="1 0 0 0"/>', '<site material="m"/>', "", []),  # invisible by its material
        ('<material name="m" rgba="1 0 0 0"/>', '<site material="m" rgba="1 0 0 1"/>', "", ["1 site"]),
        ('<material name="m"/>', '<site material="m" rgba="1 0 0 0"/>', "", []),
        ("", '<flexcomp name="f" type="grid" count="3 3 1" dim="2" mass="1" rgba="1 0 0 1"/>', "", ["1 flex"]),
        (SKY, "", "", ["the skybox (the background is black)"]),
        (SKY, '<geom type="plane" size="0 0 .1"/>', "", ["the skybox (the background is black)", "haze"]),
        (SKY, '<light type="image" texture="sky"/>', "", ["1 image light", "the skybox (the background is black)"]),
        (SKY, '<light type="image" texture="sky" active="false"/>', "", ["the skybox (the background is black)"]),
        (MIRROR, '<geom type="box" size="1 1 1" material="m"/>', "", ["reflections"]),
        (MIRROR, '<geom size="1" material="m"/>', "", []),  # MuJoCo's planes and boxes reflect
        (MIRROR, '<geom type="box" size="1 1 1" material="m" group="3"/>', "", []),
        ("", LAMP, "", []),
        ("", LAMP, '<quality shadowsize="2048"/>', ["shadows"]),
        ("", LAMP, '<map shadowscale=".9"/>', ["shadows"]),
        ("", LAMP, '<quality shadowsize="0"/>', []),
        ("", LAMP.replace("/>", ' castshadow="false"/>'), '<quality shadowsize="2048"/>', []),
        ("", "", '<quality shadowsize="2048"/>', []),
        ("", "", '<map fogend="5"/>', ["fog"]),
        ("", "", '<rgba fog="1 0 0 1"/>', ["fog"]),
        ("", '<geom size=".1" pos="0 0 -2"/>', '<quality numslices="6"/>', ["corners of round shapes"]),
        ("", '<geom size=".1" pos="0 0 -2"/>', '<quality numslices="28" numstacks="16"/>', []),
        ("", '<geom type="box" size=".1 .1 .1" pos="0 0 -2"/>', '<quality numstacks="4"/>', []),
    ],
)
def test_names_what_it_does_not_draw(assets: str, body: str, visual: str, named: list[str]) -> None:
    scene = f"""<mujoco><option jacobian="dense"/><visual>{visual}</visual><asset>{assets}</asset>
      <worldbody>{body}<camera name="eye"/></worldbody></mujoco>"""
    engine = CpuEngine(mujoco.MjModel.from_xml_string(scene), 1, 1)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        Camera(engine, "eye", 8, 8)
    assert [str(warning.message) for warning in told] == [f"the camera does not draw {', '.join(named)}"] * bool(named)


def test_names_tendons_and_rays() -> None:
    scene = """<mujoco><option jacobian="dense"/><worldbody>
      <body><joint name="j"/><geom size=".1"/><site name="a" group="4"/></body><site name="b" group="4" pos="0 0 1"/>
      <camera name="eye" pos="0 0 3"/></worldbody>
      <tendon><spatial><site site="a"/><site site="b"/></spatial><fixed><joint joint="j" coef="1"/></fixed>
      <spatial rgba="1 1 1 0"><site site="a"/><site site="b"/></spatial></tendon>
      <sensor><rangefinder site="a"/></sensor></mujoco>"""
    with pytest.warns(UserWarning, match=r"not draw 1 tendon, 1 rangefinder's ray$"):
        Camera(CpuEngine(mujoco.MjModel.from_xml_string(scene), 1, 1), "eye", 8, 8)


def test_names_cranks_and_distances() -> None:
    scene = """<mujoco><option jacobian="dense"/><worldbody>
      <body><joint name="j" axis="0 1 0"/><geom name="g" type="box" size=".1 .1 .1"/><site name="a" group="4"/></body>
      <body pos="0 0 1"><joint type="slide"/><geom name="h" type="box" size=".1 .1 .1"/><site name="b" group="4"/>
      </body>
      <camera name="eye" pos="0 0 3"/></worldbody>
      <actuator><motor cranksite="a" slidersite="b" cranklength="1.5"/><motor joint="j"/></actuator>
      <sensor><fromto geom1="g" geom2="h" cutoff="3"/></sensor></mujoco>"""
    with pytest.warns(UserWarning, match=r"not draw 1 line of a fromto sensor, 1 slider-crank$"):
        Camera(CpuEngine(mujoco.MjModel.from_xml_string(scene), 1, 1), "eye", 8, 8)
