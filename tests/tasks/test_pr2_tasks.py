"""What all tasks of the PR2 share: their starts, goals, pictures and splits."""

from itertools import pairwise
from math import cos, log, sin

import mujoco
import numpy as np
import pytest
import torch
from pr2_scenes import at_goal, offset, seeded, started

from visuomotor.camera import Camera
from visuomotor.engine import CpuEngine
from visuomotor.robots.pr2 import solve_arm
from visuomotor.tasks import VecEnv, make_task
from visuomotor.tasks.appearance import Lights
from visuomotor.tasks.pr2.pr2_task import Pr2Task
from visuomotor.tasks.pr2.ring import Ring

NAMES = ("cube", "hammer", "bottle", "ring", "brick", "wheel")
TARGETS = {
    "cube": "cube",
    "hammer": "bench",
    "bottle": "bottle",
    "ring": "peg",
    "brick": ("stud_", "studded_brick"),
    "wheel": "plane",
}
"""What the names of the target's geoms start with."""


@pytest.fixture(scope="module", params=NAMES)
def task(request) -> Pr2Task:
    return make_task(request.param)


def test_positions_and_grasps(task):
    positions, grasps = (5, 3) if task.name == "hammer" else (9, 1)
    params = task.sample_reset(positions * grasps, seeded(), "training", False)
    rows = torch.cat([params.placement["target"], params.dynamics["grasp"]], 1)
    assert len(torch.unique(rows, dim=0)) == positions * grasps
    target = params.placement["target"]
    torch.testing.assert_close(target.amax(0) - target.amin(0), offset(0.2, 0.2, 0.0))
    spatial = task.sample_reset(12, seeded(), "spatial", False)
    assert torch.cdist(spatial.placement["target"], target).min() > 0.02
    if task.name == "hammer":
        assert torch.cdist(spatial.dynamics["grasp"], params.dynamics["grasp"]).min() > 0.005


def test_the_left_arm_stays_near_that_of_the_nearest_position_of_training():
    """It does not depend on what was asked before."""
    task, again = Ring(), Ring()
    known = task.sample_reset(12, seeded(), "spatial", False).placement["target"]
    anywhere = task.sample_reset(20, seeded(3)).placement["target"]
    angles = [task._left_arm(target) for target in anywhere]
    assert all(
        torch.equal(again._left_arm(target), found) for target, found in reversed([*zip(anywhere, angles, strict=True)])
    )
    for target in known:
        position, quat = task.left_hand(target)
        cold = solve_arm(task.model, "l", position.numpy(), quat.numpy())
        assert torch.equal(task._left_arm(target), torch.from_numpy(cold))
    data = mujoco.MjData(task.model)
    for target, found in zip(anywhere, angles, strict=True):
        nearest = known[(known - target).norm(dim=-1).argmin()]
        assert (task._left_arm(nearest) - found).abs().max() < 0.4
        data.qpos[:] = task.model.qpos0
        data.qpos[task._left_qpos] = found
        mujoco.mj_kinematics(task.model, data)
        position, quat = task.left_hand(target)
        np.testing.assert_allclose(data.body("l_gripper_tool_frame").xpos, position, atol=1e-3)
        assert abs(np.dot(data.body("l_gripper_tool_frame").xquat, quat.numpy())) > 1 - 1e-4


def test_errors_vanish_at_the_goal_and_not_at_the_start(task):
    engine = at_goal(task)
    assert task.errors(engine).norm(dim=-1).max() < 1e-3
    assert (task.errors(started(task)).norm(dim=-1).mean(-1) > 0.1).all()


def test_nothing_touches_at_the_start_and_at_the_goal(task):
    for split in task.splits:
        engine = started(task, split, 12)
        assert engine.field("ncon").sum() == 0
        assert (task.stage(engine) == 0).all()
    if task.name != "bottle":  # whose cap then rests on the neck
        assert at_goal(task).field("ncon").sum() == 0


def test_objects_start_in_the_hands(task):
    for split in ("training", "spatial", "random"):
        engine = started(task, split, 12)
        params = task.sample_reset(12, seeded(), split, False)
        torch.testing.assert_close(task.target_position(engine), params.placement["target"], atol=1e-3, rtol=0)
    hand, held = task.model.body("r_gripper_tool_frame").id, int(task.model.joint(task.scene.held_joint).bodyid[0])
    places = engine.field("xpos")
    grip = (places[:, held] - places[:, hand]).norm(dim=-1)
    for _ in range(10):
        task.step(engine, -task.pd_gains()[1] * task.robot.joint_velocities(engine))
    torch.testing.assert_close((places[:, held] - places[:, hand]).norm(dim=-1), grip, atol=1e-3, rtol=0)
    assert not engine.diverged.any()


