"""Random linear-quadratic problems, and plain versions of what the package computes fast."""

import torch

from visuomotor.algorithms.gps.linear_gaussian import Controller, Dynamics
from visuomotor.algorithms.gps.lqr import LqrSolver, QuadraticCost, stack_controllers


def positive_definite(generator, *shape, least=0.1):
    """Random `(*shape, shape[-1])` with eigenvalues of at least `least`."""
    root = torch.randn(*shape, shape[-1], generator=generator, dtype=torch.float64)
    return root @ root.mT / shape[-1] + least * torch.eye(shape[-1], dtype=torch.float64)


def normal(generator, *shape):
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def random_dynamics(generator, conditions, steps, states, actions):
    transition = 0.4 * normal(generator, conditions, steps - 1, states, states + actions)
    transition[..., :states] += 0.8 * torch.eye(states, dtype=torch.float64)
    return Dynamics(
        transition=transition,
        offset=0.3 * normal(generator, conditions, steps - 1, states),
        noise=0.1 * positive_definite(generator, conditions, steps - 1, states),
        initial_mean=normal(generator, conditions, states),
        initial_covariance=0.2 * positive_definite(generator, conditions, states),
    )


def random_controller(generator, conditions, steps, states, actions):
    return Controller(
        gain=0.3 * normal(generator, conditions, steps, actions, states),
        offset=0.3 * normal(generator, conditions, steps, actions),
        covariance=0.5 * positive_definite(generator, conditions, steps, actions, least=0.3),
    )


def random_cost(generator, conditions, steps, states, actions):
    size = states + actions
    return QuadraticCost(
        hessian=positive_definite(generator, conditions, steps, size),
        gradient=normal(generator, conditions, steps, size),
        constant=normal(generator, conditions, steps),
    )


def random_problem(seed, conditions=3, steps=6, states=4, actions=2):
    generator = torch.Generator().manual_seed(seed)
    sizes = conditions, steps, states, actions
    return random_cost(generator, *sizes), random_dynamics(generator, *sizes), random_controller(generator, *sizes)


def backward_pass(cost, dynamics, entropy_weight):
    """The package's controller of every condition without one to hold on to, and which of them exist."""
    conditions, steps, size = cost.gradient.shape
    states = dynamics.initial_mean.shape[-1]
    zeros = torch.zeros(conditions, steps, size - states, states, dtype=torch.float64)
    eye = torch.eye(size - states, dtype=torch.float64).expand(conditions, steps, -1, -1)
    solver = LqrSolver(cost, dynamics, entropy_weight, Controller(zeros, zeros[..., 0], eye))
    controllers = [solver.backward(condition, eta=0.0) for condition in range(conditions)]
    return stack_controllers(controllers), torch.tensor([controller.is_pd for controller in controllers])


def plain_backward_pass(cost, dynamics, entropy_weight):
    """The textbook recursion in torch, all conditions at once."""
    states = dynamics.initial_mean.shape[-1]
    steps = cost.gradient.shape[1]
    value_hessian = value_gradient = None
    gains, offsets, covariances = [], [], []
    for t in range(steps - 1, -1, -1):
        hessian, gradient = cost.hessian[:, t], cost.gradient[:, t]
        if t < steps - 1:
            transition = dynamics.transition[:, t]
            hessian = hessian + transition.mT @ value_hessian @ transition
            slope = value_gradient + (value_hessian @ dynamics.offset[:, t, :, None])[..., 0]
            gradient = gradient + (transition.mT @ slope[..., None])[..., 0]
        inverse = torch.linalg.inv(hessian[:, states:, states:])
        gain = -inverse @ hessian[:, states:, :states]
        offset = -(inverse @ gradient[:, states:, None])[..., 0]
        gains.append(gain)
        offsets.append(offset)
        covariances.append(entropy_weight[:, t, None, None] * inverse)
        value_hessian = hessian[:, :states, :states] + hessian[:, :states, states:] @ gain
        value_gradient = gradient[:, :states] + (hessian[:, :states, states:] @ offset[..., None])[..., 0]
    return Controller(*(torch.stack(part[::-1], 1) for part in (gains, offsets, covariances)))


def simulate(controller, dynamics, samples, generator):
    """States `(samples, N, T, X)` and actions of a controller under the dynamics."""
    states, actions = [], []
    x = dynamics.initial_mean + _draw(dynamics.initial_covariance, samples, generator)
    for t in range(controller.gain.shape[1]):
        mean = (controller.gain[:, t] @ x[..., None])[..., 0] + controller.offset[:, t]
        u = mean + _draw(controller.covariance[:, t], samples, generator)
        states.append(x)
        actions.append(u)
        if t < controller.gain.shape[1] - 1:
            moved = (dynamics.transition[:, t] @ torch.cat([x, u], -1)[..., None])[..., 0] + dynamics.offset[:, t]
            x = moved + _draw(dynamics.noise[:, t], samples, generator)
    return torch.stack(states, 2), torch.stack(actions, 2)


def _draw(covariance, samples, generator):
    white = normal(generator, samples, *covariance.shape[:-1])
    return (torch.linalg.cholesky(covariance) @ white[..., None])[..., 0]
