"""Do other people's learners train on our tasks? Runs the examples of docs/environments.md, and the script of a client
that has one in this folder, each client in a virtual environment of its own.

    python tests/clients/run.py                 # all of them: some minutes each, mostly to install torch
    python tests/clients/run.py TorchRL skrl    # some
    python tests/clients/run.py --list

Packages come from where pip is set up to find them, in the versions of constraints.txt but for those that a
client pins. A line for each client: ok, or
FAILED with the end of what it printed. The exit status is 1 unless all are ok.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CONSTRAINTS = ROOT / "constraints.txt"
EXAMPLES = ROOT / "docs" / "environments.md"
CLIENTS = {
    "gymnasium": ["moviepy", "pygame-ce", "opencv-python-headless", "array-api-compat"],
    "stable-baselines3": ["stable-baselines3", "sb3-contrib", "moviepy"],
    "TorchRL": ["torchrl"],
    "skrl": ["skrl"],
    "rsl_rl": ["rsl-rl-lib"],
    "rl_games": ["rl-games"],
    # Its torchvision must be of the same release as torch, and was built for the larger builds of torch only.
    "robomimic": ["robomimic", "six", "torch==2.14.1", "torchvision==0.29.1"],
}
"""By the heading of their examples: what is installed beside visuomotor."""
TIMEOUT = 1800.0  # s, of an installation or a script


def main() -> int:
    parser = argparse.ArgumentParser(description="Do other people's learners train on our tasks?")
    parser.add_argument("clients", nargs="*", help=f"some of: {', '.join(CLIENTS)}; by default all")
    parser.add_argument("--list", action="store_true", help="only print what would be installed and run")
    options = parser.parse_args()
    if unknown := set(options.clients) - CLIENTS.keys():
        parser.error(f"there is no client {', '.join(sorted(unknown))}; choose from: {', '.join(CLIENTS)}")
    failed = False
    for client in options.clients or CLIENTS:
        if options.list:
            print(f"{client}: {' '.join(CLIENTS[client])}; {', '.join(scripts(client))}")
            continue
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix=f"client-{client}-") as folder:
            told = try_client(client, Path(folder))
        failed |= told is not None
        print(f"{client:<20}{time.monotonic() - began:4.0f} s  {'ok' if told is None else 'FAILED'}", flush=True)
        print(told or "", end="")
    return int(failed)


def scripts(client: str) -> dict[str, str]:
    """The client's programs, by name: its examples, and its file in this folder."""
    (section,) = re.findall(rf"^## {re.escape(client)}\n(.*?)(?=^## |\Z)", EXAMPLES.read_text(), re.M | re.S)
    found = {"examples": "\n".join(re.findall(r"^```python\n(.*?)^```$", section, re.M | re.S))}
    own = Path(__file__).parent / f"all_of_{client.lower().replace('-', '_')}.py"
    if own.exists():
        found[own.name] = own.read_text()
    return found


def try_client(client: str, folder: Path) -> str | None:
    """None, or what went wrong. folder: empty."""
    source, home = folder / "source", folder / "work"
    for name in ("visuomotor", "pyproject.toml", "README.md", "LICENSE"):  # pip writes into what it builds from
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        copy(ROOT / name, source / name)
    shutil.copytree(ROOT / "demos", home / "demos")
    venv.create(folder / "venv", with_pip=True)
    python = str(folder / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python")
    pinned = {package.partition("==")[0] for package in CLIENTS[client] if "==" in package}
    kept = [line for line in CONSTRAINTS.read_text().splitlines() if line.partition("==")[0] not in pinned]
    (folder / "constraints.txt").write_text("\n".join(kept))
    install = [python, "-m", "pip", "install", "--quiet", "-c", str(folder / "constraints.txt")]
    if told := run([*install, f"{source}[gym]", *CLIENTS[client]], home):
        return told
    for name, text in scripts(client).items():
        (home / "program.py").write_text(text)
        if told := run([python, "-P", "program.py"], home):
            return f"{name}:\n{told}"
    return None


def run(command: list[str], folder: Path) -> str | None:
    """None, or the end of what a command that failed has printed."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            timeout=TIMEOUT,
            check=False,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    except subprocess.TimeoutExpired:
        return f"took more than {TIMEOUT:.0f} s\n"
    return None if done.returncode == 0 else f"exit status {done.returncode}\n{done.stdout[-3000:]}\n"


if __name__ == "__main__":
    sys.exit(main())
