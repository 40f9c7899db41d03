"""How the camera's inner functions are compiled."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

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


# LLVM may vectorise the pixel loops; the callers keep NaN and zero divisors out. References to arrays are not counted
# (`_nrt`): that took up to a third of a picture's time. The kernel that allocates the arrays outlives all calls.
# Only compiled code calls these functions: what Python and C would call takes a third of the compilation's time.
_OPTIONS: dict[str, Any] = {
    "fastmath": True,
    "error_model": "numpy",
    "_nrt": False,
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}


def njit_inline(function: Function) -> Function:
    """Machine code that becomes part of its caller. It cannot allocate arrays, and Python cannot call it.

    A real call would be slow: each array among the arguments, also in a tuple, goes over the stack as nine words.
    """
    return cast(Function, njit(forceinline=True, **_OPTIONS)(function))


def njit_call(function: Function) -> Function:
    """`njit_inline`, but as a function of its own, for large ones that are called at several places."""
    return cast(Function, njit(**_OPTIONS)(function))


def source_digest() -> int:
    """A number that changes whenever a source file of this package does.

    Numba's disk cache only watches the file of the outermost function. The kernel closes over this number, which
    makes it part of the cache's key, so that a change in any of its parts compiles it again.
    """
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return int.from_bytes(digest.digest()[:7], "big")
