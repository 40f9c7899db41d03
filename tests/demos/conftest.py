import pytest
import torch

from visuomotor.demos import Episode
from visuomotor.tasks import StagedTask
from visuomotor.tasks.jaco.lifting import Lifting


@pytest.fixture(scope="session")
def lifting() -> Lifting:
    return Lifting()


def random_episode(task: StagedTask, steps: int, seed: int) -> Episode:
    """Random actions in a random world, recorded by the plainest of loops."""
    generator = torch.Generator().manual_seed(seed)
    engine, world = task.make_engine(1), torch.zeros(1, dtype=torch.int64)
    variation = task.draw(1, generator)
    task.vary(engine, world, variation)
    task.start(engine, world, generator)
    actions = (2 * torch.rand(steps, task.action_size, generator=generator) - 1).float()
    states, stages = [engine.state()[0]], [task.stage(engine)]
    for action in actions:
        task.act(engine, action[None].double() * task.action_limits)
        states.append(engine.state()[0])
        stages.append(task.stage(engine))
    return Episode(
        states=torch.stack(states),
        actions=actions,
        stages=torch.cat(stages),
        rewards=task.reward(torch.cat(stages)[1:]),
        physics={name: value[0] for name, value in variation.physics.items()},
        looks={name: value[0] for name, value in variation.looks.items()},
        success=bool(task.success(stages[-1])),
    )


@pytest.fixture(scope="session")
def episodes(lifting) -> list[Episode]:
    return [random_episode(lifting, steps, seed=steps) for steps in (7, 12)]
