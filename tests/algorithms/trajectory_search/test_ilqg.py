"""iLQG: the simulator's derivatives, the expansion in coordinates, and a linear-quadratic task that one step solves."""

from dataclasses import replace
from pathlib import Path

import mujoco
import numpy as np
import pytest
import torch

from visuomotor.algorithms.gps.lqr import QuadraticCost
from visuomotor.algorithms.trajectory_search.ilqg import Ilqg, IlqgConfig, expand_about, linear_quadratic
from visuomotor.algorithms.trajectory_search.known_model import KnownModel
from visuomotor.errors import VisuomotorError
from visuomotor.robots.robot import Robot
from visuomotor.tasks import Cost, EpisodeOutcome, ResetParams, Task, make_task

OWN_ROBOT = Path(__file__).parents[3] / "examples" / "own_robot" / "lift.py"
POINT = """
<mujoco>
  <option gravity="0 0 0" timestep="0.01" integrator="implicitfast"/>
  <worldbody>
    <camera name="top" pos="0 0 3"/>
    <body name="point">
      <joint name="x" type="slide" axis="1 0 0" damping="0.5"/>
      <joint name="y" type="slide" axis="0 1 0" damping="2"/>
      <geom name="ball" size="0.1" mass="2"/>
      <site name="tip"/>
    </body>
  </worldbody>
  <actuator>
    <motor name="x" joint="x" ctrlrange="-8 8"/>
    <motor name="y" joint="y" ctrlrange="-4 4"/>
  </actuator>
</mujoco>
"""
STEPS = 12


class PointMass(Task):
    """A body on two slides: its dynamics are linear, and so is the state; the cost is quadratic."""

    name, stages, stage_rewards, max_episode_steps = "point", ("far", "near"), (0.0, 1.0), STEPS
    goal = torch.tensor([0.05, -0.02], dtype=torch.float64)

    def __init__(self, model: str = POINT):
        spec = mujoco.MjSpec.from_string(model)
        super().__init__(spec, Robot.from_mjcf(spec, end_effector="tip", pd_gains=([0, 0], [0, 0])), "top")

    def sample_reset(self, count, generator, split="random", randomize=True):
        return ResetParams({"at": 0.02 * torch.randn(count, 2, generator=generator, dtype=torch.float64)})

    def reset(self, engine, env_ids, params):
        engine.reset(env_ids)
        self.robot.set_joints(engine, env_ids, params.placement["at"])
        engine.forward(env_ids)

    def keypoints(self, engine):
        return torch.zeros(engine.worlds, 1, 3)

    def stage(self, engine):
        return torch.zeros(engine.worlds, dtype=torch.int64)

    def state(self, engine):
        """Other than the coordinates on purpose: sums and differences."""
        q, v = engine.field("qpos"), engine.field("qvel")
        return torch.stack([q.sum(-1), q[:, 0] - q[:, 1], 2 * v[:, 0], v[:, 1]], dim=-1)

    @property
    def cost(self):
        def squares(x, u):
            here = torch.stack([x[0] + x[1], x[0] - x[1]]) / 2 - self.goal
            return (5 * here.square().sum() + 0.1 * x[2:].square().sum() + 0.1 * u.square().sum())[None]

        return Cost(squares, lambda values, progress: 0.5 * (1 + progress) * values[0])


def search(task, **changes) -> Ilqg:
    return Ilqg(task, IlqgConfig(**{"iterations": 1, "num_conditions": 2, "regularization": 1e-8, **changes}), 0)


def exact_system(task) -> tuple[np.ndarray, np.ndarray]:
    """A and B of a control step, of [q; v] and actions, by substeps of the implicit integrator."""
    h, mass, damping, limit = 0.01, 2.0, np.array([0.5, 2.0]), np.array([8.0, 4.0])
    shrink = mass / (mass + h * damping)
    one = np.block([[np.eye(2), h * np.diag(shrink)], [np.zeros((2, 2)), np.diag(shrink)]])
    push = np.concatenate([h * h * np.diag(limit / (mass + h * damping)), h * np.diag(limit / (mass + h * damping))])
    a, b = np.eye(4), np.zeros((4, 2))
    for _ in range(task.frame_skip):
        a, b = one @ a, one @ b + push
    return a, b


