"""The training loop of every algorithm: metrics, checkpoints, interrupts, several processes."""

from collections.abc import Callable
from typing import Any

from visuomotor.algorithms.algorithm import Algorithm
from visuomotor.policies.policy import FILE_NAME
from visuomotor.runs import Run, load_checkpoint, save_checkpoint
from visuomotor.runs.graceful_shutdown import GracefulShutdown


def train(
    algorithm: Algorithm,
    run: Run,
    *,
    resume: bool = False,
    callback: Callable[[dict[str, Any]], None] | None = None,
) -> None:
    """Train until the algorithm is done; the run's folder then holds the checkpoint and the policy.

    Training that was stopped anywhere and resumed gives the same policy, bit for bit, on the same kind of CPU with as
    many threads and processes. Of several processes the main one writes.

    Args:
        resume: go on from the run's checkpoint, if it has one.
        callback: gets every row of metrics, in the main process.

    Raises:
        KeyboardInterrupt: on SIGINT or SIGTERM, after the step under way has been saved.
    """
    distributed = algorithm.distributed
    logged = 0
    if resume:
        if run.latest_checkpoint.exists():
            content = load_checkpoint(run.latest_checkpoint, expect=algorithm.header())
            algorithm.load_state_dict(content["state"])
            logged = content["logged"]
        if distributed.is_main:
            run.truncate_metrics(logged)
    # Of several processes torchrun is the master, and stops them itself.
    with GracefulShutdown(enabled=distributed.world_size == 1) as shutdown:
        for row in algorithm.steps():
            logged += 1
            if distributed.is_main:
                run.log(row)
                if callback is not None:
                    callback(row)
            if logged % algorithm.save_interval == 0 or algorithm.done or shutdown.requested:
                _save(algorithm, run, logged)
            if shutdown.requested and not algorithm.done:
                raise KeyboardInterrupt
    run.close()


def _save(algorithm: Algorithm, run: Run, logged: int) -> None:
    content = {**algorithm.header(), "logged": logged, "state": algorithm.state_dict()}
    if algorithm.distributed.is_main:
        save_checkpoint(run.latest_checkpoint, content)
        policy = algorithm.policy()
        if policy is not None:
            policy.save(run.path / FILE_NAME)
    algorithm.distributed.barrier()
