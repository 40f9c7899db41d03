"""A robot read from a model file, and what its actions and readings are in an engine."""

import re
from math import cos, pi, sin
from pathlib import Path

import mujoco
import pytest
import torch

from visuomotor.engine import CpuEngine
from visuomotor.errors import VisuomotorError
from visuomotor.robots.mjcf import load_mjcf
from visuomotor.robots.robot import BoundRobot, Robot

ARM = Path(__file__).parents[2] / "examples" / "own_robot" / "arm.xml"
MJCF = """
<mujoco>
  <compiler angle="radian"/>
  <option timestep="0.01" gravity="0 0 0"/>
  <worldbody>
    <body name="base">
      <geom name="base" type="sphere" size="0.1"/>
      <body name="upper" pos="0 0 0.1">
        <joint name="turn" axis="0 0 1" range="-2 2" limited="true" damping="1"/>
        <geom name="upper" type="capsule" fromto="0 0 0 0.5 0 0" size="0.03"/>
        <body name="lower" pos="0.5 0 0">
          <joint name="push" type="slide" axis="1 0 0" range="0 0.3" limited="true" damping="1"/>
          <geom type="sphere" size="0.03"/>
          <site name="tip" pos="0.1 0 0"/>
          <body name="finger" pos="0.1 0 0">
            <joint name="grip" axis="0 1 0" range="0.1 0.9" limited="true" damping="1"/>
            <geom name="finger" type="sphere" size="0.02"/>
          </body>
        </body>
      </body>
    </body>
    <body name="thing" pos="0 0 2">
      <freejoint name="thing"/>
      <geom name="thing" type="sphere" size="0.1"/>
    </body>
  </worldbody>
  <actuator>{actuators}</actuator>
  {more}
</mujoco>
"""
RANGES = {"turn": "-3 3", "push": "-2 1", "grip": "-0.5 0.5"}
KINDS = {
    "torque": "".join(f'<motor name="{j}_drive" joint="{j}" ctrlrange="{r}"/>' for j, r in RANGES.items()),
    "velocity": "".join(f'<velocity name="{j}_drive" joint="{j}" kv="5" ctrlrange="{r}"/>' for j, r in RANGES.items()),
    "position": '<position name="turn_drive" joint="turn" kp="50" ctrlrange="-1 1"/>'
    '<position name="push_drive" joint="push" kp="50"/><position name="grip_drive" joint="grip" kp="5"/>',
}


def spec_of(actuators: str, more: str = "") -> mujoco.MjSpec:
    return mujoco.MjSpec.from_string(MJCF.format(actuators=actuators, more=more))


def read(kind: str, more: str = "", **options) -> tuple[Robot, mujoco.MjSpec]:
    spec = spec_of(KINDS[kind], more)
    options.setdefault("max_speed", 2.0 if kind == "position" else None)
    return Robot.from_mjcf(spec, end_effector="tip", gripper=["grip"], **options), spec


def fails(match: str, actuators: str, **options) -> None:
    with pytest.raises(VisuomotorError, match=match) as caught:
        Robot.from_mjcf(spec_of(actuators), **{"end_effector": "tip", **options})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "limits"),
    [("torque", (3.0, 2.0, 0.5)), ("velocity", (3.0, 2.0, 0.5)), ("position", (2.0, 2.0, 2.0))],
)
def test_what_the_model_tells(kind, limits):
    robot, spec = read(kind)
    assert robot.control == kind
    assert robot.joints == ("turn", "push")
    assert robot.gripper == ("grip",)
    assert robot.actuators == ("turn_drive", "push_drive", "grip_drive")
    assert robot.action_limits == limits
    assert robot.home == (0.0, 0.0, 0.0)
    assert robot.gripper_travel == pytest.approx(0.9)  # to the far end of the range from 0
    model = spec.compile()
    seen = [model.geom_bodyid[geom] for geom in robot.bind(model).geom_ids]  # all that hangs on the first joint
    assert seen == [model.body(name).id for name in ("upper", "lower", "finger")]
    assert spec.compile().opt.jacobian == mujoco.mjtJacobian.mjJAC_DENSE


