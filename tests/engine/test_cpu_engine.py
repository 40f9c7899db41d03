"""The CPU engine: live views, restorable state, worlds apart, and blow-ups that nobody learns from."""

import mujoco
import numpy as np
import pytest
import torch

from visuomotor.engine import CpuEngine
from visuomotor.errors import VisuomotorError

WORLDS = 5
SCENE = """
<mujoco>
  <option jacobian="{jacobian}" timestep="0.005" integrator="implicitfast"/>
  <worldbody>
    <geom name="floor" type="plane" size="2 2 0.1"/>
    <body name="pendulum" pos="0 0 1">
      <joint name="hinge" axis="0 1 0" damping="0.01"/>
      <geom type="capsule" fromto="0 0 0 0.4 0 0" size="0.02"/>
      <site name="end" pos="0.4 0 0"/>
    </body>
    <body name="ball" pos="0.1 0.05 0.3">
      <freejoint/>
      <geom name="ball" type="box" size="0.05 0.04 0.03"/>
    </body>
  </worldbody>
  <actuator><motor name="motor" joint="hinge" gear="1"/></actuator>
  <keyframe><key qpos="0.5 0.1 0.05 0.3 1 0 0 0"/></keyframe>
</mujoco>
"""
MODEL = mujoco.MjModel.from_xml_string(SCENE.format(jacobian="dense"))


@pytest.fixture
def engine():
    return CpuEngine(MODEL, WORLDS)


@pytest.mark.parametrize("model", ["robot.xml", None, mujoco.MjSpec()])
def test_what_is_no_compiled_model_is_refused(model):
    with pytest.raises(
        VisuomotorError, match=r"takes a compiled mujoco\.MjModel, not .*load_mjcf\(path\)\.compile\(\)"
    ):
        CpuEngine(model, 2)


def shake(engine, seed=0):
    """Give every world its own velocities and controls."""
    generator = torch.Generator().manual_seed(seed)
    for name in ("qvel", "ctrl"):
        field = engine.field(name)
        field.copy_(torch.randn(field.shape, generator=generator, dtype=field.dtype))


def test_fields_are_live_views(engine):
    qpos, sites = engine.field("qpos"), engine.field("site_xpos")
    assert qpos.shape == (WORLDS, MODEL.nq)
    assert engine.field("qpos").data_ptr() == qpos.data_ptr()
    before, addresses = qpos.clone(), (qpos.data_ptr(), sites.data_ptr())
    shake(engine)
    engine.step(10)
    assert not torch.equal(qpos, before)
    assert (engine.field("qpos").data_ptr(), engine.field("site_xpos").data_ptr()) == addresses
    # What follows from positions is that of the new state, not of a substep ago.
    angle = qpos[:, 0]
    end = torch.stack([0.4 * torch.cos(angle), torch.zeros(WORLDS), 1 - 0.4 * torch.sin(angle)], -1)
    torch.testing.assert_close(sites[:, 0], end, atol=1e-12, rtol=0)


def test_a_written_state_counts_from_the_next_forward(engine):
    sites = engine.field("site_xpos")
    untouched = sites[0].clone()
    engine.field("qpos")[2, 0] = 0.0
    engine.forward(torch.tensor([2]))
    torch.testing.assert_close(sites[2, 0], torch.tensor([0.4, 0, 1], dtype=torch.float64))
    assert torch.equal(sites[0], untouched)


def test_substeps_equal_single_steps(engine):
    other = CpuEngine(MODEL, WORLDS)
    shake(engine)
    shake(other)
    engine.step(10)
    for _ in range(10):
        other.step()
    assert torch.equal(engine.state(), other.state())


def test_it_is_mujoco(engine):
    shake(engine)
    data = mujoco.MjData(MODEL)
    mujoco.mj_resetDataKeyframe(MODEL, data, 0)
    data.qvel, data.ctrl = engine.field("qvel")[3].numpy(), engine.field("ctrl")[3].numpy()
    engine.step(40)
    mujoco.mj_step(MODEL, data, 40)
    np.testing.assert_allclose(engine.field("qpos")[3], data.qpos, atol=1e-9)


def test_state_round_trip_continues_bit_equal(engine):
    shake(engine)
    engine.step(60)  # into contact
    saved = engine.state()
    engine.step(50)
    expected = engine.state()
    assert not torch.equal(saved, expected)
    engine.set_state(saved)
    assert torch.equal(engine.state(), saved)
    engine.step(50)
    assert torch.equal(engine.state(), expected)
    # The same in a new engine, as after a resume.
    resumed = CpuEngine(MODEL, WORLDS)
    resumed.set_state(saved)
    resumed.step(50)
    assert torch.equal(resumed.state(), expected)


