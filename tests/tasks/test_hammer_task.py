"""The hammer: tolerances of the compiled model, states just in and just out."""

from math import cos, pi, radians, sin, tan

import pytest
import torch
from pr2_scenes import half, offset, put, started

from visuomotor.props.nail import HEAD_HEIGHT, PRONG_YAW
from visuomotor.tasks import VecEnv, make_task
from visuomotor.tasks.pr2.hammer import Hammer


@pytest.fixture(scope="module")
def hammer() -> Hammer:
    return make_task("hammer")


def test_the_claw_fits_under_the_nail_with_2_5_mm_beside_it(hammer):
    gap = abs(float(hammer.model.geom("claw_left").pos[1])) - half(hammer, "claw_left", 1) / cos(PRONG_YAW)
    assert gap - half(hammer, "nail_shaft", 0) == pytest.approx(0.0025, abs=1e-9)
    assert gap < half(hammer, "nail_head", 0)  # the head does not pass between the prongs
    assert HEAD_HEIGHT - 2 * half(hammer, "claw_left", 2) == pytest.approx(0.022, abs=1e-9)  # above and below


@pytest.mark.parametrize(
    ("aside", "along", "up", "stage"),
    [
        (0.0, 0.0, -0.010, 2),
        (0.0, 0.0099, -0.010, 2),
        (0.0, 0.0101, -0.010, 1),
        (0.0, -0.0101, -0.010, 1),
        (0.0024, 0.0, -0.010, 2),
        (0.0101, 0.0, -0.010, 1),
        (0.0, 0.0, -0.0001, 2),
        (0.0, 0.0, 0.0001, 1),  # the claw is above the head
        (0.0, 0.0, -0.0299, 2),
        (0.0, 0.0, -0.0301, 1),  # in the bench
        (0.0, 0.0, 0.0401, 0),
        (0.0, 0.0401, 0.0, 0),
    ],
)
def test_the_claw_is_under_the_nail(hammer, aside, along, up, stage):
    engine = started(hammer, count=5)
    turned, claw = (cos(pi / 4), 0.0, 0.0, sin(pi / 4)), hammer.model.site("claw").pos
    hold = offset(-claw[1], claw[0], claw[2])  # of the claw, turned to the left
    put(hammer, engine, "hammer_joint", hammer.target_position(engine) - hold + offset(aside, along, up), turned)
    assert hammer.stage(engine).tolist() == [stage] * 5
    assert hammer.finish_episode(engine).success.tolist() == [stage == 2] * 5


def test_keypoints_are_the_nail_s_head_two_corners_of_the_bench_and_the_claw(hammer):
    engine = started(hammer, count=5)
    turned, claw = (cos(pi / 4), 0.0, 0.0, sin(pi / 4)), hammer.model.site("claw").pos
    hold, beside = offset(-claw[1], claw[0], claw[2]), offset(0.01, -0.02, 0.03)
    target = hammer.target_position(engine)
    put(hammer, engine, "hammer_joint", target - hold + beside, turned)
    points = hammer.keypoints(engine).double()
    assert points.shape == (5, 4, 3)
    expected = [target + shift for shift in (offset(0, 0, 0), offset(0.07, 0.105, -0.03), offset(-0.07, 0.105, -0.03))]
    torch.testing.assert_close(points, torch.stack([*expected, target + beside], dim=1), rtol=0, atol=2e-3)


def test_the_camera_sees_the_claw_and_the_nail_from_the_start(hammer):
    """How the hammer is held must be seen: joint readings do not contain it."""
    env = VecEnv(hammer, 60, torch.Generator().manual_seed(0), split="random")
    engine, camera = env.engine, hammer.model.camera(hammer.camera)
    rotation = engine.field("cam_xmat")[:, camera.id].view(-1, 3, 3)
    nail_and_claw = hammer.keypoints(engine)[:, [0, 3]].double()
    there = (nail_and_claw - engine.field("cam_xpos")[:, camera.id, None]) @ rotation
    from_middle = there[..., :2] / -there[..., 2:] / tan(radians(camera.fovy[0]) / 2)
    assert from_middle.abs().max() < 0.95
