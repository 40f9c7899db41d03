"""The default cost: bring points to their targets."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from visuomotor.errors import VisuomotorError
from visuomotor.tasks.cost import Cost

_ALPHA = 1e-5  # m^2, where the logarithm flattens: about 3 mm
_FINAL_FACTOR = 10.0
_FIRST_WEIGHT, _APPROACHED = 0.02, 0.7  # of errors along the approach; the progress at which they count fully


def keypoint_cost(
    errors: slice,
    velocities: slice,
    *,
    square: float = 1.0,
    log: float = 1.0,
    velocity: float = 5.0,
    action: float | Tensor = 1e-2,
    approach: tuple[float, float, float] | None = None,
    approach_power: float = 1.0,
    extra: Callable[[Tensor], Tensor] | None = None,
) -> Cost:
    """Bring points to their targets, unhurriedly, and precisely in the end.

        l_t = r_t (square/2 d^2 + log/2 log(d^2 + alpha)) + velocity/2 |v|^2 + 1/2 sum_j action_j u_j^2

    with d^2 the squared distance summed over the points. The square pulls from afar, the logarithm makes the last
    millimetres count. The ramp r_t = (t + 1) / T grows over the episode and is ten
    times larger at its last step. Without a price on velocity it pays to be early: the points then cut corners, and
    what they carry hits what is in the way.

    With an `approach`, errors along it count little at first: d^2 = d_across^2 + w_t d_along^2, where w_t rises from
    0.02 to 1 after 70% of the episode, with a power of the progress. A peg is then over its hole before it goes in.

    Raises:
        VisuomotorError: `approach` is no unit vector.

    Args:
        errors: where the state holds the points less their targets, m.
        velocities: where it holds velocities, m/s. velocity: per (m/s)^2.
        square: per m^2.
        action: weight of the squared actions, which are fractions of their limits; one, or `(A,)` one each.
        approach: unit vector along which the points come to their targets; the state then holds three coordinates of
            each point in turn.
        approach_power: how late the points come along the approach: 1 linearly, 2 later.
        extra: a square of the state `(X,)` that is added to l_t with weight 1/2, such as that of a joint's speed less
            the wanted one.
    """

    if approach is not None and not math.isclose(math.hypot(*approach), 1.0, rel_tol=1e-6):
        raise VisuomotorError(f"the approach of a cost must be a unit vector, not {approach}")

    def squares(state: Tensor, actions: Tensor) -> Tensor:
        for what, part in (("errors", errors), ("velocities", velocities)):  # a slice would be cut without a word
            if part.stop is not None and part.stop > len(state):
                raise VisuomotorError(
                    f"the {what} of the cost end at number {part.stop} of the state, which has {len(state)}; correct "
                    "the slice that keypoint_cost gets"
                )
        effort = velocity * state[velocities].square().sum() + (action * actions.square()).sum()
        if extra is not None:
            effort = effort + extra(state)
        distance, along = state[errors].square().sum(), effort.new_zeros(())
        if approach is not None:
            along = (state[errors].unflatten(-1, (-1, 3)) @ state.new_tensor(approach)).square().sum()
        return torch.stack([distance - along, along, effort])

    def outer(values: Tensor, progress: Tensor) -> Tensor:
        across, along, effort = values
        near = (progress / _APPROACHED).clamp(max=1) ** approach_power
        distance = across + (_FIRST_WEIGHT + (1 - _FIRST_WEIGHT) * near) * along
        ramp = torch.where(progress > 0.9999, _FINAL_FACTOR, progress)
        return 0.5 * (ramp * (square * distance + log * torch.log(distance + _ALPHA)) + effort)

    return Cost(squares, outer)
