"""Lifting and stacking: worlds that differ, starts, stages on either side of their boundaries, what is read."""

import mujoco
import numpy as np
import pytest
import torch

from visuomotor.camera import Camera
from visuomotor.engine import CpuEngine
from visuomotor.errors import VisuomotorError
from visuomotor.tasks import ResetParams, make_task
from visuomotor.tasks.jaco.lifting import Lifting
from visuomotor.tasks.table_task import SPAWN, TableTask

FOLLOWING = {"body_invweight0", "dof_invweight0", "dof_M0"}  # the engine's set_const computes them
FIELDS = {  # of the model, by what is drawn
    "block_half": {"geom_size", "geom_rbound", "geom_aabb", "bvh_aabb", "body_inertia", "dof_length", *FOLLOWING},
    "block_mass": {"body_mass", "body_subtreemass", "body_inertia", *FOLLOWING},
    "block_friction": {"geom_friction"},
    "joint_friction": {"dof_frictionloss"},
    "joint_armature": {"dof_armature", "actuator_acc0", *FOLLOWING},
    "joint_damping": {"dof_damping"},
    "actuator_gain": {"actuator_gainprm", "actuator_biasprm"},
    "block_color": {"geom_rgba"},
    "robot_grey": {"geom_rgba"},
    "table_color": {"geom_rgba"},
    "wall_color": {"geom_rgba"},
    "light_brightness": {"light_diffuse"},
    "light_tilt": {"light_dir"},
    "camera_shift": {"cam_pos"},
    "camera_turn": {"cam_quat"},
    "camera_zoom": {"cam_fovy"},
}
TRACKING = {"cam_pos0", "cam_mat0", "cam_poscom0", "light_pos0", "light_dir0", "light_poscom0"}
"""These follow from poses too, and are read only where a camera or light tracks a body."""
MODEL_FIELDS = sorted(set.union(*FIELDS.values()) | TRACKING)
HALF = 0.025  # m, of the nominal blocks


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def lifting() -> TableTask:
    return make_task("lifting")


@pytest.fixture(scope="module")
def stacking() -> TableTask:
    return make_task("stacking")


@pytest.fixture(params=["lifting", "stacking"])
def task(request) -> TableTask:
    return request.getfixturevalue(request.param)


def started_engine(
    task: TableTask, worlds: int, seed: int = 0, randomize: bool = True
) -> tuple[CpuEngine, ResetParams]:
    engine, params = task.make_engine(worlds), task.sample_reset(worlds, seeded(seed), randomize=randomize)
    task.reset(engine, torch.arange(worlds), params)
    return engine, params


def nominal_engine(task: TableTask, worlds: int) -> CpuEngine:
    return started_engine(task, worlds, randomize=False)[0]


def alike(engine: CpuEngine) -> None:
    """Put all worlds in the state of the first."""
    engine.set_state(engine.state()[:1].expand(engine.worlds, -1).contiguous())


def fields(engine: CpuEngine) -> dict[str, torch.Tensor]:
    return {name: engine.model_field(name).clone() for name in MODEL_FIELDS}


def place(task: TableTask, engine: CpuEngine, name: str, places: torch.Tensor, tilt: torch.Tensor | float = 0.0):
    """Put a block at `(n, 3)` m in the n worlds, turned by `tilt` rad about x."""
    half = torch.as_tensor(tilt, dtype=torch.float64).expand(engine.worlds) / 2
    nothing = torch.zeros_like(half)
    address = int(task.model.joint(name).qposadr[0])
    pose = torch.cat([places.double(), torch.stack([half.cos(), half.sin(), nothing, nothing], -1)], 1)
    engine.field("qpos")[:, address : address + 7] = pose
    engine.forward()


def put_pinch(task: TableTask, engine: CpuEngine, places: torch.Tensor):
    """Move the arm's base so that the pinch point is at `(n, 3)` m."""
    pinch = engine.field("site_xpos")[:, task.model.site("jaco_pinch").id]
    engine.model_field("body_pos")[:, task.model.body("jaco_base").id] += places - pinch
    engine.forward()


