"""The distance cost of the PR2 tasks."""

import torch
from torch import Tensor

from visuomotor.tasks.cost import Cost

_ALPHA = 1e-5  # m^2, where the logarithm flattens: about 3 mm
_FINAL_FACTOR = 10.0


def point_cost(points: slice, square: float = 1.0, log: float = 1.0, torque: float = 1e-3) -> Cost:
    """Bring the end-effector points to their targets, precisely in the end.

        l_t = r_t (square/2 d^2 + log/2 log(d^2 + alpha)) + torque/2 |u|^2

    with d^2 the squared distance summed over the three points. The square pulls from afar, the logarithm makes the last
    millimetres count (PAPER_FACTS 1.9). The ramp r_t = (t + 1) / T grows over the episode and is ten times larger at
    its last step.

    Args:
        points: where the state holds the points less their targets, m.
        square: per m^2.
        torque: per (N m)^2.
    """

    def squares(state: Tensor, action: Tensor) -> Tensor:
        return torch.stack([state[points].square().sum(), action.square().sum()])

    def outer(values: Tensor, progress: Tensor) -> Tensor:
        distance, effort = values[0], values[1]
        ramp = torch.where(progress > 0.9999, _FINAL_FACTOR, progress)
        return 0.5 * (ramp * (square * distance + log * torch.log(distance + _ALPHA)) + torque * effort)

    return Cost(squares, outer)
