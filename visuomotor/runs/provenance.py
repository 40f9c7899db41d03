"""What a result was made with: versions, commit, machine."""

import os
import platform
import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path

from visuomotor import __version__
from visuomotor.engine.thread_pool import available_cores

_PACKAGES = ("torch", "mujoco", "mujoco-warp", "warp-lang", "numpy", "numba")
_PACKAGE_FOLDER = Path(__file__).resolve().parents[1]


def versions() -> dict[str, str]:
    """Python and the packages that decide numbers and speed; packages that are not installed are left out."""
    found = {"python": platform.python_version(), "visuomotor": __version__}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


@cache
def git_commit() -> str | None:
    """The commit of this source tree, with `-dirty` where its code was changed since; None outside a checkout."""
    # A virtual environment may lie inside somebody else's repository: only a repository that tracks us counts.
    if _git("ls-files", "--error-unmatch", "__init__.py") is None:
        return None
    commit = _git("rev-parse", "HEAD")
    if commit is None:
        return None
    changes = _git("status", "--porcelain", "--untracked-files=no", "--", ".")
    return f"{commit}-dirty" if changes else commit


@cache
def hardware(device: str = "cpu") -> str:
    """The machine in words, such as `AMD EPYC 7B13, 2 cores, 8 GB`; for a CUDA device with the GPU's name."""
    cores = available_cores()
    words = f"{_processor()}, {cores} core{'s' * (cores > 1)}{_memory()}"
    if device.startswith("cuda"):
        import torch

        words += f", {torch.cuda.get_device_name(device)}"
    return words


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _memory() -> str:
    try:
        return f", {os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GB"
    except (ValueError, OSError, AttributeError):
        return ""


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(_PACKAGE_FOLDER), *arguments], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
