"""The page of a paper says what was measured, what is missing, and how it is measured."""

import inspect
import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from visuomotor.algorithms.gps import PRESETS, Gps, GpsConfig
from visuomotor.algorithms.ppo_gail import PpoGailConfig
from visuomotor.algorithms.trajectory_search.grids import GRIDS, points
from visuomotor.cli import bench_target_shifts, main
from visuomotor.cli.bench_policy_search import changed
from visuomotor.cli.bench_pose import bench_pose
from visuomotor.errors import VisuomotorError
from visuomotor.evaluation import Result, write_result
from visuomotor.evaluation.evaluate import run_settings
from visuomotor.figures.png import write_png
from visuomotor.policies.policy import FILE_NAME
from visuomotor.policies.pose_architectures import POSE_ARCHITECTURES
from visuomotor.reproduction import Where
from visuomotor.reproduction.feature_figures import FeatureFigure, _in_image
from visuomotor.reproduction.learning_figures import LearningFigure
from visuomotor.reproduction.levine2015 import PARTS
from visuomotor.reproduction.policy_search_figure import EPISODES, PolicySearchFigure
from visuomotor.reproduction.pose_table import PoseTable
from visuomotor.reproduction.success_table import TASKS, SuccessTable, trained
from visuomotor.reproduction.target_shift_table import NOISES, SHIFTS, TargetShiftTable
from visuomotor.reproduction.training import SPLITS, Training
from visuomotor.reproduction.training_tables import augmentation, paper_size, rough_pose
from visuomotor.runs import Run, config_from_dict, config_to_dict

RESULT = Result(
    "hanger", "gps", "training", "laptop", 0, 100, 98, 3.0, "a laptop", None, "x", algorithm_version=Gps.version
)


@pytest.fixture
def where(tmp_path):
    return Where(1, 100, tmp_path / "runs", tmp_path / "results", tmp_path / "docs" / "figures")


def measured(where, **changes):
    write_result(replace(RESULT, **changes), where.results)


def test_the_first_table_holds_results_of_its_own_cell_only(where, tmp_path):
    measured(where, successes=50)
    measured(where, seed=1, successes=90)
    measured(where, seed=2, successes=70)  # more seeds than are asked for
    measured(where, successes=98)
    measured(where, split="spatial", algorithm_version=Gps.version - 1)
    where = replace(where, seeds=2)
    measured(where, split="visual", settings="vision pose-features", successes=50)
    measured(where, split="visual", settings="vision pose-features, num_conditions 9", successes=1)  # another policy
    measured(where, split="spatial", preset="paper", successes=2)
    lines = SuccessTable().write(where, tmp_path / "docs" / "page.md").splitlines()
    rows = {tuple(cell.strip() for cell in line.split("|")[1:3]): line for line in lines}
    assert len(rows) >= 12
    assert rows["hanger", "end to end"].split("|")[3].strip() == "0, 1"
    assert rows["hanger", "end to end"].split("|")[4].strip() == "94.0% (90 to 97); paper 100.0%"
    assert rows["hanger", "end to end"].split("|")[5].strip() == "missing; paper 100.0%"
    assert rows["hanger", "pose features"].split("|")[3].strip() == "0"
    assert rows["hanger", "pose features"].split("|")[6].strip() == "50.0% (40 to 60); paper 83.3%"
    assert rows["bottle", "pose prediction"].split("|")[3:8] == ["  ", *[" missing "] * 4]


def test_what_is_missing_of_the_first_table_is_trained_and_evaluated(where):
    """The hanger's end to end lacks one split; its run is there, so it is resumed."""
    for split in SPLITS[:3]:
        measured(where, split=split)
    run = log_run(where, "hanger", ()).path
    commands = list(SuccessTable().missing(where))
    assert commands[0] == ["train", "gps", "--resume", str(run)]
    assert commands[1] == [
        *("evaluate", str(run), "--split", "background", "--trials", "100", "--results", str(where.results))
    ]
    assert commands[2][:5] == ["train", "gps", "hanger", "--vision", "pose-features"]
    assert len(commands) == 2 + (3 * len(TASKS) - 1) * (1 + len(SPLITS))


