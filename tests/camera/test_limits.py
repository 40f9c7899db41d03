"""Models and worlds that the camera refuses, since the kernel would read what is not there."""

import mujoco
import numpy as np
import pytest
import torch

from visuomotor.camera import Camera
from visuomotor.camera.mesh_clusters import read_meshes
from visuomotor.engine import CpuEngine
from visuomotor.errors import VisuomotorError

SCENE = """
<mujoco><option jacobian="dense"/>
  <asset>
    <texture name="t" type="2d" builtin="checker" width="64" height="64"/><material name="m" texture="t"/>
    <mesh name="q" vertex="-.4 -.3 0  .5 -.3 0  0 .4 0  0 0 .6" face="0 2 1 0 1 3 1 2 3 2 0 3"
     texcoord="0 0  1 0  1 1  0 1"/>
    <hfield name="h" nrow="2" ncol="2" size="1 1 .1 .1"/>
  </asset>
  <worldbody>
    <camera name="eye" pos="0 0 3"/>
    <geom type="box" size=".3 .3 .3" material="m"/><geom name="hull" type="mesh" mesh="q" material="m" pos="1 0 0"/>
    <geom type="hfield" hfield="h" material="m" pos="0 0 -1"/>
  </worldbody>
</mujoco>
"""


@pytest.fixture
def engine() -> CpuEngine:
    engine = CpuEngine(mujoco.MjModel.from_xml_string(SCENE), 2, 1)
    engine.field("geom_xpos")  # physics has run: it does not check ids either
    return engine


@pytest.mark.parametrize(
    ("field", "item", "value", "message"),
    [
        ("geom_matid", 0, 1, "geom_matid of geom 0 is 1 in world 1; it must be between -1 and 0"),
        ("geom_matid", 0, -(10**8), "geom_matid of geom 0 is -1"),
        ("geom_dataid", 1, 10**8, "geom_dataid of geom 'hull' is 100000000 in world 1; it must be between -1 and 0"),
        ("geom_dataid", 1, -5, "geom_dataid of geom 'hull' is -5"),
        ("geom_dataid", 2, 1, "geom_dataid of geom 2 is 1 in world 1"),
        ("mat_texid", 0, 10**8, "mat_texid of material 'm' is 100000000"),
        ("mat_texrepeat", 0, float("nan"), "mat_texrepeat of material 'm' is nan in world 1; it must be finite"),
        ("mat_texrepeat", 0, -float("inf"), "mat_texrepeat of material 'm' is -inf"),
        ("cam_fovy", 0, 0.0, "cam_fovy of camera 'eye' is 0.0 in world 1; it must be between 0.001 and 179.9"),
        ("cam_fovy", 0, float("nan"), "cam_fovy of camera 'eye' is nan"),
        ("cam_fovy", 0, 180.0, "cam_fovy of camera 'eye' is 180"),
    ],
)
def test_worlds_with_values_that_lead_nowhere(
    engine: CpuEngine, field: str, item: int, value: float, message: str
) -> None:
    values = engine.model_field(field)
    camera = Camera(engine, "eye", 8, 8)
    camera.rgb()
    values[1, item] = value
    for use in (camera.rgb, camera.render, lambda: Camera(engine, "eye", 8, 8)):
        with pytest.raises(VisuomotorError, match=message):
            use()


def test_ids_of_other_shapes_do_not_matter(engine: CpuEngine) -> None:
    engine.model_field("geom_dataid")[1, 0] = 10**8  # of a box
    Camera(engine, "eye", 8, 8).rgb()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("<material ", '<material texrepeat="nan 1" '), "mat_texrepeat of material 'm' is nan; it must be finite"),
        (("<material ", '<material texrepeat="1 inf" '), "mat_texrepeat of material 'm' is inf"),
        (("1 1  0 1", "1 nan  0 1"), "mesh 'q' has a texcoord that is not finite"),
    ],
)
def test_models_with_numbers_that_are_none(change: tuple[str, str], message: str) -> None:
    engine = CpuEngine(mujoco.MjModel.from_xml_string(SCENE.replace(*change)), 1, 1)
    with pytest.raises(VisuomotorError, match=message):
        Camera(engine, "eye", 8, 8)


def test_the_texel_lookup_survives_what_no_check_saw(engine: CpuEngine) -> None:
    camera = Camera(engine, "eye", 32, 32)
    whole = camera.render()
    engine.model.mat_texrepeat[:] = np.nan
    assert torch.equal(camera.render().segmentation, whole.segmentation)


@pytest.mark.parametrize("field", ["geom_group", "geom_type", "cam_projection"])
def test_what_worlds_cannot_differ_in(engine: CpuEngine, field: str) -> None:
    camera = Camera(engine, "eye", 8, 8)
    engine.model_field(field)
    for use in (camera.rgb, lambda: Camera(engine, "eye", 8, 8)):
        with pytest.raises(VisuomotorError, match=f"the model's {field} in all worlds"):
            use()


@pytest.mark.parametrize("groups", ["012", [7], [-1], [0.5], [True]])
def test_groups_are_whole_numbers_from_0_to_5(engine: CpuEngine, groups) -> None:
    with pytest.raises(VisuomotorError, match="a geom group must be a whole number from 0 to 5"):
        Camera(engine, "eye", 8, 8, groups=groups)


def test_arrays_for_the_kernel_lie_as_it_was_compiled_for() -> None:
    """With others, it is compiled once more, which takes a minute."""
    only_a_height_field = """<mujoco><asset><hfield name="h" nrow="2" ncol="2" size="1 1 .1 .1"/></asset>
      <worldbody><geom type="hfield" hfield="h"/></worldbody></mujoco>"""
    for xml in (SCENE, only_a_height_field):
        meshes = read_meshes(mujoco.MjModel.from_xml_string(xml))
        assert all(array.flags.c_contiguous for array in meshes)


@pytest.mark.parametrize("focal", ["0.01 -0.01", "-0.01 0.01"])
def test_focal_length_below_zero(focal: str) -> None:
    sensor = f'<camera name="eye" sensorsize=".02 .02" resolution="8 8" focal="{focal}"/>'
    model = mujoco.MjModel.from_xml_string(SCENE.replace('<camera name="eye" pos="0 0 3"/>', sensor))
    with pytest.raises(VisuomotorError, match=r"cam_intrinsic of camera 'eye' is -0\.0.*must be above 0: give"):
        Camera(CpuEngine(model, 1, 1), "eye", 8, 8)


@pytest.mark.parametrize("groups", [None, 5, (0, 6), (0, "1"), (group for group in (0, 1))])
def test_groups_that_are_none(engine: CpuEngine, groups: object) -> None:
    with pytest.raises(VisuomotorError, match="group"):
        Camera(engine, "eye", 8, 8, groups=groups)


def test_numbers_of_numpy_are_numbers(engine: CpuEngine) -> None:
    plain = Camera(engine, "eye", 8, 8, 1, 1, (0,)).rgb()
    one, eight = np.int64(1), np.int32(8)
    assert torch.equal(Camera(engine, "eye", eight, eight, one, one, np.array([0])).rgb(), plain)


def test_complex_numbers_of_worlds(engine: CpuEngine) -> None:
    with pytest.raises(VisuomotorError, match=r"worlds must be a \(n,\) tensor of ints"):
        Camera(engine, "eye", 8, 8).rgb(torch.tensor([0 + 1j]))
