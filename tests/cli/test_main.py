import os
import subprocess
import sys
import tempfile
import types
import warnings

import pytest

import visuomotor
import visuomotor.cli
from visuomotor.cli import VERBS, main
from visuomotor.errors import VisuomotorError


def modules_after(arguments: list[str]) -> set[str]:
    """What a fresh interpreter has imported after `visuomotor *arguments`."""
    code = (
        "import sys; from visuomotor.cli import main; main(sys.argv[1:]); print(' '.join(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["train", "--help"]])
def test_help_imports_nothing_heavy(arguments):
    assert not modules_after(arguments) & {"torch", "numpy", "mujoco", "numba", "matplotlib", "rich.live"}


def test_the_package_itself_imports_nothing_heavy():
    code = "import sys, visuomotor; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & {"torch", "numpy", "mujoco", "numba", "tyro", "rich"}


@pytest.mark.parametrize("name", visuomotor.__all__)
def test_public_names_are_there_when_asked_for(name):
    assert callable(getattr(visuomotor, name))
    assert name in dir(visuomotor)


def test_an_environment_by_the_public_function():
    env = visuomotor.make_env("lifting", 2, seed=3, image_size=24, observations=["proprioception"])
    assert env.render().shape == (2, 24, 24, 3)
    again = visuomotor.make_env(env.task, 2, seed=3, image_size=24)
    assert again.render().equal(env.render())


def test_what_is_not_public_is_no_attribute():
    with pytest.raises(AttributeError, match="no attribute 'make_coffee'"):
        _ = visuomotor.make_coffee


def test_help_lists_every_verb(capsys):
    assert main(["--help"]) == 0
    printed = capsys.readouterr().out
    for verb in VERBS:
        assert f"  {verb}" in printed


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb, capsys):
    try:
        code = main([verb, "--help"])
    except SystemExit as stop:  # tyro leaves this way
        code = stop.code
    assert code == 0
    assert f"visuomotor {verb}" in capsys.readouterr().out


def test_unknown_verb_is_guessed_and_all_are_listed(capsys):
    assert main(["evalute"]) == 2
    message = capsys.readouterr().err
    assert "did you mean 'evaluate'?" in message
    for verb in VERBS:
        assert f"  {verb}" in message


def verb_that(monkeypatch, effect) -> None:
    module = types.ModuleType("a_verb")
    module.run = effect  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "a_verb", module)
    monkeypatch.setitem(visuomotor.cli.VERBS, "act", ("a_verb", "for the test"))


def raising(error):
    def run(_):
        raise error

    return run


def test_errors_of_the_user_are_told_without_a_traceback(monkeypatch, capsys):
    verb_that(monkeypatch, raising(VisuomotorError("do this instead")))
    assert main(["act"]) == 2
    assert capsys.readouterr().err == "visuomotor: do this instead\n"


def test_a_path_that_no_disk_can_have_is_told(capsys):
    assert main(["demos", "info", "x" * 5000]) == 2
    assert capsys.readouterr().err.endswith("File name too long; name another one\n")


def test_control_characters_do_not_reach_the_terminal(monkeypatch, capsys):
    verb_that(monkeypatch, raising(VisuomotorError("red \x1b[31m and\nnext")))
    main(["act"])
    assert capsys.readouterr().err == "visuomotor: red \\x1b[31m and\nnext\n"


def test_interrupt(monkeypatch):
    verb_that(monkeypatch, raising(KeyboardInterrupt()))
    assert main(["act"]) == 130


def test_our_own_bugs_are_one_line_and_a_log_to_attach_to_a_report(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    verb_that(monkeypatch, raising(ZeroDivisionError("by\nzero")))
    assert main(["act", "two words"]) == 70
    [log] = tmp_path.iterdir()
    told = f"visuomotor: ZeroDivisionError: by zero; the traceback is in {log}: attach it to a report\n"
    assert capsys.readouterr().err == told
    text = log.read_text()
    assert "visuomotor act 'two words'" in text
    assert f"visuomotor {visuomotor.__version__}" in text
    assert "raise error\nZeroDivisionError: by\nzero" in text


def test_where_no_log_can_be_written_the_traceback_is_shown(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent"))
    verb_that(monkeypatch, raising(ZeroDivisionError()))
    assert main(["act"]) == 70
    printed = capsys.readouterr().err
    assert "Traceback (most recent call last)" in printed
    assert "visuomotor: ZeroDivisionError: ; the traceback is above: attach it to a report" in printed


def test_warnings_are_one_line(monkeypatch, capsys):
    verb_that(monkeypatch, lambda words: warnings.warn("mind this", stacklevel=1))
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = _shown
        assert main(["act"]) == 0
    assert capsys.readouterr().err == "visuomotor: mind this\n"


def _shown(message, category, filename, lineno, file=None, line=None):
    """As Python does it, which pytest replaces."""
    sys.stderr.write(warnings.formatwarning(message, category, filename, lineno, line))


def test_verbs_get_the_words_after_them_and_give_the_exit_code(monkeypatch):
    seen = []
    verb_that(monkeypatch, lambda words: seen.append(words) or 1)
    assert main(["act", "a", "--b"]) == 1
    assert seen == [["a", "--b"]]


def test_exit_code_reaches_the_shell():
    done = subprocess.run(
        [sys.executable, "-m", "visuomotor", "report", "/no/such/run"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("visuomotor: there is no run folder /no/such/run")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("CUDA out of memory. Tried to allocate 40 GiB"),
    ],
)
def test_too_little_memory_is_the_users_to_mend(monkeypatch, capsys, error):
    verb_that(monkeypatch, raising(error))
    assert main(["act"]) == 2
    assert "there is not enough memory" in (printed := capsys.readouterr().err)
    assert "try fewer worlds (--num-envs)" in printed


def test_another_runtime_error_is_ours(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    verb_that(monkeypatch, raising(RuntimeError("mat1 and mat2 shapes cannot be multiplied")))
    assert main(["act"]) == 70


def test_a_file_that_nobody_named_comes_with_a_log(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    verb_that(monkeypatch, raising(PermissionError(13, "Permission denied", "/usr/bin/thing")))
    assert main(["act"]) == 2
    [log] = tmp_path.iterdir()
    told = f"/usr/bin/thing: Permission denied; if this file is none of yours, the traceback is in {log}: attach it"
    assert told in capsys.readouterr().err


def test_words_that_are_no_unicode(monkeypatch, capsys, tmp_path):
    """As the shell gives them where a name is of another encoding."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    verb_that(monkeypatch, raising(ZeroDivisionError("caf\udce9")))
    assert main(["act", "caf\udce9"]) == 70
    [log] = tmp_path.iterdir()
    assert "visuomotor act 'caf\\udce9'" in log.read_text()
    assert "ZeroDivisionError: caf\\xdce9" in capsys.readouterr().err


def test_letters_that_the_terminal_does_not_know():
    code = "from visuomotor.cli import main; raise SystemExit(main(['report', 'caf\u00e9']))"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONIOENCODING": "ascii"}, capture_output=True, check=False
    )
    assert done.returncode == 2
    assert b"caf\\xe9" in done.stderr
