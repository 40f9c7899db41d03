"""The whole pipeline, small: it learns, it resumes to the same bits, and bad input leaves the last checkpoint alone."""

import errno
from dataclasses import replace

import pytest
import torch

from visuomotor.algorithms.gps.config import PRESETS
from visuomotor.algorithms.gps.gps import Gps
from visuomotor.algorithms.gps.supervised import FitConfig
from visuomotor.algorithms.training import train
from visuomotor.errors import VisuomotorError
from visuomotor.evaluation.evaluate import evaluate
from visuomotor.evaluation.feature_point_figures import draw_feature_point_figures
from visuomotor.figures.video import read_video
from visuomotor.policies import AugmentationConfig
from visuomotor.policies.policy import FILE_NAME
from visuomotor.runs import Run, load_checkpoint, save_checkpoint
from visuomotor.runs.distributed import Distributed
from visuomotor.tasks import make_task

_LAPTOP = PRESETS["laptop"]
_TINY = replace(
    _LAPTOP,
    num_conditions=18,
    image=replace(_LAPTOP.image, size=32),
    pose=replace(_LAPTOP.pose, images=50, epochs=2),
    trajectory=replace(_LAPTOP.trajectory, iterations=2),
    badmm=replace(_LAPTOP.badmm, inner_iterations=2),
    state_policy=FitConfig(steps=20),
    end_to_end=replace(
        _LAPTOP.end_to_end, iterations=2, head_fit=FitConfig(steps=20), finetune_fit=FitConfig(steps=2, batch=20)
    ),
)


def _run(tmp_path, name, config=_TINY, seed=0):
    return Run.create(tmp_path, name=name, algorithm="gps", task="hanger", preset="laptop", seed=seed, config=config)


class _Killed(BaseException):
    """As sudden as a signal: no handler of ours catches it."""


def _gps(config=_TINY, seed=0):
    return Gps(make_task("hanger"), config, seed)


def _train_until(run, rows, resume=False, seed=0):
    """Die after so many more rows, before the checkpoint of the last one is written."""

    def count(row):
        nonlocal rows
        rows -= 1
        if rows == 0:
            raise _Killed

    try:
        train(_gps(seed=seed), run, resume=resume, callback=count)
    except _Killed:
        return False
    return True


def _leaves(content, path=""):
    """Everything in nested containers, by where it is."""
    if isinstance(content, dict | list | tuple):
        pairs = content.items() if isinstance(content, dict) else enumerate(content)
        return {name: leaf for key, value in pairs for name, leaf in _leaves(value, f"{path}/{key}").items()}
    return {path: content}


def test_killed_and_resumed_training_ends_in_the_same_bits(tmp_path):
    whole = _run(tmp_path, "whole")
    train(_gps(), whole)
    pieces = _run(tmp_path, "pieces")
    attempts = 0
    while not _train_until(Run.open(pieces.path), 2, resume=attempts > 0):
        attempts += 1
        assert attempts < 20
    assert attempts == 5  # of six rows, each attempt saves one; the last one saves two
    assert (whole.path / FILE_NAME).read_bytes() == (pieces.path / FILE_NAME).read_bytes()
    expected, found = (_leaves(load_checkpoint(run.latest_checkpoint)) for run in (whole, pieces))
    assert expected.keys() == found.keys()
    assert whole.latest_checkpoint.stat().st_size < 14.5e6  # without images
    assert {"/state/badmm/last_update/predicted", "/state/badmm/sample_history/1/samples/positions"} <= expected.keys()
    for name, value in expected.items():
        if name != "/state/elapsed_seconds":
            same = torch.equal(value, found[name]) if isinstance(value, torch.Tensor) else value == found[name]
            assert same, name
    timeless = [
        [{k: v for k, v in row.items() if k not in ("elapsed_seconds", "time")} for row in run.metrics()]
        for run in (whole, pieces)
    ]
    assert timeless[0] == timeless[1]
    assert len(timeless[0]) == 6


def test_a_prolonged_run_is_the_longer_one_bit_for_bit(tmp_path):
    """The pose network and the trajectories are left out: what counts is the last phase."""
    short = replace(
        _TINY,
        num_conditions=4,
        pose=replace(_TINY.pose, epochs=0),
        trajectory=replace(_TINY.trajectory, iterations=1),
        end_to_end=replace(_TINY.end_to_end, iterations=1),
    )
    long = replace(short, end_to_end=replace(short.end_to_end, iterations=2))
    whole, prolonged = _run(tmp_path, "whole", long), _run(tmp_path, "prolonged", short)
    assert train(_gps(long), whole)
    assert train(_gps(short), prolonged)
    assert train(_gps(long), Run.open(prolonged.path), resume=True)
    expected, found = (_leaves(load_checkpoint(run.latest_checkpoint)) for run in (whole, prolonged))
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        if name != "/state/elapsed_seconds":
            same = torch.equal(value, found[name]) if isinstance(value, torch.Tensor) else value == found[name]
            assert same, name
    assert (whole.path / FILE_NAME).read_bytes() == (prolonged.path / FILE_NAME).read_bytes()
    assert Run.open(prolonged.path).config(type(long)) == long
    with pytest.raises(VisuomotorError, match=r"has 2 iterations already, more than end_to_end\.iterations 1"):
        train(_gps(short), Run.open(prolonged.path), resume=True)
    assert Run.open(prolonged.path).config(type(long)) == long


