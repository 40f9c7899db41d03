"""Running statistics: inputs in any units come out at about unit size."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from visuomotor.errors import VisuomotorError

_CLIP = 10.0
_MIN_STD = 1e-4  # a feature that hardly moves is not blown up to its rounding errors

Moments = tuple[Tensor, Tensor, Tensor]


class RunningMeanStd(nn.Module):
    """Mean and variance of all rows seen so far, in float64, and rows scaled by them.

    Statistics are the count n, the mean and the sum of squared deviations M. Two sets merge exactly (Chan et al. 1979):

        mean = mean_a + d n_b / n,      M = M_a + M_b + d^2 n_a n_b / n,      d = mean_b - mean_a,  n = n_a + n_b

    Before the first row the mean is 0 and the std 1. The statistics are buffers, so a network that owns a
    normalizer saves them with its weights.
    """

    count: Tensor
    mean: Tensor
    m2: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros((), dtype=torch.float64))
        self.register_buffer("mean", torch.zeros(size, dtype=torch.float64))
        self.register_buffer("m2", torch.zeros(size, dtype=torch.float64))
        self.register_load_state_dict_pre_hook(_check_content)

    @property
    def std(self) -> Tensor:
        """`(size,)` float64, never below 0.0001."""
        if self.count == 0:
            return torch.ones_like(self.mean)
        return (self.m2 / self.count).sqrt().clamp(min=_MIN_STD)

    def update_from_moments(self, count: Tensor | float, mean: Tensor, m2: Tensor) -> None:
        """Take in as many rows with this mean and this sum of squared deviations: `moments(rows)`, of any process."""
        if mean.shape != self.mean.shape:
            raise VisuomotorError(f"this normalizer was made for {len(self.mean)} numbers a row, not {mean.shape[-1]}")
        if not (mean.isfinite().all() and m2.isfinite().all()):
            raise VisuomotorError(
                "cannot take statistics of rows that are not finite: drop worlds whose physics diverged"
            )
        if count == 0:
            return
        total = self.count + count
        shift = mean - self.mean
        self.mean += shift * (count / total)
        self.m2 += m2 + shift.square() * (self.count * count / total)
        self.count.copy_(total)

    def forward(self, rows: Tensor) -> Tensor:
        """(rows - mean) / std, clipped at +-10, `(..., size)` in the rows' type."""
        return ((rows - self.mean) / self.std).clamp(-_CLIP, _CLIP).to(rows.dtype)


def _check_content(_: nn.Module, content: Mapping[str, Any], prefix: str, *__: Any) -> None:
    """Before anything is taken over."""
    if any((content[f"{prefix}{name}"] < 0).any() for name in ("count", "m2") if f"{prefix}{name}" in content):
        raise VisuomotorError("the statistics of a normalizer hold a negative count or sum of squares")


def moments(rows: Tensor) -> Moments:
    """Count, mean and sum of squared deviations of rows `(..., size)`, float64."""
    rows = rows.detach().flatten(0, -2).double()
    count = torch.tensor(float(len(rows)), dtype=torch.float64, device=rows.device)
    mean = rows.sum(0) / count.clamp(min=1)
    return count, mean, (rows - mean).square().sum(0)
