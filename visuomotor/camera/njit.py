"""How the camera's inner functions are compiled."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

Vector = tuple[float, float, float]
Mat3 = tuple[Vector, Vector, Vector]
Floats = NDArray[np.float32]
Float64Array = NDArray[np.float64]
Integers = NDArray[np.int32]
SurfaceIds = NDArray[np.uint32]
Bytes = NDArray[np.uint8]

Function = TypeVar("Function", bound=Callable[..., object])


def njit_inline(function: Function) -> Function:
    """Machine code that becomes part of its caller.

    `fastmath` and NumPy's division let LLVM vectorise the pixel loops; the callers keep NaN and zero divisors out. A
    call proper would be slow: every array among the arguments, also inside a tuple, goes over the stack as nine words.
    """
    return cast(Function, njit(fastmath=True, error_model="numpy", forceinline=True)(function))


def njit_call(function: Function) -> Function:
    """`njit_inline`, but as a function of its own, for large ones that are called at several places."""
    return cast(Function, njit(fastmath=True, error_model="numpy")(function))


def source_digest() -> int:
    """A number that changes whenever a source file of this package does.

    Numba's disk cache only watches the file of the outermost function. The kernel closes over this number, which
    makes it part of the cache's key, so that a change in any of its parts compiles it anew.
    """
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return int.from_bytes(digest.digest()[:7], "big")
