"""Numbers of worlds, as callers give them."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from visuomotor.errors import VisuomotorError


def check_world_ids(worlds: object, count: int, ascending: bool = False) -> NDArray[np.int64]:
    """The numbers as an array, `(n,)`.

    Args:
        worlds: a tensor `(n,)` of ints. count: how many worlds there are.
        ascending: refuse another order, and a world twice.

    Raises:
        VisuomotorError: they are of another type or shape, or there is no such world.
    """
    if not isinstance(worlds, Tensor):
        raise VisuomotorError(f"worlds must be a (n,) tensor of ints, not {type(worlds).__name__}")
    if worlds.ndim != 1 or worlds.dtype == torch.bool or worlds.is_floating_point() or worlds.is_complex():
        raise VisuomotorError(f"worlds must be a (n,) tensor of ints, not {tuple(worlds.shape)} {worlds.dtype}")
    ids = worlds.to("cpu", torch.int64).contiguous().numpy()
    if len(ids) and (ids.min() < 0 or ids.max() >= count):
        raise VisuomotorError(f"worlds must lie between 0 and {count - 1}, not {ids.min()} to {ids.max()}")
    if ascending and (ids[1:] <= ids[:-1]).any():
        raise VisuomotorError(f"worlds must be ascending, each once: worlds.unique() instead of {ids.tolist()[:8]}")
    return ids
