"""Linear algebra of many small matrices."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import torch
from torch import Tensor

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def single_threaded(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Run torch on one thread inside.

    For matrices as small as ours a second thread gains little, and costs a hundredfold where another program (a
    simulator, a network in training) holds its core: torch's threads wait for each other in every call. The result
    does not depend on the number of cores either.
    """

    @wraps(function)
    def alone(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            return function(*args, **kwargs)
        finally:
            torch.set_num_threads(threads)

    return alone


def cholesky(matrix: Tensor) -> Tensor:
    """The lower Cholesky factor of `(..., D, D)`."""
    return torch.linalg.cholesky(matrix)  # pyright: ignore  # torch's stubs leave the type out


def solve_lower(factor: Tensor, right: Tensor) -> Tensor:
    """L^-1 right for lower triangular L `(..., D, D)` and right `(..., D, n)`."""
    return torch.linalg.solve_triangular(factor, right, upper=False)  # pyright: ignore  # as above
