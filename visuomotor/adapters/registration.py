"""The names by which gymnasium finds the tasks: "visuomotor/lifting-v0" for `gymnasium.make` and `make_vec`.

This is loaded with gymnasium: it must not import torch.
"""

import re

import gymnasium

from visuomotor import registry


def register_tasks() -> None:
    """Tell gymnasium of all tasks that have a short name."""
    for name in registry.names("task"):
        name_in_gymnasium = f"visuomotor/{name}-v0"
        if not re.fullmatch(r"[\w.-]+", name) or name_in_gymnasium in gymnasium.registry:
            continue
        gymnasium.register(
            id=name_in_gymnasium,
            entry_point="visuomotor.adapters.gymnasium:VisuomotorEnv",
            vector_entry_point="visuomotor.adapters.gymnasium:VisuomotorVectorEnv",
            kwargs={"task": name},
        )
