import io

from rich.console import Console

from visuomotor.cli import progress
from visuomotor.cli.progress import Progress


def test_log_gets_one_line_an_update(capsys):
    with Progress() as shown:
        shown.update(
            phase="badmm", iteration=3, iterations=10, cost=1.25, kl=0.5, kl_bound=1.0, success=0.75, worst=None
        )
        shown.update(phase="final")
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith("badmm 3/10 cost 1.25 kl 0.5 / 1 success 75%")
    assert second.endswith("final")


def test_time_left_follows_from_the_pace_since_the_first_fraction(monkeypatch, capsys):
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    shown = Progress(total_seconds_estimate=200)
    now[0] += 60
    shown.update(phase="a")
    shown.update(phase="b", fraction=0.25)
    now[0] += 30
    shown.update(phase="b", fraction=0.5)
    now[0] += 3600
    shown.update(phase="c")
    lines = ["1:00 (2:20 left) a", "1:00 (2:20 left) b", "1:30 (1:00 left) b", "1:01:30 (0:00 left) c"]
    assert capsys.readouterr().out.splitlines() == lines


def test_terminal_gets_a_table():
    shown = Progress()
    shown.update(phase="badmm", iteration=3, predicted_improvement=2.0, actual_improvement=1.5, policy_kl=0.3)
    console = Console(file=io.StringIO(), width=80)
    console.print(shown)
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    for text in ("badmm 3", "improvement predicted / actual", "2 / 1.5", "KL policy to trajectory", "left, about"):
        assert text in printed
