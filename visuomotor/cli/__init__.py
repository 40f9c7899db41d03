"""The command line: one verb a file, imported only when it is called."""

import difflib
import errno
import importlib
import io
import os
import sys
import threading
import warnings
from collections.abc import Mapping, Sequence

from visuomotor.errors import VisuomotorError, one_line

# Each module has `run(arguments)`, which returns an exit code or None. Nothing here may import torch.
VERBS: dict[str, tuple[str, str]] = {
    "tasks": ("visuomotor.cli.tasks", "list the tasks, with a picture of each"),
    "train": ("visuomotor.cli.train", "train a policy: visuomotor train gps hanger"),
    "evaluate": ("visuomotor.cli.evaluate", "measure the success rate of a run's policy"),
    "report": ("visuomotor.cli.report", "write a run's report.html"),
    "demos": ("visuomotor.cli.demos", "record, play back and verify demonstrations"),
    "compare": ("visuomotor.cli.compare", "learning curves of several runs in one figure"),
    "tables": ("visuomotor.cli.tables", "write the measured results into README.md"),
    "reproduce": ("visuomotor.cli.reproduce", "measure a paper's tables and figures: visuomotor reproduce levine2015"),
    "bench": ("visuomotor.cli.bench", "measure speed: visuomotor bench camera"),
    "doctor": ("visuomotor.cli.doctor", "check that this machine has all that is needed"),
}

USER_ERROR = 2
INTERNAL_ERROR = 70  # EX_SOFTWARE of sysexits.h
INTERRUPTED = 130

_OUT_OF_MEMORY = "can't allocate memory", "out of memory"  # torch's errors on CPU and CUDA


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit code.

    0 done, 1 a check failed, 2 something the user can fix (printed on stderr, without a traceback), 70 an error of ours
    or of a user's own code (one line, and a log file with the traceback), 130 interrupted.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal may not know every letter of a name
            stream.reconfigure(errors="backslashreplace")
    warnings.formatwarning = lambda message, *_, **__: f"visuomotor: {message}\n"
    if threading.excepthook is threading.__excepthook__:  # TensorBoard writes from a thread of its own
        threading.excepthook = lambda hook: print(
            f"visuomotor: {hook.exc_type.__name__}: {hook.exc_value}", file=sys.stderr
        )
    try:
        if not words or words[0] in ("-h", "--help", "help"):
            print(listing("usage: visuomotor VERB ...", VERBS) + "\n\nvisuomotor VERB --help lists its options.")
            return 0
        if words[0] == "--version":
            print(importlib.import_module("visuomotor").__version__)
            return 0
        module, _ = choose("verb", words[0], VERBS)
        return importlib.import_module(module).run(words[1:]) or 0
    except VisuomotorError as error:
        print(f"visuomotor: {_printable(error)}", file=sys.stderr)
        return USER_ERROR
    except KeyboardInterrupt:
        print("visuomotor: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # `visuomotor ... | head`: nobody reads on, and Python must not complain at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.filename is None:
            return _unexpected(error, words)
        fix = "name another one"
        if error.errno != errno.ENAMETOOLONG:  # it may be a file that no user has named
            from visuomotor.cli.error_log import write_error_log

            fix = f"if this file is none of yours, {write_error_log(words)}"
        print(f"visuomotor: {_printable(error.filename)}: {error.strerror}; {fix}", file=sys.stderr)
        return USER_ERROR
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and not any(it in str(error).lower() for it in _OUT_OF_MEMORY):
            return _unexpected(error, words)
        print(
            f"visuomotor: there is not enough memory ({_printable(one_line(error)) or 'MemoryError'}); try fewer "
            "worlds (--num-envs), smaller layers, images or batches",
            file=sys.stderr,
        )
        return USER_ERROR
    except Exception as error:
        return _unexpected(error, words)


def _unexpected(error: Exception, words: Sequence[str]) -> int:
    """A fault of ours, or of a user's own code."""
    from visuomotor.cli.error_log import write_error_log
    from visuomotor.registry import own_line

    log = write_error_log(words)
    text = f"{type(error).__name__}{own_line(error)}: {one_line(error)}"
    print(f"visuomotor: {_printable(text)}; {log}", file=sys.stderr)
    return INTERNAL_ERROR


def _printable(text: object) -> str:
    """Without control characters, which a file from elsewhere could send to the terminal; line breaks stay."""
    return "".join(c if c.isprintable() or c == "\n" else f"\\x{ord(c):02x}" for c in str(text))


def choose(kind: str, word: str, choices: Mapping[str, tuple[str, str]]) -> tuple[str, str]:
    """The entry of `choices` under `word`, or an error that guesses what was meant and lists what there is."""
    if word in choices:
        return choices[word]
    close = difflib.get_close_matches(word, choices, n=1)
    guess = f"; did you mean {close[0]!r}?" if close else ""
    raise VisuomotorError(listing(f"there is no {kind} {word!r}{guess}", choices))


def listing(heading: str, choices: Mapping[str, tuple[str, str]]) -> str:
    """`heading` and a line for each choice."""
    width = max(map(len, choices)) + 2
    return "\n".join([heading, "", *(f"  {name:<{width}}{help_}" for name, (_, help_) in choices.items())])
