"""From response maps to feature points."""

import torch
from torch import Tensor


def spatial_softmax(responses: Tensor) -> Tensor:
    """The expected image position of each channel under a softmax over its pixels.

        s_cij = exp(a_cij) / sum_i'j' exp(a_ci'j'),      point_c = sum_ij s_cij (x_j, y_i)

    x runs along columns and y along rows, both from -1 at the first pixel's centre to 1 at the last's
    (Levine et al. 2015, section V-A).

    Args:
        responses: `(batch, channels, height, width)`.

    Returns:
        `(batch, channels, 2)`: x and y of each channel's point.
    """
    height, width = responses.shape[-2:]
    x = torch.linspace(-1, 1, width, dtype=responses.dtype, device=responses.device)
    y = torch.linspace(-1, 1, height, dtype=responses.dtype, device=responses.device)
    probability = responses.flatten(2).softmax(-1).view_as(responses)
    return torch.stack([(probability.sum(-2) * x).sum(-1), (probability.sum(-1) * y).sum(-1)], dim=-1)
