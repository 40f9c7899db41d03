"""The hanger task: its splits, where things are, what is observed, and what counts as success."""

import mujoco
import numpy as np
import pytest
import torch

from visuomotor.camera import Camera
from visuomotor.engine import CpuEngine
from visuomotor.props.hanger import hook_inside_height
from visuomotor.props.rack import BAR_HALF_LENGTH, BAR_RADIUS, HEIGHT
from visuomotor.robots.pr2 import END_EFFECTOR_POINTS, solve_arm
from visuomotor.tasks import ResetParams, make_task
from visuomotor.tasks.pr2.hanger import Hanger

POINTS, VELOCITIES = slice(14, 23), slice(23, 32)
BACKGROUND = ("crate", "cushion", "bin")
CLEARANCE = 0.004  # m
GRASPS = ((0.0, 0.0), (0.015, 0.2))  # m along the neck, rad about the fingers' axis


@pytest.fixture(scope="module")
def task() -> Hanger:
    return make_task("hanger")


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def starts(task, split="training", count=18, randomize=False, seed=0) -> ResetParams:
    return task.sample_reset(count, seeded(seed), split, randomize)


def started(task, params) -> CpuEngine:
    engine = task.make_engine(len(params))
    task.reset(engine, torch.arange(len(params)), params)
    return engine


def some(params, *rows) -> ResetParams:
    return params[torch.tensor(rows)]


def hang(task, engine, offset=(0.0, 0.0, 0.0)) -> None:
    """Put the hanger upright with the hook's inside `offset` `(n, 3)` m from the bar's centre, wherever the hand is."""
    bar = engine.field("site_xpos")[:, task.model.site("rack_bar_center").id]
    address = int(task.model.joint("hanger_joint").qposadr[0])
    height = torch.tensor([0.0, 0.0, hook_inside_height()], dtype=torch.float64)
    pose = torch.zeros(engine.worlds, 7, dtype=torch.float64)
    pose[:, :3], pose[:, 3] = bar + torch.tensor(offset, dtype=torch.float64) - height, 1.0
    engine.field("qpos")[:, address : address + 7] = pose
    engine.forward()


def hand_targets(task, engine, params, lean=0.0) -> list[tuple[np.ndarray, np.ndarray]]:
    """Position and rotation of the hand with the hook over the middle of the bar, `CLEARANCE` above it, and the hanger
    turned by `lean` (rad) about it."""
    turn = np.array([[np.cos(lean), 0, np.sin(lean)], [0, 1, 0], [-np.sin(lean), 0, np.cos(lean)]])
    bar = engine.field("site_xpos")[:, task.model.site("rack_bar_center").id].numpy()
    found = []
    for place, (shift, tilt) in zip(bar, params.dynamics["grasp"].tolist(), strict=True):
        hanger = np.add(place, (0, 0, BAR_RADIUS + CLEARANCE)) - turn @ [0, 0, hook_inside_height()]
        held = np.array([[np.cos(tilt), 0, np.sin(tilt)], [0, 1, 0], [-np.sin(tilt), 0, np.cos(tilt)]])
        found.append((hanger - turn @ held.T @ [0, 0, shift], turn @ held.T))
    return found


def move_arm(task, engine, targets) -> None:
    """Put the right hand at its target in each world, with the hanger as it holds it."""
    model, params = task.model, engine.model_field("eq_data")[:, 0].numpy()
    address = [int(model.joint(name).qposadr[0]) for name in task.robot.robot.joints]
    hanger = int(model.joint("hanger_joint").qposadr[0])
    for world, (position, rotation) in enumerate(targets):
        quat, data = np.empty(4), mujoco.MjData(model)
        mujoco.mju_mat2Quat(quat, rotation.flatten())
        qpos = engine.field("qpos")[world].numpy()
        qpos[address] = solve_arm(model, "r", position, quat)
        data.qpos[:] = qpos
        mujoco.mj_kinematics(model, data)
        tool, held = data.body("r_gripper_tool_frame"), np.empty(4)
        mujoco.mju_mulQuat(held, tool.xquat, params[world, 6:10])
        qpos[hanger : hanger + 7] = [*(tool.xpos + tool.xmat.reshape(3, 3) @ params[world, 3:6]), *held]
    engine.forward()


