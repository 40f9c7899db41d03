"""Generate demonstrations: the task's scripted expert, or a trained policy, in many worlds at once."""

from collections.abc import Callable
from functools import partial
from typing import Final, cast

import torch
from torch import Tensor

from visuomotor.camera import Camera
from visuomotor.demos.episode import Episode
from visuomotor.demos.expert import MotionPlan, ScriptedExpert
from visuomotor.demos.noise import ExpertNoise
from visuomotor.engine import Engine
from visuomotor.errors import VisuomotorError
from visuomotor.policies import Policy
from visuomotor.tasks import ResetParams, Task
from visuomotor.tasks.check import guarded
from visuomotor.tasks.check_attributes import find_expert

Expert = Callable[[ScriptedExpert], MotionPlan]

_MAX_SECONDS: Final = 60.0  # the published demonstrations were all shorter (Zhu et al. 2018)

_GRID: Final = 2.0**24  # steps a unit: 0.06 micrometres
_OVER: Final = object()  # what a plan that has ended yields
_MAX_TRIES: Final = 3  # for each episode that is wanted


def expert_of(task: Task) -> Expert:
    """The motion plan that `task.expert` names.

    Raises:
        VisuomotorError: it names none, or one that cannot be imported.
    """
    found = find_expert(task)
    if found is None:
        raise VisuomotorError(
            f"task {task.name!r} has no scripted expert; in its class {type(task).__name__} set expert to a generator "
            "function that takes a visuomotor.demos.ScriptedExpert, or to its 'module:function' "
            "(visuomotor/demos/lifting.py is an example); or let a trained policy demonstrate: "
            "visuomotor demos generate TASK --policy RUN"
        )
    return cast(Expert, found)


def demonstrate(task: Task, count: int, generator: torch.Generator, noise: ExpertNoise | None = None) -> list[Episode]:
    """`count` episodes of the task's expert in worlds drawn at random, successful or not; those whose physics diverged
    are left out.

    Raises:
        VisuomotorError: the task has no expert, or it raises an exception; the message has its line.
    """
    expert = expert_of(task)
    engine, params = _draw_worlds(task, count, generator)
    # Each expert has a generator of its own, so that its moves do not depend on what happens in other worlds.
    seeds = torch.randint(2**62, (count,), generator=generator).tolist()
    experts = [
        ScriptedExpert(task, engine, world, torch.Generator().manual_seed(seeds[world]), noise)
        for world in range(count)
    ]
    plans = [guarded(task, "expert", partial(expert, each), own=expert) for each in experts]
    if not all(hasattr(plan, "__next__") for plan in plans):
        raise VisuomotorError(f"the expert of task {task.name!r} is no generator; let it yield once a control step")

    def act(running: Tensor) -> tuple[Tensor, Tensor]:
        action, over = torch.zeros(count, task.action_size), torch.zeros(count, dtype=torch.bool)
        for world in running.nonzero()[:, 0].tolist():
            if guarded(task, "expert", partial(next, plans[world], _OVER), own=expert) is _OVER:
                over[world] = True
            else:
                action[world] = torch.from_numpy(experts[world].action())
        return action, over

    tried = run_episodes(task, engine, params, act, round(_MAX_SECONDS / task.control_dt))
    return [episode for episode in tried if episode is not None]


def demonstrate_by_policy(task: Task, policy: Policy, count: int, generator: torch.Generator) -> list[Episode]:
    """`count` whole episodes of a policy from pixels, likewise."""
    engine, params = _draw_worlds(task, count, generator)
    size, never = policy.spec.image_size, torch.zeros(count, dtype=torch.bool)
    camera = Camera(engine, task.camera, size, size, policy.spec.supersampling)
    policy.reset(count)

    def act(running: Tensor) -> tuple[Tensor, Tensor]:
        actions = policy.act(camera.rgb(), task.proprioception(engine)) / task.robot.action_limits
        return torch.where(running[:, None], actions.clamp(-1, 1), 0.0).float(), never

    tried = run_episodes(task, engine, params, act, task.max_episode_steps)
    return [episode for episode in tried if episode is not None]


