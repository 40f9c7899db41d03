"""Lifting and stacking: worlds that differ, starts, stages on either side of their boundaries, what is read."""

import mujoco
import numpy as np
import pytest
import torch

from visuomotor.camera import Camera
from visuomotor.engine import CpuEngine
from visuomotor.tasks import StagedTask, Variation, make_task
from visuomotor.tasks.jaco.blocks_task import SPAWN

BLOCK = {"geom_size", "geom_rbound", "geom_aabb", "bvh_aabb", "body_inertia", "body_invweight0", "dof_invweight0"}
FIELDS = {  # of the model, by what is drawn
    "block_half": BLOCK | {"dof_M0"},
    "block_mass": {"body_mass", "body_subtreemass", "body_inertia", "body_invweight0", "dof_invweight0", "dof_M0"},
    "block_friction": {"geom_friction"},
    "joint_friction": {"dof_frictionloss"},
    "joint_armature": {"dof_armature"},
    "joint_damping": {"dof_damping"},
    "motor_gain": {"actuator_gainprm", "actuator_biasprm"},
    "block_color": {"geom_rgba"},
    "arm_grey": {"geom_rgba"},
    "table_color": {"geom_rgba"},
    "wall_color": {"geom_rgba"},
    "lamp_brightness": {"light_diffuse"},
    "lamp_tilt": {"light_dir"},
    "camera_shift": {"cam_pos"},
    "camera_turn": {"cam_quat"},
    "camera_zoom": {"cam_fovy"},
}
MODEL_FIELDS = sorted(set.union(*FIELDS.values()))
HALF = 0.025  # m, of the plain blocks


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def lifting() -> StagedTask:
    return make_task("lifting", StagedTask)


@pytest.fixture(scope="module")
def stacking() -> StagedTask:
    return make_task("stacking", StagedTask)


@pytest.fixture(params=["lifting", "stacking"])
def task(request) -> StagedTask:
    return request.getfixturevalue(request.param)


def plain_engine(task: StagedTask, worlds: int) -> CpuEngine:
    engine = task.make_engine(worlds)
    task.vary(engine, torch.arange(worlds), task.plain(worlds))
    task.start(engine, torch.arange(worlds), seeded())
    return engine


def started_engine(task: StagedTask, worlds: int, seed: int = 0) -> tuple[CpuEngine, Variation]:
    generator = seeded(seed)
    engine, variation = task.make_engine(worlds), task.draw(worlds, generator)
    task.vary(engine, torch.arange(worlds), variation)
    task.start(engine, torch.arange(worlds), generator)
    return engine, variation


def fields(engine: CpuEngine) -> dict[str, torch.Tensor]:
    return {name: engine.model_field(name).clone() for name in MODEL_FIELDS}


def place(task: StagedTask, engine: CpuEngine, name: str, places: torch.Tensor, tilt: torch.Tensor | float = 0.0):
    """Put a block at `(n, 3)` m in the n worlds, turned by `tilt` rad about x."""
    half = torch.as_tensor(tilt, dtype=torch.float64).expand(engine.worlds) / 2
    nothing = torch.zeros_like(half)
    address = int(task.model.joint(name).qposadr[0])
    pose = torch.cat([places.double(), torch.stack([half.cos(), half.sin(), nothing, nothing], -1)], 1)
    engine.field("qpos")[:, address : address + 7] = pose
    engine.forward()


def put_pinch(task: StagedTask, engine: CpuEngine, places: torch.Tensor):
    """Move the arm's base so that the pinch point is at `(n, 3)` m."""
    pinch = engine.field("site_xpos")[:, task.model.site("jaco_pinch").id]
    engine.model_field("body_pos")[:, task.model.body("jaco_base").id] += places - pinch
    engine.forward()


def places(*rows: tuple[float, float, float]) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.float64)


