from pathlib import Path

import mujoco
import numpy as np
import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "own_robot"


@pytest.fixture
def arm() -> mujoco.MjModel:
    return mujoco.MjModel.from_xml_path(str(EXAMPLE / "arm.xml"))


@pytest.fixture
def scene() -> mujoco.MjModel:
    return mujoco.MjModel.from_xml_path(str(EXAMPLE / "scene.xml"))


def at_home(model: mujoco.MjModel) -> mujoco.MjData:
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, model.key("home").id)
    mujoco.mj_forward(model, data)
    return data


def test_links_have_the_published_lengths(arm: mujoco.MjModel):
    data = at_home(arm)
    anchor = {str(arm.joint(i).name): data.xanchor[i] for i in range(arm.njnt)}
    assert np.linalg.norm(anchor["elbow_flex"] - anchor["shoulder_lift"]) == pytest.approx(0.1160, abs=2e-4)
    assert np.linalg.norm(anchor["wrist_flex"] - anchor["elbow_flex"]) == pytest.approx(0.1350, abs=2e-4)
    assert np.linalg.norm(anchor["wrist_roll"] - anchor["wrist_flex"]) == pytest.approx(0.0611, abs=2e-4)


def test_home_points_down_above_the_block(scene: mujoco.MjModel):
    data = at_home(scene)
    site = data.site("gripper")
    np.testing.assert_allclose(site.xmat.reshape(3, 3)[:, 2], [0, 0, -1], atol=0.01)
    np.testing.assert_allclose(site.xpos, [0.21, 0, 0.09], atol=0.002)
    np.testing.assert_allclose(data.body("block").xpos, [0.21, 0, 0.015])


def test_jaws_are_parallel_and_30_mm_apart_at_0_227_rad(arm: mujoco.MjModel):
    data = at_home(arm)
    data.qpos[5] = 0.227
    mujoco.mj_forward(arm, data)
    fixed, moving = data.geom("fixed_jaw"), data.geom("moving_jaw")
    across = data.site("gripper").xmat.reshape(3, 3)[:, 0]
    np.testing.assert_allclose(moving.xmat, fixed.xmat, atol=1e-3)
    gap = (moving.xpos - fixed.xpos) @ across - 2 * 0.004  # less half the thickness of each
    assert gap == pytest.approx(0.030, abs=5e-4)


def test_servos_hold_the_arm_against_gravity(arm: mujoco.MjModel):
    data = at_home(arm)
    mujoco.mj_step(arm, data, nstep=400)
    assert np.abs(data.qvel).max() < 1e-3
    sag = data.qpos - data.ctrl
    assert 0.002 < np.abs(sag).max() < 0.03  # as real servos do, by the load over kp


def test_gripper_holds_a_block_in_the_air(scene: mujoco.MjModel):
    data = at_home(scene)
    data.qpos[5] = 0.24
    data.qpos[6:9] = data.site("gripper").xpos
    data.ctrl[5] = 0.0
    mujoco.mj_step(scene, data, nstep=600)
    offset = data.body("block").xpos - data.site("gripper").xpos
    assert np.linalg.norm(offset) < 0.01
    assert data.body("block").xpos[2] > 0.07
    assert not any(warning.number for warning in data.warning)