@pytest.mark.parametrize("epsilon", [1e-5, 1e-1])
@pytest.mark.parametrize("action", [0.3, 1.0, -1.0])  # also where an action is at its limit
def test_derivatives_of_a_linear_system(epsilon, action):
    task = PointMass()
    model, engine = KnownModel(task, epsilon), task.make_engine(1)
    states = torch.randn(3, 4 + 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = model.differentiate(task.sample_reset(1, torch.Generator()), states, action * torch.ones(3, 2).double())
    a, b = exact_system(task)
    observation = np.array([[1, 1, 0, 0], [1, -1, 0, 0], [0, 0, 2, 0], [0, 0, 0, 1]])
    for t in range(3):
        np.testing.assert_allclose(found.transition[t], np.hstack([a, b]), atol=1e-8)
        np.testing.assert_allclose(found.observation[t], observation, atol=1e-8)
    assert model.read(engine).shape == (1, 6)


def test_one_iteration_is_lqr():
    """Against the dense quadratic program over all actions; nothing is left for a second iteration."""
    task = PointMass()
    ilqg = search(task)
    [row] = list(ilqg.steps())
    a, b = exact_system(task)
    goal = np.concatenate([task.goal, np.zeros(2)])
    weight = np.diag([5, 5, 0.4, 0.1])
    for n in range(2):
        start = np.concatenate([ilqg.starts.placement["at"][n], np.zeros(2)])
        free, forced = [start], [np.zeros((4, 2 * STEPS))]
        for t in range(STEPS - 1):
            free.append(a @ free[-1])
            forced.append(a @ forced[-1])
            forced[-1][:, 2 * t : 2 * t + 2] += b
        ramp = [1 + (t + 1) / STEPS for t in range(STEPS)]
        hessian = sum(r * f.T @ weight @ f for r, f in zip(ramp, forced, strict=True))
        hessian = hessian + 0.1 * np.kron(np.diag(ramp), np.eye(2))
        slope = sum(r * f.T @ weight @ (x - goal) for r, f, x in zip(ramp, forced, free, strict=True))
        best = np.linalg.solve(hessian, -slope).reshape(STEPS, 2)
        assert np.abs(best).max() < 1  # no limit is reached
        np.testing.assert_allclose(ilqg.best.actions[n], best, atol=1e-5)
    assert row["accepted"] == 1
    again = search(task, iterations=2)
    rows = list(again.steps())
    assert rows[1]["policy_cost"] == pytest.approx(rows[0]["policy_cost"], rel=1e-7)


def test_the_problem_about_a_trajectory_whose_dynamics_vary():
    """Against the dense quadratic program: F_t leads from step t to t + 1, and that of the last step leads nowhere."""
    steps, price, draw = 5, 0.3, torch.Generator().manual_seed(4)
    transition = torch.randn(1, steps, 2, 3, generator=draw, dtype=torch.float64)
    root = torch.randn(1, steps, 3, 3, generator=draw, dtype=torch.float64)
    hessian = root @ root.mT + torch.eye(3, dtype=torch.float64)
    gradient = torch.randn(1, steps, 3, generator=draw, dtype=torch.float64)
    cost = QuadraticCost(hessian, gradient, torch.zeros(1, steps, dtype=torch.float64))
    found = linear_quadratic(cost, transition).backward(0, price)
    forced, whole, slope = np.zeros((2, steps)), price * np.eye(steps), np.zeros(steps)
    for t in range(steps):
        z = np.vstack([forced, np.eye(steps)[t]])
        whole += z.T @ hessian[0, t].numpy() @ z
        slope += z.T @ gradient[0, t].numpy()
        forced = transition[0, t].numpy() @ z
    best, x = np.linalg.solve(whole, -slope), np.zeros(2)
    for t in range(steps):
        u = found.gain[t] @ x + found.offset[t]
        np.testing.assert_allclose(u, best[t], atol=1e-9)
        x = transition[0, t].numpy() @ np.concatenate([x, u])


def test_steps_are_tried_at_halving_sizes_until_one_is_better():
    """Each condition for itself: nothing is better than the second one's cost."""
    ilqg = search(PointMass(), step_sizes=3, regularization=1.0)
    run, seen = ilqg.run_episodes, []
    ilqg.run_episodes = lambda env, policy: seen.append(run(env, policy)) or seen[-1]
    ilqg._begin()
    ilqg.best = replace(ilqg.best, costs=torch.tensor([seen[0][2][0].item(), -1e9], dtype=torch.float64))
    ilqg.iteration = 1
    row = ilqg.search()
    held, *tried = (each[0].actions[:, 0] for each in seen)
    moves = torch.stack(tried) - held
    assert moves[0].abs().min() > 1e-4
    torch.testing.assert_close(moves, moves[0] * torch.tensor([1.0, 0.5, 0.25]).double()[:, None, None])
    torch.testing.assert_close(ilqg.best.actions[:, 0], torch.stack([tried[0][0], held[1]]))
    assert ilqg.episodes == 2 + 2 + 1 + 1
    assert row["accepted"] == 0.5
    assert ilqg.regularization.tolist() == [0.25, 4]
    costs = [seen[1][2][0], *(each[2][1] for each in seen[1:])]
    assert row["cost"] == pytest.approx(torch.stack(costs).mean().item())


def test_a_step_that_was_taken_stays_taken(monkeypatch):
    """Also where a smaller one would be worse."""
    ilqg = search(PointMass(), step_sizes=2, regularization=1.0)
    ilqg._begin()
    ilqg.iteration, wanted = 1, []
    costs = iter([ilqg.best.costs + torch.tensor([-1.0, 1.0]), ilqg.best.costs + 1])
    outcome = EpisodeOutcome(torch.zeros(2, dtype=torch.bool), torch.zeros(2))
    monkeypatch.setattr(
        ilqg, "_try", lambda before, step, size, those: (wanted.append(those), (outcome, next(costs)))[1]
    )
    assert ilqg.search()["accepted"] == 0.5
    assert [each.tolist() for each in wanted] == [[True, True], [False, True]]
    assert ilqg.regularization.tolist() == [0.25, 4]


def test_what_finite_differences_simulate_is_counted():
    """Two conditions; four coordinates and two actions, each pushed forward and back."""
    rows = list(search(PointMass(), iterations=2).steps())
    assert [row["model_episodes"] for row in rows] == [2 * 12, 4 * 12]


def test_the_gain_holds_the_trajectory_where_the_start_is_another():
    """The optimum is linear in the start, so from there too the controller is optimal, at no new expansion."""
    task = PointMass()
    ilqg = search(task, num_conditions=1)
    list(ilqg.steps())
    moved = search(task, num_conditions=1)
    moved.starts = ResetParams({"at": ilqg.starts.placement["at"] + 0.03})
    list(moved.steps())
    ilqg.starts = moved.starts
    _, _, costs = ilqg.run_episodes(env := ilqg.make_env(1), ilqg.solution(env))
    assert costs.item() == pytest.approx(moved.best.costs.item(), rel=1e-6)


def test_the_width_of_differences_is_a_setting():
    """Central differences of a cube tell it: ((q + w)^3 - (q - w)^3) / 2 w = 3 q^2 + w^2."""

    class Cubic(PointMass):
        def state(self, engine):
            return engine.field("qpos") ** 3

    task = Cubic()
    ilqg = Ilqg(task, IlqgConfig(finite_difference=0.5), 0)
    state = torch.tensor([[0.2, -0.1, 0.0, 0.0, 0.0, 0.0]], dtype=torch.float64)
    found = ilqg.model.differentiate(ilqg.starts, state, torch.zeros(1, 2).double()).observation[0, :, :2]
    torch.testing.assert_close(found, torch.diag(torch.tensor([0.12 + 0.25, 0.03 + 0.25])).double())


def test_regularization_follows_success():
    task = PointMass()
    ilqg = search(task, iterations=3, regularization=1.0, regularization_factor=10.0)
    rows = list(ilqg.steps())
    assert [row["regularization"] for row in rows] == pytest.approx([0.1, 0.01, 0.001])
    costs = [row["policy_cost"] for row in rows]
    assert costs[0] > costs[1] > costs[2]
    ilqg.best = replace(ilqg.best, costs=torch.full((2,), -1e9).double())  # nothing is better than that
    before = ilqg.best.actions.clone()
    assert ilqg.search()["accepted"] == 0
    assert ilqg.regularization.tolist() == pytest.approx([0.01, 0.01])
    assert torch.equal(ilqg.best.actions, before)


def test_a_price_on_changes_shrinks_the_step():
    hessian = torch.eye(3, dtype=torch.float64).expand(1, 1, 3, 3)
    gradient = torch.tensor([[[0.0, 0.0, 6.0]]], dtype=torch.float64)
    cost = expand_about(
        Cost(lambda x, u: 0.5 * (x.square().sum() + u.square().sum())[None] + 6 * u, lambda s, p: s[0]),
        torch.zeros(1, 1, 2).double(),
        torch.zeros(1, 1, 1).double(),
        torch.eye(2).double().expand(1, 1, 2, 2),
    )
    torch.testing.assert_close(cost.hessian, hessian)
    torch.testing.assert_close(cost.gradient, gradient)
    solver = linear_quadratic(cost, torch.zeros(1, 1, 2, 3).double())
    assert solver.backward(0, 0.0).offset.item() == pytest.approx(-6)
    assert solver.backward(0, 2.0).offset.item() == pytest.approx(-2)


@pytest.mark.parametrize("name", ["insertion2d", "lifting"])
def test_derivatives_are_mujocos(name):
    """Of one physics step in motion, hinges and free bodies; MuJoCo's own are by finite differences too."""
    task = make_task(name)
    task.__class__ = type("OneStep", (type(task),), {"control_dt": task.model.opt.timestep})
    model, size = task.model, 2 * task.model.nv
    engine = task.make_engine(1)
    start = task.sample_reset(1, torch.Generator().manual_seed(0), randomize=False)
    task.reset(engine, torch.arange(1), start)
    generator = torch.Generator().manual_seed(1)
    if name == "lifting":
        engine.field("qpos")[0, task._block_qpos[0] + 2] += 0.2  # in the air: contacts are too stiff to compare
    engine.field("qvel")[:] = 0.3 * torch.randn(1, model.nv, generator=generator, dtype=torch.float64)
    actions = 0.4 * torch.randn(1, task.action_size, generator=generator, dtype=torch.float64)
    known = KnownModel(task)
    state = known.read(engine)
    found = known.differentiate(start, state, actions).transition[0]
    data = mujoco.MjData(model)
    data.qpos, data.qvel = engine.field("qpos")[0].numpy(), engine.field("qvel")[0].numpy()
    data.mocap_pos = engine.field("mocap_pos")[0].numpy()
    data.ctrl[task.robot.actuator_ids.numpy()] = (actions[0].clamp(-1, 1) * task.robot.action_limits).numpy()
    a, b = np.zeros((size, size)), np.zeros((size, model.nu))
    mujoco.mjd_transitionFD(model, data, 1e-5, True, a, b, None, None)
    b = b[:, task.robot.actuator_ids.numpy()] * task.robot.action_limits.numpy()
    np.testing.assert_allclose(found, np.hstack([a, b]), atol=2e-4, rtol=1e-3)


def test_targets_of_position_actuators_are_coordinates():
    task = make_task(f"{OWN_ROBOT}:Lift")
    known, engine = KnownModel(task), task.make_engine(1)
    start = task.sample_reset(1, torch.Generator().manual_seed(0), randomize=False)
    task.reset(engine, torch.arange(1), start)
    count = task.action_size
    middle = torch.from_numpy(task.model.actuator_ctrlrange.mean(1)[None])  # no target is at its limit
    task.robot.set_joints(engine, torch.arange(1), middle)
    assert known.size == 2 * task.model.nv + count
    found = known.differentiate(start, known.read(engine), torch.zeros(1, count).double()).transition[0]
    speed = torch.diag(task.control_dt * task.robot.action_limits)
    torch.testing.assert_close(found[-count:, -count:], speed, atol=1e-6, rtol=0)
    torch.testing.assert_close(found[-count:, -2 * count : -count], torch.eye(count).double(), atol=1e-6, rtol=0)


def test_actuators_with_a_state_of_their_own_are_refused():
    filtered = POINT.replace("</actuator>", '<general dyntype="filter" dynprm="0.1" joint="x"/></actuator>')
    with pytest.raises(VisuomotorError, match="actuators with a state of their own"):
        KnownModel(PointMass(filtered))