@pytest.mark.parametrize("name", FIELDS)
def test_everything_drawn_makes_worlds_differ_and_nothing_else(stacking, name):
    engine = stacking.make_engine(3)
    variation, drawn = stacking.plain(3), stacking.draw(3, seeded())
    for mine, theirs in ((variation.physics, drawn.physics), (variation.looks, drawn.looks)):
        if name in mine:
            mine[name][1:] = theirs[name][1:]
    stacking.vary(engine, torch.arange(3), variation)
    different = {field for field, value in fields(engine).items() if not torch.equal(value[1], value[2])}
    assert different == FIELDS[name]
    if name in variation.looks:
        stacking.start(engine, torch.arange(3), seeded())
        engine.set_state(engine.state()[:1].expand(3, -1).contiguous())
        images = Camera(engine, stacking.camera).rgb()
        assert not torch.equal(images[0], images[1])
        assert not torch.equal(images[1], images[2])


def test_all_that_is_drawn_is_listed_here(task):
    drawn = task.draw(2, seeded())
    assert set(drawn.physics) | set(drawn.looks) == set(FIELDS)
    assert all(torch.isfinite(value).all() for value in (*drawn.physics.values(), *drawn.looks.values()))


def test_the_shared_model_stays_as_it_is(task):
    before = {name: np.array(getattr(task.model, name)) for name in MODEL_FIELDS}
    engine, _ = started_engine(task, 4)
    task.act(engine, torch.zeros(4, task.action_size, dtype=torch.float64))
    for name, value in before.items():
        np.testing.assert_array_equal(getattr(task.model, name), value, err_msg=name)


def test_plain_worlds_are_the_model(task):
    """But for colours, which are plain."""
    engine, _ = started_engine(task, 2)
    task.vary(engine, torch.arange(2), task.plain(2))
    for name, value in fields(engine).items():
        if name != "geom_rgba":
            np.testing.assert_allclose(value[1], getattr(task.model, name), rtol=1e-6, atol=1e-9, err_msg=name)


def test_varying_one_world_leaves_the_others_alone(task):
    engine, _ = started_engine(task, 4)
    before, state = fields(engine), engine.state()
    task.vary(engine, torch.tensor([2]), task.draw(1, seeded(7)))
    task.start(engine, torch.tensor([2]), seeded(8))
    others = torch.tensor([0, 1, 3])
    for name, value in fields(engine).items():
        assert torch.equal(value[others], before[name][others]), name
        assert not torch.equal(value[2], before[name][2]), name
    assert torch.equal(engine.state()[others], state[others])
    assert not torch.equal(engine.state()[2], state[2])


def test_stored_physics_bring_a_demonstrations_world_back(task):
    """State and physics, with whatever looks: the same actions then lead to the same states."""
    engine, variation = started_engine(task, 3)
    actions = 2 * torch.rand(20, 3, task.action_size, generator=seeded(1), dtype=torch.float64) - 1
    task.act(engine, actions[0] * task.action_limits)
    stored = engine.state()
    other = task.make_engine(3)
    task.vary(other, torch.arange(3), Variation(variation.physics, task.draw(3, seeded(9)).looks))
    other.set_state(stored)
    for action in actions:
        for each in (engine, other):
            task.act(each, action * task.action_limits)
    assert torch.equal(engine.state(), other.state())


def test_random_starts_are_apart_on_the_table_at_stage_0_and_calm(task):
    engine, variation = started_engine(task, 256)
    before = task.keypoints(engine)
    assert task.stage(engine).eq(0).all()
    assert before[..., :2].abs().max() <= SPAWN + 1e-6
    torch.testing.assert_close(before[..., 2], variation.physics["block_half"].float())
    if before.shape[1] == 2:  # not even the corners of the largest can touch
        assert (before[:, 0] - before[:, 1])[:, :2].norm(dim=-1).min() > 2 * 2**0.5 * 0.03
    for _ in range(20):  # 1 s
        task.act(engine, torch.zeros(256, task.action_size, dtype=torch.float64))
    assert not engine.divergences
    assert (task.keypoints(engine) - before).norm(dim=-1).max() < 1e-4
    assert engine.field("qvel").abs().max() < 1e-2


