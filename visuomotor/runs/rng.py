"""Where the random draws of a run stand, so that a resumed run draws what the uninterrupted one would have."""

from collections.abc import Mapping

import torch
from torch import Tensor

from visuomotor.errors import VisuomotorError


def generator_states(generators: Mapping[str, torch.Generator]) -> dict[str, Tensor]:
    """The state of each named generator, as uint8 tensors for a checkpoint."""
    return {name: generator.get_state() for name, generator in generators.items()}


def restore_generators(generators: Mapping[str, torch.Generator], states: Mapping[str, Tensor]) -> None:
    """Put each named generator where `generator_states` found it.

    Raises:
        VisuomotorError: the names are not the same ones; a generator left out would silently draw other numbers.
    """
    if generators.keys() != states.keys():
        raise VisuomotorError(
            f"the checkpoint holds the random generators {sorted(states)}, expected {sorted(generators)}; "
            "it was written by another version of the algorithm: train again"
        )
    for name, generator in generators.items():
        generator.set_state(states[name].cpu())