def places(*rows: tuple[float, float, float]) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.float64)


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


def test_starting_one_world_leaves_the_others_alone(task):
    engine, _ = started_engine(task, 4)
    before, state = fields(engine), engine.state()
    task.reset(engine, torch.tensor([2]), task.sample_reset(1, seeded(7)))
    others = torch.tensor([0, 1, 3])
    for name, value in fields(engine).items():
        assert torch.equal(value[others], before[name][others]), name
        assert torch.equal(value[2], before[name][2]) == (name == "light_pos0"), name
    assert torch.equal(engine.state()[others], state[others])
    assert not torch.equal(engine.state()[2], state[2])


def test_a_start_is_a_function_of_its_parameters_alone(task):
    """In any world, whatever was there before, and however the parameters were drawn."""
    params = task.sample_reset(3, seeded(5))
    fresh, used = task.make_engine(3), started_engine(task, 5, seed=2)[0]
    task.step(used, torch.ones(5, task.action_size))
    task.reset(fresh, torch.arange(3), params)
    worlds = torch.tensor([0, 2, 4])
    task.reset(used, worlds, params.clone())
    assert torch.equal(used.state()[worlds], fresh.state())
    for group in ("proprioception", "privileged", "keypoints", "object_features", "stage"):
        assert torch.equal(getattr(task, group)(used)[worlds], getattr(task, group)(fresh)), group
    for name, value in fields(used).items():
        assert torch.equal(value[worlds], fresh.model_field(name)), name


def test_stored_dynamics_bring_a_demonstrations_world_back(task):
    """State and dynamics, in whatever appearance: the same actions then lead to the same states."""
    engine, params = started_engine(task, 3)
    actions = 2 * torch.rand(20, 3, task.action_size, generator=seeded(1)) - 1
    task.step(engine, actions[0])
    stored = engine.state()
    other = task.make_engine(3)
    elsewhere = task.sample_reset(3, seeded(9))
    other_params = ResetParams(elsewhere.placement, params.dynamics, elsewhere.appearance)
    task.apply_randomization(other, torch.arange(3), other_params)
    other.set_state(stored)
    for action in actions:
        for each in (engine, other):
            task.step(each, action)
    assert torch.equal(engine.state(), other.state())


def test_random_starts_are_apart_on_the_table_at_stage_0_and_calm(task):
    engine, params = started_engine(task, 256)
    before = task.keypoints(engine)
    assert task.stage(engine).eq(0).all()
    assert before[..., :2].abs().max() <= SPAWN + 1e-6
    torch.testing.assert_close(before[..., 2], params.dynamics["block_half"].float())
    if before.shape[1] == 2:  # not even the corners of the largest can touch
        assert (before[:, 0] - before[:, 1])[:, :2].norm(dim=-1).min() > 2 * 2**0.5 * 0.03
    for _ in range(20):  # 1 s
        task.step(engine, torch.zeros(256, task.action_size))
    assert not engine.num_diverged
    assert (task.keypoints(engine) - before).norm(dim=-1).max() < 1e-4
    assert engine.field("qvel").abs().max() < 1e-2