def _draw_worlds(task: Task, count: int, generator: torch.Generator) -> tuple[Engine, ResetParams]:
    engine = task.make_engine(count)
    params = task.sample_reset(count, generator)
    task.reset(engine, torch.arange(count), params)
    return engine, params


def run_episodes(
    task: Task,
    engine: Engine,
    params: ResetParams,
    act: Callable[[Tensor], tuple[Tensor, Tensor]],
    longest: int,
) -> list[Episode | None]:
    """One episode in each world; None where the physics diverged.

    Args:
        params: of the starts that the worlds are in.
        act: gets which worlds still run, `(n,)` bool; returns actions `(n, A)`, and which episodes are over before
            them.
        longest: control steps.
    """
    count = engine.worlds
    lengths = torch.full((count,), -1)  # of the episodes that are over; 0 where the physics diverged
    states, stages, rewards, actions = [_quantize_state(engine)], [task.stage(engine)], list[Tensor](), list[Tensor]()
    for step in range(longest):
        action, over = act(lengths < 0)
        lengths[over & (lengths < 0)] = step
        if (lengths >= 0).all():
            break
        task.step(engine, action)
        lengths[engine.diverged & (lengths < 0)] = 0
        states.append(_quantize_state(engine))
        stages.append(task.stage(engine))
        rewards.append(task.reward(engine))
        actions.append(action)
    lengths[lengths < 0] = len(actions)
    whole = [torch.stack(rows, 1) for rows in (states, actions, stages, rewards)]
    return [
        _episode(task, [rows[world] for rows in whole], params[torch.tensor([world])], length) if length > 0 else None
        for world, length in enumerate(lengths.tolist())
    ]


def record(
    task: Task, count: int, generator: torch.Generator, keep_failures: bool = False, policy: Policy | None = None
) -> tuple[list[Episode], float]:
    """`count` episodes to keep, and the success rate of all that were tried: failures are replaced by new tries.

    Args:
        policy: demonstrates; by default the task's expert does.

    Raises:
        VisuomotorError: too few succeed.
    """
    kept, tried, succeeded = list[Episode](), 0, 0
    while len(kept) < count:
        if tried > _MAX_TRIES * count:
            raise VisuomotorError(
                f"only {succeeded} of {tried} episodes of {task.name!r} succeeded; the scene or the "
                f"{'expert' if policy is None else 'policy'} is at fault: look at some with --keep-failures and "
                "visuomotor demos playback"
            )
        missing = count - len(kept)
        tried += missing
        if policy is None:
            episodes = demonstrate(task, missing, generator)
        else:
            episodes = demonstrate_by_policy(task, policy, missing, generator)
        succeeded += sum(episode.success for episode in episodes)
        kept += [episode for episode in episodes if episode.success or keep_failures]
    return kept, succeeded / tried


def _quantize_state(engine: Engine) -> Tensor:
    """Round the engine's state `(world, state)`, go on from there, and return it.

    The file shrinks to less than half, and each state that is written still leads to the next one, up to its rounding.
    """
    state = (engine.state() * _GRID).round() / _GRID
    engine.set_state(state)
    return state


def _episode(task: Task, rows: list[Tensor], params: ResetParams, steps: int) -> Episode:
    """The first `steps` steps of a world, as tensors of their own, so that the memory of the rest is freed.

    Args:
        rows: states, actions, stages and rewards of the world.
    """
    states, actions, stages, rewards = rows
    return Episode(
        states=states[: steps + 1].clone(),
        actions=actions[:steps].clone(),
        stages=stages[: steps + 1].clone(),
        rewards=rewards[:steps].clone(),
        dynamics={name: value[0].clone() for name, value in params.dynamics.items()},
        appearance={name: value[0].clone() for name, value in params.appearance.items()},
        success=bool(task.success(stages[steps : steps + 1])),
    )
