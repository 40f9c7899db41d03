"""Measured speeds as a markdown table."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from visuomotor.errors import VisuomotorError

Measured = dict[str, Any]


def bench_table(folder: Path | str) -> str:
    """A row for each `bench-*.json` in `folder` that `visuomotor bench ... --results` wrote; empty without any."""
    rows: list[str] = []
    for path in sorted(Path(folder).glob("bench-*.json"), key=_words_and_numbers):
        if path.is_symlink() or not path.is_file():
            continue
        try:
            measured: Measured = json.loads(path.read_text(encoding="utf-8"))
            what, value = _ROWS[measured["bench"]](measured)
            rows.append(f"| {what} | {value} | `{measured['command']}` |")
        except Exception as error:  # a damaged file can break a row in any way
            raise VisuomotorError(f"{path} cannot be read ({error!r}); delete it and measure again") from error
    if not rows:
        return ""
    return "\n".join(["| what | measured | command |", "| --- | --- | --- |", *rows]) + "\n"


def _words_and_numbers(path: Path) -> list[tuple[int, str]]:
    """The parts of a name: 128 comes before 1024."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", path.name)]


def _camera(measured: Measured) -> tuple[str, str]:
    size = measured["size"]
    ratios = [
        f"{measured[key]:.0f} times {name}"
        for key, name in (("ratio_to_mujoco_gl", "MuJoCo's GL renderer"), ("ratio_to_mujoco_warp_cpu", "Warp on CPU"))
        if measured[key] is not None
    ]
    speed = f"{measured['frames_per_second']:,.0f} frames/s"
    of = f" of {measured['task']}" if "task" in measured else ""
    return f"camera{of}, {size}x{size}", ", ".join([speed, *ratios])


def _engine(measured: Measured) -> tuple[str, str]:
    return "engine, time over raw `mujoco.batch`", f"{measured['overhead_ratio']:.2f}"


def _env(measured: Measured) -> tuple[str, str]:
    what = f"{measured['task']}, {_num_envs(measured)} worlds: physics, observations, pixels, resets"
    low, high = measured["slowest_round"], measured["fastest_round"]
    return what, f"{measured['control_steps_per_second']:,.0f} control steps/s (rounds: {low:,.0f} to {high:,.0f})"


def _ppo_gail(measured: Measured) -> tuple[str, str]:
    what = f"ppo-gail on {measured['task']}, {_num_envs(measured)} worlds: training, without vision pretraining"
    if measured.get("device", "cpu") != "cpu":
        what += f", networks on {measured['hardware'].rsplit(', ', 1)[-1]}, {measured['cores']} cores"
    rate, memory = measured["control_steps_per_second"], measured["peak_memory_gb"]
    return what, f"{rate:,.0f} control steps/s, {memory:.1f} GB"


def _gps(measured: Measured) -> tuple[str, str]:
    what = f"dynamics fit and trajectory update, {measured['conditions']} conditions"
    return what, f"{measured['seconds_fit_and_update']:.2f} s"


def _policy(measured: Measured) -> tuple[str, str]:
    laptop, paper = measured["milliseconds_per_step"], measured["milliseconds_per_step_paper"]
    return "one policy step on one core, laptop and paper size", f"{laptop:.1f} ms and {paper:.1f} ms"


def _trajectories(measured: Measured) -> tuple[str, str]:
    if "seeds" not in measured:  # of an older version
        return f"trajectories alone, seed {measured['seed']}", f"success {100 * _old_share(measured):.0f}%"
    what = f"trajectories alone, {measured['conditions']} conditions of {measured['task']}, {_seeds(measured)}"
    noisy, exact, lowest = (
        100 * measured[name]
        for name in ("mean_share_with_noise", "mean_share_without_noise", "lowest_share_without_noise")
    )
    return what, f"success {exact:.0f}% (worst seed {lowest:.0f}%), with exploration noise {noisy:.0f}%"


def _policy_search(measured: Measured) -> tuple[str, str]:
    what = f"policy search on {measured['task']}, {_seeds(measured)}: median of episodes to solve it"
    needed = measured["median_episodes_to_solve"]
    text = ", ".join(
        f"{name} {'not in ' + str(measured['episodes']) if n is None else f'{n:g}'}" for name, n in needed.items()
    )
    return what, text


def _target_shifts(measured: Measured) -> tuple[str, str]:
    shifts = ", ".join(f"{100 * shift:g}" for shift in measured["shifts"])
    what = f"controllers of {measured['task']}, {_seeds(measured)}: success with targets {shifts} cm away"
    text = (
        f"trained with {100 * float(noise):g} cm: {', '.join(f'{share:.0%}' for share in found['success'])}"
        for noise, found in measured["noises"].items()
    )
    return what, "; ".join(text)


def _old_share(measured: Measured) -> float:
    """The share of conditions that succeed, with noise, over the last five iterations."""
    last = measured["successes"][-5:]
    return sum(last) / len(last) / measured["conditions"]


def _pose(measured: Measured) -> tuple[str, str]:
    errors = ", ".join(f"{name} {found['test_cm']:.1f} cm" for name, found in measured["networks"].items())
    what = f"pose of {measured['task']}, {measured['size']}x{measured['size']}, {_seeds(measured)}"
    return f"{what}: error on test images", errors


def _make_train(measured: Measured) -> tuple[str, str]:
    return "fresh clone to report, installation included", f"{measured['seconds'] / 60:.0f} min"


def _seeds(measured: Measured) -> str:
    count = len(measured["seeds"])
    return f"{count} seed{'s' if count > 1 else ''}"


def _num_envs(measured: Measured) -> int:
    return measured["num_envs"] if "num_envs" in measured else measured["worlds"]  # so called in older files


_ROWS: dict[str, Callable[[Measured], tuple[str, str]]] = {
    "camera": _camera,
    "engine": _engine,
    "env": _env,
    "gps": _gps,
    "make-train": _make_train,
    "policy": _policy,
    "pose": _pose,
    "policy-search": _policy_search,
    "ppo-gail": _ppo_gail,
    "target-shifts": _target_shifts,
    "trajectories": _trajectories,
}