def test_starts_differ_and_follow_from_the_generator(task):
    first, again, other = (started_engine(task, 8, seed)[0].state() for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert len(torch.unique(first, dim=0)) == 8


def test_reached_within_5_cm(lifting):
    engine = plain_engine(lifting, 4)
    put_pinch(lifting, engine, places((0, 0, 0.03)).expand(4, 3))
    place(lifting, engine, "block", places((0.049, 0, 0.03), (0.051, 0, 0.03), (0, -0.049, 0.03), (0.04, 0.04, 0.03)))
    assert lifting.stage(engine).tolist() == [1, 0, 1, 0]


def test_lifted_by_the_lowest_corner(task):
    """A block held upright has its lowest corner 25 mm below the centre, on edge 25 mm * sqrt 2."""
    heights = [0.0745, 0.0755, 0.0848, 0.0859]
    engine, (first, *_) = plain_engine(task, 4), task.objects
    at = places(*[(0.15, 0.15, height) for height in heights])
    put_pinch(task, engine, at)
    place(task, engine, first, at, torch.tensor([0, 0, torch.pi / 4, torch.pi / 4]))
    assert task.stage(engine).tolist() == [1, 2, 1, 2]


def test_a_block_in_the_air_away_from_the_hand_is_not_lifted(lifting):
    engine = plain_engine(lifting, 2)
    put_pinch(lifting, engine, places((0, 0, 0.2)).expand(2, 3))
    place(lifting, engine, "block", places((0.059, 0, 0.2), (0.061, 0, 0.2)))
    assert lifting.stage(engine).tolist() == [2, 0]


@pytest.mark.parametrize(
    ("beside", "centre", "tilt", "stacked"),
    [
        (0.0, 0.0749, 0.0, True),
        (0.0199, 0.0749, 0.0, True),
        (0.0201, 0.0749, 0.0, False),
        (0.0, 0.0651, 0.0, True),  # sunk in: 1 cm at most
        (0.0, 0.0649, 0.0, False),
        (0.0, 0.0755, 0.0, False),  # half a millimetre of air
        (0.0, 0.0841, 0.5272, True),  # balancing on an edge at 30 degrees: 25 mm (cos + sin) = 34.2 mm up
        (0.0, 0.0852, 0.7854, False),  # at 45 degrees: 35.4 mm
    ],
)
def test_stacked_within_2_cm_and_1_cm_and_touching(stacking, beside, centre, tilt, stacked):
    engine = plain_engine(stacking, 1)
    place(stacking, engine, "lower", places((0.05, 0.0, HALF)))
    place(stacking, engine, "upper", places((0.05 + beside, 0.0, centre)), tilt)
    assert stacking.stage(engine).tolist() == [3 if stacked else 0]


def test_stacked_needs_no_hand_and_the_right_order(stacking):
    engine = plain_engine(stacking, 1)
    place(stacking, engine, "upper", places((0, 0, HALF)))
    place(stacking, engine, "lower", places((0, 0, 0.0749)))
    assert stacking.stage(engine).tolist() == [0]


def test_rewards_belong_to_stages(task):
    stages = torch.arange(len(task.stages))
    assert task.reward(stages).tolist() == list(task.stage_rewards)
    assert task.reward(stages)[-1] == 1
    assert task.success(stages).tolist() == [False] * (len(task.stages) - 1) + [True]


def test_proprioception_tells_nothing_of_the_blocks(task):
    engine = plain_engine(task, 2)
    engine.set_state(engine.state()[:1].expand(2, -1).contiguous())
    variation = task.plain(2)
    variation.physics["block_half"][1] = 0.02
    task.vary(engine, torch.arange(2), variation)
    for index, name in enumerate(task.objects):
        place(task, engine, name, places((0.05 * index, 0, 0.025), (-0.1, 0.1 * index, 0.3)), torch.tensor([0.0, 0.3]))
        dof = int(task.model.joint(name).dofadr[0])
        engine.field("qvel")[1, dof : dof + 6] = 0.1
    engine.forward()
    first, second = task.proprioception(engine)
    assert torch.equal(first, second)
    assert first.shape == (task.proprioception_size,)


def test_features_tell_nothing_of_the_arm_but_where_its_gripper_is(task):
    """Arms in other poses with the pinch point in one place look alike; three of the six joints are free to do so."""
    engine = plain_engine(task, 2)
    engine.set_state(engine.state()[:1].expand(2, -1).contiguous())
    data, model = mujoco.MjData(task.model), task.model
    data.qpos = engine.field("qpos")[0].numpy()
    mujoco.mj_forward(model, data)
    site, columns = model.site("jaco_pinch").id, [int(model.joint(f"jaco_joint_{i}").dofadr[0]) for i in range(1, 7)]
    angles = [int(model.joint(f"jaco_joint_{i}").qposadr[0]) for i in range(1, 7)]
    target, jacobian = data.site_xpos[site].copy(), np.zeros((3, model.nv))
    for step in range(60):
        mujoco.mj_jacSite(model, data, jacobian, None, site)
        arm = jacobian[:, columns]
        inverse = np.linalg.pinv(arm)
        wander = (np.eye(6) - inverse @ arm) @ np.array([1.0, -1, 1, 1, -1, 1]) * 0.02 * (step < 50)
        data.qpos[angles] += wander + inverse @ (target - data.site_xpos[site])
        mujoco.mj_forward(model, data)
    finger = int(model.joint("jaco_finger_1").qposadr[0])
    data.qpos[finger] += 0.3
    engine.field("qpos")[1] = torch.from_numpy(data.qpos)
    engine.field("qvel")[1, columns] = 0.2
    engine.forward()
    moved = engine.field("qpos")[:, angles].diff(dim=0).abs()
    assert moved.max() > 0.3
    features = task.features(engine)
    assert features.shape == (2, task.feature_size)
    torch.testing.assert_close(features[0], features[1], atol=1e-6, rtol=0)
    place(task, engine, task.objects[0], places((0, 0, 0.025), (0.01, 0, 0.025)))
    assert not torch.allclose(*task.features(engine), atol=5e-3)


def test_privileged_readings_have_their_size_and_see_all(task):
    engine, _ = started_engine(task, 3)
    seen = task.privileged(engine)
    assert seen.shape == (3, task.privileged_size)
    assert seen.dtype == torch.float32
    assert seen.isfinite().all()
    engine.field("qvel")[1] += 0.1
    engine.forward()
    assert (task.privileged(engine) != seen).any(-1).tolist() == [False, True, False]


def test_object_positions_are_the_blocks(task):
    engine, _ = started_engine(task, 3)
    rows = [engine.field("qpos")[:, (a := int(task.model.joint(name).qposadr[0])) : a + 3] for name in task.objects]
    torch.testing.assert_close(task.keypoints(engine), torch.stack(rows, 1).float())


def test_a_block_that_fell_is_read_as_at_rest_where_it_left(task):
    engine, _ = started_engine(task, 3)
    fall = places((0.1, -0.2, -0.2), (0.1, -0.2, -300.0), (0.1, -0.2, 0.2))
    address = int(task.model.joint(task.objects[0]).dofadr[0])
    engine.set_state(engine.state()[:1].expand(3, -1).contiguous())
    engine.model_field("geom_size")[:] = engine.model_field("geom_size")[:1].clone()
    engine.field("qvel")[1:, address : address + 6] = torch.tensor([0.0, 3.0, -70.0, 30.0, 0.0, 0.0]).double()
    place(task, engine, task.objects[0], fall)
    torch.testing.assert_close(task.keypoints(engine)[1, 0], torch.tensor([0.1, -0.2, -0.1]))
    for read in (task.features, task.privileged):
        slow_and_near, fast_and_far, above = read(engine)
        assert torch.equal(slow_and_near, fast_and_far)
        assert not torch.allclose(above, fast_and_far, atol=0.1)
    assert task.privileged(engine)[2].abs().max() == 70  # in the air above the table velocities are what they are
