"""Where the random draws of a run stand, so that a resumed run draws what the uninterrupted one would have."""

from collections.abc import Mapping

import torch
from torch import Tensor

from visuomotor.errors import VisuomotorError, one_line
from visuomotor.runs.restore import check_like


def generator_states(generators: Mapping[str, torch.Generator]) -> dict[str, Tensor]:
    """The state of each named generator, as uint8 tensors for a checkpoint."""
    return {name: generator.get_state() for name, generator in generators.items()}


def restore_generators(generators: Mapping[str, torch.Generator], states: Mapping[str, Tensor]) -> None:
    """Put each named generator where `generator_states` found it.

    Raises:
        VisuomotorError: the names are not the same ones, since a generator left out would silently draw other numbers;
            or what is under one is no generator's state.
    """
    check_like(states, dict, "the state of the random generators")
    if generators.keys() != states.keys():
        raise VisuomotorError(
            f"the checkpoint holds the random generators {sorted(map(str, states))}, expected {sorted(generators)}; "
            "it was written by another version of the algorithm: train again"
        )
    for name, generator in generators.items():
        check_like(states[name], generator.get_state(), f"random generator {name!r}")
        try:
            generator.set_state(states[name].cpu())
        except RuntimeError as error:  # torch looks into the bytes
            raise VisuomotorError(
                f"random generator {name!r} holds no state of a generator ({one_line(error)})"
            ) from error
