"""What parameters of an episodic search mean."""

import pytest
import torch
from torch import nn

from visuomotor.algorithms.trajectory_search.config import PolicyConfig
from visuomotor.algorithms.trajectory_search.parametrization import interpolation, make_parametrization

STATES, ACTIONS, STEPS = 3, 2, 9


def normal(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_interpolation_is_linear_between_knots():
    weights = interpolation(STEPS, 3)
    knots = torch.tensor([2.0, 6.0, -2.0], dtype=torch.float64)
    assert (weights @ knots).tolist() == [2, 3, 4, 5, 6, 4, 2, 0, -2]
    assert interpolation(STEPS, 1).tolist() == [[1.0]] * STEPS
    assert interpolation(STEPS, 0).shape == (STEPS, 0)


def test_a_linear_controller_by_hand():
    config = PolicyConfig(knots=3, gain_knots=2, gain_scale=0.5)
    linear = make_parametrization(STEPS, STATES, ACTIONS, config)
    assert linear.size == 3 * ACTIONS + 2 * ACTIONS * STATES
    parameters, states = normal(4, linear.size), normal(4, STATES)
    offsets, gains = parameters[:, :6].view(4, 3, 2), parameters[:, 6:].view(4, 2, 2, 3)
    # step 2 is half way between the first two knots, and a quarter of the way between the gains
    gain = 0.75 * gains[:, 0] + 0.25 * gains[:, 1]
    expected = (offsets[:, 0] + offsets[:, 1]) / 2 + 0.5 * (gain @ states[..., None])[..., 0]
    torch.testing.assert_close(linear.actions(parameters, 2, states), expected)


def test_without_gain_knots_there_is_no_feedback():
    linear = make_parametrization(STEPS, STATES, ACTIONS, PolicyConfig(knots=4, gain_knots=0))
    parameters = normal(2, linear.size)
    found = [linear.actions(parameters, STEPS - 1, states) for states in (normal(2, STATES), 9 * normal(2, STATES))]
    assert torch.equal(found[0], found[1])
    torch.testing.assert_close(found[0], parameters[:, -2:])


def test_a_network_is_one_hidden_layer_of_soft_rectifiers():
    network = make_parametrization(STEPS, STATES, ACTIONS, PolicyConfig(kind="network", hidden=5, input_scale=0.3))
    own = nn.Sequential(nn.Linear(STATES, 5), nn.Softplus(), nn.Linear(5, ACTIONS)).double()
    parameters = torch.cat([parameter.detach().flatten() for parameter in own.parameters()])
    assert network.size == len(parameters)
    states = normal(6, STATES)
    found = network.actions(parameters.expand(6, -1), 3, states)
    torch.testing.assert_close(found, own(0.3 * states).detach())


@pytest.mark.parametrize("kind", ["linear", "network"])
def test_the_first_mean_adds_no_action(kind):
    parametrization = make_parametrization(STEPS, STATES, ACTIONS, PolicyConfig(kind=kind))
    mean = parametrization.initial_mean(torch.Generator().manual_seed(0))
    assert mean.shape == (parametrization.size,)
    assert not parametrization.actions(mean[None], 4, normal(1, STATES)).any()
