"""The hanger task: its protocols, what can be read, and what counts as success."""

import dataclasses

import mujoco
import numpy as np
import pytest
import torch
from mujoco import MjData, mj_kinematics

from visuomotor.camera import Camera
from visuomotor.errors import VisuomotorError
from visuomotor.robots.solve_arm import solve_arm
from visuomotor.robots.pr2 import END_EFFECTOR_POINTS
from visuomotor.tasks import ConditionedTask, Conditions, make_task, task_names
from visuomotor.algorithms.gps.rollout import rollout

POINTS = slice(14, 23)
BACKGROUND = ("crate", "cushion", "bin")


@pytest.fixture(scope="module")
def task():
    return make_task("hanger", ConditionedTask)


def started(task, conditions, generator=None, spread=0.0):
    engine = task.make_engine(len(conditions))
    task.start(engine, conditions, generator, spread)
    return engine


def some(conditions, *rows):
    return conditions[torch.tensor(rows)]


def side_by_side(*conditions):
    """Conditions one after the other in one batch."""
    return Conditions(*(torch.cat([getattr(c, f.name) for c in conditions]) for f in dataclasses.fields(Conditions)))


def move_arm(task, engine, world, hand_position, hand_quat):
    """Put the right hand somewhere, with the hanger in it."""
    model, data = task.model, MjData(task.model)
    qpos = engine.field("qpos")[world]
    tool = model.body("r_gripper_tool_frame").id
    freejoint = next(j for j in range(model.njnt) if model.jnt_type[j] == mujoco.mjtJoint.mjJNT_FREE)
    hanger = slice(model.jnt_qposadr[freejoint], model.jnt_qposadr[freejoint] + 7)
    data.qpos[:] = qpos.numpy()
    mj_kinematics(model, data)
    before_position, before = data.xpos[tool].copy(), data.xmat[tool].reshape(3, 3).copy()
    names = ["shoulder_pan", "shoulder_lift", "upper_arm_roll", "elbow_flex", "forearm_roll", "wrist_flex"]
    address = [model.joint(f"r_{name}_joint").qposadr[0] for name in [*names, "wrist_roll"]]
    data.qpos[address] = solve_arm(model, "r", hand_position, hand_quat)
    mj_kinematics(model, data)
    turn = data.xmat[tool].reshape(3, 3) @ before.T
    quat, turned = np.zeros(4), np.zeros(4)
    mujoco.mju_mat2Quat(quat, turn.flatten())
    mujoco.mju_mulQuat(turned, quat, qpos[hanger].numpy()[3:])
    data.qpos[hanger] = [*(data.xpos[tool] + turn @ (qpos[hanger].numpy()[:3] - before_position)), *turned]
    qpos[:] = torch.from_numpy(data.qpos)


def target_hand(task, engine, conditions, world):
    """The hand's pose at which its three points are at their targets, by Kabsch's method."""
    points = task.proprioception(engine)[:, POINTS] - task.state(engine, conditions)[:, POINTS]
    world_points, own_points = points[world].view(3, 3).numpy(), np.array(END_EFFECTOR_POINTS)
    covariance = (own_points - own_points.mean(0)).T @ (world_points - world_points.mean(0))
    left, _, right = np.linalg.svd(covariance)
    sign = np.diag([1.0, 1.0, np.linalg.det(right.T @ left.T)])
    rotation = right.T @ sign @ left.T
    quat = np.zeros(4)
    mujoco.mju_mat2Quat(quat, rotation.flatten())
    return world_points.mean(0) - rotation @ own_points.mean(0), quat


def test_task_names():
    assert "hanger" in task_names()
    with pytest.raises(VisuomotorError, match="hanger"):
        make_task("hangar")


