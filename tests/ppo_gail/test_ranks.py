"""Two processes learn what one would."""

import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import torch

from visuomotor.policies.recurrent_policy import RecurrentPolicy
from visuomotor.ppo_gail.adaptive_kl import AdaptiveKl
from visuomotor.ppo_gail.config import PpoConfig
from visuomotor.ppo_gail.ppo import policy_loss
from visuomotor.ppo_gail.rollout import Rollout
from visuomotor.runs import Run
from visuomotor.runs.ranks import Ranks

STEPS, WORLDS, ACTIONS, READINGS = 5, 8, 3, 4


def made_up_rollout(worlds: torch.Tensor) -> tuple[Rollout, torch.Tensor]:
    """A rollout of eight worlds, of which only some are kept; its advantages."""
    generator = torch.Generator().manual_seed(3)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(STEPS, WORLDS, *shape, generator=generator)

    values = {
        "images": torch.randint(256, (STEPS, WORLDS, 20, 20, 3), generator=generator, dtype=torch.uint8),
        "seen": normal(128),
        "proprioception": normal(READINGS),
        "objects": normal(1, 3),
        "actions": normal(ACTIONS),
        "offsets": normal(ACTIONS) / 20,
        "means": normal(ACTIONS) / 10,
        "starts": normal() > 1,
        "diverged": normal() > 1.2,
    }
    unused = dict.fromkeys(("privileged", "features", "stage", "task_reward", "reached_privileged", "ended"), normal())
    rows = {name: value[:, worlds] for name, value in (values | unused).items()}
    advantages = normal()[:, worlds]
    rest = {
        "log_std": torch.full((ACTIONS,), -0.9),
        "first_state": torch.zeros(len(worlds), 200),
        "last_privileged": torch.zeros(1),
        "other_images": None,
    }
    return Rollout(**rows, **rest), advantages  # pyright: ignore[reportArgumentType]


def gradient(worlds: torch.Tensor, ranks: Ranks) -> torch.Tensor:
    torch.manual_seed(0)
    policy = RecurrentPolicy(READINGS, ACTIONS, 1, image_size=20)
    rollout, advantages = made_up_rollout(worlds)
    kl = AdaptiveKl(1e-4)  # small: the penalty's hinge is at work
    loss, _ = policy_loss(
        policy, rollout, advantages, torch.arange(len(worlds)), PpoConfig(clip=None, entropy=0.1), kl, ranks
    )
    loss.backward()
    ranks.sum_gradients(policy)
    return torch.cat([parameter.grad.flatten() for parameter in policy.parameters() if parameter.grad is not None])


def in_one_of_two_processes(out: str) -> None:
    ranks = Ranks()
    assert ranks.count == 2
    share = torch.arange(WORLDS)[ranks.number * 3 : 3 + ranks.number * 5]  # shares need not be equal
    found = gradient(share, ranks)
    if ranks.first:
        torch.save(found, out)


def torchrun(*arguments: str, restarts: int = 0, **more: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += ["--max-restarts", str(restarts), *arguments]
    environment = dict(os.environ, OMP_NUM_THREADS="1")
    return subprocess.Popen(command, env=environment, **more)  # pyright: ignore[reportCallIssue, reportArgumentType]


def test_two_processes_have_the_gradient_of_one_with_the_same_worlds(tmp_path: Path):
    out = tmp_path / "gradient.pt"
    assert torchrun(__file__, str(out)).wait(300) == 0
    alone = gradient(torch.arange(WORLDS), Ranks())
    torch.testing.assert_close(torch.load(out), alone, rtol=1e-4, atol=1e-6)
    assert alone.norm() > 1e-3


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
    children = Path(f"/proc/{job.pid}/task/{job.pid}/children").read_text().split()
    os.kill(int(children[-1]), signal.SIGKILL)
    assert job.wait(300) == 0
    rows = Run.open(run_path).metrics()
    assert [row["iteration"] for row in rows] == list(range(1, 61))
    assert rows[-1]["control_steps"] == 2400


def test_alone_nothing_is_sent():
    ranks = Ranks()
    assert (ranks.count, ranks.first, ranks.restarted) == (1, True, False)
    assert ranks.everyones(3) == ranks.gather(3) == [3]
    assert ranks.from_first(lambda: 5) == 5
    assert dataclasses.is_dataclass(Rollout)


if __name__ == "__main__":
    in_one_of_two_processes(sys.argv[1])
