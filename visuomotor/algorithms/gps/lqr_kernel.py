"""The backward pass of one condition, and how far its controller lies from another: compiled, float64.

Torch spends most of its time on calls when the matrices are as small as these, and on fresh memory when they are
stacked. Here everything lives in a few buffers in the processor's cache. Quadratics and dynamics are written in
homogeneous coordinates, so that one product serves Hessian, gradient and constant alike: z = [x, 1, u].
"""

from collections.abc import Callable
from math import log, sqrt
from typing import TypeVar, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

Float64Array = NDArray[np.float64]
Function = TypeVar("Function", bound=Callable[..., object])


def _compiled(function: Function) -> Function:
    """Machine code without the interpreter lock. Sums may be reordered, so that they are vectorised."""
    return cast(Function, njit(nogil=True, cache=True, error_model="numpy", fastmath={"contract", "reassoc"})(function))


@_compiled
def _add_product(a: Float64Array, b: Float64Array, out: Float64Array) -> None:
    """out += a' b. (With a' every turn of the middle loop works on another row, so none waits for the last.)"""
    for k in range(a.shape[0]):
        for i in range(a.shape[1]):
            factor = a[k, i]
            for j in range(b.shape[1]):
                out[i, j] += factor * b[k, j]


@_compiled
def _factorise(matrix: Float64Array, factor: Float64Array) -> bool:
    """The lower Cholesky factor; False where the matrix is not positive definite."""
    for i in range(matrix.shape[0]):
        for j in range(i + 1):
            rest = matrix[i, j]
            for k in range(j):
                rest -= factor[i, k] * factor[j, k]
            if i > j:
                factor[i, j] = rest / factor[j, j]
            elif rest > 0.0:
                factor[i, i] = sqrt(rest)
            else:  # also NaN
                return False
    return True


@_compiled
def _solve(factor: Float64Array, columns: Float64Array) -> None:
    """columns <- (L L')^-1 columns."""
    size, width = columns.shape
    for i in range(size):
        for k in range(i):
            for j in range(width):
                columns[i, j] -= factor[i, k] * columns[k, j]
        columns[i] /= factor[i, i]
    for i in range(size - 1, -1, -1):
        for k in range(i + 1, size):
            for j in range(width):
                columns[i, j] -= factor[k, i] * columns[k, j]
        columns[i] /= factor[i, i]


@_compiled
def backward(
    hessian: Float64Array,
    gradient: Float64Array,
    transition: Float64Array,
    transition_offset: Float64Array,
    entropy_weight: Float64Array,
    prev_gain: Float64Array,
    prev_offset: Float64Array,
    prev_precision: Float64Array,
    eta: float,
    gain: Float64Array,
    offset: Float64Array,
    covariance: Float64Array,
) -> bool:
    """Fill in the controller that minimises  sum_t E[c_t] - eta E[log prev(u_t | x_t)] - w_t H(p(u_t | x_t)).

    Args:
        hessian, gradient: c_t, `(T, Z, Z)` and `(T, Z)`.
        transition, transition_offset: F_t and f_t, `(T-1, X, Z)` and `(T-1, X)`.
        entropy_weight: w_t, `(T,)`.
        prev_gain, prev_offset, prev_precision: another controller, `(T, U, X)`, `(T, U)` and `(T, U, U)`.
        gain, offset, covariance: the result.

    Returns:
        False, with the result incomplete, if some Q_uu is not positive definite.
    """
    steps, actions, states = gain.shape
    one, first_action, size = states, states + 1, states + 1 + actions
    value, curvature = np.zeros((states + 1, states + 1)), np.zeros((size, size))
    transition_z, value_transition = np.zeros((states + 1, size)), np.zeros((states + 1, size))
    transition_z[one, one] = 1.0
    residual, weighted_residual = np.zeros((actions, size)), np.zeros((actions, size))
    for a in range(actions):
        residual[a, first_action + a] = 1.0
    action_block, factor = np.zeros((actions, actions)), np.zeros((actions, actions))
    controller, inverse = np.zeros((actions, states + 1)), np.zeros((actions, actions))
    for t in range(steps - 1, -1, -1):
        # Q_t = c_t + eta/2 r' C^-1 r + V_{t+1}(F z),  with r = u - K x - k of the previous controller
        curvature[:states, :states] = hessian[t, :states, :states]
        curvature[:states, first_action:] = hessian[t, :states, states:]
        curvature[first_action:, :states] = hessian[t, states:, :states]
        curvature[first_action:, first_action:] = hessian[t, states:, states:]
        curvature[one, :states] = curvature[:states, one] = gradient[t, :states]
        curvature[one, first_action:] = curvature[first_action:, one] = gradient[t, states:]
        curvature[one, one] = 0.0
        residual[:, :states] = -prev_gain[t]
        residual[:, one] = -prev_offset[t]
        weighted_residual[:] = 0.0
        _add_product(eta * prev_precision[t], residual, weighted_residual)
        _add_product(residual, weighted_residual, curvature)
        if t < steps - 1:
            transition_z[:states, :states] = transition[t, :, :states]
            transition_z[:states, one] = transition_offset[t]
            transition_z[:states, first_action:] = transition[t, :, states:]
            value_transition[:] = 0.0
            _add_product(value, transition_z, value_transition)  # value is symmetric
            _add_product(transition_z, value_transition, curvature)
        # the controller [K, k] = -Q_uu^-1 [Q_ux, q_u] and C = w Q_uu^-1
        action_block[:] = curvature[first_action:, first_action:]
        if not _factorise(action_block, factor):
            return False
        controller[:] = curvature[first_action:, : states + 1]
        _solve(factor, controller)
        controller *= -1.0
        inverse[:] = 0.0
        for a in range(actions):
            inverse[a, a] = entropy_weight[t]
        _solve(factor, inverse)
        gain[t], offset[t], covariance[t] = controller[:, :states], controller[:, one], inverse
        # V_t = Q_xx + Q_xu [K, k], made symmetric
        for i in range(states + 1):
            value[i] = curvature[i, : states + 1]
            for a in range(actions):
                q_xu = curvature[i, first_action + a]
                for j in range(states + 1):
                    value[i, j] += q_xu * controller[a, j]
        for i in range(states + 1):
            for j in range(i):
                value[i, j] = value[j, i] = 0.5 * (value[i, j] + value[j, i])
    return True