def test_another_seed_gives_another_policy(tmp_path):
    filters = []
    for seed in (0, 1):
        run = _run(tmp_path, f"seed{seed}", seed=seed)
        _train_until(run, 2, seed=seed)
        filters.append(load_checkpoint(run.latest_checkpoint)["state"]["pose_network"]["vision.conv1.weight"])
    assert not torch.equal(*filters)


def test_a_full_disk_leaves_the_previous_checkpoint(tmp_path, monkeypatch):
    run = _run(tmp_path, "full")
    _train_until(run, 2)
    before = run.latest_checkpoint.read_bytes()

    def full(*_args, **_more):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(VisuomotorError, match="disk"):
        train(_gps(), Run.open(run.path), resume=True)
    assert run.latest_checkpoint.read_bytes() == before


def test_a_policy_file_gives_its_network_and_the_pose_network_its_vision():
    saved, begun = _gps(), _gps(seed=5)
    fresh = begun.state_dict()
    begun.load_policy_weights(dict(saved.visuomotor_policy.state_dict()))
    found = begun.state_dict()
    for name, value in saved.visuomotor_policy.state_dict().items():
        assert torch.equal(found["policy"][name], value)
        if name.startswith("vision."):
            assert torch.equal(found["pose_network"][name], value)
    assert torch.equal(found["pose_network"]["head.weight"], fresh["pose_network"]["head.weight"])
    assert torch.equal(found["state_policy"]["action_scale"], fresh["state_policy"]["action_scale"])
    with pytest.raises(VisuomotorError, match="no tensor of policy has the size"):
        begun.load_policy_weights({})


def test_a_policy_that_was_never_trained_cannot_be_evaluated(tmp_path):
    run = _run(tmp_path, "early")
    _train_until(run, 2)
    with pytest.raises(VisuomotorError, match="there is no policy file"):
        evaluate(run, "training", trials=1)


def test_images_of_another_size_are_refused(tmp_path):
    run = _run(tmp_path, "size")
    _train_until(run, 2)
    larger = replace(_TINY, image=replace(_TINY.image, size=40))
    with pytest.raises(VisuomotorError, match=r"image.size 32 \(now 40\)"):
        train(_gps(larger), run, resume=True)
    with pytest.raises(VisuomotorError, match="size 32, now 40"):
        _gps(larger).load_state_dict(_gps().state_dict())


def test_a_checkpoint_with_a_number_out_of_bounds_is_refused(tmp_path):
    run = _run(tmp_path, "damaged")
    _train_until(run, 4)
    content = load_checkpoint(run.latest_checkpoint)["state"]
    for name in ("kl_weight", "kl_step_mult", "eta"):
        damaged = content | {"badmm": content["badmm"] | {name: content["badmm"][name] - 1e6}}
        with pytest.raises(VisuomotorError, match=rf"^state\.badmm\.{name}.*expected a number at least 0"):
            _gps().load_state_dict(damaged)


def test_a_checkpoint_with_numbers_that_no_training_has_is_refused(tmp_path):
    run = _run(tmp_path, "damaged")
    _train_until(run, 4)
    content = load_checkpoint(run.latest_checkpoint)["state"]
    badmm, nan = content["badmm"], float("nan")
    controller = badmm["controller"]
    [*older, batch] = badmm["sample_history"]
    broken = {**batch, "samples": batch["samples"] | {"states": batch["samples"]["states"] * nan}}
    for change, told in (
        ({"lagrange_multiplier": badmm["lagrange_multiplier"] * nan}, r"state\.badmm\.lagrange_multiplier holds NaN"),
        ({"controller": controller | {"gain": controller["gain"] * nan}}, r"state\.badmm\.controller\.gain holds NaN"),
        ({"controller": controller | {"covariance": -controller["covariance"]}}, "covariance is no covariance"),
        ({"first_cost": badmm["first_cost"] * nan}, r"state\.badmm\.first_cost holds NaN"),
        ({"first_cost": None}, r"state\.badmm\.first_cost is missing, and there are episodes"),
        ({"sample_history": [*older, broken]}, r"sample_history\[\d\]\.samples\.states holds NaN"),
    ):
        with pytest.raises(VisuomotorError, match=told):
            _gps().load_state_dict(content | {"badmm": badmm | change})
    with pytest.raises(VisuomotorError, match="elapsed_seconds is nan"):
        _gps().load_state_dict(content | {"elapsed_seconds": nan})


def test_a_checkpoint_of_another_task_is_refused(tmp_path):
    run = _run(tmp_path, "foreign")
    gps = _gps()
    save_checkpoint(run.latest_checkpoint, {**gps.header(), "task": "bottle", "logged": 0, "state": gps.state_dict()})
    with pytest.raises(VisuomotorError, match="bottle"):
        train(_gps(), run, resume=True)


