"""Kill training with SIGKILL at random moments, resume it until it is done, and compare it with a run that was left
alone: `make kills`. Policy, checkpoint and metrics must be the same to the bit, and nothing half written may be left.

Half of the kills come at any moment, the other half while a file is being written.
"""

import argparse
import multiprocessing
import os
import random
import shlex
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

import visuomotor.algorithms.gps
import visuomotor.algorithms.ppo_gail
import visuomotor.tasks.jaco.lifting
from visuomotor.cli import main as visuomotor
from visuomotor.policies.policy import FILE_NAME
from visuomotor.runs import Run, load_checkpoint

# Each takes seconds, and writes some ten checkpoints.
COMMANDS = {
    "gps": (
        "gps lifting --num-conditions 3 --image.size 32 --image.supersampling 1 --pose.images 20 --pose.epochs 3 "
        "--trajectory.iterations 3 --badmm.inner-iterations 1 --state-policy.steps 5 --end-to-end.iterations 3 "
        "--dynamics.clusters 2 --end-to-end.head-fit.steps 5 --end-to-end.finetune-fit.steps 2"
    ),
    "ppo-gail": (
        "ppo-gail lifting --num-envs 8 --total-steps 480 --save-interval 1 --ppo.num-steps 6 --ppo.num-minibatches 2 "
        "--imitation.batch-size 32 --imitation.num-updates 2 --auxiliary.batch-size 16 "
        "--auxiliary.pretraining-updates 3 --auxiliary.updates-per-iteration 2"
    ),
}
_TIMED = ("time/", "sps", "elapsed_seconds")


def call(arguments: list[str], log: Path) -> None:
    """`visuomotor`, in a process of its own."""
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    sys.exit(visuomotor(arguments))


def attempt(arguments: list[str], log: Path, moment: Callable[[float], bool]) -> bool:
    """Call, and kill where `moment`, asked with the seconds since the start, says so; returns whether it was killed.

    The process is forked: what takes long to import is imported once.
    """
    process = multiprocessing.get_context("fork").Process(target=call, args=(arguments, log))
    began = time.monotonic()
    process.start()
    while process.is_alive():
        if moment(time.monotonic() - began):
            process.kill()
            process.join()
            return process.exitcode != 0  # it may just have ended
        time.sleep(0.0005)
    process.join()
    if process.exitcode != 0:
        sys.exit(f"visuomotor {' '.join(arguments)} ended with {process.exitcode}:\n{log.read_text()[-2000:]}")
    return False


def outcome(folder: Path) -> dict[str, Any]:
    """All that must be the same, by where it is."""
    run = Run.open(folder)
    rows = [{k: v for k, v in row.items() if not k.startswith(_TIMED)} for row in run.metrics()]
    content = leaves(load_checkpoint(run.latest_checkpoint), "checkpoint")
    left = [path.name for path in folder.rglob("*.partial")]
    return {"policy": (folder / FILE_NAME).read_bytes(), "metrics": rows, "partial files": left, **content}


def leaves(content: Any, path: str) -> dict[str, Any]:
    if isinstance(content, dict | list | tuple):
        pairs = content.items() if isinstance(content, dict) else enumerate(content)
        return {name: leaf for key, value in pairs for name, leaf in leaves(value, f"{path}/{key}").items()}
    return {} if path.endswith("elapsed_seconds") else {path: content}


def different(found: dict[str, Any], expected: dict[str, Any]) -> list[str]:
    same = {
        name: torch.equal(found[name], value) if isinstance(value, torch.Tensor) else found[name] == value
        for name, value in expected.items()
        if name in found
    }
    return [name for name in {**expected, **found} if not same.get(name, False)]


def run_method(method: str, kills: int, root: Path, draw: random.Random) -> int:
    """Kill at least so often; returns how many runs came out otherwise."""
    command = ["train", *shlex.split(COMMANDS[method]), "--root", str(root)]
    if method == "ppo-gail":
        demos = str(root / "lifting.hdf5")
        generate = ["demos", "generate", "lifting", "--episodes", "2", "--out", demos]
        attempt(generate, root / "demos.log", lambda _: False)
        command += ["--demos", demos]
    for name in ("first", "whole"):  # the first one compiles
        began = time.monotonic()
        attempt([*command, "--no-share", "--name", f"{method}-{name}"], root / f"{method}-{name}.log", lambda _: False)
        duration = time.monotonic() - began
    expected = outcome(root / f"{method}-whole")
    killed = wrong = number = 0
    while killed < kills:
        number += 1
        folder, log = root / f"{method}-{number}", root / f"{method}-{number}.log"
        share = draw.choice(["--share", "--no-share"])
        while True:
            resumed = ["train", method, "--resume", str(folder)]
            arguments = resumed if folder.exists() else [*command, share, "--name", folder.name]
            at, writing = draw.expovariate(5 / duration), draw.random() < 0.5

            def moment(seconds: float, at: float = at, writing: bool = writing, folder: Path = folder) -> bool:
                return seconds > at and (not writing or any(folder.rglob("*.partial")))

            if not attempt(arguments, log, moment):
                break
            killed += 1
        names = different(outcome(folder), expected)
        wrong += bool(names)
        print(f"{method}: {killed} kills in {number} runs; {'the same' if not names else names[:5]}", flush=True)
    return wrong


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        drawn = random.Random(options.seed)
        bad = [run_method(method, options.kills // 2, Path(temporary), drawn) for method in COMMANDS]
    sys.exit(f"{sum(bad)} runs came out otherwise" if sum(bad) else None)
