"""Tables of trainings with other settings, and the results that belong to them."""

from dataclasses import replace

import pytest
from finished_runs import RESULT, measured

from visuomotor.algorithms.gps import PRESETS, GpsConfig
from visuomotor.cli import main
from visuomotor.cli.bench_policy_search import changed
from visuomotor.evaluation.evaluate import run_settings
from visuomotor.reproduction.success_table import trained
from visuomotor.reproduction.training_tables import augmentation, paper_size, rough_pose
from visuomotor.runs import Run, config_from_dict, config_to_dict


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
