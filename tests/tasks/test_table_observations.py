"""Tasks with blocks on a table: groups of observations, the default cost, and how episodes end."""

import mujoco
import numpy as np
import torch
from table_worlds import alike, nominal_engine, place, places, put_pinch, seeded, started_engine


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
