"""Run a controller or a policy on a task and keep what happened."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from visuomotor.camera import Camera
from visuomotor.engine import Engine
from visuomotor.errors import VisuomotorError
from visuomotor.tasks.conditioned_task import ConditionedTask, Conditions


@dataclass(frozen=True)
class Observation:
    """What can be known at one step. state `(n, X)`, proprioception `(n, P)`, images `(n, h, w, rgb)` uint8 or None."""

    step: int
    state: Tensor
    proprioception: Tensor
    images: Tensor | None


@dataclass(frozen=True)
class Samples:
    """One episode a world: states `(n, T, X)`, proprioception `(n, T, P)`, actions `(n, T, U)`, images or None."""

    states: Tensor
    proprioception: Tensor
    actions: Tensor
    images: Tensor | None


PolicyFn = Callable[[Observation], Tensor]
"""Maps an observation to actions `(n, U)`."""


def rollout(
    task: ConditionedTask,
    engine: Engine,
    conditions: Conditions,
    policy_fn: PolicyFn,
    camera: Camera | None = None,
    generator: torch.Generator | None = None,
    spread: float = 0.0,
    watch: Callable[[], None] | None = None,
) -> Samples:
    """One episode in every world.

    Args:
        policy_fn: asked at every control step; its actions are clipped to the task's limits when applied and recorded.
        camera: renders each step's image; None for none.
        generator, spread: the start pose's randomness, see `ConditionedTask.start`.
        watch: called at every step before the action, for videos.

    Raises:
        VisuomotorError: a world's physics blew up; nothing may be learned from such an episode.
    """
    task.start(engine, conditions, generator, spread)
    states, readings, actions, images = [], [], [], []
    for step in range(task.steps):
        seen = None if camera is None else camera.rgb()
        observation = Observation(step, task.state(engine, conditions), task.proprioception(engine), seen)
        if watch is not None:
            watch()
        action = policy_fn(observation).clamp(-task.action_limits, task.action_limits)
        if not action.isfinite().all():
            raise VisuomotorError(f"the actions at step {step} are not finite; the controller or policy has diverged")
        task.act(engine, action)
        if engine.diverged.any():
            worlds = engine.diverged.nonzero()[:, 0].tolist()
            raise VisuomotorError(
                f"the physics of task {task.name} blew up at step {step} in worlds {worlds}; "
                "lower the exploration noise or the KL bound, or give the joints more armature"
            )
        states.append(observation.state)
        readings.append(observation.proprioception)
        actions.append(action)
        if seen is not None:
            images.append(seen.clone())
    return Samples(
        torch.stack(states, 1),
        torch.stack(readings, 1),
        torch.stack(actions, 1),
        torch.stack(images, 1) if images else None,
    )