def test_splits(task):
    assert task.splits == ("training", "spatial", "visual", "background", "random")
    for split, positions in (("training", 9), ("spatial", 12), ("visual", 9), ("background", 9)):
        params = starts(task, split, 2 * positions)
        target, grasp = params.placement["target"], params.dynamics["grasp"]
        assert len(torch.unique(torch.cat([target, grasp], 1), dim=0)) == 2 * positions
        assert len(torch.unique(target, dim=0)) == positions
        for given in GRASPS:
            assert (grasp == torch.tensor(given, dtype=torch.float64)).all(1).sum() == positions
        # all in turn, and then again
        more = starts(task, split, 2 * positions + 3)
        assert torch.equal(more.placement["target"], torch.cat([target, target[:3]]))
        assert torch.equal(more.dynamics["grasp"], torch.cat([grasp, grasp[:3]]))
    training = starts(task).placement["target"]
    for split in ("visual", "background"):
        assert torch.equal(starts(task, split).placement["target"], training)
    spatial = starts(task, "spatial", 24).placement["target"]
    assert torch.cdist(spatial, training).min() > 0.02  # none is one of training
    low, high = training.min(0).values, training.max(0).values
    assert ((spatial >= low) & (spatial <= high)).all()
    torch.testing.assert_close(high - low, torch.tensor([0.2, 0.2, 0.0], dtype=torch.float64))


def test_each_split_shows_its_clutter_only(task):
    for split in task.splits:
        appearance = starts(task, split, 4, randomize=True).appearance
        assert {name: value.tolist() for name, value in appearance.items()} == {
            "visual": [float(split == "visual")] * 4,
            "background": [float(split == "background")] * 4,
        }


def test_random_starts_lie_where_training_does(task):
    training, drawn = starts(task).placement["target"], starts(task, "random", 500)
    target, grasp = drawn.placement["target"], drawn.dynamics["grasp"]
    assert {tuple(row) for row in grasp.tolist()} == set(GRASPS)
    assert (target >= training.min(0).values).all()
    assert (target <= training.max(0).values).all()
    assert (target.std(0)[:2] > 0.05).all()
    assert torch.equal(starts(task, "random", 500).placement["target"], target)
    assert not torch.equal(starts(task, "random", 500, seed=1).placement["target"], target)


def test_joints_start_at_random_by_a_fiftieth_of_a_radian_if_asked(task):
    assert torch.equal(starts(task).placement["start"], torch.zeros(18, 7, dtype=torch.float64))
    drawn = starts(task, count=500, randomize=True).placement["start"]
    assert drawn.std().item() == pytest.approx(0.02, rel=0.05)
    assert drawn.mean().abs() < 0.002
    params, still = starts(task, count=3, randomize=True), starts(task, count=3, randomize=True)
    still.placement["start"].zero_()
    plain = started(task, still)
    moved = task.robot.joint_positions(started(task, params)) - task.robot.joint_positions(plain)
    torch.testing.assert_close(moved, params.placement["start"])


def test_a_start_is_a_function_of_its_parameters_alone(task):
    params = starts(task, "random", 3, randomize=True, seed=5)
    fresh, used = started(task, params), started(task, starts(task, "background", 6))
    task.step(used, torch.ones(6, 7))
    task.finish_episode(used)
    before, worlds, others = used.state(), torch.tensor([0, 2, 5]), [1, 3, 4]
    color = used.model_field("geom_rgba").clone()
    task.reset(used, worlds, params.clone())
    assert torch.equal(used.state()[worlds], fresh.state())
    for group in ("proprioception", "state", "privileged", "keypoints", "errors", "stage"):
        assert torch.equal(getattr(task, group)(used)[worlds], getattr(task, group)(fresh)), group
    for name in ("geom_rgba", "eq_data"):
        assert torch.equal(used.model_field(name)[worlds], fresh.model_field(name)), name
    assert torch.equal(used.state()[others], before[others])
    assert torch.equal(used.model_field("geom_rgba")[others], color[others])