def test_a_start_is_a_function_of_its_parameters_alone(task):
    params = task.sample_reset(3, seeded(5), "random", True)
    fresh, used = task.make_engine(3), started(task, "visual", 3)
    task.reset(fresh, torch.arange(3), params)
    task.step(used, torch.ones(3, 7))
    task.finish_episode(used)
    task.reset(used, torch.arange(3), params)
    for group in ("state", "proprioception", "keypoints", "stage"):
        assert torch.equal(getattr(task, group)(used), getattr(task, group)(fresh)), group
    for name in ("geom_rgba", "eq_data", "body_pos"):
        assert torch.equal(used.model_field(name), fresh.model_field(name)), name


def test_pictures_show_the_target_in_every_condition(task):
    """At the start and at the goal; 64x64 pixels."""
    geoms = [geom for geom in range(task.model.ngeom) if task.model.geom(geom).name.startswith(TARGETS[task.name])]
    for engine in (started(task), at_goal(task)):
        shown = torch.isin(Camera(engine, task.camera, 64, 64).render().segmentation, torch.tensor(geoms))
        assert shown.flatten(1).float().mean(1).min() > 0.005


@pytest.mark.parametrize("split", ["visual", "background"])
def test_distractors_are_seen_but_not_felt(task, split):
    count = 9
    plain, cluttered = task.make_engine(count), task.make_engine(count)
    params = task.sample_reset(count, seeded(), "training", False)
    for engine in (plain, cluttered):
        task.reset(engine, torch.arange(count), params)
    appearance = task.sample_reset(count, seeded(), split, False).appearance
    task.apply_appearance(cluttered, torch.arange(count), appearance)
    images = [Camera(engine, task.camera, 64, 64).rgb() for engine in (plain, cluttered)]
    assert (images[0] != images[1]).any(-1).flatten(1).float().mean(1).min() > 0.005
    for step in range(40):
        action = torch.randn(7, generator=seeded(step)).expand(count, -1)
        for engine in (plain, cluttered):
            task.step(engine, action)
    assert torch.equal(plain.state(), cluttered.state())


def test_appearance_is_randomized_by_world_and_comes_back(task):
    """Colours and lights: what physics and the camera's place are made of stays."""
    count = 3
    engine, fresh = task.make_engine(count), task.make_engine(count)
    params = task.sample_reset(count, seeded(), "visual", False)
    for one in (engine, fresh):
        task.reset(one, torch.arange(count), params)
    images = [Camera(engine, task.camera, 64, 64).rgb()]
    for seed in (1, 2):
        task.randomize_appearance(engine, seeded(seed))
        engine.update_view()
        images.append(Camera(engine, task.camera, 64, 64).rgb())
    assert torch.equal(engine.state(), fresh.state())
    assert all((image[0] != image[1]).any(-1).float().mean() > 0.5 for image in images[1:])
    assert all((a != b).any(-1).float().mean() > 0.5 for a, b in pairwise(images))
    for name in ("light_diffuse", "light_dir"):
        varied = engine.model_field(name)
        assert not torch.equal(varied[0], varied[1])
    shades = engine.model_field("geom_rgba")
    assert torch.equal(shades[..., 3], fresh.model_field("geom_rgba")[..., 3])  # what is hidden stays hidden
    assert shades.min() >= 0
    assert shades.max() <= 1
    assert not engine.is_per_world("cam_pos")
    task.apply_appearance(engine, torch.arange(count), params.appearance)
    engine.update_view()
    assert torch.equal(Camera(engine, task.camera, 64, 64).rgb(), images[0])


def test_lights_are_tilted_by_their_angles():
    """A light that shines down, by 0.1 rad about x, shines to +y: (0, sin 0.1, -cos 0.1)."""
    spec = mujoco.MjSpec()
    spec.option.jacobian = mujoco.mjtJacobian.mjJAC_DENSE
    spec.worldbody.add_light(type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL, dir=(0, 0, -1), diffuse=(0.5, 0.4, 0.3))
    model = spec.compile()
    engine = CpuEngine(model, 2)
    tilt = torch.tensor([[[0.1, 0.0]]], dtype=torch.float64)
    Lights(model).set(engine, torch.tensor([1]), torch.full((1, 1), 0.5), tilt)
    direction, diffuse = engine.model_field("light_dir"), engine.model_field("light_diffuse")
    assert direction[:, 0].flatten().tolist() == pytest.approx([0, 0, -1, 0, sin(0.1), -cos(0.1)], abs=1e-6)
    assert diffuse[:, 0].flatten().tolist() == pytest.approx([0.5, 0.4, 0.3, 0.25, 0.2, 0.15])


