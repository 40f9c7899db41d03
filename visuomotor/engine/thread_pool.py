"""Threads that share one call's work.

Not numba's `prange`: it deals the work out evenly beforehand, so that on a busy machine (a simulator, a network in
training) all wait for the thread that got no core. Here the caller works too and never waits for one that has not
begun.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

_pool: ThreadPoolExecutor | None = None


def available_cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def parallel_for(task: Callable[[int], object], count: int, threads: int) -> None:
    """Call `task(0) ... task(count - 1)`, each once, from this thread and `threads - 1` others.

    Only tasks that release the interpreter lock run at the same time. The first exception is raised here.
    """
    remaining = iter(range(count))
    lock = Lock()

    def work() -> None:
        while True:
            with lock:
                number = next(remaining, None)
            if number is None:
                return
            task(number)

    helpers = [_workers().submit(work) for _ in range(min(threads, count) - 1)]
    work()
    for helper in helpers:
        if not helper.cancel():
            helper.result()


def _workers() -> ThreadPoolExecutor:
    global _pool
    if _pool is None:
        _pool = ThreadPoolExecutor(max_workers=available_cores(), thread_name_prefix="visuomotor")
    return _pool


def _forget_pool() -> None:
    """A forked child has the pool but not its threads."""
    global _pool
    _pool = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)
