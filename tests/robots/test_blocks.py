"""Blocks that vary per world move as recompiled ones do; the camera sees the table."""

import mujoco
import numpy as np
import pytest
import torch

from visuomotor.camera import Camera
from visuomotor.engine import CpuEngine
from visuomotor.errors import VisuomotorError
from visuomotor.props.blocks import HALF, MASS, Block, add_block, block_fields, block_rows
from visuomotor.props.table import add_table
from visuomotor.robots.jaco import BASE_POS, HOME_QPOS, add_jaco
from visuomotor.robots.mjcf import compile_scene

RED = (0.8, 0.1, 0.1, 1.0)
BLOCKS = tuple(Block.named(name) for name in ("red", "blue"))
SIZES = ((0.02, 0.15), (0.03, 0.05), (0.0237, 0.11))  # half edge in m, mass in kg


def build(half=HALF, mass=MASS) -> mujoco.MjModel:
    spec = mujoco.MjSpec()
    add_table(spec, BASE_POS)
    add_jaco(spec)
    for block in BLOCKS:
        assert add_block(spec, block.body, RED) == block
        geom = spec.geom(block.geom)
        geom.size, geom.mass = (half, half, half), mass
    return compile_scene(spec, "the scene")


MODEL = build()


def varied(worlds) -> CpuEngine:
    """An engine whose worlds have the blocks of SIZES."""
    engine = CpuEngine(MODEL, worlds)
    half, mass = torch.tensor(SIZES[:worlds], dtype=torch.float64).T
    for block in BLOCKS:
        rows = block_rows(MODEL, block)
        for name, value in block_fields(half, mass).items():
            engine.model_field(name)[:, rows[name]] = value
    engine.set_const()
    return engine


def test_worlds_are_as_the_compiler_would_make_them():
    """Every number of a world's model: those that are written and those that follow."""
    batch = varied(len(SIZES))._batch
    for index, size in enumerate(SIZES):
        model, found = build(*size), batch.get_model(index)
        for name in dir(model):
            value = getattr(model, name)
            if isinstance(value, np.ndarray) and value.size:
                np.testing.assert_allclose(getattr(found, name), value, rtol=1e-6, atol=1e-12, err_msg=name)


def start(qpos, model, block, height, tilt):
    address = model.joint(block).qposadr[0]
    x = -0.1 if block == "red" else 0.1
    qpos[address : address + 7] = torch.tensor((x, 0.05, height, np.cos(tilt), np.sin(tilt), 0, 0))


def test_drops_and_slides_as_recompiled_ones():
    engine = varied(len(SIZES))
    worlds = [CpuEngine(build(*size), 1) for size in SIZES]
    for index, alone in enumerate(worlds):
        for each, world in ((engine, index), (alone, 0)):
            start(each.field("qpos")[world], MODEL, "red", 0.12, 0.3)  # falls on an edge and tumbles
            start(each.field("qpos")[world], MODEL, "blue", SIZES[index][0], 0.0)  # slides
            each.field("qvel")[world, MODEL.joint("blue").dofadr[0]] = -0.6
    for _ in range(30):
        for each in (engine, *worlds):
            each.step(10)
        for index, alone in enumerate(worlds):
            torch.testing.assert_close(engine.field("qpos")[index], alone.field("qpos")[0], atol=1e-6, rtol=0)
    assert (engine.field("qpos")[:, MODEL.joint("blue").qposadr[0]] < 0.09).all()


def test_blocks_rest_on_the_table_and_on_each_other():
    engine = varied(3)
    qpos = engine.field("qpos")
    for index, (half, _) in enumerate(SIZES):
        start(qpos[index], MODEL, "red", half, 0.0)
        start(qpos[index], MODEL, "blue", 3 * half, 0.0)
    red, blue = (MODEL.joint(name).qposadr[0] for name in ("red", "blue"))
    qpos[:, blue] = qpos[:, red]
    engine.step(200)
    half = torch.tensor([size for size, _ in SIZES], dtype=torch.float64)
    torch.testing.assert_close(qpos[:, red + 2], half, atol=5e-4, rtol=0)
    torch.testing.assert_close(qpos[:, blue + 2], 3 * half, atol=1e-3, rtol=0)


def test_the_camera_sees_block_and_hand():
    engine = CpuEngine(MODEL, 9)
    qpos, red, blue = engine.field("qpos"), *(MODEL.joint(name).qposadr[0] for name in ("red", "blue"))
    spots = torch.cartesian_prod(*[torch.tensor((-0.15, 0.0, 0.15), dtype=torch.float64)] * 2)
    qpos[:, red : red + 2], qpos[:, red + 2] = spots, HALF
    qpos[:, blue : blue + 3] = torch.tensor((0.0, 0.0, -2.0), dtype=torch.float64)
    joints = [MODEL.joint(f"jaco_joint_{index}").qposadr[0] for index in range(1, 7)]
    qpos[:, joints] = torch.tensor(HOME_QPOS, dtype=torch.float64)
    engine.forward()
    seen = Camera(engine, "front", 64, 64).render().segmentation
    block = seen == MODEL.geom("red").id
    widths = block.any(dim=1).sum(dim=1)
    assert (widths >= 6).all()
    assert (widths <= 9).all()
    edges = block[:, [0, -1], :].any() | block[:, :, [0, -1]].any()
    assert not edges
    for name in ("jaco_palm", "jaco_finger_1_tip", "jaco_finger_2_tip"):
        hand = seen == MODEL.geom(name).id
        assert hand.any(dim=(1, 2)).all()
        assert not hand[:, 0].any()


@pytest.mark.parametrize("geom", ['type="cylinder" size=".02 .02"', 'type="box" size=".02 .02 .03"'])
def test_only_cubes_are_varied(geom: str):
    """Another shape would get a cube's size and inertia."""
    scene = (
        f'<mujoco><worldbody><body name="a"><freejoint name="a"/><geom name="a" {geom}/></body></worldbody></mujoco>'
    )
    with pytest.raises(VisuomotorError, match=r"geom 'a' is no cube, .* leave it out of the randomizer's blocks"):
        block_rows(mujoco.MjModel.from_xml_string(scene), Block.named("a"))