def test_what_the_caller_tells_counts():
    robot, _ = read("velocity", max_speed=[1.0, 0.5, 0.2], home=[0.1, 0.2, 0.9])
    assert robot.action_limits == (1.0, 0.5, 0.2)
    assert robot.home == (0.1, 0.2, 0.9)
    assert robot.gripper_travel == pytest.approx(-0.8)  # it starts at the upper end
    assert read("torque", gripper_travel=0.3)[0].gripper_travel == 0.3
    arm_only = Robot.from_mjcf(spec_of(KINDS["torque"]), end_effector="tip", joints=["push"])
    assert (arm_only.joints, arm_only.gripper, arm_only.action_limits) == (("push",), (), (2.0,))
    assert arm_only.gripper_travel == 0.0


def test_home_is_the_keyframe_of_that_name_or_the_first():
    key = '<key name="{}" qpos="{} 0 0.2 0 0 2 1 0 0 0"/>'
    assert read("torque", f"<keyframe>{key.format('a', 0.5)}</keyframe>")[0].home == (0.5, 0.0, 0.2)
    both = f"<keyframe>{key.format('a', 0.5)}{key.format('home', 0.7)}</keyframe>"
    assert read("torque", both)[0].home == (0.7, 0.0, 0.2)


def test_the_example_arm():
    robot = Robot.from_mjcf(ARM, end_effector="gripper", gripper=["gripper"], max_speed=2.0)
    assert robot.joints == ("shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll")
    assert robot.control == "position"
    assert robot.action_limits == (2.0,) * 6
    assert robot.home == (0.0, -0.254, 0.243, 1.581, 0.0, 0.8)
    assert robot.gripper_travel == pytest.approx(-0.1745 - 0.8)
    bound = robot.bind(mujoco.MjModel.from_xml_path(str(ARM)))
    assert bound.arm_size == 5
    assert bound.qpos.tolist() == list(range(6))


def test_what_a_model_may_lack():
    motors = KINDS["torque"]
    fails("no joint 'elbow'; choose one of: grip, push, thing, turn", motors, joints=["turn", "elbow"])
    fails("no site 'hand'; choose one of: tip", motors, end_effector="hand")
    fails("joint 'push' has no actuator", '<motor name="a" joint="turn" ctrlrange="-1 1"/>', joints=["turn", "push"])
    fails("actuator of joint 'turn' has no name", '<motor joint="turn" ctrlrange="-1 1"/>')
    fails("moves no joint of an arm", "")
    fails("'a' has no ctrlrange", '<motor name="a" joint="turn"/>')
    fails("'a' has no ctrlrange", '<velocity name="a" joint="turn" kv="1"/>')
    fails("give max_speed in rad/s", KINDS["position"])
    fails("max_speed must be one positive number .* or 3 of them", KINDS["position"], max_speed=[1.0, 2.0])
    fails("max_speed must be", KINDS["position"], max_speed=float("nan"))
    fails("max_speed is for servos; actions of motors are limited by their ctrlrange", motors, max_speed=1.0)
    fails("home must be 3 finite numbers", motors, home=[0.0, 0.1])
    fails("home must be 3 finite numbers", motors, home=[0.0, float("nan"), 0.1])
    fails("joint 'turn' is named twice", motors, joints=["turn", "push", "turn"])
    fails("joint 'push' is named twice", motors, joints=["turn", "push"], gripper=["push"])
    fails(
        "all be of one kind .*, not a torque, b velocity",
        '<motor name="a" joint="turn" ctrlrange="-1 1"/><velocity name="b" joint="push" kv="1" ctrlrange="-1 1"/>',
    )
    fails("pd_gains are for motors; position actuators", KINDS["position"], max_speed=1.0, pd_gains=([1] * 3, [1] * 3))


@pytest.mark.parametrize(
    "actuator",
    [
        '<intvelocity name="a" joint="turn" kp="1" actrange="-1 1"/>',
        '<position name="a" joint="turn" kp="50" timeconst="0.1"/>',
        '<position name="a" joint="turn" kp="50" delay="0.1" nsample="10"/>',
        '<general name="a" joint="turn" dyntype="filterexact" dynprm="0.1" ctrlrange="-1 1"/>',
    ],
)
def test_actuators_with_a_state_of_their_own_are_refused(actuator):
    told = "actuator 'a' filters, integrates or delays its control; leave out timeconst"
    fails(told, actuator, joints=["turn"], max_speed=1.0)
    with pytest.raises(VisuomotorError, match=told):
        Robot(("turn",), (), ("a",), "position", (1.0,), "tip", (0.0,)).bind(spec_of(actuator).compile())