def test_starts_differ_and_follow_from_the_generator(task):
    first, again, other = (started_engine(task, 8, seed)[0].state() for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert len(torch.unique(first, dim=0)) == 8


def test_the_placement_is_where_things_are(task):
    engine, params = started_engine(task, 6)
    robot, placement = task.robot, params.placement
    positions, home = robot.joint_positions(engine), robot.home
    torch.testing.assert_close(positions[:, :6] - home[:6], placement["arm"])
    assert placement["arm"].abs().max() <= 0.15
    # fingers from open (0.15 rad) to half closed (1.35 rad is closed)
    torch.testing.assert_close(positions[:, 6:], (0.15 + 1.2 * placement["grip"]).expand(6, 3))
    assert (positions[:, 6:] >= 0.15).all()
    assert (positions[:, 6:] <= 0.75).all()
    torch.testing.assert_close(task.keypoints(engine)[..., :2], placement["block_position"].float())
    for index, name in enumerate(task.objects):
        turned = engine.field("xmat")[:, task.model.body(name).id]
        torch.testing.assert_close(turned[:, 0], placement["block_yaw"][:, index].cos())
        torch.testing.assert_close(turned[:, 3], placement["block_yaw"][:, index].sin())


def test_what_is_randomized_is_asked_for(task):
    drawn, nominal = task.sample_reset(4, seeded()), task.sample_reset(4, seeded(), randomize=False)
    for group in ("dynamics", "appearance"):
        for name, value in getattr(nominal, group).items():
            assert torch.equal(value, value[:1].expand_as(value)), name
            assert not torch.equal(value, getattr(drawn, group)[name]), name
    assert len(torch.unique(nominal.placement["arm"], dim=0)) == 4  # starts are random all the same
    with pytest.raises(VisuomotorError, match=r"no split of task '.*' 'training'; choose one of: random"):
        task.sample_reset(4, seeded(), "training")


def test_at_most_two_blocks():
    class Three(Lifting):
        objects = ("a", "b", "c")

    with pytest.raises(VisuomotorError, match=r"'lifting' has 3 blocks; .* at most 2"):
        Three()


def test_reached_within_5_cm(lifting):
    engine = nominal_engine(lifting, 4)
    put_pinch(lifting, engine, places((0, 0, 0.03)).expand(4, 3))
    place(lifting, engine, "block", places((0.049, 0, 0.03), (0.051, 0, 0.03), (0, -0.049, 0.03), (0.04, 0.04, 0.03)))
    assert lifting.stage(engine).tolist() == [1, 0, 1, 0]


def test_lifted_by_the_lowest_corner(task):
    """A block held upright has its lowest corner 25 mm below the centre, on edge 25 mm * sqrt 2."""
    heights = [0.0745, 0.0755, 0.0848, 0.0859]
    engine, (first, *_) = nominal_engine(task, 4), task.objects
    at = places(*[(0.15, 0.15, height) for height in heights])
    put_pinch(task, engine, at)
    place(task, engine, first, at, torch.tensor([0, 0, torch.pi / 4, torch.pi / 4]))
    assert task.stage(engine).tolist() == [1, 2, 1, 2]


def test_a_block_in_the_air_away_from_the_hand_is_not_lifted(lifting):
    engine = nominal_engine(lifting, 2)
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
    engine = nominal_engine(stacking, 1)
    place(stacking, engine, "lower", places((0.05, 0.0, HALF)))
    place(stacking, engine, "upper", places((0.05 + beside, 0.0, centre)), tilt)
    assert stacking.stage(engine).tolist() == [3 if stacked else 0]


def test_stacked_needs_no_hand_and_the_right_order(stacking):
    engine = nominal_engine(stacking, 1)
    place(stacking, engine, "upper", places((0, 0, HALF)))
    place(stacking, engine, "lower", places((0, 0, 0.0749)))
    assert stacking.stage(engine).tolist() == [0]


def test_rewards_belong_to_stages(task, monkeypatch):
    stages = torch.arange(len(task.stages))
    monkeypatch.setattr(task, "stage", lambda engine: stages)
    assert task.reward(task.make_engine(1)).tolist() == list(task.stage_rewards)
    assert task.stage_rewards[-1] == 1
    assert task.success(stages).tolist() == [False] * (len(task.stages) - 1) + [True]


def test_proprioception_tells_nothing_of_the_blocks(task):
    engine = nominal_engine(task, 2)
    alike(engine)
    params = task.sample_reset(2, seeded(), randomize=False)
    params.dynamics["block_half"][1] = 0.02
    task.apply_randomization(engine, torch.arange(2), params)
    for index, name in enumerate(task.objects):
        place(task, engine, name, places((0.05 * index, 0, 0.025), (-0.1, 0.1 * index, 0.3)), torch.tensor([0.0, 0.3]))
        dof = int(task.model.joint(name).dofadr[0])
        engine.field("qvel")[1, dof : dof + 6] = 0.1
    engine.forward()
    first, second = task.proprioception(engine)
    assert torch.equal(first, second)
    assert first.shape == (task.size("proprioception"),)


def test_features_tell_nothing_of_the_arm_but_where_its_gripper_is(task):
    """Arms in other poses with the pinch point in one place look alike; three of the six joints are free to do so."""
    engine = nominal_engine(task, 2)
    alike(engine)
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
    features = task.object_features(engine)
    assert features.shape == (2, task.size("object_features"))
    torch.testing.assert_close(features[0], features[1], atol=1e-6, rtol=0)
    place(task, engine, task.objects[0], places((0, 0, 0.025), (0.01, 0, 0.025)))
    assert not torch.allclose(*task.object_features(engine), atol=5e-3)


def test_privileged_readings_have_their_size_and_see_all(task):
    engine, _ = started_engine(task, 3)
    seen = task.privileged(engine)
    assert seen.shape == (3, task.size("privileged"))
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
    alike(engine)
    engine.model_field("geom_size")[:] = engine.model_field("geom_size")[:1].clone()
    engine.field("qvel")[1:, address : address + 6] = torch.tensor([0.0, 3.0, -70.0, 30.0, 0.0, 0.0]).double()
    place(task, engine, task.objects[0], fall)
    torch.testing.assert_close(task.keypoints(engine)[1, 0], torch.tensor([0.1, -0.2, -0.1]))
    for read in (task.object_features, task.privileged):
        slow_and_near, fast_and_far, above = read(engine)
        assert torch.equal(slow_and_near, fast_and_far)
        assert not torch.allclose(above, fast_and_far, atol=0.1)
    assert task.privileged(engine)[2].abs().max() == 70  # in the air above the table velocities are what they are


def test_the_default_cost_brings_the_gripper_to_the_block_and_the_block_up(task):
    engine = nominal_engine(task, 2)
    put_pinch(task, engine, places((0.02, 0.0, 0.13)).expand(2, 3))
    place(task, engine, task.objects[0], places((0.02, 0.0, 0.1), (0.05, 0.04, 0.025)))
    errors = task.errors(engine)
    expected = [[[0, 0, 0.03], [0, 0, 0]], [[-0.03, -0.04, 0.105], [0, 0, -0.075]]]
    torch.testing.assert_close(errors, torch.tensor(expected, dtype=torch.float64))
    state = task.state(engine)
    assert state.shape == (2, task.size("state"))
    joints = 2 * 9
    torch.testing.assert_close(state[:, joints : joints + 6], errors.flatten(1))
    # l = 10 (1/2 d^2 + 1/2 log(d^2 + 1e-5)) at the last step, at rest, with u = 1: 1/2 9 0.01
    cost = task.cost(state[:, None], torch.ones(2, 1, 9, dtype=torch.float64))
    squared = errors.square().sum((1, 2))
    torch.testing.assert_close(cost[:, 0], 5 * (squared + (squared + 1e-5).log()) + 0.045)


def test_finished_episodes_succeed_in_the_last_stage(task):
    engine = nominal_engine(task, 3)
    at = places((0.15, 0.15, 0.2), (0.15, 0.15, 0.06), (-0.1, 0.1, 0.2))
    put_pinch(task, engine, places((0.15, 0.15, 0.2)).expand(3, 3))
    place(task, engine, task.objects[0], at)
    outcome = task.finish_episode(engine)
    assert outcome.success.tolist() == [len(task.objects) == 1, False, False]
    torch.testing.assert_close(outcome.distance, task.errors(engine).norm(dim=-1).mean(-1))