def test_the_hanger_starts_in_the_hand_and_the_rack_at_its_target(task):
    params = starts(task, randomize=True)
    engine = started(task, params)
    bar = engine.field("site_xpos")[:, task.model.site("rack_bar_center").id]
    torch.testing.assert_close(bar, params.placement["target"], atol=1e-3, rtol=0)
    hand, hanger = (task.model.body(name).id for name in ("r_gripper_tool_frame", "hanger"))
    grip = engine.field("xmat")[:, hand].view(-1, 3, 3).mT
    offset = (grip @ (engine.field("xpos")[:, hanger] - engine.field("xpos")[:, hand])[..., None])[..., 0]
    shift, tilt = params.dynamics["grasp"].unbind(1)
    torch.testing.assert_close(offset, torch.stack([0 * shift, 0 * shift, shift], 1), atol=1e-9, rtol=0)
    turned = grip @ engine.field("xmat")[:, hanger].view(-1, 3, 3)
    torch.testing.assert_close(turned[:, 0, 2], tilt.sin(), atol=1e-9, rtol=0)
    torch.testing.assert_close(turned[:, 1, 1], torch.ones_like(tilt), atol=1e-9, rtol=0)
    for _ in range(10):  # half a second: the weld holds it there
        task.step(engine, torch.zeros(18, 7))
    gap = (engine.field("xpos")[:, hanger] - engine.field("xpos")[:, hand]).norm(dim=-1)
    torch.testing.assert_close(gap, shift, atol=1e-3, rtol=0)


def test_keypoints_are_the_ends_of_the_bar_and_the_middle_of_the_rail(task):
    engine = started(task, starts(task, "spatial", 3))
    model, position = task.model, engine.field("geom_xpos")

    def top(name):
        geom = model.geom(name)
        axis = engine.field("geom_xmat")[:, geom.id].view(-1, 3, 3)[:, :, 2]
        return position[:, geom.id] + axis * axis[:, 2:].sign() * geom.size[1]

    expected = torch.stack([top("rack_left_pole"), top("rack_right_pole"), position[:, model.geom("rack_rail").id]], 1)
    found = task.keypoints(engine)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected.float(), atol=1e-6, rtol=0)
    distances = torch.cdist(found, found)
    assert distances[0, 0, 1].item() == pytest.approx(2 * BAR_HALF_LENGTH, abs=1e-5)
    assert distances[0, 0, 2].item() == pytest.approx((BAR_HALF_LENGTH**2 + HEIGHT**2) ** 0.5, abs=1e-5)


def test_errors_are_the_points_less_where_they_are_when_it_hangs(task):
    params = starts(task)
    engine = started(task, params)
    for seed in range(3):  # anywhere
        engine.field("qpos")[:, task.robot.qpos] += 0.3 * torch.randn(18, 7, generator=seeded(seed)).double()
        engine.forward()
        points = engine.field("site_xpos")[:, [task.model.site(f"r_point_{index}").id for index in range(3)]].numpy()
        targets = [place + END_EFFECTOR_POINTS @ turn.T for place, turn in hand_targets(task, engine, params)]
        np.testing.assert_allclose(task.errors(engine), points - np.array(targets), atol=1e-12)


def test_errors_vanish_exactly_where_the_hanger_hangs_over_the_bar(task):
    params = starts(task)
    engine = started(task, params)
    move_arm(task, engine, hand_targets(task, engine, params))
    errors = task.errors(engine)
    assert errors.norm(dim=-1).max() < 2e-3  # as good as inverse kinematics is
    sites = engine.field("site_xpos")
    gap = sites[:, task.model.site("hanger_hook_inside").id] - sites[:, task.model.site("rack_bar_center").id]
    expected = torch.tensor([0.0, 0.0, BAR_RADIUS + CLEARANCE], dtype=torch.float64).expand(18, 3)
    torch.testing.assert_close(gap, expected, atol=4e-3, rtol=0)
    assert task.stage(engine).eq(2).all()
    # three points tell position and rotation: a turn or a shift shows
    quat = engine.model_field("eq_data")[:, 0, 6:10]
    quat[:] = torch.tensor([np.cos(0.05), 0, 0, np.sin(0.05)])
    assert (task.errors(engine).norm(dim=-1).max(1).values > 2e-3).all()