@pytest.mark.parametrize(
    ("argument", "values"),
    [
        ("max_speed", ("fast", ["a"] * 3, True, [True] * 3, [[1.0], [2.0, 3.0]], 0, -1, [1.0, 2.0, 0.0], float("inf"))),
        ("home", ("abc", [None] * 3, 5, [[0.0] * 3], float("nan"))),
        ("gripper_travel", (float("nan"), "x", 0, True, [0.1])),
        ("joints", ("turn", 5, [None], [["turn"]])),
        ("gripper", ("grip", 5, [3], None)),
    ],
)
def test_arguments_that_are_none_of_what_they_should_be(argument, values):
    for value in values:
        told = f"{argument} must be .*, not {re.escape(repr(value))}$"
        fails(told, KINDS["position"], **{"gripper": ["grip"], "max_speed": 1.0, argument: value})


@pytest.mark.parametrize("joints", [None, ["turn"]])
def test_a_second_actuator_of_a_joint_must_not_pull_it_to_zero(joints):
    motor, servo = '<motor name="a" joint="turn" ctrlrange="-1 1"/>', '<position name="b" joint="turn" kp="5"/>'
    told = r"joint 'turn' has 2 actuators \('a', 'b'\), and actions are for the first, 'a'; another one is a position"
    fails(told, motor + servo, joints=joints)
    damping = '<velocity name="c" joint="turn" kv="1" ctrlrange="-1 1"/>'  # at 0, as nothing controls it
    robot = Robot.from_mjcf(spec_of(servo + damping), end_effector="tip", joints=joints, max_speed=1.0)
    assert robot.actuators == ("b",)
    more = f'{motor}{servo}<motor name="grip_drive" joint="grip" ctrlrange="-1 1"/>'
    other = Robot.from_mjcf(spec_of(more), end_effector="tip", joints=["grip"])
    assert other.actuators == ("grip_drive",)  # what moves other joints does not matter


def test_home_is_within_the_joints_ranges():
    told = r"home has joint 'push' at 0\.31, outside its range of 0 to 0\.3"
    fails(told, KINDS["torque"], home=[2.0, 0.31, 0.1])
    fails("home has joint 'turn' at -2.1, outside", KINDS["torque"], home=[-2.1, 0.0, 0.1])
    assert read("torque", home=(2, 0, 0.9))[0].home == (2.0, 0.0, 0.9)
    keyframe = '</actuator><keyframe><key name="home" qpos="{}"/></keyframe><actuator>'
    size = len(spec_of(KINDS["torque"]).compile().qpos0)
    numbers = " ".join(["9"] + ["0"] * (size - 1))
    fails("home has joint 'turn' at 9, outside", KINDS["torque"] + keyframe.format(numbers))


@pytest.mark.parametrize("source", [None, 5, b"arm.xml", ["arm.xml"]])
def test_what_is_no_source_of_a_model(source):
    with pytest.raises(VisuomotorError, match=r"a model is the path of its file, or a mujoco\.MjSpec, not"):
        Robot.from_mjcf(source, end_effector="tip")
    with pytest.raises(VisuomotorError, match="no model file aaa"):
        load_mjcf("a" * 300)


@pytest.mark.parametrize("lead", [0, -0.1, float("nan"), float("inf"), "far", [0.1, 0.1]])
def test_a_lead_is_above_zero(lead):
    fails(r"max_lead must be a finite number above 0 \(rad or m\)", KINDS["position"], max_speed=1.0, max_lead=lead)


def test_a_lead_is_that_of_position_actuators():
    assert read("position")[0].max_lead == 0.2
    fails("max_lead is for position actuators, and these are torque actuators", KINDS["torque"], max_lead=0.2)


