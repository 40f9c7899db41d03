"""Room for the few rows of pixels (a tile) that are shaded together, and what its rows hold."""

from typing import NamedTuple

import numpy as np

from visuomotor.camera.njit import Bytes, Floats, Integers, njit_inline

# Rows of the scratch of a tile of pixels.
(
    ROW_X,
    ROW_Y,
    ROW_DEPTH,
    ROW_NX,
    ROW_NY,
    ROW_NZ,
    ROW_NV,
    ROW_V,
    ROW_SPECULAR,
    ROW_EXPONENT,
    ROW_BASE,
    ROW_DIFFUSE,
    ROW_HIGHLIGHT,
    ROW_TEXEL,
) = (
    0,
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
    9,
    10,
    14,
    17,
    20,
)
SCRATCH_ROWS = 24
# Pixels of a tile, which is one row at least: its scratch fits the processor's nearest cache.
_TILE = 512

ZERO, HALF, ONE, TWO = np.float32(0.0), np.float32(0.5), np.float32(1.0), np.float32(2.0)
TINY = np.float32(1e-20)


class Scratch(NamedTuple):
    """Room for a tile of pixels, as many as `tile_rows` rows have."""

    rows: Floats  # (SCRATCH_ROWS, pixel)
    packed: Integers  # (pixel,)
    colours: Bytes  # (pixel, 3)


@njit_inline
def tile_rows(height: int, width: int) -> int:
    """How many rows are shaded together."""
    return min(height, max(1, _TILE // width))
