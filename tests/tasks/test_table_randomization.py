"""Tasks with blocks on a table: what differs between worlds, and what follows from it."""

import mujoco
import numpy as np
import pytest
import torch
from table_worlds import FIELDS, MODEL_FIELDS, TRACKING, alike, fields, seeded, started_engine

from visuomotor.camera import Camera
from visuomotor.errors import VisuomotorError
from visuomotor.tasks.jaco.lifting import Lifting
from visuomotor.tasks.randomization import DomainRandomization


@pytest.mark.parametrize("name", FIELDS)
def test_everything_drawn_makes_worlds_differ_and_nothing_else(stacking, name):
    engine = stacking.make_engine(3)
    params, drawn = stacking.sample_reset(3, seeded(), randomize=False), stacking.sample_reset(3, seeded())
    for mine, theirs in ((params.dynamics, drawn.dynamics), (params.appearance, drawn.appearance)):
        if name in mine:
            mine[name][1:] = theirs[name][1:]
    stacking.apply_randomization(engine, torch.arange(3), params)
    different = {field for field, value in fields(engine).items() if not torch.equal(value[1], value[2])}
    assert different - TRACKING == FIELDS[name]
    if name in params.appearance:
        stacking.reset(engine, torch.arange(3), params)
        alike(engine)
        images = Camera(engine, stacking.camera).rgb()
        assert not torch.equal(images[0], images[1])
        assert not torch.equal(images[1], images[2])


def test_all_that_is_drawn_is_listed_here(task):
    params = task.sample_reset(2, seeded())
    assert set(params.dynamics) | set(params.appearance) == set(FIELDS)
    for rows in vars(params).values():
        for value in rows.values():
            assert value.dtype == torch.float64
            assert len(value) == 2
            assert value.isfinite().all()


def test_all_that_follows_from_what_is_drawn_follows(task):
    """Every number of a world's model is as MuJoCo computes it from the fields that were written."""
    engine, params = started_engine(task, 4)
    task.apply_appearance(engine, torch.arange(4), task.sample_reset(4, seeded(9)).appearance)
    for world in range(4):
        model = engine._batch.get_model(world)
        expected = engine._batch.get_model(world)
        mujoco.mj_setConst(expected, mujoco.MjData(expected))
        for name in dir(expected):
            value = getattr(expected, name)
            if isinstance(value, np.ndarray) and name not in TRACKING:
                np.testing.assert_array_equal(getattr(model, name), value, err_msg=name)
        # cubes of uniform density, which MuJoCo takes from the compiler
        for index, name in enumerate(task.objects):
            half, mass = (float(params.dynamics[f"block_{what}"][world, index]) for what in ("half", "mass"))
            np.testing.assert_allclose(model.body(name).inertia, 2 / 3 * mass * half**2)
            np.testing.assert_allclose(model.geom(name).size, half)
            np.testing.assert_allclose(model.geom(name).rbound, 3**0.5 * half)
            np.testing.assert_allclose(model.body(name).mass, mass)
    assert not task.model.cam_mode.any()
    assert not task.model.light_mode.any()


@pytest.mark.parametrize("light", [False, True])
def test_cameras_and_lights_that_track_a_body_are_where_they_were_put(light):
    class Tracking(Lifting):
        def add_sensors(self, spec):
            (spec.light("window") if light else spec.camera("front")).mode = mujoco.mjtCamLight.mjCAMLIGHT_TRACK

    task = Tracking()
    engine, _ = started_engine(task, 2, randomize=False)
    task.apply_appearance(engine, torch.arange(2), task.sample_reset(2, seeded()).appearance)
    engine.forward()
    front, window = task.model.camera("front").id, task.model.light("window").id
    torch.testing.assert_close(engine.field("cam_xpos")[:, front], engine.model_field("cam_pos")[:, front])
    direction = torch.nn.functional.normalize(engine.model_field("light_dir")[:, window].double(), dim=-1)
    torch.testing.assert_close(engine.field("light_xdir")[:, window].double(), direction, atol=1e-6, rtol=0)
    for world in range(2):
        model, expected = engine._batch.get_model(world), engine._batch.get_model(world)
        mujoco.mj_setConst(expected, mujoco.MjData(expected))
        for name in TRACKING:
            np.testing.assert_array_equal(getattr(model, name), getattr(expected, name), err_msg=name)


def test_a_stiffer_drive_is_felt_by_contacts_of_the_arm(lifting):
    """Armature makes the hand heavier against what it touches: its inverse weight falls."""
    engine, params = lifting.make_engine(2), lifting.sample_reset(2, seeded(), randomize=False)
    params.dynamics["joint_armature"][1] = 2.0
    lifting.apply_randomization(engine, torch.arange(2), params)
    hand, block = lifting.model.body("jaco_hand").id, lifting.model.body("block").id
    light, heavy = engine.model_field("body_invweight0")
    assert (heavy[hand] < 0.7 * light[hand]).all()
    assert torch.equal(heavy[block], light[block])


def test_the_shared_model_stays_as_it_is(task):
    before = {name: np.array(getattr(task.model, name)) for name in MODEL_FIELDS}
    engine, _ = started_engine(task, 4)
    task.step(engine, torch.zeros(4, task.action_size))
    for name, value in before.items():
        np.testing.assert_array_equal(getattr(task.model, name), value, err_msg=name)


def test_nominal_worlds_are_the_model(task):
    """But for colours, which are plain."""
    engine, _ = started_engine(task, 2)
    task.apply_randomization(engine, torch.arange(2), task.sample_reset(2, seeded(), randomize=False))
    for name, value in fields(engine).items():
        if name != "geom_rgba":
            np.testing.assert_allclose(value[1], getattr(task.model, name), rtol=1e-6, atol=1e-9, err_msg=name)


@pytest.mark.parametrize(
    ("name", "values", "told"),
    [
        (
            "block_mass",
            ((-1.0, -2.0), (-2.0, -1.0), (0.0, 0.1), (0.2, 0.1), 0.1, (0.1,), None),
            r"\(low, high\), above 0",
        ),
        ("block_half", ((0.018, 0.012), ("a", "b"), (float("nan"), 1.0), (True, 2.0)), r"\(low, high\), above 0"),
        ("joint_damping", ((-0.1, 1.0), (0.5, float("inf")), "ab"), r"\(low, high\), not below 0"),
        ("robot_grey", ((0.2, 1.1), (-0.1, 1.0)), r"\(low, high\), from 0 to 1"),
        ("light_tilt", (-0.1, "x", None, (0.0, 0.1), True, float("nan")), "one number, not below 0"),
    ],
)
def test_ranges_that_cannot_be_are_refused(name, values, told):
    for value in values:
        with pytest.raises(VisuomotorError, match=f"DomainRandomization: {name} must be {told}, not "):
            DomainRandomization(**{name: value})


def test_ranges_may_be_one_value_and_whole_numbers():
    assert DomainRandomization(block_mass=(1, 1), joint_friction=(0, 2), camera_shift=0).block_mass == (1, 1)
