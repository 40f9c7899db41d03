"""Figures of finished runs, and what is kept of these among the results."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from finished_runs import log_run, opened

from visuomotor.algorithms.gps import Gps
from visuomotor.errors import VisuomotorError
from visuomotor.reproduction.feature_figures import FeatureFigure, _in_image
from visuomotor.reproduction.learning_figures import LearningFigure
from visuomotor.reproduction.levine2015 import PARTS
from visuomotor.reproduction.success_table import TASKS
from visuomotor.reproduction.training import Training


def test_scenes_are_drawn_without_any_run(where, tmp_path):
    assert not list(PARTS["figure 4"].missing(where))
    assert PARTS["figure 4"].write(where, tmp_path / "docs" / "page.md") == (
        "![Starts of the split visual](figures/scenes_visual.png)"
    )
    assert (where.figures / "scenes_visual.png").stat().st_size > 10_000


VIEWS = {
    "images": np.full((4, 32, 32, 3), 90, np.uint8),
    "policy": np.zeros((4, 3, 2), np.float32),
    "pose": np.ones((4, 3, 2), np.float32),
    "responses": np.eye(5, dtype=np.float16)[None].repeat(4, 0),
    "algorithm_version": np.array(Gps.version),
}


def test_views_of_finished_runs_are_kept_among_the_results(where, tmp_path, monkeypatch):
    """And drawn from there without the run."""
    page, figure = tmp_path / "docs" / "page.md", FeatureFigure(("cube",))
    assert figure.write(where, page) == "The cube: missing."
    assert [command[2] for command in figure.missing(where)] == ["cube"]
    monkeypatch.setattr(Training, "finished", lambda self, where, seed: "a run")
    monkeypatch.setattr("visuomotor.reproduction.feature_figures._look", lambda task, run: VIEWS)
    assert not list(figure.missing(where))
    first = figure.write(replace(where, keep=False), page)
    assert not where.results.exists()
    assert figure.write(where, page) == first
    monkeypatch.undo()
    assert not list(figure.missing(where))
    (where.figures / "responses_cube.png").unlink()
    assert figure.write(where, page) == first
    assert (where.figures / "responses_cube.png").is_file()
    (where.results / "levine2015-views-cube.npz").write_bytes(b"PK")
    with pytest.raises(VisuomotorError, match=r"levine2015-views-cube.npz cannot be read .*; delete it"):
        figure.write(where, page)
    np.savez(where.results / "levine2015-views-cube.npz", **(VIEWS | {"policy": np.zeros(3)}))
    with pytest.raises(VisuomotorError, match=r"other shapes.*; delete it"):
        figure.write(where, page)
    older = VIEWS | {"algorithm_version": np.array(Gps.version - 1)}
    np.savez(where.results / "levine2015-views-cube.npz", **older)
    monkeypatch.setattr(Training, "finished", lambda self, where, seed: "a run")
    monkeypatch.setattr("visuomotor.reproduction.feature_figures._look", lambda task, run: VIEWS)
    told = f"views-cube.npz was measured with algorithm_version {Gps.version - 1}, and {Gps.version} is needed; move it"
    for use in (lambda: figure.write(where, page), lambda: list(figure.missing(where))):
        with pytest.raises(VisuomotorError, match=told):
            use()
    with np.load(where.results / "levine2015-views-cube.npz") as kept:
        assert kept["algorithm_version"] == Gps.version - 1


def test_maps_are_drawn_where_they_are_in_the_image():
    """An image of 32 pixels has maps of 5; the first is centred on pixel 11, the next one on pixel 13."""
    placed = _in_image(torch.arange(25.0).view(5, 5), np.zeros((32, 32, 3)))
    assert placed[11, 11] == 0
    assert placed[11, 13] == 1
    assert placed[19, 11] == 20
    assert np.isnan(placed).sum() == 32**2 - 10**2


def test_learning_curves_of_finished_runs_are_kept_among_the_results(where, tmp_path, monkeypatch):
    page, figure = tmp_path / "docs" / "page.md", LearningFigure()
    every = "Missing (task and seed): hanger 0, cube 0, hammer 0, bottle 0."
    assert figure.write(where, page) == every
    log_run(where, "cube", (0.0, 0.5, 1.0))
    assert figure.write(where, page) == every  # it is not finished
    monkeypatch.setattr(Training, "finished", lambda self, where, seed: opened(self.run(where, seed)))
    text = figure.write(replace(where, keep=False), page)
    assert not where.results.exists()
    assert figure.write(where, page) == text
    assert text.startswith("![Success against iterations](figures/learning.png)\n\n")
    assert text.endswith("Missing (task and seed): hanger 0, hammer 0, bottle 0.")
    monkeypatch.undo()
    shutil.rmtree(where.root)
    (where.figures / "learning.png").unlink()
    assert figure.write(where, page) == text
    assert (where.figures / "learning.png").is_file()
    assert [command[2] for command in figure.missing(where)] == [task for task in TASKS if task != "cube"]
    assert len(list(figure.missing(replace(where, seeds=2)))) == 7
    kept = where.results / "levine2015-learning.json"
    content = json.loads(kept.read_text())
    assert content["curves"]["cube"] == {"0": [{"success": success} for success in (0.0, 0.5, 1.0)]}
    for value in ("7", "NaN", "-0.1"):
        curves = f'{{"cube": {{"0": [{{"success": {value}}}]}}}}'
        kept.write_text(f'{{"algorithm_version": {Gps.version}, "curves": {curves}}}')
        with pytest.raises(VisuomotorError, match=r"learning\.json cannot be read .* holds no success rates"):
            figure.write(where, page)
    older = json.dumps(content | {"algorithm_version": Gps.version - 1})
    kept.write_text(older)
    log_run(where, "hammer", (0.5,))
    monkeypatch.setattr(Training, "finished", lambda self, where, seed: opened(self.run(where, seed)))
    for use in (lambda: figure.write(where, page), lambda: list(figure.missing(where))):
        with pytest.raises(
            VisuomotorError, match=rf"learning\.json was measured with algorithm_version {Gps.version - 1}"
        ):
            use()
    assert kept.read_text() == older