def test_state_is_a_copy(engine):
    saved = engine.state()
    kept = saved.clone()
    engine.step(5)
    assert torch.equal(saved, kept)


def test_set_state_of_some_worlds(engine):
    start = engine.state()
    shake(engine)
    engine.step(20)
    moved = engine.state()
    worlds = torch.tensor([1, 4])
    engine.set_state(start[worlds], worlds)
    now = engine.state()
    assert torch.equal(now[worlds], start[worlds])
    assert torch.equal(now[[0, 2, 3]], moved[[0, 2, 3]])


def test_reset_goes_to_the_first_keyframe(engine):
    shake(engine)
    engine.step(20)
    kept = engine.field("qpos")[0].clone()
    engine.reset(torch.tensor([1]))
    np.testing.assert_array_equal(engine.field("qpos")[1], MODEL.key_qpos[0])
    assert engine.field("qvel")[1].eq(0).all()
    assert torch.equal(engine.field("qpos")[0], kept)


def test_model_fields_are_per_world(engine):
    assert not engine.is_per_world("body_mass")
    masses = engine.model_field("body_mass")
    assert engine.is_per_world("body_mass")
    assert masses.shape == (WORLDS, MODEL.nbody)
    reference = CpuEngine(MODEL, WORLDS)
    masses[1, MODEL.body("pendulum").id] *= 10
    engine.field("ctrl").fill_(0.5)
    reference.field("ctrl").fill_(0.5)
    engine.step(20)
    reference.step(20)
    same = (engine.field("qpos") == reference.field("qpos")).all(dim=1)
    assert same.tolist() == [True, False, True, True, True]
    assert MODEL.body("pendulum").mass[0] == pytest.approx(float(masses[0, MODEL.body("pendulum").id]))


