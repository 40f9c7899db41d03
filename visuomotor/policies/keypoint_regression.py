"""How networks learn to see where points are: the loss, and the course of the learning rate."""

import math

from torch import Tensor

_WARM_UP = 0.05  # of training, over which the learning rate rises from 0
_LAST_RATE = 0.02  # the learning rate's floor, as a fraction of its largest


def keypoint_loss(error: Tensor, smoothing: float) -> Tensor:
    """The mean distance, smooth at zero:  mean of sqrt(|error|^2 + smoothing^2).

    With squared distances, images in which an object is hidden or has fallen far away would dominate the loss.

    Args:
        error: `(..., 3)`, predicted less true points, in any unit. smoothing: in the same unit.
    """
    return (error.square().sum(-1) + smoothing**2).sqrt().mean()


def learning_rate_factor(fraction: float) -> float:
    """What the largest learning rate is multiplied with after `fraction` of training: it rises linearly in the first
    twentieth, and falls along a cosine. Without the rise, such rates undo the networks' first weights."""
    cosine = 0.5 * (1 + math.cos(math.pi * fraction))
    return min(1.0, fraction / _WARM_UP) * max(_LAST_RATE, cosine)