def test_pd_gains_are_those_of_motors():
    robot, _ = read("torque", pd_gains=([10, 20.0, 3], (1, 2, 0)))
    assert robot.pd_gains == ((10.0, 20.0, 3.0), (1.0, 2.0, 0.0))
    wrong = [5, "ab", ([1.0] * 3,), ([1.0] * 3, [1.0] * 2), ([1.0] * 3, [1.0, -1.0, 0.0]), ([1.0] * 3, [None] * 3)]
    for gains in wrong:
        told = rf"pd_gains must be \(proportional, derivative\), 3 numbers each, .* not {re.escape(repr(gains))}$"
        fails(told, KINDS["torque"], gripper=["grip"], pd_gains=gains)


def test_a_gripper_without_a_range_needs_its_travel():
    spec = spec_of(KINDS["torque"])
    joint = spec.joint("grip")
    joint.limited, joint.range = mujoco.mjtLimited.mjLIMITED_FALSE, (0, 0)
    with pytest.raises(VisuomotorError, match=r"'grip' has no range; .* gripper_travel"):
        Robot.from_mjcf(spec, end_effector="tip", gripper=["grip"])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("<mujoco><worldbody><body><joint/></body></worldbody></mujoco>", "mass and inertia"),
        ('<mujoco><worldbody><geom sise="1"/></worldbody></mujoco>', "unrecognized attribute: 'sise'.* line 1"),
        ("<mujoco><worldbody>", "line 1|Line number=1"),
        ("no model", "XML"),
        ("", "empty"),
    ],
)
def test_a_broken_file_is_named_in_one_line(tmp_path, capfd, text, told):
    path = tmp_path / "robot.xml"
    path.write_text(text)
    with pytest.raises(
        VisuomotorError, match=rf"robot\.xml is no valid MuJoCo model: .*({told}).*correct it"
    ) as caught:
        Robot.from_mjcf(path, end_effector="tip")
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_numbers_that_are_not_finite_are_refused():
    spec = spec_of(KINDS["torque"])
    spec.site("tip").pos = (0, float("nan"), 0)
    with pytest.raises(VisuomotorError, match=r"spec is no valid MuJoCo model: .* not finite \(site_pos\); correct it"):
        Robot.from_mjcf(spec, end_effector="tip")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(VisuomotorError, match=r"no model file .*none\.xml"):
        Robot.from_mjcf(tmp_path / "none.xml", end_effector="tip")


def test_binding_to_a_model_without_its_parts():
    robot, spec = read("torque")
    model = spec.compile()
    for change, match in (
        ({"joints": ("turn", "elbow")}, "no joint of the robot 'elbow'"),
        ({"actuators": ("turn_drive", "push_drive", "a")}, "no actuator of the robot 'a'"),
        ({"end_effector": "hand"}, "no site of the robot 'hand'"),
        ({"geoms": ("upper", "nose")}, "no geom of the robot 'nose'"),
        ({"home": (0.0, 0.0)}, "3 actuators and 3 joints, .* home 3, not 3 and 2"),
        ({"pd_gains": ((1.0,) * 3, (1.0,) * 2)}, "pd_gains must be two rows of 3 numbers"),
        ({"action_limits": (1.0,)}, "action_limits needs 3 numbers .* not 1 and 3"),
        ({"joints": ("turn", "thing")}, "'thing' is neither hinge nor slide"),
        ({"control": "position", "actuators": ("turn_drive",), "action_limits": (1.0,)}, "one for each joint"),
    ):
        with pytest.raises(VisuomotorError, match=match):
            Robot(**{**vars(robot), **change}).bind(model)


def engine_of(kind: str, worlds: int = 2, **options) -> tuple[CpuEngine, BoundRobot]:
    robot, spec = read(kind, **options)
    model = spec.compile()
    return CpuEngine(model, worlds, 1), robot.bind(model)


@pytest.mark.parametrize("kind", ["torque", "velocity"])
def test_actions_are_fractions_of_the_limits(kind):
    engine, robot = engine_of(kind)
    robot.apply(engine, torch.tensor([[0.5, -1.0, 0.1], [2.0, -3.0, 1.0]]), 0.05)
    expected = torch.tensor([[1.5, -2.0, 0.05], [3.0, -2.0, 0.5]], dtype=torch.float64)
    torch.testing.assert_close(engine.field("ctrl"), expected, atol=1e-7, rtol=0)


