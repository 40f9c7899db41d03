"""What gps takes from `torch.linalg`, with types: torch's own stubs leave them out."""

import torch
from torch import Tensor


def cholesky(matrix: Tensor) -> Tensor:
    """The lower Cholesky factor of `(..., D, D)`."""
    return torch.linalg.cholesky(matrix)  # pyright: ignore


def solve_lower(factor: Tensor, right: Tensor) -> Tensor:
    """L^-1 right for lower triangular L `(..., D, D)` and right `(..., D, n)`."""
    return torch.linalg.solve_triangular(factor, right, upper=False)  # pyright: ignore
