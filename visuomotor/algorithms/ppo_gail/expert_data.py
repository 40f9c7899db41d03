"""Demonstrations as training reads them."""

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor

from visuomotor import registry
from visuomotor.algorithms.ppo_gail.config import PpoGailConfig
from visuomotor.demos import Episode, read_demonstrations
from visuomotor.demos.metadata import generate_command, how_to_get
from visuomotor.demos.replay import StateReplay
from visuomotor.demos.verify import wrong_stages
from visuomotor.errors import VisuomotorError
from visuomotor.tasks import Task

_WRONG_STAGES = 0.01  # share of states


def load_demonstrations(task: Task, config: PpoGailConfig) -> list[Episode]:
    """Those of the config's file that succeed; none where nothing needs them.

    Raises:
        VisuomotorError: they are needed, and there is no file, none of its episodes succeeds, or their stages are no
            longer the task's.
    """
    if not config.needs_demonstrations:
        return []
    if config.demos is None:
        raise VisuomotorError(
            f"this needs demonstrations: {how_to_get(task)} "
            "(or do without: --imitation.weight 0 --curriculum.random-start-fraction 1)"
        )
    episodes = [episode for episode in read_demonstrations(config.demos, task).episodes if episode.success]
    if not episodes:
        raise VisuomotorError(
            f"no demonstration in {config.demos} ends in success, and others are not learned from; record some that do"
        )
    # A file's metadata do not contain where stages begin. On another machine a state or two may be on the other side.
    replay = StateReplay(task)
    wrong = sum(wrong_stages(episode, replay.observations(episode, ("stage",))["stage"]) for episode in episodes)
    if wrong > _WRONG_STAGES * sum(len(episode.stages) for episode in episodes):
        name = registry.name_of("task", type(task))
        raise VisuomotorError(
            f"{wrong} states of {config.demos} are in other stages of {task.name!r} today than they were then; "
            f"if the task has changed, record them again: {generate_command(name, config.demos)}"
        )
    return episodes


def fingerprint(demos: Sequence[Episode]) -> str | None:
    """16 hex digits, a hash of all that training takes of demonstrations; None where there are none."""
    digest = hashlib.sha256()
    for episode in demos:
        rows = {"states": episode.states, "stages": episode.stages, "rewards": episode.rewards, **episode.dynamics}
        if episode.actions is not None:
            rows["actions"] = episode.actions
        for name, value in sorted(rows.items()):
            digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
            digest.update(value.contiguous().numpy().tobytes())
    return digest.hexdigest()[:16] if demos else None


def expert_features(task: Task, episodes: Sequence[Episode], privileged: bool = False) -> Tensor:
    """Features `(N, F)` of every state but the last of each episode; `privileged` takes the whole state instead."""
    replay, group = StateReplay(task), "privileged" if privileged else "object_features"
    return torch.cat([replay.observations(episode, (group,))[group][:-1] for episode in episodes])


def expert_actions(episodes: Sequence[Episode]) -> list[Tensor]:
    """Actions `(T, A)` of each episode.

    Raises:
        VisuomotorError: an episode was recorded without actions.
    """
    actions = [episode.actions for episode in episodes if episode.actions is not None]
    if len(actions) < len(episodes):
        raise VisuomotorError(
            "these demonstrations hold no actions, only states; set imitation.actions False and "
            "behavior_cloning.num_updates 0, or record demonstrations with actions"
        )
    return actions