@pytest.mark.parametrize(
    ("offset", "stage"),
    [
        ((0.0999, 0.0, 0.0), 1),
        ((0.1001, 0.0, 0.0), 0),
        ((-0.06, 0.0, 0.07), 1),  # 92 mm
        ((-0.08, 0.0, 0.07), 0),  # 106 mm
        ((0.0, 0.0, 0.0149), 2),
        ((0.0, 0.0, 0.0151), 1),
        ((0.0, 0.0, -0.0149), 2),
        ((-0.0151, 0.0, 0.0), 1),
        ((0.012, 0.0, 0.012), 1),  # 17 mm
        ((0.0, 0.1199, 0.01), 2),
        ((0.0, -0.1201, 0.01), 0),  # beside the bar
        ((0.05, 0.1201, 0.0), 0),
    ],
)
def test_near_within_10_cm_of_the_bar_and_hooked_within_15_mm(task, offset, stage):
    engine = started(task, starts(task, count=2))
    hang(task, engine, offset)
    assert task.stage(engine).tolist() == [stage] * 2
    assert task.reward(engine).tolist() == [(0.0, 0.125, 1.0)[stage]] * 2


def test_proprioception_tells_nothing_about_the_target(task):
    params = starts(task)
    engine = started(task, params)
    seen, state = task.proprioception(engine), task.state(engine)
    assert (seen.dtype, state.dtype) == (torch.float32, torch.float64)
    assert seen.shape == (18, task.size("proprioception")) == (18, 32)
    assert state.shape == (18, task.size("state")) == (18, 32)
    assert torch.equal(seen, seen[:1].expand_as(seen))  # the same whatever the target and grasp
    assert len(torch.unique(state[:9, POINTS], dim=0)) == 9  # which the state does tell
    torch.testing.assert_close(state[:, POINTS], task.errors(engine).flatten(1))
    points = engine.field("site_xpos")[:, [task.model.site(f"r_point_{index}").id for index in range(3)]]
    torch.testing.assert_close(seen[:, POINTS], points.flatten(1).float())


def test_readings_have_names_and_units(task):
    names = task.proprioception_names
    assert len(names) == 32
    assert (names[0], names[7]) == (("r_shoulder_pan_joint", "rad"), ("r_shoulder_pan_joint velocity", "rad/s"))
    assert (names[14], names[24]) == (("r_point_0 x", "m"), ("r_point_0 y velocity", "m/s"))


def test_state_holds_angles_velocities_errors_and_the_points_velocities(task):
    engine = started(task, some(starts(task), 4))
    torque = torch.tensor([[3.0, -2.0, 1.0, -1.0, 0.5, 0.5, 0.2]]) / task.robot.action_limits
    for _ in range(3):
        task.step(engine, torque)
    before = task.state(engine)
    torch.testing.assert_close(before[:, :7], task.robot.joint_positions(engine))
    engine.step(1)
    after = task.state(engine)
    rate = (after - before) / task.model.opt.timestep
    assert before[:, 7:14].abs().max() > 0.05
    torch.testing.assert_close(rate[:, :7], (before[:, 7:14] + after[:, 7:14]) / 2, rtol=0.05, atol=0.05)
    middle = (before[:, VELOCITIES] + after[:, VELOCITIES]) / 2
    torch.testing.assert_close(rate[:, POINTS], middle, rtol=0.05, atol=0.02)


def test_cost_by_hand(task):
    """A torque of 1 N m costs 1/2 1e-3, whatever the joint's limit; a point at 1 m/s 5/2."""
    state = torch.zeros(1, 2, 32, dtype=torch.float64)
    state[0, :, 14] = 0.1
    state[0, :, 25] = 1.0
    action = (1.0 / task.robot.action_limits)[None, None].expand(1, 2, 7)
    distance = 0.01 + np.log(0.01 + 1e-5)
    expected = [0.5 * (ramp * distance + 5.0 + 7e-3) for ramp in (0.5, 10.0)]
    assert task.cost(state, action)[0].tolist() == pytest.approx(expected)


