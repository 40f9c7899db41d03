"""Scripted demonstrators: many people at once, each with a world of their own."""

from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor

from visuomotor.demos.episode import Episode
from visuomotor.demos.expert import ExpertNoise, ScriptedExpert, MotionPlan
from visuomotor.demos.lifting import lift
from visuomotor.demos.stacking import stack
from visuomotor.engine import Engine
from visuomotor.errors import VisuomotorError, unknown
from visuomotor.tasks import StagedTask, Variation

SCRIPTS: Final[dict[str, Callable[[ScriptedExpert], MotionPlan]]] = {"lifting": lift, "stacking": stack}
LONGEST: Final = 60.0
"""s; the published demonstrations were all shorter."""

_GRID: Final = 2.0**24  # steps a unit: 0.06 micrometres
_PATIENCE: Final = 3  # times as many episodes are tried as are wanted, at most


def demonstrate(
    task: StagedTask, count: int, generator: torch.Generator, habits: ExpertNoise | None = None, threads: int = 0
) -> list[Episode]:
    """`count` episodes in worlds drawn at random, successful or not; those whose physics blew up are left out.

    Raises:
        VisuomotorError: nobody knows how to do this task.
    """
    if task.name not in SCRIPTS:
        raise unknown("scripted demonstrator for", task.name, SCRIPTS)
    engine, worlds = task.make_engine(count, threads), torch.arange(count)
    variation = task.draw(count, generator)
    task.vary(engine, worlds, variation)
    task.start(engine, worlds, generator)
    # Everyone has dice of their own, so that nobody's moves depend on what happens in other worlds.
    seeds = torch.randint(2**62, (count,), generator=generator).tolist()
    hands = [ScriptedExpert(task, engine, world, torch.Generator().manual_seed(seeds[world]), habits) for world in range(count)]
    scripts = [SCRIPTS[task.name](hand) for hand in hands]
    lengths, diverged = torch.full((count,), -1), torch.zeros(count, dtype=torch.bool)
    states, stages, actions = [_settle(engine)], [task.stage(engine)], list[Tensor]()
    for step in range(round(LONGEST / task.control_dt)):
        action = torch.zeros(count, task.action_size)
        for world in (lengths < 0).nonzero()[:, 0].tolist():
            try:
                next(scripts[world])
                action[world] = torch.from_numpy(hands[world].action())
            except StopIteration:
                lengths[world] = step
        if (lengths >= 0).all():
            break
        task.act(engine, action.double() * task.action_limits)
        diverged |= engine.diverged & (lengths < 0)
        states.append(_settle(engine))
        stages.append(task.stage(engine))
        actions.append(action)
    lengths[lengths < 0] = len(actions)
    all_states, all_stages, all_actions = torch.stack(states, 1), torch.stack(stages, 1), torch.stack(actions, 1)
    return [
        _episode(task, all_states[world], all_stages[world], all_actions[world], variation[world[None]], lengths[world])
        for world in (~diverged).nonzero()[:, 0]
    ]


def record(
    task: StagedTask, count: int, generator: torch.Generator, keep_failures: bool = False
) -> tuple[list[Episode], float]:
    """`count` episodes to keep, and the success rate of all that were tried: failures are replaced by new tries.

    Raises:
        VisuomotorError: too few succeed.
    """
    kept, tried, succeeded = list[Episode](), 0, 0
    while len(kept) < count:
        if tried > _PATIENCE * count:
            raise VisuomotorError(
                f"only {succeeded} of {tried} scripted episodes of {task.name!r} succeeded; the scene or the script is "
                "at fault: look at some with --keep-failures and visuomotor demos replay"
            )
        missing = count - len(kept)
        tried += missing
        episodes = demonstrate(task, missing, generator)
        succeeded += sum(episode.success for episode in episodes)
        kept += [episode for episode in episodes if episode.success or keep_failures]
    return kept, succeeded / tried


def _settle(engine: Engine) -> Tensor:
    """Go on from a rounded state `(world, state)`, which it returns.

    The file shrinks to less than half, and what is written still leads to what is written next but for its rounding,
    since it is from there that the simulation went on.
    """
    state = (engine.state() * _GRID).round() / _GRID
    engine.set_state(state)
    return state


def _episode(
    task: StagedTask, states: Tensor, stages: Tensor, actions: Tensor, variation: Variation, steps: Tensor
) -> Episode:
    """The first `steps` steps of a world, as tensors of their own: the others' memory is not kept."""
    own = stages[: steps + 1].clone()
    return Episode(
        states=states[: steps + 1].clone(),
        actions=actions[:steps].clone(),
        stages=own,
        rewards=task.reward(own[1:]),
        physics={name: value[0].clone() for name, value in variation.physics.items()},
        looks={name: value[0].clone() for name, value in variation.looks.items()},
        success=bool(task.success(own[-1])),
    )
