"""Measured speeds as a markdown table."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from visuomotor.errors import VisuomotorError

Measured = dict[str, Any]


def bench_table(folder: Path | str) -> str:
    """A row for each `bench-*.json` in `folder` that `visuomotor bench ... --results` wrote; empty without any."""
    rows: list[str] = []
    for path in sorted(Path(folder).glob("bench-*.json")):
        try:
            measured: Measured = json.loads(path.read_text(encoding="utf-8"))
            what, value = _ROWS[measured["bench"]](measured)
        except (OSError, ValueError, KeyError) as error:
            raise VisuomotorError(f"{path} cannot be read ({error!r}); delete it and measure again") from error
        rows.append(f"| {what} | {value} | `{measured['command']}` |")
    if not rows:
        return ""
    return "\n".join(["| what | measured | command |", "| --- | --- | --- |", *rows]) + "\n"


def _camera(measured: Measured) -> tuple[str, str]:
    size = measured["size"]
    ratios = [
        f"{measured[key]:.0f} times {name}"
        for key, name in (("ratio_to_mujoco_gl", "MuJoCo's GL renderer"), ("ratio_to_mujoco_warp_cpu", "Warp on CPU"))
        if measured[key] is not None
    ]
    speed = f"{measured['frames_per_second']:,.0f} frames/s"
    return f"camera, {size}x{size}", ", ".join([speed, *ratios])


def _engine(measured: Measured) -> tuple[str, str]:
    return "engine, time over raw `mujoco.batch`", f"{measured['overhead_ratio']:.2f}"


def _env(measured: Measured) -> tuple[str, str]:
    what = f"{measured['task']}, {measured['worlds']} worlds: physics, pixels, readings, restarts"
    low, high = measured["slowest_round"], measured["fastest_round"]
    return what, f"{measured['control_steps_per_second']:,.0f} control steps/s (rounds: {low:,.0f} to {high:,.0f})"


def _ppo_gail(measured: Measured) -> tuple[str, str]:
    what = f"ppo-gail on {measured['task']}, {measured['worlds']} worlds: the whole training loop, lessons aside"
    rate, memory = measured["control_steps_per_second"], measured["peak_memory_gb"]
    return what, f"{rate:,.0f} control steps/s, {memory:.1f} GB"


def _gps(measured: Measured) -> tuple[str, str]:
    what = f"dynamics fit and trajectory update, {measured['conditions']} conditions"
    return what, f"{measured['seconds_fit_and_update']:.2f} s"


def _policy(measured: Measured) -> tuple[str, str]:
    laptop, paper = measured["milliseconds_per_step"], measured["milliseconds_per_step_paper"]
    return "one policy step on one core, laptop and paper size", f"{laptop:.1f} ms and {paper:.1f} ms"


def _trajectories(measured: Measured) -> tuple[str, str]:
    what = f"trajectories alone, one sample a condition, seed {measured['seed']}"
    first = measured["iterations_to_solve_all"]
    solved = f"all {measured['conditions']} conditions solved after {first} iterations"
    return what, solved if first else f"{measured['solved'][-1]} of {measured['conditions']} conditions solved"


def _make_train(measured: Measured) -> tuple[str, str]:
    return "fresh clone to report, installation included", f"{measured['seconds'] / 60:.0f} min"


_ROWS: dict[str, Callable[[Measured], tuple[str, str]]] = {
    "camera": _camera,
    "engine": _engine,
    "env": _env,
    "gps": _gps,
    "make-train": _make_train,
    "policy": _policy,
    "ppo-gail": _ppo_gail,
    "trajectories": _trajectories,
}