def test_results_of_another_version_are_not_overwritten(where):
    measured(where, split="spatial", algorithm_version=Gps.version - 1)
    told = rf"split spatial, seed 0, of version {Gps.version - 1} of gps, which is now {Gps.version}; move it away"
    with pytest.raises(VisuomotorError, match=told):
        next(SuccessTable().missing(where))
    assert next(trained("hanger", "end-to-end").missing(where, 1))[:2] == ["train", "gps"]  # another seed


def test_few_trials_are_measured_again(where):
    for split in SPLITS:
        measured(where, split=split, trials=50, successes=49)
    assert next(SuccessTable().missing(where))[:3] == ["train", "gps", "hanger"]
    enough = replace(where, trials=50)
    assert next(SuccessTable().missing(enough))[4] == "pose-features"


def test_the_second_table(where, tmp_path):
    page = tmp_path / "docs" / "page.md"
    commands = list(PoseTable().missing(where))
    assert [command[command.index("--methods") + 1] for command in commands] == list(POSE_ARCHITECTURES)
    assert PoseTable().write(where, page).count("missing") == 4 * len(POSE_ARCHITECTURES)
    network = {"parameters": 1234, "learning_rate": 1e-3, "training_cm": 0.5, "training_deviation_cm": 0.25}
    network |= {"test_cm": 0.75, "test_deviation_cm": 0.375}
    where.results.mkdir()
    for count, name in enumerate(POSE_ARCHITECTURES):
        assert len(list(PoseTable().missing(where))) == 4 - count
        content = {"networks": {name: network}, "seeds": [0], "task": "hanger", "size": 96, "images": 1000}
        path = where.results / f"bench-pose-hanger-96-{name}.json"
        path.write_text(json.dumps(content | {"test_images": 500}))
    assert not list(PoseTable().missing(where))
    assert len(list(PoseTable().missing(replace(where, seeds=2)))) == 4
    text = PoseTable().write(where, page)
    first = "| softmax, feature points | 1,234 | 0.001 | 0.50 +- 0.25 | 1.14 +- 1.67 | 0.75 +- 0.38 | 1.30 +- 0.73 |"
    assert first in text
    assert "missing" not in text
    assert text.count("1,000 images to train on") == 1  # once for networks that were measured alike
    path.write_text(json.dumps(content | {"test_images": 500, "images": 100}))
    for use in (lambda: PoseTable().write(where, page), lambda: list(PoseTable().missing(where))):
        with pytest.raises(VisuomotorError, match=r"measured with images 100, and 1000 is needed; move it away"):
            use()
    defaults = inspect.signature(bench_pose).parameters
    assert [defaults[name].default for name in ("images", "test_images")] == [1000, 500]


def test_controllers_with_targets_elsewhere(where, tmp_path):
    page = tmp_path / "docs" / "page.md"
    commands = list(TargetShiftTable().missing(where))
    assert [command[3] for command in commands] == ["cube", "ring", "brick", "bottle", "wheel"]
    assert TargetShiftTable().write(where, page).count("missing") == 5 * 6
    seeds = {"0": {"episodes_to_solve": 20}, "1": {"episodes_to_solve": None}}
    found = {"success": [1.0, 0.875, 0.5, 0.0], "by_seed": seeds}
    where.results.mkdir()
    for task in ("ring", "cube"):
        content = {"task": task, "shifts": list(SHIFTS), "noises": {f"{noise:g}": found for noise in NOISES}}
        path = where.results / f"bench-target-shifts-{task}-seeds0-0.json"
        path.write_text(json.dumps(content))
    assert [command[3] for command in TargetShiftTable().missing(where)] == ["brick", "bottle", "wheel"]
    assert len(list(TargetShiftTable().missing(replace(where, seeds=2)))) == 5
    lines = TargetShiftTable().write(where, page).splitlines()
    assert "| ring | 1 cm | 20, - | 100% | 88% | 50% | 0% |" in lines
    for changes, told in (
        (
            {"shifts": [0.0, 0.05, 0.1, 0.2]},
            r"cube-seeds0-0\.json was measured with shifts .m. \[0.0, 0.05, 0.1, 0.2\]",
        ),
        ({"noises": {"0": found}}, r"measured with noises .m. \[0.0\], and \[0.0, 0.01, 0.02\] is needed"),
        ({"task": "ring"}, "measured with task ring, and cube is needed"),
    ):
        path.write_text(json.dumps(content | changes))
        for use in (lambda: TargetShiftTable().write(where, page), lambda: list(TargetShiftTable().missing(where))):
            with pytest.raises(VisuomotorError, match=told):
                use()