def test_at_the_goal_it_is_done_and_at_the_start_not(task):
    engine = at_goal(task)
    done = torch.full((9,), task.name != "bottle")  # whose thread has not been turned
    assert torch.equal(task.finish_episode(engine).success, done)
    assert not task.finish_episode(started(task)).success.any()


def test_gravity_pulls_what_is_released(task):
    engine = started(task)
    free = int(task.model.joint(task.scene.held_joint).qposadr[0])
    before = engine.field("qpos")[:, free + 2].clone()
    engine.field("eq_active")[:] = 0
    engine.step(20)
    fallen = before - engine.field("qpos")[:, free + 2]
    torch.testing.assert_close(fallen, torch.full((9,), 0.5 * 9.81 * 0.1**2).double(), rtol=0.15, atol=0)


@pytest.mark.parametrize("name", ["hanger", *NAMES])
def test_images_for_pose_regression_show_the_target_where_it_was_drawn(name):
    """What is learned from them would be a constant otherwise."""
    task = make_task(name)
    engine = task.make_engine(24)
    task.reset_for_pose_data(engine, seeded())
    drawn = task.sample_reset(24, seeded(), randomize=False).placement["target"]
    torch.testing.assert_close(task.target_position(engine), drawn, atol=2e-3, rtol=0)
    assert (task.keypoints(engine)[..., :2].std(0) > 0.03).all()


@pytest.mark.parametrize("name", ["hanger", *NAMES, "lifting", "stacking", "insertion2d", "swimmer"])
def test_worlds_are_saved_with_all_that_is_in_them(name):
    task = make_task(name)
    made = [VecEnv(task, 3, seeded(seed), observations=("state",), image_size=32) for seed in (0, 1)]
    for env in made:
        env.reset()
        env.step(torch.zeros(3, task.action_size))
    made[1].load_state_dict(made[0].state_dict())
    assert torch.equal(task.keypoints(made[0].engine), task.keypoints(made[1].engine))
    assert torch.equal(made[0].observe()["state"], made[1].observe()["state"])
    assert torch.equal(made[0].render(), made[1].render())


@pytest.mark.parametrize(
    ("name", "axis", "near", "spin"),
    [
        ("hanger", 2, 1.0, 0.0),  # no approach: errors count fully at once
        ("cube", 2, 0.02 + 0.98 * (0.2 / 0.7) ** 2, 0.0),
        ("hammer", 1, 0.02 + 0.98 * 0.2 / 0.7, 0.0),
        ("bottle", 2, 0.02 + 0.98 * (0.2 / 0.7) ** 2, 0.5 * 0.5 * (1.5 - 2.0) ** 2),
    ],
)
def test_costs_by_hand(name, axis, near, spin):
    """In step 20 of 100, with all points 10 cm away along the approach, the wrist at 1.5 rad/s, two motors at half."""
    states, actions = torch.zeros(100, 32, dtype=torch.float64), torch.zeros(100, 7, dtype=torch.float64)
    states[:, 14 + axis : 23 : 3] = 0.1
    states[:, 13], states[:, 23] = 1.5, 0.2
    actions[:, 0] = actions[:, 6] = 0.5
    away = near * 3 * 0.1**2
    effort = 5.0 * 0.2**2 + 1e-3 * (15.0**2 + 5.0**2)  # points at 0.2 m/s; 15 and 5 N m
    expected = 0.5 * (0.2 * (away + log(away + 1e-5)) + effort) + spin
    assert float(make_task(name).cost(states, actions)[19]) == pytest.approx(expected, rel=1e-9)


def pixels_of(name: str, split: str) -> dict[str, int]:
    """The least number of pixels, over 27 starts, in which each distractor is seen in images of 64x64."""
    task = make_task(name)
    engine = started(task, split, 27)
    seen = Camera(engine, task.camera, 64, 64).render().segmentation
    return {geom: int((seen == task.model.geom(geom).id).sum((1, 2)).min()) for geom in task.scene.clutter[split]}


@pytest.mark.parametrize("name", ["hanger", *NAMES])
def test_the_background_is_seen_from_every_start(name):
    pixels = pixels_of(name, "background")
    assert set(pixels) == {"background_crate", "background_cushion", "background_bin"}
    assert min(pixels.values()) >= 20, pixels


def test_the_bottle_s_distractors_are_seen_and_stand_on_something():
    pixels = pixels_of("bottle", "visual")
    assert all(pixels[thing] >= 10 for thing in ("stool", "other_bottle", "mug", "jar")), pixels
    model = make_task("bottle").model
    for thing in ("other_bottle", "mug", "jar"):
        assert model.geom(thing).bodyid[0] == 0  # of the world: it does not move with the bottle
        assert model.geom(thing).pos[2] - model.geom(thing).size[1] == pytest.approx(0.70)
