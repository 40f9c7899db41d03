"""Episodes with local controllers or a policy, and what was seen and done in them."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor

from visuomotor.tasks import EpisodeOutcome, Observations, ResetParams, VecEnv

PolicyFn = Callable[[int, Observations, Tensor | None], Tensor]
"""Maps the step, the groups of observations and the images (or None) to actions `(n, U)` in [-1, 1]."""


@dataclass(frozen=True)
class Samples:
    """One episode a world: states `(n, T, X)`, proprioception `(n, T, P)`, actions `(n, T, U)`, images
    `(n, T, h, w, rgb)` uint8 or None; diverged `(n,)` bool, the physics blew up."""

    states: Tensor
    proprioception: Tensor
    actions: Tensor
    images: Tensor | None
    diverged: Tensor

    @staticmethod
    def where(chosen: Tensor, ones: "Samples", others: "Samples") -> "Samples":
        """The episodes of `ones` where `chosen` `(n,)` bool, else those of `others`; images only where both have
        them."""
        parts: dict[str, Any] = {}
        for field in fields(Samples):
            a, b = getattr(ones, field.name), getattr(others, field.name)
            if a is None or b is None:
                parts[field.name] = None
            else:
                parts[field.name] = torch.where(chosen.view(-1, *[1] * (a.ndim - 1)), a, b)
        return Samples(**parts)


def rollout(
    env: VecEnv,
    params: ResetParams,
    policy_fn: PolicyFn,
    *,
    render: bool = False,
    callback: Callable[[], None] | None = None,
) -> tuple[Samples, EpisodeOutcome]:
    """One episode in every world, and how it ended. A world whose physics blew up has failed.

    Args:
        env: observes "state" and "proprioception".
        params: the starts, one row a world.
        policy_fn: asked at every control step; its actions are clipped to [-1, 1].
        render: whether the policy sees images.
        callback: called before every action and after the last one, for videos.
    """
    env.reset(params=params)
    rows: dict[str, list[Tensor]] = {"states": [], "proprioception": [], "actions": [], "images": []}
    diverged = torch.zeros(env.num_envs, dtype=torch.bool)
    observations = env.observe()
    for step in range(env.task.max_episode_steps):
        images = env.render() if render else None
        if callback is not None:
            callback()
        actions = policy_fn(step, observations, images).double().clamp(-1, 1)
        rows["states"].append(observations["state"])
        rows["proprioception"].append(observations["proprioception"])
        rows["actions"].append(actions)
        if images is not None:
            rows["images"].append(images)
        transition = env.step(actions)
        observations = transition.observations
        diverged |= transition.diverged
    outcome = env.finish_episodes(callback)
    stacked = {name: torch.stack(parts, 1) if parts else None for name, parts in rows.items()}
    return Samples(**stacked, diverged=diverged), outcome  # pyright: ignore[reportArgumentType]
