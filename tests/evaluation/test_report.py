import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

import numpy as np
import pytest

from visuomotor.evaluation import Result, report, write_result
from visuomotor.evaluation.report import write_report
from visuomotor.figures.feature_points import draw_feature_points
from visuomotor.figures.video import write_video
from visuomotor.runs import Run


@dataclass(frozen=True)
class Badmm:
    kl_bound: float = 0.75


@dataclass(frozen=True)
class Config:
    note: str = "<script>alert(1)</script>"
    badmm: Badmm = field(default_factory=Badmm)


@pytest.fixture
def run(tmp_path) -> Run:
    return Run.create(
        tmp_path,
        algorithm="gps",
        task="hanger",
        preset="laptop",
        seed=0,
        config=Config(),
        command=["visuomotor", "train"],
    )


def filled(run: Run) -> Run:
    for i in range(4):
        run.log({"phase": "trajectories", "cost": 2.0 - 0.3 * i, "kl": 0.4, "kl_bound": 1.0})
    clip = np.zeros((4, 32, 32, 3), dtype=np.uint8)
    write_video(run.videos / "trials_training.mp4", clip)
    draw_feature_points(run.figures / "feature_points.png", clip[0], np.zeros((2, 2)))
    write_result(Result("hanger", "gps", "training", "laptop", 0, 18, 17, 3.0, "a laptop", None, "x"), run.results)
    return run


def sources(html: str) -> list[str]:
    """The values of every attribute that makes a browser load something."""
    found = []

    class Collector(HTMLParser):
        def handle_starttag(self, tag, attrs):
            found.extend(
                value for name, value in attrs if name in ("src", "href", "srcset", "data", "poster", "action")
            )

    Collector().feed(html)
    return found


def test_report_needs_nothing_beside_it(run):
    html = write_report(filled(run)).read_text()
    kinds = [source.split(",")[0] for source in sources(html)]
    assert kinds == ["data:image/png;base64", "data:video/mp4;base64", "data:image/png;base64"]
    text = re.sub(r"base64,[\w+/=]*", "", html)
    assert not re.search(r"https?:|//\w|@import|url\(|<script", text)


def test_report_tells_what_was_measured_and_how(run):
    html = write_report(filled(run)).read_text()
    for text in ("gps on hanger", "17 / 18", "94.4%", "visuomotor train", "badmm.kl_bound", "0.75", "mujoco", run.name):
        assert text in html
    assert "&lt;script&gt;" in html


def test_report_of_reinforcement_and_imitation(tmp_path):
    run = Run.create(tmp_path, algorithm="ppo-gail", task="lifting", preset="laptop", seed=0, config=Config())
    for i in range(1, 4):
        row = {"task_return": 2.0 * i, "success_rate": 0.1 * i, "stage_fraction/reached": 0.2, "time/render": 1.0}
        run.log({"phase": "ppo", "iteration": i, "control_steps": 12_800 * i, **row})
    stages = {"start": 200, "reached": 190, "lifted": 180}
    told = {"stages": stages, "mean_return": 41.25}
    write_result(
        Result("lifting", "ppo-gail", "random", "laptop", 0, 200, 170, 9.0, "a", None, "x", **told), run.results
    )
    html = write_report(run).read_text()
    for text in ("ppo-gail on lifting", "170 / 200", "85%", "41.2", "reached 95%", "random"):
        assert text in html
    assert len(sources(html)) == 1  # the curves


def test_report_of_a_run_that_has_only_begun(run):
    html = write_report(run).read_text()
    assert "Not evaluated yet" in html
    assert sources(html) == []


def test_large_video_is_named_only(run, monkeypatch):
    monkeypatch.setattr(report, "_LARGEST_VIDEO", 100)
    html = write_report(filled(run)).read_text()
    assert "videos/trials_training.mp4 is too large" in html
    assert "video/mp4" not in html


def test_files_outside_the_run_are_not_embedded(run, tmp_path):
    (tmp_path / "secret").write_bytes(b"secret")
    (run.figures / "a.png").symlink_to(tmp_path / "secret")
    (run.videos / "a.mp4").symlink_to(tmp_path / "secret")
    assert sources(write_report(run).read_text()) == []