def test_the_bench_measures_the_shifts_of_the_table():
    assert (bench_target_shifts.NOISES, bench_target_shifts.SHIFTS) == (NOISES, SHIFTS)


def test_policy_searches_are_tuned_and_then_compared(where, tmp_path):
    assert set(EPISODES) == set(GRIDS)
    figure, page = PolicySearchFigure(), tmp_path / "docs" / "page.md"
    commands = list(figure.missing(where))
    assert len(commands) == 2 * 3 * len(GRIDS)
    tune, compare = commands[2 * list(EPISODES).index("cem")], commands[2 * list(EPISODES).index("cem") + 1]
    assert tune[2:6] == ["--task", "insertion2d", "--methods", "cem"]
    assert tune[-1] == "--tune"
    file = str(where.results / "tuning-policy-search-insertion2d-cem.json")
    assert compare[-4:] == ["--seeds", "5", "--tuned", file]
    assert figure.write(where, page).startswith("Missing.")
    where.results.mkdir()
    best = points("cem")[3]
    tuning = {"episodes": 600, "best": {"cem": best}, "points": {"cem": [{"settings": p} for p in points("cem")]}}
    Path(file).write_text(json.dumps(tuning))
    curves = {"episodes": [5, 10], "policy_cost": [3.0, 2.0], "policy_success": [0.0, 1.0]}
    curves |= {"policy_distance_m": [0.3, 0.1], "episodes_to_solve": 10, "seconds": 1.0}
    each = {"settings": best, "by_seed": {"0": curves, "1": curves | {"episodes_to_solve": None}}}
    content = {"task": "insertion2d", "episodes": 600, "median_episodes_to_solve": {"cem": None}}
    content |= {"methods": {"cem": each}}
    path = where.results / "bench-policy-search-insertion2d-cem-seeds0-4.json"
    path.write_text(json.dumps(content))
    assert list(figure.missing(where)) == [command for command in commands if command not in (tune, compare)]
    lines = figure.write(where, page).splitlines()
    assert lines[0].endswith("(figures/policy_search.png)")
    settings = "samples 10, initial_std 0.3, policy.knots 20, elite_fraction 0.25"
    assert f"| insertion2d | cem | not in 600 | 10, - | {settings} |" in lines
    others = [content | {"episodes": 300}, content | {"methods": {"cem": each | {"settings": {}}}}]
    for other in others:  # of other settings, or of fewer episodes
        path.write_text(json.dumps(other))
        assert compare in list(figure.missing(where))
        assert figure.write(where, page).startswith("Missing.")
    path.write_text(json.dumps(content))
    for other in (
        tuning | {"episodes": 200},
        tuning | {"points": {"cem": tuning["points"]["cem"][1:]}},
    ):  # another grid
        Path(file).write_text(json.dumps(other))
        assert list(figure.missing(where)) == commands


def test_rows_of_trainings_are_of_seed_0(where, tmp_path):
    table = paper_size()
    measured(where, split="visual", training_seconds=600.0)
    measured(where, split="visual", training_seconds=6000.0, preset="paper", successes=50)
    measured(where, split="visual", training_seconds=60.0, successes=1, seed=1)
    lines = table.write(where, tmp_path / "docs" / "page.md").splitlines()
    assert lines[2] == "| hanger | laptop, 64x64 | missing | missing | 98.0% (93 to 99) | missing | 10 min |"
    assert lines[3] == "| hanger | paper, 240x240 | missing | missing | 50.0% (40 to 60) | missing | 100 min |"
    trainings = [command for command in table.missing(where) if command[0] == "train"]
    assert trainings[1][:5] == ["train", "gps", "hanger", "--preset", "paper"]