def test_gains_hold_a_pose(task):
    proportional, derivative = task.pd_gains()
    assert proportional.tolist() == pytest.approx([1.0, 1.0, 8 / 30, 8 / 30, 4 / 30, 0.3, 0.3])
    assert derivative.tolist() == pytest.approx([5 / 30, 5 / 30, 1 / 30, 1 / 30, 0.4 / 30, 0.03, 0.03])
    engine = started(task, some(starts(task), 0))
    home = task.robot.joint_positions(engine).clone()
    engine.field("qvel")[:, task.robot.dofs] = 0.5
    for _ in range(60):
        error = home - task.robot.joint_positions(engine)
        task.step(engine, proportional * error - derivative * task.robot.joint_velocities(engine))
    assert (task.robot.joint_positions(engine) - home).abs().max() < 0.1  # the hanger's weight bends it a little
    assert task.robot.joint_velocities(engine).abs().max() < 0.05


def test_hanging_where_it_should_is_success_and_letting_go_at_the_start_is_not(task):
    params = some(starts(task), 0, 4, 8, 10, 16, 4)
    engine = started(task, params)
    targets = hand_targets(task, engine, params)[:5]
    move_arm(task, engine, targets)
    gap = task.errors(engine).norm(dim=-1)
    assert (gap[:5] < 0.003).all()
    assert (gap[5] > 0.1).all()
    calls = []
    outcome = task.finish_episode(engine, lambda: calls.append(engine.field("time")[0].item()))
    assert outcome.success.tolist() == [True] * 5 + [False]
    torch.testing.assert_close(outcome.distance, gap.mean(-1), rtol=0, atol=1e-9)
    np.testing.assert_allclose(calls, 0.05 * np.arange(1, 31))  # every control period for 1.5 s
    assert task.stage(engine).tolist() == [2] * 5 + [0]


@pytest.mark.parametrize("degrees", [-22, -18, 18, 22])
def test_a_hanger_must_be_upright_when_the_hand_opens(task, degrees):
    params = some(starts(task), 4, 13)
    engine = started(task, params)
    move_arm(task, engine, hand_targets(task, engine, params, np.radians(degrees)))
    outcome = task.finish_episode(engine)
    assert task.in_place(engine).all()  # it hangs in any case
    assert outcome.success.tolist() == [abs(degrees) < 20] * 2


@pytest.mark.parametrize("split", ["training", "spatial"])
def test_an_arm_that_does_nothing_hangs_hardly_anything(task, split):
    """It sinks, and the hook of the leaning hanger often catches the bar."""
    engine = started(task, starts(task, split, 54, randomize=True))
    for _ in range(task.max_episode_steps):
        task.step(engine, torch.zeros(54, 7, dtype=torch.float64))
    outcome = task.finish_episode(engine)
    assert task.in_place(engine).sum() > 5
    assert outcome.success.sum() <= 1


def test_actions_are_clipped_to_the_limits(task):
    engine = started(task, some(starts(task), 0, 0))
    task.step(engine, torch.tensor([[1.0] * 7, [100.0] * 7]))
    assert torch.equal(engine.state()[0], engine.state()[1])
    assert torch.equal(engine.field("ctrl")[0, task.robot.actuator_ids], task.robot.action_limits)


@pytest.mark.parametrize("split", ["visual", "background"])
def test_distractors_are_seen_but_not_felt(task, split):
    params = some(starts(task), 4, 4)
    for name, value in starts(task, split).appearance.items():
        params.appearance[name][1] = value[4]
    engine = started(task, params)
    camera = Camera(engine, task.camera, 64, 64)
    images = [camera.rgb().clone()]
    for step in range(task.max_episode_steps):
        task.step(engine, torch.randn(7, generator=seeded(step)).expand(2, -1))
        assert torch.equal(*engine.state())
        if step % 20 == 0:
            images.append(camera.rgb().clone())
    for image in images:
        assert (image[0] != image[1]).any(-1).float().mean() > 0.01
    distance = task.finish_episode(engine).distance
    assert distance[0] == distance[1]
    # and the same pictures without them
    task.reset(engine, torch.arange(2), some(starts(task), 4, 4))
    bare = camera.rgb()
    assert torch.equal(bare[0], bare[1])
    assert torch.equal(bare[0], images[0][0])


