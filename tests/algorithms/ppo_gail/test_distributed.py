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

import visuomotor
from visuomotor.algorithms.ppo_gail import PpoGail
from visuomotor.algorithms.ppo_gail.adaptive_kl import AdaptiveKl
from visuomotor.algorithms.ppo_gail.config import (
    AuxiliaryConfig,
    BehaviorCloningConfig,
    ExplorationConfig,
    ImitationConfig,
    PpoConfig,
    PpoGailConfig,
)
from visuomotor.algorithms.ppo_gail.exploration import exploration_noise
from visuomotor.algorithms.ppo_gail.ppo import policy_loss
from visuomotor.demos import write_demonstrations
from visuomotor.demos.generate import demonstrate
from visuomotor.policies.recurrent_policy import RecurrentPolicy
from visuomotor.runs import Run, load_checkpoint
from visuomotor.runs.distributed import Distributed
from visuomotor.tasks import make_task

FINITE = (WORLDS, 3, 0)
"""How many worlds do not diverge: all, those of the first process, none."""


def gradient(worlds: torch.Tensor, distributed: Distributed, finite: int = WORLDS) -> torch.Tensor:
    """Of the policy's loss; worlds from number `finite` on diverge in every step."""
    torch.manual_seed(0)
    policy = RecurrentPolicy(READINGS, ACTIONS, 1, image_size=20)
    noise = exploration_noise(ACTIONS, ExplorationConfig(noise="exact"))
    rollout, advantages = made_up_rollout(worlds)
    rollout.diverged[:, worlds >= finite] = True
    kl = AdaptiveKl(1e-4)  # small: the penalty's hinge is at work
    loss, _ = policy_loss(
        policy,
        noise,
        rollout,
        advantages,
        torch.arange(len(worlds)),
        PpoConfig(clip_range=None, entropy_coef=0.1),
        kl,
        distributed,
    )
    loss.backward()
    networks = torch.nn.ModuleList([policy, noise])
    distributed.sum_gradients(networks)
    return torch.cat([parameter.grad.flatten() for parameter in networks.parameters() if parameter.grad is not None])


def learned(distributed: Distributed, demos: Path) -> tuple[dict[str, torch.Tensor], list[dict[str, float]]]:
    """All that three iterations of training taught this process, and what they told. In the second process a world
    diverges in the first one."""
    config = PpoGailConfig(
        demos=demos,
        num_envs=4,
        total_steps=3 * 2 * 4 * 5,
        ppo=PpoConfig(num_steps=5, num_epochs=2, num_minibatches=2),
        imitation=ImitationConfig(batch_size=16, num_updates=2),
        auxiliary=AuxiliaryConfig(pretraining_updates=2, batch_size=8, updates_per_iteration=2),
        behavior_cloning=BehaviorCloningConfig(num_updates=2, batch_size=2, renders_per_demo=1),
    )
    algorithm = PpoGail(make_task("lifting"), config, 0, distributed)
    step = algorithm.task.step

    def diverge(engine, actions):
        if not distributed.is_main and algorithm.iteration == 0:
            engine.field("qvel")[1] = 1e12
        step(engine, actions)

    algorithm.task.step = diverge
    rows = [row for row in algorithm.steps() if row["phase"] == "ppo"]
    networks = {
        "policy": algorithm.recurrent_policy,
        "noise": algorithm.noise,
        "critic": algorithm.critic,
        "discriminator": algorithm.gail.discriminator,
    }
    weights = {f"{name}.{key}": v for name, net in networks.items() for key, v in net.state_dict().items()}
    return weights | {"shared": algorithm.generators["shared"].get_state()}, rows


def in_one_of_two_processes(out: Path, demos: Path) -> None:
    distributed = Distributed()
    assert distributed.world_size == 2
    share = torch.arange(WORLDS)[distributed.rank * 3 : 3 + distributed.rank * 5]  # shares need not be equal
    found = [gradient(share, distributed, finite) for finite in FINITE]
    torch.save((found, *learned(distributed, demos)), out / f"{distributed.rank}.pt")


def torchrun(*arguments: str, restarts: int = 0, **more: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += ["--max-restarts", str(restarts), *arguments]
    package = Path(visuomotor.__file__).parents[1]  # the processes' own script lies elsewhere, and comes first
    environment = dict(os.environ, OMP_NUM_THREADS="1", PYTHONPATH=str(package))
    return subprocess.Popen(command, env=environment, **more)  # pyright: ignore[reportCallIssue, reportArgumentType]


@pytest.fixture(scope="module")
def of_two(
    tmp_path_factory: pytest.TempPathFactory,
) -> list[tuple[list[torch.Tensor], dict[str, torch.Tensor], list[Any]]]:
    """What each of two processes found: gradients, what it learned, and what was told of that."""
    out = tmp_path_factory.mktemp("two")
    lifting = make_task("lifting")
    demos = out / "demos.hdf5"
    write_demonstrations(demos, lifting, demonstrate(lifting, 2, torch.Generator().manual_seed(1)))
    assert torchrun(__file__, str(out), str(demos)).wait(300) == 0
    return [torch.load(out / f"{number}.pt") for number in range(2)]


def test_two_processes_have_the_gradient_of_one_with_the_same_worlds(of_two):
    """Also where all worlds of one of them diverge, or all worlds of both."""
    for number, finite in enumerate(FINITE):
        alone = gradient(torch.arange(WORLDS), Distributed(), finite)
        for found, _, _ in of_two:
            torch.testing.assert_close(found[number], alone, rtol=1e-4, atol=1e-6)
        assert (alone.norm() > 1e-3) == (finite > 0)


def test_two_processes_learn_the_same(of_two):
    (_, first, rows), (_, second, others) = of_two
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert torch.equal(value, second[name]), name
    assert rows[0]["num_diverged"] >= 1
    alike = [name for name in rows[0] if not name.startswith(("time/", "sps", "elapsed", "advance_rate"))]
    assert [[row[name] for name in alike] for row in rows] == [[row[name] for name in alike] for row in others]


def test_a_job_goes_on_after_one_of_its_processes_was_killed(tmp_path: Path):
    words = "train ppo-gail lifting --name two --num-envs 4 --ppo.num-steps 5 --ppo.num-minibatches 2"
    words += " --imitation.weight 0 --curriculum.random-start-fraction 1 --auxiliary.pretraining-updates 0"
    words += " --save-interval 1 --total-steps 2400"  # 60 iterations
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
