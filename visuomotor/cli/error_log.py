"""A file that says all about an error that nobody foresaw."""

import os
import shlex
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence


def write_error_log(words: Sequence[str]) -> str:
    """Write the traceback of the exception that is being handled, with the command and versions, into the folder for
    temporary files; returns where it is, in words. If that cannot be, the traceback goes to stderr.

    Args:
        words: of the command line, after `visuomotor`.
    """
    from visuomotor.runs.provenance import git_commit, versions

    made_with = ", ".join(f"{name} {version}" for name, version in versions().items())
    command = shlex.join(["visuomotor", *words])
    text = f"{command}\n{made_with}, commit {git_commit() or 'unknown'}\n\n{traceback.format_exc()}"
    try:
        name = f"visuomotor-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}-"
        handle, path = tempfile.mkstemp(".log", name)
        with open(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
    except OSError:
        print(text, file=sys.stderr)
        return "the traceback is above: attach it to a report"
    return f"the traceback is in {path}: attach it to a report"