def test_results_are_found_by_the_settings_that_evaluation_writes(where, capsys):
    """Their names and order, and the options that set them."""
    with pytest.raises(SystemExit):
        main(["train", "gps", "hanger", "--help"])
    known = capsys.readouterr().out
    policies = [trained("cube", vision) for vision in ("end-to-end", "pose-features", "pose-prediction")]
    rows = [*augmentation().rows, *rough_pose().rows]
    for i, training in enumerate([*policies, *(training for _, training in rows)]):
        config = changed(config_to_dict(PRESETS[training.preset]), dict(training.settings))
        config = config_from_dict(GpsConfig, config)
        run = Run.create(where.root, algorithm="gps", task="cube", preset="laptop", seed=0, config=config, name=str(i))
        settings = ", ".join(run_settings(run, PRESETS))
        run.close()
        assert training.results([replace(RESULT, task=training.task, settings=settings)])
        assert all(option in known for option in training.train(where, 0) if option.startswith("--"))
        assert len(training.train(where, 0)) >= 9 + len(training.settings)
    names = [training.run(where, 0).name for _, training in rows]
    assert len(set(names)) == len(names) == 4 * 6 + 4 * 3


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


def log_run(where, place, rows, **other):
    """A run in the place of the task's, and of another task, seed or config if so wanted."""
    name = Training(place).run(where, 0).name
    made = {"algorithm": "gps", "task": place, "preset": "laptop", "seed": 0, "config": PRESETS["laptop"]} | other
    run = Run.create(where.root, name=name, **made)
    for success in rows:
        run.log({"phase": "trajectories", "success": success})
    run.close()
    return run


def test_learning_curves_of_finished_runs_are_kept_among_the_results(where, tmp_path, monkeypatch):
    page, figure = tmp_path / "docs" / "page.md", LearningFigure()
    every = "Missing (task and seed): hanger 0, cube 0, hammer 0, bottle 0."
    assert figure.write(where, page) == every
    log_run(where, "cube", (0.0, 0.5, 1.0))
    assert figure.write(where, page) == every  # it is not finished
    monkeypatch.setattr(Training, "finished", lambda self, where, seed: _opened(self.run(where, seed)))
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
    monkeypatch.setattr(Training, "finished", lambda self, where, seed: _opened(self.run(where, seed)))
    for use in (lambda: figure.write(where, page), lambda: list(figure.missing(where))):
        with pytest.raises(
            VisuomotorError, match=rf"learning\.json was measured with algorithm_version {Gps.version - 1}"
        ):
            use()
    assert kept.read_text() == older


def _opened(path):
    return Run.open(path) if path.is_dir() else None


def test_a_run_is_finished_when_its_policy_says_so(where, monkeypatch):
    training = Training("cube")
    assert training.finished(where, 0) is None
    run = log_run(where, "cube", (0.0,))
    assert training.finished(where, 0) is None  # no policy yet
    (run.path / FILE_NAME).touch()
    notes = []
    trained = {"notes": notes, "algorithm_version": Gps.version}
    policy = SimpleNamespace(spec=SimpleNamespace(training=trained))
    monkeypatch.setattr("visuomotor.reproduction.training.load_policy", lambda path: policy)
    assert training.finished(where, 0).path == run.path
    trained["algorithm_version"] -= 1
    assert training.finished(where, 0) is None
    trained["algorithm_version"] += 1
    notes.append("stopped after 1 iterations")
    assert training.finished(where, 0) is None


@pytest.mark.parametrize(
    "other",
    [
        {"task": "cube"},
        {"seed": 1},
        {"preset": "paper"},
        {"algorithm": "ppo-gail", "config": PpoGailConfig()},
        {"config": replace(PRESETS["laptop"], num_conditions=4)},
    ],
)
def test_a_run_in_another_one_s_place_is_refused(where, other):
    """Nothing is made of it: neither figures nor results."""
    run = log_run(where, "hammer", (0.0,), **other)
    (run.path / FILE_NAME).touch()
    for use in (Training("hammer").finished, Training("hammer").train):
        with pytest.raises(VisuomotorError, match=r"end-to-end-seed0 is a run of .*, not of \('hammer', 'gps'"):
            use(where, 0)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"noises": {"0": {}}, "networks": {}, "seeds": 3}'])
def test_damaged_measurements_are_told(where, tmp_path, text):
    page = tmp_path / "docs" / "page.md"
    where.results.mkdir()
    for part, name in (
        (PoseTable(), "bench-pose-hanger-96-feature-points.json"),
        (TargetShiftTable(), "bench-target-shifts-cube-seeds0-0.json"),
        (PolicySearchFigure(), "tuning-policy-search-insertion2d-cem.json"),
    ):
        (where.results / name).write_text(text)
        with pytest.raises(VisuomotorError, match=rf"{name} cannot be read .*; delete it and measure again"):
            part.write(where, page)


