"""The training loop of every algorithm: metrics, checkpoints, interrupts, time limits, several processes."""

import json
import math
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from visuomotor.algorithms.algorithm import Algorithm
from visuomotor.algorithms.check import load_algorithm
from visuomotor.algorithms.shared_pretraining import SharedPretraining
from visuomotor.errors import VisuomotorError, unknown, whole_number
from visuomotor.policies.policy import FILE_NAME, load_policy
from visuomotor.runs import Run, config_from_dict, config_to_dict, load_checkpoint, save_checkpoint
from visuomotor.runs.config import changed_settings, check_range, with_new_words
from visuomotor.runs.graceful_shutdown import GracefulShutdown
from visuomotor.runs.lock import RunLock

POLICY_SUFFIX: Final = ".safetensors"


def train(
    algorithm: Algorithm,
    run: Run | Path | str,
    *,
    resume: bool = False,
    source: Path | str | None = None,
    pretraining: SharedPretraining | None = None,
    time_limit: float | None = None,
    callback: Callable[[dict[str, Any]], None] | None = None,
) -> bool:
    """Train until the algorithm is done; the run's folder then holds the checkpoint and the policy.

    Training that was stopped anywhere and resumed gives the same policy, bit for bit, on the same kind of CPU with as
    many threads and processes. Of several processes the main one writes.

    Args:
        run: or its folder.
        resume: go on from the run's checkpoint, if it has one. The algorithm's config may differ from the run's in
            `Algorithm.adjustable`; the run's config.json then has both values.
        source: begin with the networks of the checkpoint in this run's folder, or with the policy in this file
            (.safetensors); see `Algorithm.load_weights` and `Algorithm.load_policy_weights`. Not together with
            `resume` or `pretraining`.
        pretraining: begin with what it holds for this algorithm, or store there what other runs can begin with. A
            resumed run does neither: its first half may be of other code.
        time_limit: s from now. Training is saved and stops before a step that would pass it if it took as long as
            the longest so far; one step is always made.
        callback: gets every row of metrics, in the main process.

    Returns:
        Whether training is done; False where the time was up.

    Raises:
        KeyboardInterrupt: on SIGINT, SIGTERM or SIGHUP, after the step under way has been saved.
        VisuomotorError: another process trains this run; it is of another algorithm, task, seed, preset or config, or
            trained already; the time limit is no number of seconds; `source` comes with another beginning; its
            checkpoint does not fit the algorithm; or a step failed.
    """
    run = run if isinstance(run, Run) else Run.open(run)
    if source is not None and (resume or pretraining is not None):
        other = "resume=True" if resume else "pretraining"
        raise VisuomotorError(f"source and {other} each say what training begins with: give one of them")
    if time_limit is not None:
        check_range("time_limit (s)", time_limit, 0, math.inf)
    distributed = algorithm.distributed
    began = last = time.monotonic()
    longest = 0.0
    with RunLock(run.path, enabled=distributed.is_main):
        logged, steps = 0, 0
        if distributed.is_main:
            _check_is_of(algorithm, run, resume)
            run.remove_partials()
        if resume:
            logged = _resume(algorithm, run)
        elif source is not None:
            _begin_from(algorithm, Path(source))
            _save(algorithm, run, logged)  # what is resumed later does not depend on the source
        elif pretraining is not None:
            logged = _begin_after(pretraining, algorithm, run, callback)
        # With several processes, torchrun gets the signals and stops them.
        with GracefulShutdown(enabled=distributed.world_size == 1) as shutdown:
            for row in algorithm.steps():
                logged, steps = logged + 1, steps + 1
                if distributed.is_main:
                    run.log(row)
                    if callback is not None:
                        callback(row)
                if pretraining is not None and not resume and algorithm.is_pretrained and distributed.is_main:
                    try:
                        pretraining.save(run.metrics())
                    except VisuomotorError as error:  # a convenience of other runs must not end this one
                        warnings.warn(f"other runs cannot share this pretraining: {error}", stacklevel=2)
                now = time.monotonic()
                longest, last = max(longest, now - last), now
                stop = shutdown.requested
                if time_limit is not None:
                    late = now - began + longest > time_limit
                    stop |= distributed.broadcast_from_main(lambda late=late: late)
                if logged % algorithm.save_interval == 0 or algorithm.done or stop:
                    _save(algorithm, run, logged)
                if shutdown.requested and not algorithm.done:
                    raise KeyboardInterrupt
                if stop:
                    break
        if steps == 0 and algorithm.done:  # it was done already, though perhaps not with these settings
            _save(algorithm, run, logged)
        run.close()
    return algorithm.done


def _check_is_of(algorithm: Algorithm, run: Run, resume: bool) -> None:
    """What a run's config.json says must be true of what is trained in it."""
    for name, found, given in (
        ("algorithm", load_algorithm(run.algorithm).name, algorithm.name),
        ("task", run.task_name, algorithm.task.name),
        ("seed", run.seed, algorithm.seed),
    ):
        if found != given:
            text = f"{run.path} is a run of {name} {found!r}, and this is {given!r}"
            if name == "task" and run.task.endswith(f":{found}"):  # the default of `create`
                text += "; if that is the task's class, give Run.create(..., task_name=task.name)"
            raise VisuomotorError(text)
    if run.preset not in algorithm.presets:
        raise unknown("preset", run.preset, algorithm.presets)
    if resume:
        return
    if run.latest_checkpoint.exists() or run.metrics_lines:
        raise VisuomotorError(f"{run.path} is trained already; give resume=True to go on, or make a new run")
    if changes := changed_settings(run.metadata["config"], config_to_dict(algorithm.config)):
        text = ", ".join(f"{name} {old} (now {new})" for name, (old, new) in sorted(changes.items()))
        raise VisuomotorError(f"{run.path} was made for another config than the algorithm's: {text}")


