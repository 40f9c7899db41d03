"""Costs: values that are known, derivatives, and the expansion's two promises."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from visuomotor.errors import VisuomotorError
from visuomotor.tasks import Cost
from visuomotor.tasks.keypoint_cost import keypoint_cost

STATES, ACTIONS, STEPS = 6, 2, 4
COSTS = {
    "points": keypoint_cost(slice(1, 4), slice(4, 6)),
    "square only": keypoint_cost(slice(0, 3), slice(3, 6), log=0.0, action=torch.tensor([0.3, 0.7]).double()),
    "approach": keypoint_cost(slice(0, 6), slice(4, 6), approach=(0.6, 0.0, -0.8)),
    "root": Cost(
        lambda x, u: torch.stack([(x[0] - 2 * x[1] + u[0]).square(), x.square().sum(), (u - 1).square().sum()]),
        lambda squares, progress: torch.sqrt(squares[0] + 0.1) * progress + torch.log1p(squares[1]) + squares[2],
    ),
}
every_cost = pytest.mark.parametrize("cost", COSTS.values(), ids=COSTS)


def episode(seed, count=3, size=0.3):
    generator = torch.Generator().manual_seed(seed)
    states = size * torch.randn(count, STEPS, STATES, generator=generator, dtype=torch.float64)
    return states, torch.randn(count, STEPS, ACTIONS, generator=generator, dtype=torch.float64)


def evaluate(expansion, states, actions):
    z = torch.cat([states, actions], -1)
    hess_z = (expansion.hessian @ z[..., None])[..., 0]
    return expansion.constant + (expansion.gradient * z).sum(-1) + 0.5 * (hess_z * z).sum(-1)


@pytest.mark.parametrize(
    ("distance", "logarithm"),
    [(0.0, -11.513), (0.001, -11.418), (0.005, -10.26), (0.01, -9.115), (0.05, -5.987), (0.1, -4.604), (0.2, -3.219)],
)
def test_known_values(distance, logarithm):
    cost = keypoint_cost(slice(0, 9), slice(0, 0), square=0.0, action=0.0)
    states = torch.zeros(2, 9, dtype=torch.float64)
    states[:, 4] = distance
    value = cost(states, torch.zeros(2, 7, dtype=torch.float64))
    assert value[0].item() == pytest.approx(0.5 * 0.5 * logarithm, abs=1e-3)  # half way up the ramp
    assert value[1].item() == pytest.approx(10 * 0.5 * logarithm, abs=1e-2)  # ten times at the last step


def test_every_term_by_hand():
    weights = torch.tensor([0.1, 0.4], dtype=torch.float64)
    cost = keypoint_cost(slice(0, 3), slice(4, 6), square=2.0, log=3.0, velocity=0.6, action=weights)
    states = torch.tensor([[0.1, -0.2, 0.2, 7.0, 0.3, -0.4], [0.0, 0.0, 0.0, 7.0, 0.0, 0.0]], dtype=torch.float64)
    actions = torch.tensor([[3.0, 4.0], [1.0, 0.0]], dtype=torch.float64)
    effort = 0.5 * 0.6 * 0.25 + 0.5 * (0.1 * 9 + 0.4 * 16)
    first = 0.5 * (2.0 * 0.09 + 3.0 * math.log(0.09 + 1e-5)) / 2 + effort
    last = 10 * 0.5 * 3.0 * math.log(1e-5) + 0.5 * 0.1
    torch.testing.assert_close(cost(states, actions), torch.tensor([first, last], dtype=torch.float64))


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_errors_along_the_approach_count_little_at_first(power):
    """Two points; 0.1 and 0.3 m along the approach, 0.2 m across."""
    approach = {"approach": (0.0, 0.6, -0.8), "approach_power": power}
    cost = keypoint_cost(slice(0, 6), slice(0, 0), log=0.0, action=0.0, **approach)
    state = torch.tensor([0.2, 0.06, -0.08, 0.0, -0.18, 0.24], dtype=torch.float64)
    value = cost(state.expand(20, 6), torch.zeros(20, 1, dtype=torch.float64))
    across, along = 0.04, 0.01 + 0.09
    for step, progress in ((0, 0.05), (6, 0.35), (13, 0.7), (18, 0.95)):
        weight = 0.02 + 0.98 * min(1.0, progress / 0.7) ** power
        assert value[step].item() == pytest.approx(0.5 * progress * (across + weight * along))
    assert value[19].item() == pytest.approx(0.5 * 10 * (across + along))


@pytest.mark.parametrize(
    ("errors", "velocities", "told"),
    [
        (slice(0, 7), slice(3, 6), "errors of the cost end at number 7 of the state, which has 6"),
        (slice(0, 3), slice(6, 9), "velocities of the cost end at number 9"),
    ],
)
def test_slices_do_not_reach_beyond_the_state(errors, velocities, told):
    states, actions = torch.zeros(2, 6, dtype=torch.float64), torch.zeros(2, 1, dtype=torch.float64)
    with pytest.raises(VisuomotorError, match=told):
        keypoint_cost(errors, velocities)(states, actions)
    assert keypoint_cost(slice(0, 3), slice(3, None))(states, actions).isfinite().all()


def test_an_approach_is_a_direction():
    with pytest.raises(VisuomotorError, match="unit vector"):
        keypoint_cost(slice(0, 3), slice(3, 6), approach=(0.0, 0.0, -2.0))


@every_cost
def test_the_expansion_touches_the_cost_and_its_slope(cost):
    states, actions = episode(0)
    expansion = cost.expand(states, actions)
    assert expansion.hessian.shape == (3, STEPS, STATES + ACTIONS, STATES + ACTIONS)
    torch.testing.assert_close(evaluate(expansion, states, actions), cost(states, actions))
    z = torch.cat([states, actions], -1)
    slope = expansion.gradient + (expansion.hessian @ z[..., None])[..., 0]
    step = 1e-6
    for axis in range(STATES + ACTIONS):
        shift = torch.zeros(STATES + ACTIONS, dtype=torch.float64)
        shift[axis] = step
        ahead, behind = z + shift, z - shift
        difference = cost(ahead[..., :STATES], ahead[..., STATES:]) - cost(behind[..., :STATES], behind[..., STATES:])
        torch.testing.assert_close(slope[..., axis], difference / (2 * step), rtol=1e-5, atol=1e-6)


@every_cost
@settings(deadline=None, max_examples=25, derandomize=True)
@given(seed=st.integers(0, 10_000), here=st.floats(1e-3, 2.0), there=st.floats(1e-4, 20.0))
def test_the_expansion_is_convex_and_never_below_the_cost(cost, seed, here, there):
    states, actions = episode(seed, size=here)
    expansion = cost.expand(states, actions)
    torch.testing.assert_close(expansion.hessian, expansion.hessian.mT)
    scale = expansion.hessian.abs().amax((-2, -1)).clamp(min=1.0)
    assert (torch.linalg.eigvalsh(expansion.hessian)[..., 0] > -1e-12 * scale).all()
    other_states, other_actions = episode(seed + 1, size=there)
    bound, value = evaluate(expansion, other_states, other_actions), cost(other_states, other_actions)
    assert (bound >= value - 1e-9 * (1 + bound.abs() + expansion.constant.abs())).all()


def test_leading_axes_do_not_matter():
    cost = COSTS["points"]
    states, actions = episode(1)
    whole = cost(states, actions)
    assert whole.shape == (3, STEPS)
    torch.testing.assert_close(cost(states[1], actions[1]), whole[1])
    torch.testing.assert_close(cost.expand(states[1], actions[1]).hessian, cost.expand(states, actions).hessian[1])