@pytest.fixture
def page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = tmp_path / "docs" / "levine2015.md"
    page.parent.mkdir()
    (tmp_path / "results").mkdir()
    page.write_text("Before.\n<!-- table 2:begin -->\nold\n<!-- table 2:end -->\nAfter.\n")
    return page


def test_the_page_is_written_between_its_marks(page, capsys):
    assert main(["reproduce", "levine2015", "--table", "2", "--no-measure"]) == 0
    text = page.read_text()
    assert text.startswith("Before.\n<!-- table 2:begin -->\n\n| network |")
    assert text.endswith("|\n\n<!-- table 2:end -->\nAfter.\n")


def test_a_page_is_checked_and_nothing_is_written(page, capsys):
    checked = ["reproduce", "levine2015", "--table", "2", "--check"]
    before = page.read_text()
    assert main(checked) == 1
    assert "levine2015.md is stale: table 2" in capsys.readouterr().out
    assert page.read_text() == before
    main(["reproduce", "levine2015", "--table", "2", "--no-measure"])
    assert main(checked) == 0
    page.write_text(page.read_text().replace("missing", "100", 1))
    assert main(checked) == 1
    assert not (page.parent / "figures").exists()


def test_figures_are_checked_too(page, capsys, monkeypatch):
    class Drawn:
        def write(self, where, page):
            figure = Figure(figsize=(1, 1))
            figure.add_subplot().plot([0, 1], [0, heights[0]])
            write_png(figure, where.figures / "drawn.png")
            return "![drawn](figures/levine2015/drawn.png)"

    heights = [1]
    monkeypatch.setattr("visuomotor.reproduction.levine2015.PARTS", {"table 2": Drawn()})
    assert main(["reproduce", "levine2015", "--no-measure"]) == 0
    checked = ["reproduce", "levine2015", "--check"]
    assert main(checked) == 0
    drawn = page.parent / "figures" / "levine2015" / "drawn.png"
    kept = drawn.read_bytes()
    for other in (b"junk", kept[:200], None):
        drawn.write_bytes(other) if other else drawn.unlink()
        assert main(checked) == 1
        assert "is stale: table 2" in capsys.readouterr().out
    drawn.write_bytes(kept)
    assert main(checked) == 0
    figure = Figure(figsize=(1, 1), facecolor="gray")
    write_png(figure, drawn)
    assert main(checked) == 1


def test_commands_are_run_one_after_the_other_until_one_fails(page, capsys, monkeypatch):
    asked, codes = [], [0, 3]

    class Table:
        def missing(self, where):
            assert where.seeds == 2
            yield ["train", "a task"]
            yield ["evaluate"]
            yield ["never"]

        def write(self, where, page):
            raise AssertionError

    monkeypatch.setattr("visuomotor.reproduction.levine2015.PARTS", {"table 2": Table()})
    monkeypatch.setattr("visuomotor.cli.reproduce.main", lambda command: asked.append(command) or codes.pop(0))
    before = page.read_text()
    assert main(["reproduce", "levine2015", "--seeds", "2"]) == 3
    assert asked == [["train", "a task"], ["evaluate"]]
    assert "visuomotor train 'a task'" in capsys.readouterr().out
    assert page.read_text() == before


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--table", "7"], "has no table 7; there are: table 1"),
        (["--seeds", "0"], "--seeds must be between 1"),
        (["--table"], "--table and --figure take numbers; levine2015 has table 1, table 2"),
        (["--table", "2", "--figure"], "--table and --figure take numbers"),
        (["--page", "other.md"], "there is no other.md"),
        (["--table", "2", "1"], "table 1"),  # a page without its marks
        (["--table", "2", "--results", "none"], "there is no folder none; name the folder of the results"),
    ],
)
def test_bad_input(page, capsys, words, told):
    assert main(["reproduce", "levine2015", "--no-measure", *words]) == 2
    assert told in capsys.readouterr().err


def test_the_repository_s_page_has_a_place_for_every_part():
    text = (Path(__file__).parents[2] / "docs" / "levine2015.md").read_text()
    for name in PARTS:
        assert text.count(f"<!-- {name}:begin -->") == text.count(f"<!-- {name}:end -->") == 1