def test_protocols(task):
    assert task.protocols == ("training", "spatial", "visual", "background")
    training, spatial, visual, background = (task.conditions(name) for name in task.protocols)
    assert (len(training), len(spatial), len(visual), len(background)) == (18, 24, 18, 18)
    for conditions, positions in ((training, 9), (spatial, 12), (visual, 9), (background, 9)):
        pairs = {
            (*target, grasp)
            for target, grasp in zip(conditions.target.tolist(), conditions.grasp.tolist(), strict=True)
        }
        assert len(pairs) == len(conditions)
        assert len({pair[:3] for pair in pairs}) == positions
        assert conditions.grasp.bincount().tolist() == [positions, positions]
    for conditions in (training, spatial, visual, background):
        assert conditions.distractors.tolist() == [conditions is visual] * len(conditions)
        assert conditions.background.tolist() == [conditions is background] * len(conditions)
    for conditions in (visual, background):
        assert torch.equal(training.target, conditions.target)
        assert torch.equal(training.grasp, conditions.grasp)
    assert torch.cdist(spatial.target, training.target).min() > 0.02  # none is one of training
    low, high = training.target.min(0).values, training.target.max(0).values
    assert ((spatial.target >= low) & (spatial.target <= high)).all()
    assert (high - low)[:2].tolist() == pytest.approx([0.2, 0.2])  # 10 to 20 cm in each direction
    with pytest.raises(VisuomotorError, match="spatial"):
        task.conditions("spacial")


def test_random_conditions_lie_where_training_does(task):
    training = task.conditions("training").target
    drawn = task.sample_conditions(500, torch.Generator().manual_seed(0))
    assert not drawn.distractors.any()
    assert not drawn.background.any()
    assert set(drawn.grasp.tolist()) == {0, 1}
    assert (drawn.target >= training.min(0).values).all()
    assert (drawn.target <= training.max(0).values).all()
    assert (drawn.target.std(0)[:2] > 0.05).all()
    again = task.sample_conditions(500, torch.Generator().manual_seed(0))
    assert torch.equal(drawn.target, again.target)


def test_readings_tell_nothing_about_the_target(task):
    conditions = task.conditions("training")
    engine = started(task, conditions)
    readings, state = task.proprioception(engine), task.state(engine, conditions)
    assert readings.shape == (18, task.proprioception_size)
    assert state.shape == (18, task.state_size)
    assert torch.equal(readings, readings[:1].expand_as(readings))  # the same whatever the target and grasp
    assert len({tuple(row.tolist()) for row in state[:9, POINTS]}) == 9  # which the state does tell
    offset = readings[:, POINTS] - state[:, POINTS]
    # one grasp: the hand's target moves as the bar does
    moved = offset[:9].view(9, 3, 3) - conditions.target[:9, None]
    torch.testing.assert_close(moved, moved[:1].expand_as(moved), rtol=0, atol=1e-12)


def test_state_holds_angles_velocities_points_and_their_velocities(task):
    conditions = some(task.conditions("training"), 4)
    engine = started(task, conditions)
    torque = torch.tensor([[3.0, -2.0, 1.0, -1.0, 0.5, 0.5, 0.2]], dtype=torch.float64)
    for _ in range(3):
        task.act(engine, torque)
    before = task.state(engine, conditions)
    engine.step(1)
    after = task.state(engine, conditions)
    rate = (after - before) / task.model.opt.timestep
    assert before[:, 7:14].abs().max() > 0.05
    torch.testing.assert_close(rate[:, :7], (before[:, 7:14] + after[:, 7:14]) / 2, rtol=0.05, atol=0.05)
    torch.testing.assert_close(rate[:, POINTS], (before[:, 23:] + after[:, 23:]) / 2, rtol=0.05, atol=0.02)


def test_hanging_where_it_should_is_success_and_letting_go_at_the_start_is_not(task):
    conditions = some(task.conditions("training"), 0, 4, 8, 10, 16, 4)
    engine = started(task, conditions)
    for world in range(5):
        move_arm(task, engine, world, *target_hand(task, engine, conditions, world))
    engine.forward()
    gap = task.state(engine, conditions)[:, POINTS].view(-1, 3, 3).norm(dim=-1)
    assert (gap[:5] < 0.003).all()
    assert (gap[5] > 0.1).all()
    outcome = task.judge(engine, conditions)
    assert outcome.success.tolist() == [True] * 5 + [False]
    torch.testing.assert_close(outcome.distance, gap.mean(-1), rtol=0, atol=1e-9)


def test_actions_are_clipped_to_the_limits(task):
    conditions = some(task.conditions("training"), 0, 0)
    engine = started(task, conditions)
    limits = task.action_limits.expand(2, -1).clone()
    limits[1] *= 100
    task.act(engine, limits)
    readings = task.proprioception(engine)
    assert torch.equal(readings[0], readings[1])


