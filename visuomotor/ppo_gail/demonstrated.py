"""What a discriminator reads of demonstrations."""

from collections.abc import Sequence

import torch
from torch import Tensor

from visuomotor.demos import Episode
from visuomotor.errors import VisuomotorError
from visuomotor.tasks import StagedTask, Variation

_WORLDS = 256  # states that are read at once


def demonstrated_features(task: StagedTask, episodes: Sequence[Episode], privileged: bool = False) -> Tensor:
    """Features `(N, F)` of every state in which something was done; `privileged` takes the whole state instead."""
    states = torch.cat([episode.states[:-1] for episode in episodes])
    episode = torch.arange(len(episodes)).repeat_interleave(torch.tensor([len(each) for each in episodes]))
    physics = {name: torch.stack([each.physics[name] for each in episodes]) for name in episodes[0].physics}
    engine = task.make_engine(_WORLDS)
    looks = task.plain(_WORLDS).looks
    features: list[Tensor] = []
    for rows in torch.arange(len(states)).split(_WORLDS):
        worlds = torch.arange(len(rows))
        of_rows = {name: value[episode[rows]] for name, value in physics.items()}
        task.vary(engine, worlds, Variation(of_rows, {name: value[: len(rows)] for name, value in looks.items()}))
        engine.set_state(states[rows], worlds)
        read = task.privileged(engine) if privileged else task.features(engine)
        features.append(read[: len(rows)])
    return torch.cat(features)


def demonstrated_actions(episodes: Sequence[Episode]) -> Tensor:
    """Actions `(N, A)` in the order of `demonstrated_features`.

    Raises:
        VisuomotorError: an episode was recorded without actions.
    """
    actions = [episode.actions for episode in episodes if episode.actions is not None]
    if len(actions) < len(episodes):
        raise VisuomotorError(
            "these demonstrations hold no actions, only states; set imitation.actions False (and cloning.updates 0), "
            "or record demonstrations with actions"
        )
    return torch.cat(actions)
