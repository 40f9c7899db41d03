import pytest
import torch

from visuomotor.demos import Episode, write_demonstrations
from visuomotor.tasks import Task
from visuomotor.tasks.jaco.lifting import Lifting


@pytest.fixture(scope="session")
def lifting() -> Lifting:
    return Lifting()


def random_episode(task: Task, steps: int, seed: int) -> Episode:
    """Random actions in a random world, recorded by the plainest of loops."""
    generator = torch.Generator().manual_seed(seed)
    engine = task.make_engine(1)
    params = task.sample_reset(1, generator)
    task.reset(engine, torch.arange(1), params)
    actions = 2 * torch.rand(steps, task.action_size, generator=generator) - 1
    states, stages, rewards = [engine.state()[0]], [task.stage(engine)], []
    for action in actions:
        task.step(engine, action[None])
        states.append(engine.state()[0])
        stages.append(task.stage(engine))
        rewards.append(task.reward(engine))
    return Episode(
        states=torch.stack(states),
        actions=actions,
        stages=torch.cat(stages),
        rewards=torch.cat(rewards),
        dynamics={name: value[0] for name, value in params.dynamics.items()},
        appearance={name: value[0] for name, value in params.appearance.items()},
        success=bool(task.success(stages[-1])),
        name=f"demo_{seed}",
    )


@pytest.fixture(scope="session")
def episodes(lifting) -> list[Episode]:
    return [random_episode(lifting, steps, seed=steps) for steps in (7, 12)]


@pytest.fixture
def path(tmp_path, lifting, episodes):
    write_demonstrations(tmp_path / "new" / "lifting.hdf5", lifting, episodes, {"seed": 3})
    return tmp_path / "new" / "lifting.hdf5"
