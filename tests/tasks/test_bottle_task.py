"""The bottle: tolerances of the compiled model, states just in and just out."""

import numpy as np
import pytest
import torch
from pr2_scenes import at_goal, half, offset, put, started

from visuomotor.props import bottle as bottle_prop
from visuomotor.tasks import make_task
from visuomotor.tasks.pr2.bottle import Bottle


@pytest.fixture(scope="module")
def bottle() -> Bottle:
    return make_task("bottle")


def test_the_cap_fits_the_neck_with_1_5_mm_and_teeth_overlap_by_2_mm(bottle):
    def radius(geom: str, side: int) -> float:
        x, y, _ = bottle.model.geom(geom).pos
        return float(np.hypot(x, y)) + side * half(bottle, geom, 0)

    assert radius("cap_tooth_0", -1) - half(bottle, "bottle_neck", 0) == pytest.approx(0.0015, abs=1e-9)
    assert radius("bottle_tooth_0", 1) - radius("cap_tooth_0", -1) == pytest.approx(0.002, abs=1e-9)
    assert radius("cap_wall_0", -1) - radius("bottle_tooth_0", 1) == pytest.approx(0.002, abs=1e-9)
    assert bottle.model.joint("bottle_thread").frictionloss[0] == bottle_prop.THREAD_FRICTION


@pytest.mark.parametrize(
    ("up", "turn", "stage"),
    [(0.0029, 1.6, 3), (0.0029, 1.5, 2), (0.0031, 1.6, 1), (0.0299, 1.6, 1), (0.0301, 1.6, 0), (0.0, -1.6, 2)],
)
def test_the_cap_is_turned_on_within_3_mm_and_by_a_quarter_turn(bottle, up, turn, stage):
    engine = started(bottle)
    engine.field("qpos")[:, int(bottle.model.joint("bottle_thread").qposadr[0])] = turn
    put(bottle, engine, "cap_joint", bottle.target_position(engine) + offset(0.0, 0.0, up))
    assert bottle.stage(engine).tolist() == [stage] * 9


def test_the_lip_leads_a_cap_that_comes_down_7_mm_beside_it_onto_the_neck(bottle):
    engine = started(bottle)
    engine.field("eq_active")[:] = 0
    put(bottle, engine, "cap_joint", bottle.target_position(engine) + offset(0.007, 0.0, 0.0205))
    engine.step(200)
    assert bottle.stage(engine).eq(2).all()


def turn_wrist(bottle, engine, speed: float, steps: int) -> None:
    """Hold the arm and turn the wrist, rad/s."""
    stiff, damp = bottle.pd_gains()
    wanted = bottle.robot.joint_positions(engine).clone()
    for _ in range(steps):
        wanted[:, 6] += speed * bottle.control_dt
        error = wanted - bottle.robot.joint_positions(engine)
        bottle.step(engine, stiff * error - damp * bottle.robot.joint_velocities(engine))


def test_turning_the_seated_cap_turns_the_thread_and_screws_it_on(bottle):
    engine = at_goal(bottle)
    turn_wrist(bottle, engine, 2.0, 40)
    thread = engine.field("qpos")[:, int(bottle.model.joint("bottle_thread").qposadr[0])]
    assert ((thread > 2.0) & (thread < 4.0)).all()
    assert bottle.stage(engine).eq(3).all()
    assert bottle.finish_episode(engine).success.all()


def test_turning_it_back_or_above_the_bottle_does_not(bottle):
    thread = int(bottle.model.joint("bottle_thread").qposadr[0])
    engine = at_goal(bottle)
    turn_wrist(bottle, engine, -2.0, 40)
    assert (engine.field("qpos")[:, thread] < -2.0).all()
    assert not bottle.finish_episode(engine).success.any()
    engine = started(bottle)
    turn_wrist(bottle, engine, 2.0, 40)
    assert engine.field("qpos")[:, thread].abs().max() < 1e-4


def test_turning_it_on_the_neck_but_above_its_seat_does_not(bottle):
    """The arm sags by 6 mm while it turns: the cap stays 3 to 9 mm above."""
    engine = at_goal(bottle, up=0.009)
    turn_wrist(bottle, engine, 2.0, 40)
    height = (engine.field("xpos")[:, bottle.model.body("cap").id] - bottle.target_position(engine))[:, 2]
    assert ((height > 0.0028) & (height < 0.009)).all()
    assert engine.field("qpos")[:, int(bottle.model.joint("bottle_thread").qposadr[0])].abs().max() < 0.1


def test_a_free_turn_about_the_caps_axis_is_no_error(bottle):
    engine = at_goal(bottle)
    engine.field("qpos")[:, bottle.robot.qpos[6]] += 1.0
    engine.forward()
    assert bottle.errors(engine).norm(dim=-1).max() < 1e-3


def test_the_bottles_cost_wants_a_spinning_wrist(bottle):
    state = torch.zeros(3, 1, 32, dtype=torch.float64)
    state[:, 0, 13] = torch.tensor([0.0, 2.0, 3.0])
    cost = bottle.cost(state, torch.zeros(3, 1, 7, dtype=torch.float64))[:, 0]
    assert (cost - cost[1]).tolist() == pytest.approx([0.5 * 0.5 * 4.0, 0.0, 0.5 * 0.5 * 1.0])