def test_starts_deviate_as_those_of_trials_do_and_nothing_else_does():
    conditions, other = (_gps(_TINY, seed=seed).conditions for seed in (0, 1))
    exact = make_task("hanger").sample_reset(len(conditions), torch.Generator(), "training", randomize=False)
    start = conditions.placement["start"]
    assert 0.015 < start.std() < 0.025
    assert len(start.unique(dim=0)) == len(conditions)
    assert not torch.equal(start, other.placement["start"])
    assert torch.equal(conditions.placement["target"], exact.placement["target"])
    for drawn, nominal in ((conditions.dynamics, exact.dynamics), (conditions.appearance, exact.appearance)):
        assert all(torch.equal(drawn[name], nominal[name]) for name in nominal)
    lifting = Gps(make_task("lifting"), _TINY, 0).conditions
    nominal = make_task("lifting").sample_reset(len(lifting), torch.Generator(), randomize=False)
    assert torch.equal(lifting.dynamics["block_mass"], nominal.dynamics["block_mass"])
    assert torch.equal(lifting.appearance["block_color"], nominal.appearance["block_color"])


@pytest.mark.parametrize(
    ("section", "field", "value"),
    [
        ("image", "size", 8),
        ("trajectory", "initial_noise_std", -1.0),
        ("badmm", "inner_iterations", 0),
        ("pose", "images", 0),
        ("pose", "batch", 0),
        ("dynamics", "prior_iterations", 0),
        ("dynamics", "window", ()),
        ("trajectory", "min_kl_step_mult", 3.5),
    ],
)
def test_settings_out_of_range_are_named(section, field, value):
    with pytest.raises(VisuomotorError, match=f"{section}.{field} must be between"):
        replace(_LAPTOP, **{section: replace(getattr(_LAPTOP, section), **{field: value})})


def test_physics_that_blows_up_says_so():
    gps = _gps(replace(_TINY, pose=replace(_TINY.pose, epochs=0)))
    gps.env.engine.model_field("dof_damping")[3] = -1e6  # joints that accelerate themselves
    with pytest.raises(VisuomotorError, match=r"diverges in conditions \[3\] with the first controllers"):
        next(gps.steps())


def test_each_iteration_counts_its_own_blow_ups():
    gps = _gps(replace(_TINY, pose=replace(_TINY.pose, epochs=0), trajectory=replace(_TINY.trajectory, iterations=3)))
    rows = gps.steps()
    counts = [next(rows)["num_diverged"]]
    damping = gps.env.engine.model_field("dof_damping")
    right = damping[3].clone()
    damping[3] = -1e6
    counts.append(next(rows)["num_diverged"])
    damping[3] = right
    counts.append(next(rows)["num_diverged"])
    assert counts[0] == counts[2] == 0
    assert counts[1] >= 4  # the episode and its three repeats


def test_physics_that_blows_up_later_does_not_blame_the_first_controllers():
    gps = _gps(replace(_TINY, pose=replace(_TINY.pose, epochs=0)))
    next(gps.steps())
    assert gps.badmm is not None
    gps.badmm = replace(gps.badmm, last_update=None)  # as where the visuomotor policy comes in
    gps.env.engine.model_field("dof_damping")[3] = -1e6
    with pytest.raises(VisuomotorError, match=r"diverges in conditions \[3\] with the last controllers"):
        next(gps.steps())


def test_it_learns_to_hang_hangers_from_pixels(tmp_path):
    """A quarter of the laptop preset's effort; 16 of 18 trials must succeed (the preset itself: see results/)."""
    config = replace(
        _LAPTOP,
        num_conditions=18,
        image=replace(_LAPTOP.image, size=48),
        augmentation=AugmentationConfig(),
        pose=replace(_LAPTOP.pose, images=600, epochs=20),
        trajectory=replace(_LAPTOP.trajectory, iterations=9),
        badmm=replace(_LAPTOP.badmm, inner_iterations=2),
        state_policy=FitConfig(steps=300),
        end_to_end=replace(
            _LAPTOP.end_to_end, iterations=2, head_fit=FitConfig(steps=1500), finetune_fit=FitConfig(steps=40, batch=50)
        ),
    )
    run = _run(tmp_path, "small", config)
    train(_gps(config), run)
    result = evaluate(run, "training", trials=18, video=True)
    assert result.successes >= 16
    clip = read_video(run.videos / "training.mp4")
    assert len(clip) == 131  # the start, five seconds, and one and a half after the hand has let go
    assert clip[0].std() > 10  # something is to be seen
    drawn = {path.name for path in draw_feature_point_figures(run)}
    points = {f"feature_points_{name}.png" for name in ("training", "visual", "background")}
    assert drawn == points | {"policy_against_pose.png"}


def test_several_processes_are_refused():
    job = Distributed()
    job.world_size = 2
    with pytest.raises(VisuomotorError, match="gps trains in one process"):
        Gps(make_task("hanger"), _TINY, 0, job)