def test_torques_are_those_at_the_joints_behind_the_gears():
    geared = '<motor name="a" joint="turn" gear="-50" ctrlrange="-2 2"/>'
    geared += '<general name="b" joint="push" gainprm="3" gear="4" ctrlrange="-1 0.5"/>'
    spec = spec_of(geared)
    robot = Robot.from_mjcf(spec, end_effector="tip")
    assert robot.action_limits == (100.0, 12.0)
    model = spec.compile()
    engine, bound = CpuEngine(model, 1, 1), robot.bind(model)
    bound.apply(engine, torch.tensor([[0.5, -1.0]]), 0.05)
    engine.forward()
    torques = engine.field("qfrc_actuator")[0, bound.dofs]
    torch.testing.assert_close(torques, torch.tensor([50.0, -12.0], dtype=torch.float64))


@pytest.mark.parametrize(
    ("actuator", "told"),
    [
        ('<position name="a" joint="turn" kp="50" gear="2"/>', "position actuator 'a' must be .* not a gear of 2"),
        (
            '<general name="a" joint="turn" biastype="affine" gainprm="50" biasprm="0 -25 0"/>',
            "a gain of 50 and 25 on the joint's position",
        ),
        (
            '<general name="a" joint="turn" biastype="affine" gainprm="5" biasprm="0 0 5" ctrlrange="-1 1"/>',
            "a gain of 5 and -5 on the joint's velocity",
        ),
        ('<motor name="a" joint="turn" gear="0" ctrlrange="-1 1"/>', "does nothing"),
        (
            '<general name="a" joint="turn" gaintype="affine" gainprm="5 1 0" ctrlrange="-1 1"/>',
            "the gain of actuator 'a' is not fixed",
        ),
    ],
)
def test_servos_whose_control_is_no_target_are_refused(actuator, told):
    fails(told, actuator, joints=["turn"], max_speed=1.0 if "position" in actuator or "-25" in actuator else None)
    model = spec_of(actuator).compile()
    robot = Robot(("turn",), (), ("a",), "position", (1.0,), "tip", (0.0,))
    with pytest.raises(VisuomotorError, match=told):
        robot.bind(model)


def test_position_targets_move_at_the_speed_that_actions_say_and_stay_in_range():
    engine, robot = engine_of("position", max_speed=[2.0, 1.0, 0.5], max_lead=10.0)
    action = torch.tensor([[1.0, 0.5, -1.0], [-1.0, -5.0, 0.2]])
    dt, speed = 0.05, torch.tensor([[2.0, 0.5, -0.5], [-2.0, -1.0, 0.1]], dtype=torch.float64)
    for step in (1, 2):
        robot.apply(engine, action, dt)
        torch.testing.assert_close(engine.field("ctrl"), step * dt * speed, atol=1e-7, rtol=0)
    for _ in range(20):
        robot.apply(engine, action, dt)
    found = engine.field("ctrl")
    assert found[:, 0].tolist() == [1.0, -1.0]  # the first has a ctrlrange
    torch.testing.assert_close(found[:, 1:], 22 * dt * speed[:, 1:], atol=1e-6, rtol=0)


def test_position_targets_do_not_run_away_from_joints_that_are_blocked():
    """The physics stands still, so no joint moves: a target stops 0.2 rad from its joint, and comes back at once."""
    engine, robot = engine_of("position")
    robot.set_joints(engine, torch.arange(2), torch.tensor([[0.5, 0.1, 0.3]] * 2, dtype=torch.float64))
    action = torch.tensor([[1.0, 0.5, 0.0], [-1.0, -0.5, 0.0]])
    for _ in range(10):
        robot.apply(engine, action, 0.05)
    lead = torch.tensor([[0.2, 0.2, 0.0], [-0.2, -0.2, 0.0]], dtype=torch.float64)
    torch.testing.assert_close(engine.field("ctrl"), robot.joint_positions(engine) + lead)
    robot.apply(engine, -action, 0.05)
    back = torch.tensor([[0.1, 0.15, 0.0], [-0.1, -0.15, 0.0]], dtype=torch.float64)
    torch.testing.assert_close(engine.field("ctrl"), robot.joint_positions(engine) + back)


