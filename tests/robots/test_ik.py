"""Inverse kinematics of a planar arm, against the answer in closed form."""

import mujoco
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visuomotor.errors import VisuomotorError
from visuomotor.robots.ik import ORIENTATION_TOLERANCE, POSITION_TOLERANCE, solve_ik

L1, L2, L3 = 0.4, 0.3, 0.1
JOINTS = ("a", "b", "c")
ARM = """
<mujoco>
  <compiler angle="radian"/>
  <worldbody>
    <body>
      <joint name="z" type="slide" axis="0 0 1" range="-1 1" limited="true"/>
      <geom size="0.01"/>
      <body>
        <joint name="a" axis="0 0 1" range="-3 3" limited="true"/>
        <geom size="0.01"/>
        <body pos="{l1} 0 0">
          <joint name="b" axis="0 0 1" range="{elbow}" limited="true"/>
          <geom size="0.01"/>
          <body pos="{l2} 0 0">
            <joint name="c" axis="0 0 1" range="-3 3" limited="true"/>
            <geom size="0.01"/>
            <body name="hand" pos="{l3} 0 0"/>
            <site name="wrist"/>
            <site name="tip" pos="{l3} 0 0"/>
          </body>
        </body>
      </body>
    </body>
  </worldbody>
</mujoco>
"""


def arm(elbow="-3 3") -> mujoco.MjModel:
    return mujoco.MjModel.from_xml_string(ARM.format(l1=L1, l2=L2, l3=L3, elbow=elbow))


MODEL = arm()
angle = st.floats(-1, 1)


def elbow_angles(x: float, y: float, sign: int) -> tuple[float, float]:
    """The angles at which a two-link arm's wrist is at (x, y), by the law of cosines; `sign` of the elbow's."""
    b = sign * np.arccos((x**2 + y**2 - L1**2 - L2**2) / (2 * L1 * L2))
    return np.arctan2(y, x) - np.arctan2(L2 * np.sin(b), L1 + L2 * np.cos(b)), b


def quat_about_z(angle: float) -> tuple[float, ...]:
    return (np.cos(angle / 2), 0.0, 0.0, np.sin(angle / 2))


@settings(max_examples=20, deadline=None, derandomize=True)
@given(radius=st.floats(0.25, 0.65), direction=angle, sign=st.sampled_from([-1, 1]))
def test_a_position_alone(radius, direction, sign):
    """Two joints have two answers; the start decides."""
    x, y = radius * np.cos(direction), radius * np.sin(direction)
    found = solve_ik(MODEL, ("a", "b"), "wrist", "site", (x, y, 0), starts=[(direction, sign * 1.0)])
    np.testing.assert_allclose(found, elbow_angles(x, y, sign), atol=0.02)
    a, b = found
    reached = (L1 * np.cos(a) + L2 * np.cos(a + b), L1 * np.sin(a) + L2 * np.sin(a + b))
    np.testing.assert_allclose(reached, (x, y), atol=POSITION_TOLERANCE)


@pytest.mark.parametrize(("frame", "kind"), [("tip", "site"), ("hand", "body")])
@settings(max_examples=15, deadline=None, derandomize=True)
@given(radius=st.floats(0.3, 0.6), direction=angle, heading=angle, sign=st.sampled_from([-1, 1]))
def test_position_and_orientation(frame, kind, radius, direction, heading, sign):
    """The orientation puts the wrist L3 behind the tip; the third joint turns the rest."""
    wrist = radius * np.array([np.cos(direction), np.sin(direction), 0])
    position = wrist + L3 * np.array([np.cos(heading), np.sin(heading), 0])
    a, b = elbow_angles(*wrist[:2], sign)
    found = solve_ik(MODEL, JOINTS, frame, kind, position, quat_about_z(heading), starts=[(direction, sign * 1.0, 0.0)])
    np.testing.assert_allclose(found, (a, b, heading - a - b), atol=0.03)
    assert found.sum() == pytest.approx(heading, abs=ORIENTATION_TOLERANCE)


def test_an_axis_without_weight_may_turn():
    """The tip pitched by 0.5 rad is out of the plane's reach, unless the pitch does not matter."""
    heading, pitch = 0.4, 0.5
    tilted = np.empty(4)
    mujoco.mju_mulQuat(tilted, np.array(quat_about_z(heading)), np.array([np.cos(pitch / 2), 0, np.sin(pitch / 2), 0]))
    with pytest.raises(VisuomotorError, match="free its orientation"):
        solve_ik(MODEL, JOINTS, "tip", "site", (0.6, 0.1, 0), tilted, starts=[(0, 0.5, 0)])
    found = solve_ik(
        MODEL, JOINTS, "tip", "site", (0.6, 0.1, 0), tilted, starts=[(0, 0.5, 0)], orientation_weight=(0, 0, 0.3)
    )
    a, b, _ = found
    x = L1 * np.cos(a) + L2 * np.cos(a + b) + L3 * np.cos(found.sum())
    assert x == pytest.approx(0.6, abs=POSITION_TOLERANCE)


def test_limits_decide_between_two_answers():
    x, y = 0.5, 0.1
    for elbow, sign in (("0 3", 1), ("-3 0", -1)):
        found = solve_ik(arm(elbow), ("a", "b"), "wrist", "site", (x, y, 0), starts=[(0.2, sign * -0.3), (0.2, sign)])
        np.testing.assert_allclose(found, elbow_angles(x, y, sign), atol=0.02)


def test_the_start_is_the_middle_of_the_ranges_and_joints_that_are_not_named_stay():
    """From straight out, at the elbow's middle of 1 rad, the arm bends that way."""
    found = solve_ik(arm("-1 3"), ("a", "b"), "wrist", "site", (0.5, 0.1, 0))
    np.testing.assert_allclose(found, elbow_angles(0.5, 0.1, 1), atol=0.02)
    with pytest.raises(VisuomotorError, match="cannot take position"):  # the slide could lift it
        solve_ik(MODEL, JOINTS, "tip", "site", (0.5, 0.1, 0.2))
    found = solve_ik(MODEL, ("z", *JOINTS), "tip", "site", (0.5, 0.1, 0.2), starts=[(0, 0, 1, 0)])
    assert found[0] == pytest.approx(0.2, abs=POSITION_TOLERANCE)


def test_out_of_reach_says_by_how_much_and_what_to_do():
    """The arm is 0.8 m long."""
    with pytest.raises(VisuomotorError, match=r"'tip' cannot take position \[0\.0, 1\.0, 0\.0\] with any") as caught:
        solve_ik(MODEL, JOINTS, "tip", "site", (0, 1.0, 0), starts=[(1.4, 0.1, 0.1)])
    miss = float(str(caught.value).split("misses by ")[1].split(" mm")[0])
    assert 200 <= miss < 250  # a stretched arm comes nearer ever more slowly
    assert "free its orientation" not in str(caught.value)
    with pytest.raises(VisuomotorError, match="or free its orientation"):
        solve_ik(MODEL, JOINTS, "tip", "site", (0, 1.0, 0), (1, 0, 0, 0))


def test_the_same_call_gives_the_same_bits():
    first, again = (solve_ik(MODEL, JOINTS, "tip", "site", (0.4, 0.3, 0), starts=[(0.1, 0.5, 0)]) for _ in range(2))
    np.testing.assert_array_equal(first, again)
