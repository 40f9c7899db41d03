"""What a discriminator reads of demonstrations."""

from collections.abc import Sequence

import torch
from torch import Tensor

from visuomotor.demos import Episode
from visuomotor.demos.replay import Replay
from visuomotor.errors import VisuomotorError
from visuomotor.tasks import StagedTask


def demonstrated_features(task: StagedTask, episodes: Sequence[Episode], privileged: bool = False) -> Tensor:
    """Features `(N, F)` of every state in which something was done; `privileged` takes the whole state instead."""
    replay = Replay(task)
    readings = [replay.readings(episode) for episode in episodes]
    return torch.cat([(each.privileged if privileged else each.features)[:-1] for each in readings])


def demonstrated_actions(episodes: Sequence[Episode]) -> list[Tensor]:
    """Actions `(T, A)` of each episode.

    Raises:
        VisuomotorError: an episode was recorded without actions.
    """
    actions = [episode.actions for episode in episodes if episode.actions is not None]
    if len(actions) < len(episodes):
        raise VisuomotorError(
            "these demonstrations hold no actions, only states; set imitation.actions False and cloning.updates 0, "
            "or record demonstrations with actions"
        )
    return actions
