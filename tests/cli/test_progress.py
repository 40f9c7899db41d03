import io
import subprocess
import sys
import time

import pytest
from rich.console import Console

from visuomotor.cli import progress
from visuomotor.cli.progress import Progress


def printed(display: Progress) -> str:
    console = Console(file=io.StringIO(), width=100)
    console.print(display)
    return console.file.getvalue()  # type: ignore[attr-defined]


def row_of(text: str, title: str) -> str:
    """What stands beside a title in the table."""
    [line] = [line for line in text.splitlines() if line.startswith(f"│ {title}  ")]
    return line.removeprefix(f"│ {title}").strip(" │")


def test_log_gets_one_line_an_update(capsys):
    with Progress() as display:
        row = {"cost": 1.25, "kl": 0.5, "kl_bound": 1.0, "success": 0.75, "steps": 3000, "worst": None, "each": [1, 2]}
        display.update({"phase": "policy", "iteration": 3, **row})
        display.update({"phase": "final"})
    first, second = capsys.readouterr().out.splitlines()
    assert first == "0:00 policy 3 cost 1.25 kl 0.5 kl_bound 1 success 75% steps 3,000"
    assert second == "0:00 final"


def test_a_log_is_never_silent_for_long(monkeypatch, capsys):
    monkeypatch.setattr(progress, "_SILENCE", 0.05)
    with Progress() as display:
        display.update({"phase": "policy", "iteration": 1, "iterations": 3})
        for _ in range(200):
            time.sleep(0.05)
            if (printed := capsys.readouterr().out).endswith("0:00 policy 1/3: still at work\n"):
                break
        else:
            pytest.fail(f"nothing was said: {printed!r}")
    capsys.readouterr()
    time.sleep(0.3)
    assert capsys.readouterr().out == ""


def test_all_processes_of_a_job_but_one_are_quiet(monkeypatch, capsys):
    monkeypatch.setattr(progress, "_SILENCE", 0.01)
    with Progress(quiet=True) as display:
        display.update({"phase": "policy"})
        time.sleep(0.1)
    assert capsys.readouterr().out == ""