@pytest.mark.parametrize("kind", KINDS)
def test_joints_are_put_in_the_given_worlds_only(kind):
    engine, robot = engine_of(kind, worlds=3)
    given = torch.tensor([[0.3, 0.2, 0.5], [-0.4, 0.1, 0.3]], dtype=torch.float64)
    robot.set_joints(engine, torch.tensor([0, 2]), given)
    engine.forward()
    expected = torch.stack([given[0], torch.zeros(3, dtype=torch.float64), given[1]])
    assert torch.equal(robot.joint_positions(engine), expected)
    assert torch.equal(engine.field("qpos")[:, :3], expected)
    held = expected if kind == "position" else torch.zeros_like(expected)
    assert torch.equal(engine.field("ctrl"), held)
    turn = torch.tensor([0.3, 0.0, -0.4], dtype=torch.float64)
    reach = 0.6 + torch.tensor([0.2, 0.0, 0.1], dtype=torch.float64)
    tip = torch.stack([reach * turn.cos(), reach * turn.sin(), torch.full((3,), 0.1, dtype=torch.float64)], 1)
    torch.testing.assert_close(robot.end_effector_position(engine), tip)
    axes = robot.end_effector_axes(engine)
    torch.testing.assert_close(axes[:, :, 0], torch.stack([turn.cos(), turn.sin(), torch.zeros(3).double()], 1))
    torch.testing.assert_close(axes[:, :, 1], torch.stack([-turn.sin(), turn.cos(), torch.zeros(3).double()], 1))
    torch.testing.assert_close(axes[:, :, 2], torch.tensor([[0.0, 0.0, 1.0]]).double().expand(3, 3))


def test_held_position_targets_keep_the_arm_where_it_was_put():
    engine, robot = engine_of("position")
    put = torch.tensor([[0.3, 0.2, 0.5]] * 2, dtype=torch.float64)
    robot.set_joints(engine, torch.arange(2), put)
    engine.step(50)
    torch.testing.assert_close(robot.joint_positions(engine), put, atol=1e-3, rtol=0)


def test_proprioception_is_sines_and_cosines_of_hinges_slides_and_the_arms_velocities():
    engine, robot = engine_of("torque", worlds=1)
    robot.set_joints(engine, torch.arange(1), torch.tensor([[pi / 6, 0.25, 0.7]], dtype=torch.float64))
    engine.field("qvel")[0, :3] = torch.tensor([1.0, -2.0, 3.0], dtype=torch.float64)
    engine.forward()
    found = robot.proprioception(engine)
    assert found.dtype == torch.float32
    assert found[0].tolist() == pytest.approx([0.5, sin(0.7), 3**0.5 / 2, cos(0.7), 0.25, 1.0, -2.0])
    assert robot.joint_velocities(engine)[0].tolist() == [1.0, -2.0, 3.0]


def test_readings_have_names_and_units_in_their_order():
    _, robot = engine_of("torque", worlds=1)
    assert robot.proprioception_names == (
        ("sin turn", "1"),
        ("sin grip", "1"),
        ("cos turn", "1"),
        ("cos grip", "1"),
        ("push", "m"),
        ("turn velocity", "rad/s"),
        ("push velocity", "m/s"),
    )
    engine, robot = engine_of("position")
    assert robot.proprioception_names[-3:] == (("turn lead", "rad"), ("push lead", "m"), ("grip lead", "rad"))
    assert len(robot.proprioception_names) == robot.proprioception(engine).shape[1]


def test_the_lead_of_position_actuators_is_known_and_no_other():
    engine, robot = engine_of("position")
    robot.apply(engine, torch.tensor([[0.5, -0.5, 1.0], [0.0, 0.25, 0.0]]), 0.05)
    lead = engine.field("ctrl") - engine.field("qpos")[:, :3]
    assert lead[0, 0] > 0 > lead[0, 1]
    assert torch.equal(robot.lead(engine), lead)
    torch.testing.assert_close(robot.proprioception(engine)[:, -3:], lead.float())
    for kind in ("torque", "velocity"):
        engine, robot = engine_of(kind)
        assert robot.lead(engine).shape == (2, 0)


def test_a_file_is_read_with_a_dense_jacobian():
    assert load_mjcf(ARM).compile().opt.jacobian == mujoco.mjtJacobian.mjJAC_DENSE