@pytest.mark.parametrize("protocol", ["visual", "background"])
def test_distractors_are_seen_but_not_felt(task, protocol):
    plain, changed = some(task.conditions("training"), 4), some(task.conditions(protocol), 4)
    both = side_by_side(plain, changed)
    engine = task.make_engine(2)
    camera = Camera(engine, task.camera, 64, 64)
    images, states = [], []

    def push(observation):
        images.append(observation.images.clone())
        states.append(engine.state())
        generator = torch.Generator().manual_seed(observation.step)
        return (task.action_limits * torch.randn(7, generator=generator, dtype=torch.float64)).expand(2, -1)

    rollout(task, engine, both, push, camera)
    for image in images[::20]:
        changed = (image[0] != image[1]).any(-1)
        assert changed.float().mean() > 0.01
    for state in states:
        assert torch.equal(state[0], state[1])
    outcome = task.judge(engine, both)
    assert torch.equal(outcome.distance[0], outcome.distance[1])
    # and the same pictures without them
    task.start(engine, side_by_side(plain, plain), None, 0.0)
    bare = camera.rgb()
    assert torch.equal(bare[0], bare[1])
    assert torch.equal(bare[0], images[0][0])


def test_the_background_shows_in_its_own_split_only(task):
    things = torch.tensor([task.model.geom(f"background_{name}").id for name in BACKGROUND])
    room = torch.tensor([task.model.geom(name).id for name in ("floor", "wall")])
    frames = {}
    for name in task.protocols:
        engine = started(task, task.conditions(name))
        frames[name] = Camera(engine, task.camera, 64, 64).render()
        shown = torch.isin(frames[name].segmentation, things)
        assert shown.flatten(1).any(1).all() == shown.any() == (name == "background")
    seen, plain = (frames[name].segmentation for name in ("background", "training"))
    for thing in things:  # a sixtieth of the image at least, whatever the rack's position
        assert (seen == thing).flatten(1).float().mean(1).min() > 1 / 60
    # Rack, hand and all else are seen as before: the things cover nothing but floor and wall.
    covered = torch.isin(seen, things)
    assert torch.isin(plain[covered], room).all()
    assert torch.equal(seen[~covered], plain[~covered])
    assert torch.equal(frames["background"].rgb[~covered], frames["training"].rgb[~covered])


def test_nothing_touches_the_background(task):
    for name in BACKGROUND:
        geom = task.model.geom(f"background_{name}")
        assert geom.contype == geom.conaffinity == 0
        assert geom.bodyid == 0  # fixed in the world


def test_the_start_is_reproducible(task):
    conditions = some(task.conditions("training"), 0, 5, 17)
    engine = started(task, conditions, torch.Generator().manual_seed(3), 0.05)
    first = engine.state()
    angles = task.state(engine, conditions)[:, :7]
    task.act(engine, torch.ones(3, 7, dtype=torch.float64))
    task.start(engine, conditions, torch.Generator().manual_seed(3), 0.05)
    assert torch.equal(engine.state(), first)
    task.start(engine, conditions, torch.Generator().manual_seed(4), 0.05)
    assert not torch.equal(engine.state(), first)
    assert angles.std(0).min() > 0.001  # each world has its own
    task.start(engine, conditions, None, 0.05)
    alike = task.state(engine, conditions)[:, :7]
    assert torch.equal(alike, alike[:1].expand_as(alike))


def test_a_rollout_records_what_was_applied(task):
    conditions = some(task.conditions("training"), 0, 9)
    engine = task.make_engine(2)
    asked, seen = 1000 * torch.ones(2, 7, dtype=torch.float64), []
    samples = rollout(task, engine, conditions, lambda o: asked * (-1) ** o.step, watch=lambda: seen.append(1))
    assert samples.states.shape == (2, task.steps, task.state_size)
    assert samples.proprioception.shape == (2, task.steps, task.proprioception_size)
    assert torch.equal(samples.actions[:, 0], task.action_limits.expand(2, -1))
    assert torch.equal(samples.actions[:, 1], -task.action_limits.expand(2, -1))
    assert samples.images is None
    assert len(seen) == task.steps
    with pytest.raises(VisuomotorError, match="step 0"):
        rollout(task, engine, conditions, lambda o: asked * torch.nan)