@pytest.fixture
def now(monkeypatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_time_left_follows_from_the_pace_since_the_first_fraction(now, capsys):
    display = Progress()
    now[0] += 60
    display.update({"phase": "a"})
    display.update({"phase": "b", "fraction": 0.25})
    now[0] += 30
    display.update({"phase": "b", "fraction": 0.5})
    assert capsys.readouterr().out.splitlines() == ["1:00 a", "1:00 b", "1:30 (1:00 left) b"]


def test_a_phase_that_knows_its_length_only_has_its_own_time_left(now, capsys):
    display = Progress()
    for phase, iteration in (("a", 10), ("a", 20), ("b", 1), ("b", 3)):
        display.update({"phase": phase, "iteration": iteration, "iterations": 50 if phase == "a" else 5})
        now[0] += 20
    lines = ["0:00 a 10/50", "0:20 (1:00 left of this phase) a 20/50", "0:40 b 1/5"]
    lines += ["1:00 (0:20 left of this phase) b 3/5"]
    assert capsys.readouterr().out.splitlines() == lines


def test_the_time_left_counts_down_between_rows_and_ends_with_the_phase(now, capsys):
    display = Progress()
    for iteration in (1, 2, 4):
        display.update({"phase": "a", "iteration": iteration, "iterations": 4})
        now[0] += 10
        capsys.readouterr()
        if iteration == 2:
            assert display.line() == "0:20 (0:10 left of this phase) a 2/4"
            now[0] += 20
            assert display.line() == "0:40 a 2/4"
    assert display.line() == "0:50 a 4/4"


def test_what_is_shown_is_how_many_iterations_are_done(now, capsys):
    """Also where rows have the index of the step, as those of gps."""
    display = Progress(first_iteration=0)
    for phase, iteration, iterations in (("trajectories", 0, 2), ("trajectories", 1, 2), ("policy", 0, 1)):
        row = {"phase": phase, "iteration": iteration, "iterations": iterations}
        display.update(row)
        assert row["iteration"] == iteration  # the row itself is what metrics.jsonl gets
        now[0] += 10
    lines = ["0:00 trajectories 1/2", "0:10 trajectories 2/2", "0:20 policy 1/1"]
    assert capsys.readouterr().out.splitlines() == lines


def test_terminal_gets_a_table():
    display = Progress()
    row = {"predicted_improvement": 2.0, "actual_improvement": 1.5, "policy_kl": 0.3, "my_own": 7}
    display.update({"phase": "policy", "iteration": 3, **row})
    text = printed(display)
    assert "policy 3" in text
    assert row_of(text, "improvement of the cost") == "predicted 2, actual 1.5"
    assert row_of(text, "KL divergence trajectory to policy") == "0.3"
    assert row_of(text, "my own") == "7"
    assert row_of(text, "time") == "0:00"


def test_a_metric_whose_group_has_others_is_called_by_its_name_also_alone():
    display = Progress()
    display.update({"phase": "policy", "policy_success": 0.5})
    assert row_of(printed(display), "success rate") == "policy 50%"


def test_the_table_of_ppo_gail_fits_a_small_terminal():
    stages = ("start", "reached", "lifted", "stacked")
    row = {f"stage_fraction/{name}": 0.25 for name in stages} | {f"advance_rate/{name}": 0.5 for name in stages}
    row |= {"time/env_step": 1.0, "time/render": 3.0, "control_steps": 24_000_000, "fraction": 0.1}
    row |= dict.fromkeys(("discriminator_loss", "discriminator_penalty", "discriminator_mean/demo"), 0.5)
    row |= {"discriminator_mean/policy": 0.4, "discriminator_accuracy/demo": 0.9, "discriminator_accuracy/policy": 0.8}
    row |= {"success_rate": 0.5, "task_return": 10.0, "demo_return": 20.0, "imitation_return": 5.0, "kl": 0.1}
    row |= dict.fromkeys(("surrogate", "gradient_norm", "clip_fraction", "entropy", "noise_std", "value_loss"), 0.1)
    row |= dict.fromkeys(("object_position_error_m", "sps", "kl_coefficient", "num_diverged", "task_reward"), 0.1)
    display = Progress()
    display.update({"phase": "ppo", "iteration": 3, "elapsed_seconds": 0.1, **row})
    text = printed(display)
    assert len(text.splitlines()) <= 24
    assert row_of(text, "time of an iteration (s)") == "env_step 25%, render 75%"
    assert row_of(text, "steps by stage").startswith("start 25%, reached 25%")
    assert row_of(text, "discriminator accuracy") == "demonstrations 90%, policy 80%"
    assert row_of(text, "return from a random start") == "task 10, demonstrations 20, imitation 5"
    assert row_of(text, "control steps") == "24,000,000"
    assert "surrogate" not in text


def test_training_goes_on_when_nobody_reads_its_log(tmp_path):
    """As under `train ... | head -1`: the reader is gone before the second line."""
    code = """
from visuomotor.cli.progress import Progress
with Progress() as display:
    for iteration in range(3):
        display.update({"phase": "policy", "iteration": iteration})
        if iteration == 0:
            input()
open("done", "w").close()
"""
    command = [sys.executable, "-c", code]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=tmp_path, text=True, **pipes) as process:
        assert process.stdout.readline().endswith("policy 0\n")
        process.stdout.close()
        process.stdin.write("\n")
        process.stdin.close()
        assert process.wait(60) == 0
        assert process.stderr.read() == "visuomotor: nobody reads the output any more; training goes on\n"
    assert (tmp_path / "done").exists()


def test_a_closed_output_is_no_terminal(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    with Progress() as display:
        display.update({"phase": "policy"})
