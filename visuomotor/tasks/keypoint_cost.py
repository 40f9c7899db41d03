"""The default cost: bring points to their targets."""

from collections.abc import Callable

import torch
from torch import Tensor

from visuomotor.tasks.cost import Cost

_ALPHA = 1e-5  # m^2, where the logarithm flattens: about 3 mm
_FINAL_FACTOR = 10.0


def keypoint_cost(
    errors: slice,
    velocities: slice,
    *,
    square: float = 1.0,
    log: float = 1.0,
    velocity: float = 5.0,
    action: float | Tensor = 1e-2,
    extra: Callable[[Tensor], Tensor] | None = None,
) -> Cost:
    """Bring points to their targets, unhurriedly, and precisely in the end.

        l_t = r_t (square/2 d^2 + log/2 log(d^2 + alpha)) + velocity/2 |v|^2 + 1/2 sum_j action_j u_j^2

    with d^2 the squared distance summed over the points. The square pulls from afar, the logarithm makes the last
    millimetres count (Levine et al. 2015, appendix B.1). The ramp r_t = (t + 1) / T grows over the episode and is ten
    times larger at its last step. Without a price on velocity it pays to be early: the points then cut corners, and
    what they carry hits what is in the way.

    Args:
        errors: where the state holds the points less their targets, m.
        velocities: where it holds velocities, m/s. velocity: per (m/s)^2.
        square: per m^2.
        action: weight of the squared actions, which are fractions of their limits; one, or `(A,)` one each.
        extra: a square of the state `(X,)` that is added to l_t with weight 1/2, such as that of a joint's speed less
            the wanted one.
    """

    def squares(state: Tensor, actions: Tensor) -> Tensor:
        effort = velocity * state[velocities].square().sum() + (action * actions.square()).sum()
        if extra is not None:
            effort = effort + extra(state)
        return torch.stack([state[errors].square().sum(), effort])

    def outer(values: Tensor, progress: Tensor) -> Tensor:
        distance, effort = values[0], values[1]
        ramp = torch.where(progress > 0.9999, _FINAL_FACTOR, progress)
        return 0.5 * (ramp * (square * distance + log * torch.log(distance + _ALPHA)) + effort)

    return Cost(squares, outer)
