import pytest

from visuomotor.cli import doctor, main
from visuomotor.cli.doctor import Finding

CHECKS = ("_versions", "_threads", "_cuda", "_physics", "_camera", "_numba_cache", "_disk")


@pytest.fixture
def healthy(monkeypatch):
    for name in CHECKS:
        monkeypatch.setattr(doctor, name, lambda *_: Finding("well"))


def test_healthy_machine(healthy, capsys):
    assert main(["doctor"]) == 0
    assert capsys.readouterr().out.count("ok  ") == len(CHECKS)


def test_failing_need_tells_the_fix_and_fails(healthy, monkeypatch, capsys):
    def broken():
        raise ImportError("no module named torch")

    monkeypatch.setattr(doctor, "_physics", broken)
    assert main(["doctor"]) == 1
    printed = capsys.readouterr().out
    assert "FAIL  physics      ImportError: no module named torch" in printed
    assert "fix: pip install" in printed


def test_what_training_can_do_without_is_only_noted(healthy, monkeypatch, capsys):
    monkeypatch.setattr(doctor, "_numba_cache", lambda: Finding("read-only", "set NUMBA_CACHE_DIR", needed=False))
    assert main(["doctor"]) == 0
    assert "fix: set NUMBA_CACHE_DIR" in capsys.readouterr().out


def test_full_disk_is_found(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1e8}))
    assert "free some space" in doctor._disk(tmp_path).fix


def test_this_machine_steps_physics():
    assert "one step of the hanger task" in doctor._physics().text


def test_a_folder_for_runs_that_is_not_there_yet_is_on_its_parent_s_disk(tmp_path):
    assert "GB free" in str(doctor._disk(tmp_path / "not" / "yet"))
