"""Do the tests notice faults? Puts the mutations of mutations_*.toml into a copy of the package, one at a time.

    python tests/mutate.py                        # all of them
    python tests/mutate.py 'badmm-*' targets-sign  # some, by name

A line for each: killed (a test failed), SURVIVED (none did), or what is wrong with the entry, such as "text not found".
The exit status is 1 unless all were killed.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
COPIED = ("visuomotor", "tests", "demos", "examples", "pyproject.toml")
TIMEOUT = 600.0  # s, at least; a mutation may make a loop endless


class Mutation(NamedTuple):
    """A table of a list: `text` stands exactly once in `file` and becomes `replacement`; a test must fail."""

    name: str
    file: str
    text: str
    replacement: str
    tests: Sequence[str]


def main() -> int:
    parser = argparse.ArgumentParser(description="Do the tests notice the faults of tests/mutations_*.toml?")
    parser.add_argument("names", nargs="*", help="run only these; shell patterns such as 'badmm-*' match several")
    names = parser.parse_args().names
    lists = [tomllib.loads(path.read_text()) for path in sorted((ROOT / "tests").glob("mutations_*.toml"))]
    mutations = [Mutation(name, **table) for tables in lists for name, table in tables.items()]
    if names:
        mutations = [m for m in mutations if any(fnmatch(m.name, name) for name in names)]
    if not mutations:
        parser.error("no mutation has such a name")
    with tempfile.TemporaryDirectory(prefix="mutations-") as folder:
        copy = copy_package(Path(folder))
        started = time.monotonic()
        status, output = run_tests(copy, sorted({test for m in mutations for test in m.tests}), None)
        unmutated = time.monotonic() - started
        if status != 0:
            print(output, "the tests must pass without any mutation first", sep="\n")
            return 1
        print(f"{'(none)':<45} {unmutated:4.0f} s  all tests pass", flush=True)
        killed = 0
        for mutation in mutations:
            started = time.monotonic()
            outcome = try_mutation(mutation, copy, max(TIMEOUT, unmutated))
            killed += outcome.startswith("killed")
            print(f"{mutation.name:<45} {time.monotonic() - started:4.0f} s  {outcome}", flush=True)
    print(f"{killed} of {len(mutations)} mutations killed")
    return 0 if killed == len(mutations) else 1


def copy_package(folder: Path) -> Path:
    """The package and its tests, with their times, so that compiled kernels in __pycache__ stay valid."""
    for name in COPIED:
        source, target = ROOT / name, folder / name
        shutil.copytree(source, target) if source.is_dir() else shutil.copy2(source, target)
    return folder


def try_mutation(mutation: Mutation, copy: Path, timeout: float) -> str:
    """Put the fault into the copy, run its tests, and put the original back."""
    original, mutated = ROOT / mutation.file, copy / mutation.file
    source = original.read_text() if original.exists() else ""
    if (count := source.count(mutation.text)) != 1:
        return "text not found" if count == 0 else f"text found {count} times"
    mutated.write_text(source.replace(mutation.text, mutation.replacement))
    try:
        status, output = run_tests(copy, mutation.tests, timeout)
    except subprocess.TimeoutExpired:
        return "killed by its timeout"
    finally:
        shutil.copy2(original, mutated)
    failed = re.search(r"^FAILED .*?::(.+?)(?: - |$)", output, re.MULTILINE)
    if status == 1 and failed:
        return f"killed by {failed[1]}"
    return "SURVIVED" if status == 0 else f"pytest ended with {status}: {output.strip().splitlines()[-1]}"


def run_tests(copy: Path, tests: Sequence[str], timeout: float | None) -> tuple[int, str]:
    """Exit status and output of pytest on the copy. No .pyc: the seconds in them are too coarse for our changes."""
    environment = os.environ | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "--tb=line", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(
        command, cwd=copy, env=environment, capture_output=True, text=True, timeout=timeout, check=False
    )
    return done.returncode, done.stdout + done.stderr


if __name__ == "__main__":
    sys.exit(main())