def _resume(algorithm: Algorithm, run: Run) -> int:
    """Go back to the run's checkpoint; returns how many rows of metrics it had by then."""
    logged, trained_with = 0, run.metadata["config"]
    path, config = run.latest_checkpoint, config_to_dict(algorithm.config)
    content = None
    interval = max(algorithm.save_interval, trained_with.get("save_interval", 1))  # rows were logged with either
    if path.exists():
        content = load_checkpoint(path, expect=algorithm.header(), types={"logged": int, "config": dict, "state": dict})
        logged = whole_number(f"logged of {path}", content["logged"], 0, 2**62)
        trained_with = with_new_words(content["config"])
        if not _is_same(trained_with, config):
            read = config_from_dict(type(algorithm.config), trained_with, where=f"{path}: config")
            trained_with = config_to_dict(read)
        interval = max(interval, trained_with.get("save_interval", 1))
        if run.metrics_lines > logged + interval:  # they would be deleted
            raise VisuomotorError(
                f"{path} is of row {logged} of the metrics, which have {run.metrics_lines} rows, though there is a "
                f"checkpoint every {interval}; put back the newest one, or cut off metrics.jsonl after row {logged}"
            )
    elif run.metrics_lines > run.shared_rows + interval:  # rows are logged before their checkpoint
        raise VisuomotorError(
            f"{run.path} has {run.metrics_lines} rows of metrics and no checkpoint, though one is written every "
            f"{interval}; put back {path}, or delete metrics.jsonl to start again"
        )
    changes = changed_settings(trained_with, config)
    fixed = sorted(name for name in changes if name not in algorithm.adjustable)
    if fixed:
        text = ", ".join(f"{name} {changes[name][0]} (now {changes[name][1]})" for name in fixed)
        raise VisuomotorError(
            f"a resumed run keeps its settings, and {run.path} was trained with {text}; what may change is "
            f"{', '.join(sorted(algorithm.adjustable)) or 'nothing'}. For other settings begin a new run with its "
            f"weights: --from {run.path}"
        )
    if content is not None:
        try:
            algorithm.load_state_dict(content["state"])
        except VisuomotorError as error:
            raise VisuomotorError(f"{path} cannot be resumed: {error}") from error
        for name, done in algorithm.trained.items():
            wanted = changes.get(name, (done, done))[1]
            if wanted is not None and done > wanted:
                raise VisuomotorError(
                    f"{run.path} has {done} {name.rpartition('.')[2].removeprefix('total_')} already, more than "
                    f"{name} {wanted}; give {done} or more, or train a new run"
                )
    if algorithm.distributed.is_main:
        run.update_config(config, logged)
        run.truncate_metrics(logged)
    if content is None and run.metadata.get("source") is not None:  # it died before its weights were saved
        _begin_from(algorithm, Path(run.metadata["source"]))
        _save(algorithm, run, logged)
    return logged


def _is_same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two configs in plain dicts are equal; a damaged one may hold anything."""
    try:
        return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    except TypeError:
        return False


def _begin_from(algorithm: Algorithm, source: Path) -> None:
    if source.suffix == POLICY_SUFFIX:
        policy = load_policy(source)
        if policy.spec.algorithm != algorithm.name:
            raise VisuomotorError(
                f"{source} is a policy of {policy.spec.algorithm}; its weights are of no use to {algorithm.name}"
            )
        load, weights = algorithm.load_policy_weights, dict(policy.network.state_dict())
    else:
        header = {name: value for name, value in algorithm.header().items() if name.startswith("algorithm")}
        content = load_checkpoint(Run.open(source).latest_checkpoint, expect=header, types={"state": dict})
        load, weights = algorithm.load_weights, content["state"]
    try:
        load(weights)
    except VisuomotorError as error:
        raise VisuomotorError(f"cannot begin with the weights of {source}: {error}") from error


def _begin_after(
    pretraining: SharedPretraining,
    algorithm: Algorithm,
    run: Run,
    callback: Callable[[dict[str, Any]], None] | None,
) -> int:
    """Take over shared pretraining, if there is one that fits; returns how many rows of metrics that makes."""
    rows = pretraining.load()
    if rows:
        if algorithm.distributed.is_main:
            run.log_shared(rows)
            if callback is not None:
                callback(rows[-1])
        _save(algorithm, run, len(rows))
    return len(rows)


def _save(algorithm: Algorithm, run: Run, logged: int) -> None:
    content = {
        **algorithm.header(),
        "logged": logged,
        "config": config_to_dict(algorithm.config),
        "state": algorithm.state_dict(),
    }
    if algorithm.distributed.is_main:
        save_checkpoint(run.latest_checkpoint, content)
        policy = algorithm.policy()
        if policy is not None:
            policy.save(run.path / FILE_NAME)
    algorithm.distributed.barrier()
