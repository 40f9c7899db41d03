"""`visuomotor doctor`: has this machine all that training needs?"""

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import tyro

_GIGABYTE = 1e9


@dataclass(frozen=True)
class Doctor:
    """Check this machine: packages, cores, GPU, physics, camera, caches, disk. Exits with 1 if something fails."""

    folder: Path = Path()
    """Folder for runs; its free disk space is checked."""


@dataclass(frozen=True)
class Finding:
    """What a check has found, and how to fix it where it is not good."""

    text: str
    fix: str = ""
    """Empty where all is well."""
    needed: bool = True
    """Whether training cannot do without."""


def run(arguments: list[str]) -> int:
    options = tyro.cli(Doctor, prog="visuomotor doctor", args=arguments)
    checks: list[tuple[str, Callable[[], Finding]]] = [
        ("versions", _versions),
        ("threads", _threads),
        ("CUDA", _cuda),
        ("physics", _physics),
        ("camera", _camera),
        ("numba cache", _numba_cache),
        ("disk", lambda: _disk(options.folder)),
    ]
    failed = False
    for name, check in checks:
        finding = _guarded(check)
        mark = "ok  " if not finding.fix else "FAIL" if finding.needed else "note"
        print(f"{mark}  {name:<12} {finding.text}")
        if finding.fix:
            print(f"                   fix: {finding.fix}")
        failed |= bool(finding.fix) and finding.needed
    return int(failed)


def _guarded(check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except Exception as error:  # any error of a check is a finding
        fix = "pip install -c constraints.txt -e . in the project's folder, then visuomotor doctor again"
        return Finding(f"{type(error).__name__}: {error}", fix)


def _versions() -> Finding:
    from visuomotor.runs.provenance import versions

    found = versions()
    text = ", ".join(f"{name} {version}" for name, version in found.items())
    missing = {"torch", "mujoco", "numpy", "numba"} - found.keys()
    return Finding(text, f"pip install {' '.join(sorted(missing))}" if missing else "")


def _threads() -> Finding:
    import torch

    from visuomotor.engine.thread_pool import available_cores

    threads = torch.get_num_threads()
    fix = "unset OMP_NUM_THREADS, or set it to the number of cores" if threads > available_cores() else ""
    return Finding(f"{available_cores()} cores, torch uses {threads} threads", fix, needed=False)


def _cuda() -> Finding:
    import torch

    if torch.cuda.is_available():
        return Finding(torch.cuda.get_device_name())
    return Finding("no GPU that torch can use; everything runs on the CPU")


def _physics() -> Finding:
    import torch

    from visuomotor.tasks import make_task

    engine = make_task("hanger").make_engine(1)
    engine.step()
    start = time.perf_counter()
    engine.step()
    milliseconds = 1000 * (time.perf_counter() - start)
    if not torch.isfinite(engine.field("qpos")).all():
        return Finding("a step of the hanger task gave NaN", "reinstall mujoco: pip install --force-reinstall mujoco")
    return Finding(f"one step of the hanger task in {milliseconds:.2f} ms")


def _camera() -> Finding:
    from visuomotor.camera import Camera
    from visuomotor.tasks import make_task

    task = make_task("hanger")
    start = time.perf_counter()
    camera = Camera(task.make_engine(1), task.camera, 64, 64, 1)
    camera.rgb()
    ready = time.perf_counter()
    image = camera.rgb()
    milliseconds = 1000 * (time.perf_counter() - ready)
    if image.float().std() == 0:
        return Finding("the image has one colour only", "delete the numba caches (__pycache__ in visuomotor/camera)")
    return Finding(f"64x64 image in {milliseconds:.2f} ms (the first, with compilation, took {ready - start:.1f} s)")


def _numba_cache() -> Finding:
    import visuomotor

    named = os.environ.get("NUMBA_CACHE_DIR")
    folder = Path(named) if named else Path(visuomotor.__file__).parent / "camera"
    if os.access(folder if folder.exists() else folder.parent, os.W_OK):
        return Finding(f"in {folder}")
    fix = "set NUMBA_CACHE_DIR to a folder you may write, else each start compiles the camera again"
    return Finding(f"{folder} is not writable", fix, needed=False)


def _disk(folder: Path) -> Finding:
    there = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    free = shutil.disk_usage(there).free / _GIGABYTE
    fix = "free some space (old runs are safe to delete), or train with --root on another disk" if free < 1 else ""
    return Finding(f"{free:.0f} GB free for runs in {folder.resolve()}", fix)
