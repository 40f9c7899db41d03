import io

import pytest
from rich.console import Console

from visuomotor.cli import progress
from visuomotor.cli.progress import Progress


def printed(shown: Progress) -> str:
    console = Console(file=io.StringIO(), width=100)
    console.print(shown)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_log_gets_one_line_an_update(capsys):
    with Progress() as shown:
        shown.update(phase="badmm", iteration=3, cost=1.25, kl=0.5, kl_bound=1.0, success=0.75, steps=3000, worst=None)
        shown.update(phase="final")
    first, second = capsys.readouterr().out.splitlines()
    assert first == "0:00 badmm 3 cost 1.25 kl 0.5 kl_bound 1 success 75% steps 3,000"
    assert second == "0:00 final"


@pytest.fixture
def now(monkeypatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_time_left_follows_from_the_pace_since_the_first_fraction(now, capsys):
    shown = Progress()
    now[0] += 60
    shown.update(phase="a")
    shown.update(phase="b", fraction=0.25)
    now[0] += 30
    shown.update(phase="b", fraction=0.5)
    assert capsys.readouterr().out.splitlines() == ["1:00 a", "1:00 b", "1:30 (1:00 left) b"]


def test_a_phase_that_knows_its_length_only_has_its_own_time_left(now, capsys):
    shown = Progress()
    for phase, iteration in (("a", 10), ("a", 20), ("b", 1), ("b", 3)):
        shown.update(phase=phase, iteration=iteration, iterations=50 if phase == "a" else 5)
        now[0] += 20
    lines = ["0:00 a 10/50", "0:20 (1:00 left of this phase) a 20/50", "0:40 b 1/5"]
    lines += ["1:00 (0:20 left of this phase) b 3/5"]
    assert capsys.readouterr().out.splitlines() == lines


def test_terminal_gets_a_table():
    shown = Progress()
    shown.update(phase="badmm", iteration=3, predicted_improvement=2.0, actual_improvement=1.5, policy_kl=0.3)
    for text in ("badmm 3", "improvement predicted", "2 (actual 1.5)", "KL policy to trajectory", "time"):
        assert text in printed(shown)


def test_the_table_of_reinforcement_fits_a_small_terminal():
    stages = ("start", "reached", "lifted", "stacked")
    row = {f"stage_{name}": 0.25 for name in stages} | {f"curriculum_{name}": 0.5 for name in stages}
    row |= {"seconds_physics": 1.0, "seconds_pixels": 3.0, "control_steps": 24_000_000, "fraction": 0.1}
    row |= {f"discriminator_{name}": 0.5 for name in ("loss", "penalty", "demonstration_mean", "policy_mean")}
    row |= {"discriminator_demonstration_accuracy": 0.9, "discriminator_policy_accuracy": 0.8}
    row |= {"success_random": 0.5, "task_return": 10.0, "human_return": 20.0, "imitation_return": 5.0, "kl": 0.1}
    row |= dict.fromkeys(
        ("surrogate", "gradient_norm", "clip_fraction", "entropy", "noise_std", "auxiliary_error", "value_loss"), 0.1
    )
    row |= dict.fromkeys(("steps_per_second", "kl_coefficient", "divergences", "elapsed_seconds", "task_reward"), 0.1)
    shown = Progress()
    shown.update(phase="ppo", iteration=3, **row)
    text = printed(shown)
    assert len(text.splitlines()) <= 24
    for part in ("physics 25%, pixels 75%", "start 25%, reached 25%", "90% (policy 80%)", "10 (demonstrations 20)"):
        assert part in text
    assert "24,000,000" in text