def test_clutter_is_appearance_that_can_change_under_any_state(task):
    engine = started(task, some(starts(task), 4))
    camera = Camera(engine, task.camera, 64, 64)
    state, plain = engine.state(), camera.rgb().clone()
    seen = []
    for split in ("visual", "background", "training"):
        task.apply_appearance(engine, torch.arange(1), starts(task, split, 1).appearance)
        seen.append(camera.rgb().clone())
    assert torch.equal(engine.state(), state)
    assert torch.equal(seen[2], plain)
    assert not torch.equal(seen[0], plain)
    assert not torch.equal(seen[0], seen[1])


def test_the_background_shows_in_its_own_split_only(task):
    things = torch.tensor([task.model.geom(f"background_{name}").id for name in BACKGROUND])
    room = torch.tensor([task.model.geom(name).id for name in ("floor", "wall")])
    frames = {}
    for split in ("training", "spatial", "visual", "background"):
        engine = started(task, starts(task, split))
        frames[split] = Camera(engine, task.camera, 64, 64).render()
        shown = torch.isin(frames[split].segmentation, things)
        assert shown.flatten(1).any(1).all() == shown.any() == (split == "background")
    seen, plain = (frames[split].segmentation for split in ("background", "training"))
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


def test_states_for_pose_data_lie_between_the_start_and_the_target(task, monkeypatch):
    engine, again, other = (task.make_engine(48) for _ in range(3))
    for each, seed in ((engine, 0), (again, 0), (other, 1)):
        task.reset_for_pose_data(each, seeded(seed))
    assert torch.equal(engine.state(), again.state())
    assert not torch.equal(engine.state(), other.state())
    target = task.keypoints(engine)[:, :2].mean(1)
    assert (target[:, :2].std(0) > 0.04).all()
    training = starts(task).placement["target"].float()
    assert (target >= training.min(0).values - 0.002).all()
    assert (target <= training.max(0).values + 0.002).all()
    # the start is 20 cm above the bar or more; some hands are near it, some at the target
    distance = task.errors(engine).norm(dim=-1).mean(1)
    assert (distance.min() < 0.12) & (distance.max() > 0.2)
    hand, hanger = (task.model.body(name).id for name in ("r_gripper_tool_frame", "hanger"))
    gap = (engine.field("xpos")[:, hanger] - engine.field("xpos")[:, hand]).norm(dim=-1)
    shift = engine.model_field("eq_data")[:, 0, 5]
    torch.testing.assert_close(gap, shift, atol=1e-9, rtol=0)
    # joints stray from the way by 0.1 rad
    monkeypatch.setattr("visuomotor.tasks.pr2.pr2_task._WANDER", 0.0)
    task.reset_for_pose_data(again, seeded(0))
    strayed = task.robot.joint_positions(engine) - task.robot.joint_positions(again)
    assert strayed.std().item() == pytest.approx(0.1, rel=0.15)


def test_all_that_follows_from_what_is_drawn_follows(task):
    """Every number of a world's model is as MuJoCo computes it from the fields that were written: grasps are data of a
    constraint, which MuJoCo may compute itself."""
    engine = started(task, some(starts(task, "visual", randomize=True), 0, 9))
    for world in range(2):
        model, expected = engine._batch.get_model(world), engine._batch.get_model(world)
        mujoco.mj_setConst(expected, mujoco.MjData(expected))
        for name in dir(expected):
            value = getattr(expected, name)
            if isinstance(value, np.ndarray):
                np.testing.assert_array_equal(getattr(model, name), value, err_msg=name)


@pytest.mark.parametrize(
    ("place", "hangs"),
    [
        ((0.0299, 0.0, 0.0), True),
        ((0.0301, 0.0, 0.0), False),
        ((0.0, 0.0, -0.0301), False),
        ((0.02, 0.0, 0.02), True),
        ((0.0, BAR_HALF_LENGTH - 1e-4, 0.0), True),
        ((0.0, BAR_HALF_LENGTH + 1e-4, 0.0), False),
    ],
)
def test_a_released_hanger_hangs_within_3_cm_of_the_bar(task, place, hangs):
    engine = started(task, some(starts(task), 0, 5))
    hang(task, engine, place)
    assert task.in_place(engine).tolist() == [hangs] * 2
