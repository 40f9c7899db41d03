"""The whole pipeline, small: it learns, it resumes to the same bits, and bad input leaves the last checkpoint alone."""

import errno
import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from visuomotor.algorithms.gps import PRESETS, train
from visuomotor.algorithms.gps.gps import Trainer
from visuomotor.algorithms.gps.supervised import FitConfig
from visuomotor.errors import VisuomotorError
from visuomotor.evaluation.evaluate import evaluate
from visuomotor.evaluation.feature_point_figures import draw_feature_pictures
from visuomotor.figures.video import read_video
from visuomotor.runs import Run, load_checkpoint, save_checkpoint

_LAPTOP = PRESETS["laptop"]
_TINY = replace(
    _LAPTOP,
    image=replace(_LAPTOP.image, size=24),
    pose=replace(_LAPTOP.pose, images=50, epochs=2),
    trajectory=replace(_LAPTOP.trajectory, iterations=2),
    badmm=replace(_LAPTOP.badmm, inner_iterations=2),
    state_policy=FitConfig(steps=20),
    end_to_end=replace(_LAPTOP.end_to_end, iterations=2, motor=FitConfig(steps=20), whole=FitConfig(steps=2, batch=20)),
)


def _run(tmp_path, name, config=_TINY, seed=0):
    return Run.create(tmp_path, name=name, method="gps", task="hanger", preset="laptop", seed=seed, config=config)


class _Killed(BaseException):
    """As sudden as a signal: no handler of ours catches it."""


def _train_until(run, config, rows, resume):
    """Train for so many more rows, then die between two steps."""

    def count(row):
        nonlocal rows
        rows -= 1
        if rows == 0:
            raise _Killed

    try:
        train("hanger", "laptop", config, run, resume=resume, report=count)
    except _Killed:
        return False
    return True


def test_killed_and_resumed_training_ends_in_the_same_bits(tmp_path):
    whole = _run(tmp_path, "whole")
    train("hanger", "laptop", _TINY, whole)
    pieces = _run(tmp_path, "pieces")
    finished = False
    for attempt in range(20):
        if finished := _train_until(Run.open(pieces.path), _TINY, 1, resume=attempt > 0):
            break
    assert finished
    expected, found = (load_checkpoint(r.latest_checkpoint) for r in (whole, pieces))
    for name, value in expected["policy"].items():
        assert torch.equal(value, found["policy"][name]), name
    assert torch.equal(expected["badmm"]["controller"]["gain"], found["badmm"]["controller"]["gain"])
    timeless = [
        [{k: v for k, v in row.items() if k not in ("elapsed_seconds", "time")} for row in r.metrics()]
        for r in (whole, pieces)
    ]
    assert timeless[0] == timeless[1]


def test_another_seed_gives_another_policy(tmp_path):
    policies = []
    for seed in (0, 1):
        run = _run(tmp_path, f"seed{seed}", seed=seed)
        _train_until(run, _TINY, 1, resume=False)
        policies.append(load_checkpoint(run.latest_checkpoint)["pose_network"]["vision.conv1.weight"])
    assert not torch.equal(*policies)


def test_a_full_disk_leaves_the_previous_checkpoint(tmp_path, monkeypatch):
    run = _run(tmp_path, "full")
    _train_until(run, _TINY, 1, resume=False)
    before = run.latest_checkpoint.read_bytes()

    def full(*_args, **_more):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(VisuomotorError, match="disk"):
        train("hanger", "laptop", _TINY, Run.open(run.path), resume=True)
    assert run.latest_checkpoint.read_bytes() == before


def test_a_policy_that_was_never_trained_cannot_be_evaluated(tmp_path):
    run = _run(tmp_path, "early")
    _train_until(run, _TINY, 1, resume=False)
    with pytest.raises(VisuomotorError, match="not been trained yet"):
        evaluate(run, "training", trials=1)


def test_images_of_another_size_are_refused(tmp_path):
    run = _run(tmp_path, "size")
    _train_until(run, _TINY, 1, resume=False)
    facts = json.loads((run.path / "config.json").read_text())
    facts["config"]["image"]["size"] = 32
    (run.path / "config.json").write_text(json.dumps(facts))
    with pytest.raises(VisuomotorError, match="size 24, now 32"):
        evaluate(Run.open(run.path), "training", trials=1)
    with pytest.raises(VisuomotorError, match="size 24, now 32"):
        train("hanger", "laptop", replace(_TINY, image=replace(_TINY.image, size=32)), run, resume=True)


def test_a_checkpoint_of_another_task_is_refused(tmp_path):
    run = _run(tmp_path, "foreign")
    content = Trainer("hanger", _TINY, 0).content()
    save_checkpoint(run.latest_checkpoint, content | {"task": "bottle"})
    with pytest.raises(VisuomotorError, match="bottle"):
        train("hanger", "laptop", _TINY, run, resume=True)


@pytest.mark.parametrize(
    ("section", "field", "value"),
    [("image", "size", 8), ("trajectory", "noise", -1.0), ("badmm", "inner_iterations", 0), ("pose", "images", 0)],
)
def test_settings_out_of_range_are_named(section, field, value):
    with pytest.raises(VisuomotorError, match=f"{section}.{field} must be between"):
        replace(_LAPTOP, **{section: replace(getattr(_LAPTOP, section), **{field: value})})


def test_physics_that_blows_up_says_so():
    trainer = Trainer("hanger", replace(_TINY, pose=replace(_TINY.pose, epochs=0)), 0)
    trainer.phase = "trajectories"
    trainer.engine.model_field("dof_damping")[3] = -1e6  # a joint that accelerates itself
    with pytest.raises(VisuomotorError, match=r"blew up at step \d+ in worlds \[3\]"):
        next(trainer.steps())


def test_it_learns_to_hang_hangers_from_pixels(tmp_path):
    """A quarter of the laptop preset's effort; 16 of 18 trials must succeed (the preset itself: see results/)."""
    config = replace(
        _LAPTOP,
        image=replace(_LAPTOP.image, size=48, distractors=0),
        pose=replace(_LAPTOP.pose, images=600, epochs=20),
        trajectory=replace(_LAPTOP.trajectory, iterations=9),
        badmm=replace(_LAPTOP.badmm, inner_iterations=2),
        state_policy=FitConfig(steps=300),
        end_to_end=replace(
            _LAPTOP.end_to_end, iterations=1, motor=FitConfig(steps=2000), whole=FitConfig(steps=40, batch=50)
        ),
    )
    run = _run(tmp_path, "small", config)
    train("hanger", "laptop", config, run)
    result = evaluate(run, "training", trials=18, video=True)
    assert result.successes >= 16
    clip = read_video(run.videos / "training.mp4")
    assert len(clip) == 130  # five seconds, and one and a half after the hand has let go
    assert clip[0].std() > 10  # something is to be seen
    drawn = {path.name for path in draw_feature_pictures(run)}
    points = {f"feature_points_{name}.png" for name in ("training", "visual", "background")}
    assert drawn == points | {"policy_against_pose.png"}


def test_several_processes_are_refused_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr("visuomotor.algorithms.gps.gps.Distributed", lambda: SimpleNamespace(count=2))
    run = _run(tmp_path, "two")
    with pytest.raises(VisuomotorError, match="gps trains in one process"):
        train("hanger", "laptop", _TINY, run)
    assert not run.metrics()