def test_worlds_that_blow_up_write_nothing_and_other_warnings_are_told_once(engine, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    engine.field("qvel")[:, 0] = 1e12
    engine.step(10)
    assert engine.num_diverged == WORLDS
    assert list(tmp_path.iterdir()) == []  # such as MUJOCO_LOG.TXT
    assert capfd.readouterr() == ("", "")
    warn = mujoco.get_mju_user_warning()
    for contacts in (7, 8):
        warn(f"Too many contacts here. (ncon = {contacts})")
    assert capfd.readouterr().err == "visuomotor: MuJoCo warns: Too many contacts here. (ncon = 7)\n"


def test_a_handler_of_the_users_own_stays():
    ours = mujoco.get_mju_user_warning()
    try:
        mujoco.set_mju_user_warning(print)
        CpuEngine(MODEL, 1)
        assert mujoco.get_mju_user_warning() is print
    finally:
        mujoco.set_mju_user_warning(ours)


def test_a_diverged_world_is_reset_and_counted(engine):
    calm = CpuEngine(MODEL, WORLDS)
    engine.field("qvel")[3, 0] = 1e12
    engine.step(10)
    calm.step(10)
    assert engine.diverged.tolist() == [False, False, False, True, False]
    assert engine.num_diverged == 1
    np.testing.assert_array_equal(engine.field("qpos")[3], MODEL.key_qpos[0])
    assert torch.isfinite(engine.state()).all()
    others = [0, 1, 2, 4]
    assert torch.equal(engine.state()[others], calm.state()[others])
    engine.step(10)  # the next step is clean
    assert not engine.diverged.any()
    assert engine.num_diverged == 1


def test_nan_controls_never_spread(engine):
    engine.field("ctrl")[2] = float("nan")
    engine.step(10)
    assert torch.isfinite(engine.field("qpos")).all()


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_any_number_of_threads_gives_the_same_bits(engine, threads):
    other = CpuEngine(MODEL, WORLDS, threads)
    for each in (engine, other):
        shake(each)
        each.step(100)
    assert torch.equal(engine.state(), other.state())


@pytest.mark.parametrize("jacobian", ["sparse", "auto"])
def test_refuses_a_jacobian_that_may_be_sparse(jacobian):
    with pytest.raises(VisuomotorError, match="mjJAC_DENSE"):
        CpuEngine(mujoco.MjModel.from_xml_string(SCENE.format(jacobian=jacobian)), 1)


def test_refuses_no_worlds():
    with pytest.raises(VisuomotorError, match="number of worlds must be a whole number"):
        CpuEngine(MODEL, 0)


@pytest.mark.parametrize(
    ("worlds", "told"),
    [
        (torch.tensor([2, 1]), r"ascending, each once: worlds.unique\(\) instead of \[2, 1\]"),
        (torch.tensor([1, 1]), "ascending"),
        (torch.tensor([3]), "between 0 and 2, not 3 to 3"),
        (torch.tensor([-1, 0]), "between 0 and 2, not -1 to 0"),
        (torch.tensor([True, False, True]), r"a \(n,\) tensor of ints, not \(3,\) torch.bool"),
        (torch.tensor([[0]]), r"not \(1, 1\) torch.int64"),
        ([0, 1], "a .* tensor of ints, not list"),
    ],
)
@pytest.mark.parametrize("method", ["reset", "forward", "set_const", "set_state"])
def test_refuses_numbers_of_worlds_that_are_none(method, worlds, told):
    """Before anything is changed."""
    engine = CpuEngine(MODEL, 3)
    before = engine.state()
    arguments = (before[: len(worlds)] + 1, worlds) if method == "set_state" else (worlds,)
    with pytest.raises(VisuomotorError, match=told):
        getattr(engine, method)(*arguments)
    assert torch.equal(engine.state(), before)


def test_refuses_a_state_of_another_scene(engine):
    with pytest.raises(VisuomotorError, match="does not fit"):
        engine.set_state(engine.state()[:, :-1])
    with pytest.raises(VisuomotorError, match="does not fit"):
        engine.set_state(engine.state(), torch.tensor([0, 1]))


def test_refuses_a_state_with_nan_and_keeps_its_own(engine):
    before = engine.state()
    broken = before.clone()
    broken[1, 2] = float("nan")
    with pytest.raises(VisuomotorError, match="NaN"):
        engine.set_state(broken)
    assert torch.equal(engine.state(), before)


def test_unknown_fields_are_named(engine):
    with pytest.raises(VisuomotorError, match="qposs"):
        engine.field("qposs")
    with pytest.raises(VisuomotorError, match="body_mas"):
        engine.model_field("body_mas")


def test_constants_follow_what_is_written_into_a_world(engine):
    """As `mj_setConst` computes them, in the named worlds only, and the state stays."""
    shake(engine)
    engine.step(20)
    state = engine.state()
    engine.model_field("dof_armature")[1:3, 0] = 0.5
    engine.model_field("geom_size")[1:3, MODEL.geom("ball").id] *= 2
    engine.set_const(torch.tensor([1]))
    assert torch.equal(engine.state(), state)
    expected = mujoco.MjSpec.from_string(SCENE.format(jacobian="dense")).compile()
    expected.dof_armature[0] = 0.5
    expected.geom_size[MODEL.geom("ball").id] *= 2
    mujoco.mj_setConst(expected, mujoco.MjData(expected))
    for name in ("dof_invweight0", "body_invweight0", "actuator_acc0", "geom_rbound", "geom_aabb"):
        found = engine.model_field(name)
        np.testing.assert_array_equal(found[1], getattr(expected, name), err_msg=name)
        for other in (0, 2):  # the second has other fields too, but nobody asked
            np.testing.assert_array_equal(found[other], getattr(MODEL, name), err_msg=name)
        assert not np.array_equal(getattr(expected, name), getattr(MODEL, name)), name
        assert engine.is_per_world(name)
    engine.set_const()
    assert torch.equal(engine.model_field("geom_rbound")[2], engine.model_field("geom_rbound")[1])


def test_a_written_state_that_is_not_finite_counts_and_so_does_all_that_follows(engine):
    """MuJoCo's own counter stays at 1 after the first."""
    engine.field("qpos")[1, 0] = float("nan")
    engine.field("qvel")[2, 0] = 1e300
    engine.forward()
    assert engine.num_diverged == 2
    np.testing.assert_array_equal(engine.field("qpos")[1], MODEL.key_qpos[0])
    for count in (3, 4):
        engine.step()
        assert not engine.diverged.any()
        engine.field("qvel")[1, 0] = 1e12
        engine.step()
        assert engine.diverged.tolist() == [False, True, False, False, False]
        assert engine.num_diverged == count


def test_update_view_moves_what_is_seen_and_nothing_else():
    scene = SCENE.format(jacobian="dense").replace(
        "<worldbody>", '<worldbody><camera pos="0 0 2"/><light pos="0 0 3"/>', 1
    )
    seen, plain = (CpuEngine(mujoco.MjModel.from_xml_string(scene), WORLDS) for _ in range(2))
    for each in (seen, plain):
        shake(each)
        each.step(20)
    seen.model_field("cam_pos")[1, 0] = torch.tensor([1.0, 2.0, 3.0])
    seen.model_field("light_pos")[2, 0] = torch.tensor([4.0, 5.0, 6.0])
    qacc = seen.field("qacc").clone()
    seen.update_view()
    assert seen.field("cam_xpos")[:2, 0].tolist() == [[0, 0, 2], [1, 2, 3]]
    assert seen.field("light_xpos")[1:3, 0].tolist() == [[0, 0, 3], [4, 5, 6]]
    assert torch.equal(seen.field("qacc"), qacc)
    seen.step(20)
    plain.step(20)
    assert torch.equal(seen.state(), plain.state())
