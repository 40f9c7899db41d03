"""Two processes learn what one would."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from made_up_rollout import ACTIONS, READINGS, WORLDS, made_up_rollout

from visuomotor.demos import write_demonstrations
from visuomotor.demos.generate import demonstrate
from visuomotor.policies.recurrent_policy import RecurrentPolicy
from visuomotor.algorithms.ppo_gail.adaptive_kl import AdaptiveKl
from visuomotor.algorithms.ppo_gail.config import (
    BehaviorCloningConfig,
    ExplorationConfig,
    ImitationConfig,
    PpoConfig,
    PpoGailConfig,
    AuxiliaryConfig,
)
from visuomotor.algorithms.ppo_gail.exploration import exploration_noise
from visuomotor.algorithms.ppo_gail.ppo import policy_loss
from visuomotor.algorithms.ppo_gail.ppo_gail import Trainer
from visuomotor.runs import Run, load_checkpoint
from visuomotor.runs.distributed import Distributed
from visuomotor.tasks import StagedTask, make_task


def gradient(worlds: torch.Tensor, distributed: Distributed) -> torch.Tensor:
    torch.manual_seed(0)
    policy = RecurrentPolicy(READINGS, ACTIONS, 1, image_size=20)
    rollout, advantages = made_up_rollout(worlds)
    kl = AdaptiveKl(1e-4)  # small: the penalty's hinge is at work
    noise = exploration_noise(ACTIONS, ExplorationConfig())
    loss, _ = policy_loss(
        policy, noise, rollout, advantages, torch.arange(len(worlds)), PpoConfig(clip=None, entropy=0.1), kl, distributed
    )
    loss.backward()
    networks = torch.nn.ModuleList([policy, noise])
    distributed.sum_gradients(networks)
    return torch.cat([parameter.grad.flatten() for parameter in networks.parameters() if parameter.grad is not None])


def learned(distributed: Distributed, demos: Path) -> tuple[dict[str, torch.Tensor], list[dict[str, float]]]:
    """All that three iterations of training targets this process, and what they told. In the second process a world
    blows up in the first one."""
    config = PpoGailConfig(
        demos=demos,
        worlds=4,
        control_steps=3 * 2 * 4 * 5,
        ppo=PpoConfig(rollout=5, epochs=2, minibatches=2),
        imitation=ImitationConfig(batch=16, updates=2),
        sight=AuxiliaryConfig(lessons=2, batch=8, updates=2),
        cloning=BehaviorCloningConfig(updates=2, batch=2, renderings=1),
    )
    trainer = Trainer("lifting", config, 0, distributed)
    act = trainer.task.act

    def blow_up(engine, actions):
        if not distributed.is_main and trainer.iteration == 0:
            engine.field("qvel")[1] = 1e12
        act(engine, actions)

    trainer.task.act = blow_up
    rows = [row for row in trainer.steps() if row["phase"] == "ppo"]
    networks = {
        "policy": trainer.policy,
        "noise": trainer.noise,
        "critic": trainer.critic,
        "discriminator": trainer.imitation.discriminator,
    }
    weights = {f"{name}.{key}": v for name, net in networks.items() for key, v in net.state_dict().items()}
    return weights | {"shared": trainer.generators["shared"].get_state()}, rows


def in_one_of_two_processes(out: Path, demos: Path) -> None:
    distributed = Distributed()
    assert distributed.world_size == 2
    share = torch.arange(WORLDS)[distributed.rank * 3 : 3 + distributed.rank * 5]  # shares need not be equal
    found = gradient(share, distributed)
    torch.save((found, *learned(distributed, demos)), out / f"{distributed.rank}.pt")


def torchrun(*arguments: str, restarts: int = 0, **more: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += ["--max-restarts", str(restarts), *arguments]
    environment = dict(os.environ, OMP_NUM_THREADS="1")
    return subprocess.Popen(command, env=environment, **more)  # pyright: ignore[reportCallIssue, reportArgumentType]


@pytest.fixture(scope="module")
def of_two(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[torch.Tensor, dict[str, torch.Tensor], list[Any]]]:
    """What each of two processes found: a gradient, what it learned, and what was told of that."""
    out = tmp_path_factory.mktemp("two")
    lifting = make_task("lifting", StagedTask)
    demos = out / "demos.hdf5"
    write_demonstrations(demos, lifting, demonstrate(lifting, 2, torch.Generator().manual_seed(1)))
    assert torchrun(__file__, str(out), str(demos)).wait(300) == 0
    return [torch.load(out / f"{number}.pt") for number in range(2)]


def test_two_processes_have_the_gradient_of_one_with_the_same_worlds(of_two):
    alone = gradient(torch.arange(WORLDS), Distributed())
    for found, _, _ in of_two:
        torch.testing.assert_close(found, alone, rtol=1e-4, atol=1e-6)
    assert alone.norm() > 1e-3


def test_two_processes_learn_the_same(of_two):
    (_, first, rows), (_, second, others) = of_two
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert torch.equal(value, second[name]), name
    assert rows[0]["divergences"] >= 1
    alike = [name for name in rows[0] if not name.startswith(("seconds", "steps_per", "elapsed", "curriculum"))]
    assert [[row[name] for name in alike] for row in rows] == [[row[name] for name in alike] for row in others]


def test_a_job_goes_on_after_one_of_its_processes_was_killed(tmp_path: Path):
    words = "train ppo-gail lifting --name two --worlds 4 --ppo.rollout 5 --ppo.minibatches 2 --imitation.weight 0"
    words += " --curriculum.random-starts 1 --sight.lessons 0 --checkpoint-every 1 --control-steps 2400"  # 60 it.
    job = torchrun("-m", "visuomotor", *words.split(), "--root", str(tmp_path), restarts=1, stdout=subprocess.DEVNULL)
    run_path = tmp_path / "two"
    deadline = time.monotonic() + 200
    while not (run_path / "checkpoints" / "latest.pt").exists():
        assert time.monotonic() < deadline
        assert job.poll() is None
        time.sleep(0.05)
    begun = load_checkpoint(run_path / "checkpoints" / "latest.pt")["logged"]
    first = Run.open(run_path).metrics()[:begun]
    children = Path(f"/proc/{job.pid}/task/{job.pid}/children").read_text().split()
    os.kill(int(children[-1]), signal.SIGKILL)
    assert job.wait(300) == 0
    rows = Run.open(run_path).metrics()
    assert [row["iteration"] for row in rows] == list(range(1, 61))
    assert rows[-1]["control_steps"] == 2400
    assert rows[:begun] == first  # to the time they took: it went on, and did not begin anew


def test_alone_nothing_is_sent():
    distributed = Distributed()
    assert (distributed.world_size, distributed.is_main, distributed.restarted) == (1, True, False)
    assert distributed.all_gather(3) == distributed.gather(3) == [3]
    assert distributed.broadcast_from_main(lambda: 5) == 5


def test_processes_of_a_machine_share_its_cores(monkeypatch):
    monkeypatch.setattr("visuomotor.runs.distributed.available_cores", lambda: 5)
    assert Distributed().threads == 0
    for beside, threads in (("1", 0), ("2", 2), ("8", 1)):
        monkeypatch.setenv("LOCAL_WORLD_SIZE", beside)
        assert Distributed().threads == threads


if __name__ == "__main__":
    in_one_of_two_processes(Path(sys.argv[1]), Path(sys.argv[2]))
