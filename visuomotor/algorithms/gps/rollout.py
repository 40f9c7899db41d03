"""Episodes with local controllers or a policy, and what was seen and done in them."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from visuomotor.engine import Engine
from visuomotor.tasks import EpisodeOutcome, Observations, ResetParams, VecEnv

PolicyFn = Callable[[int, Observations, Tensor | None], Tensor]
"""Maps the step, the groups of observations and the images (or None) to actions `(n, U)` in [-1, 1]."""


@dataclass(frozen=True)
class Samples:
    """One episode a world: states `(n, T, X)`, proprioception `(n, T, P)`, actions `(n, T, U)`, images
    `(n, T, h, w, rgb)` uint8 or None; diverged `(n,)` bool, the physics diverged.

    States, actions and positions are float64, and hold numbers that float32 holds: a checkpoint stores them in half the
    space.

    positions `(n, T, Q)`: where everything was (`engine_positions`), of which `add_images` makes the images; None where
    they were not recorded.
    """

    states: Tensor
    proprioception: Tensor
    actions: Tensor
    images: Tensor | None
    diverged: Tensor
    positions: Tensor | None = None

    def rows(self, chosen: Tensor) -> "Samples":
        """The episodes `chosen`: `(n,)` bool, or their numbers."""
        parts: dict[str, Any] = {}
        for field in fields(Samples):
            part = getattr(self, field.name)
            parts[field.name] = None if part is None else part[chosen]
        return Samples(**parts)

    @staticmethod
    def where(chosen: Tensor, ones: "Samples", others: "Samples") -> "Samples":
        """The episodes of `ones` where `chosen` `(n,)` bool, else those of `others`; images only where both have
        them."""
        if chosen.all():  # the same memory, so that a checkpoint holds it once
            return ones
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
    record_positions: bool = False,
) -> tuple[Samples, EpisodeOutcome]:
    """One episode in every world, and how it ended. A world whose physics diverged has failed.

    Args:
        env: observes "state" and "proprioception".
        params: the starts, one row a world.
        policy_fn: asked at every control step; its actions are clipped to [-1, 1].
        render: whether the policy sees images.
        record_positions: for `add_images`.
    """
    env.reset(params=params)
    rows: dict[str, list[Tensor]] = {name: [] for name in ("states", "proprioception", "actions", "positions")}
    diverged = torch.zeros(env.num_envs, dtype=torch.bool)
    observations = env.observe()
    for step in range(env.task.max_episode_steps):
        images = env.render() if render else None
        actions = policy_fn(step, observations, images).double().clamp(-1, 1)
        rows["states"].append(observations["state"].float().double())
        rows["proprioception"].append(observations["proprioception"])
        rows["actions"].append(actions.float().double())
        if record_positions:
            rows["positions"].append(engine_positions(env.engine).float().double())
        transition = env.step(actions)
        observations = transition.observations
        diverged |= transition.diverged
    outcome = env.finish_episodes()
    stacked = {name: torch.stack(parts, 1) if parts else None for name, parts in rows.items()}
    return Samples(**stacked, images=None, diverged=diverged), outcome  # pyright: ignore[reportArgumentType]


_POSITIONS = ("qpos", "mocap_pos", "mocap_quat")
"""All that an image depends on but the fields of the model, which are a condition's own."""


def engine_positions(engine: Engine) -> Tensor:
    """Positions of joints and mocap bodies, `(n, Q)` float64."""
    return torch.cat([engine.field(name).flatten(1) for name in _POSITIONS], dim=1)


def add_images(env: VecEnv, params: ResetParams, samples: Samples) -> Samples:
    """`samples` with what the camera sees at their positions: the same bits at any time. Where the environment
    randomizes, every image has an appearance of its own.

    Args:
        env, params: of the rollout.
    """
    assert samples.positions is not None
    env.reset(params=params)
    fields = [env.engine.field(name) for name in _POSITIONS]
    drawing = torch.Generator().manual_seed(0)  # always this seed, so that a resumed run gets the same images
    images: list[Tensor] = []
    for positions in samples.positions.unbind(1):
        for field, part in zip(fields, positions.split([f[0].numel() for f in fields], dim=1), strict=True):
            field.copy_(part.view_as(field))
        env.engine.forward()
        images.append(env.render_rerandomized(drawing))
    return replace(samples, images=torch.stack(images, 1))