@_compiled
def divergence(
    gain: Float64Array,
    offset: Float64Array,
    covariance: Float64Array,
    prev_gain: Float64Array,
    prev_offset: Float64Array,
    prev_precision: Float64Array,
    transition: Float64Array,
    transition_offset: Float64Array,
    noise: Float64Array,
    initial_mean: Float64Array,
    initial_covariance: Float64Array,
) -> float:
    """sum_t E_x[KL(p(u_t | x_t) || prev(u_t | x_t))], nats, under the states that p visits; infinite if p is broken.

    The equation is `linear_gaussian.kl_divergence`'s.
    """
    steps, actions, states = gain.shape
    mean, state_covariance = np.zeros((states, 1)), initial_covariance.copy()
    mean[:, 0] = initial_mean
    # transposed, as `_add_product` takes its left side
    closed, from_action, gap = np.zeros((states, states)), np.zeros((actions, states)), np.zeros((states, actions))
    covariance_closed, covariance_from_action = np.zeros((states, states)), np.zeros((actions, states))
    covariance_gap = np.zeros((states, actions))
    action_moment, factor = np.zeros((actions, actions)), np.zeros((actions, actions))
    shift, next_mean = np.zeros((actions, 1)), np.zeros((1, states))
    total = 0.0
    for t in range(steps):
        # E[d d'] + C with d = (K - K_prev) x + k - k_prev
        gap[:] = (gain[t] - prev_gain[t]).T
        shift[:, 0] = offset[t] - prev_offset[t]
        _add_product(gap, mean, shift)
        covariance_gap[:] = 0.0
        _add_product(state_covariance, gap, covariance_gap)
        action_moment[:] = covariance[t]
        _add_product(gap, covariance_gap, action_moment)
        trace = 0.0
        for a in range(actions):
            for b in range(actions):
                trace += prev_precision[t, a, b] * (action_moment[a, b] + shift[a, 0] * shift[b, 0])
        total += 0.5 * (trace - actions)
        if not _factorise(covariance[t], factor):
            return np.inf
        for a in range(actions):
            total -= log(factor[a, a])
        if not _factorise(prev_precision[t], factor):
            return np.inf
        for a in range(actions):
            total -= log(factor[a, a])
        if t == steps - 1:
            break
        # the closed loop x' = (F_x + F_u K) x + F_u k + f with noise R + F_u C F_u'
        closed[:] = transition[t, :, :states].T
        from_action[:] = transition[t, :, states:].T
        _add_product(gain[t], from_action, closed)
        next_mean[0] = transition_offset[t]
        _add_product(mean, closed, next_mean)
        _add_product(offset[t : t + 1].T, from_action, next_mean)
        mean[:] = next_mean.T
        covariance_closed[:], covariance_from_action[:] = 0.0, 0.0
        _add_product(state_covariance, closed, covariance_closed)
        _add_product(covariance[t], from_action, covariance_from_action)
        state_covariance[:] = noise[t]
        _add_product(closed, covariance_closed, state_covariance)
        _add_product(from_action, covariance_from_action, state_covariance)
    return total if np.isfinite(total) else np.inf
