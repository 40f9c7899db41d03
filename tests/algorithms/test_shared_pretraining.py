"""Runs that begin with another run's pretraining end in the same bits as runs that do not."""

from dataclasses import replace

import pytest
import torch

from visuomotor import registry
from visuomotor.algorithms.gps.config import PRESETS
from visuomotor.algorithms.gps.gps import Gps
from visuomotor.algorithms.gps.supervised import FitConfig
from visuomotor.algorithms.shared_pretraining import SharedPretraining
from visuomotor.algorithms.training import train
from visuomotor.errors import VisuomotorError
from visuomotor.policies.policy import FILE_NAME
from visuomotor.runs import Run, load_checkpoint, save_checkpoint
from visuomotor.tasks import make_task

_LAPTOP = PRESETS["laptop"]
_TINY = replace(
    _LAPTOP,
    num_conditions=4,
    image=replace(_LAPTOP.image, size=32),
    pose=replace(_LAPTOP.pose, images=50, epochs=1),
    trajectory=replace(_LAPTOP.trajectory, iterations=1),
    badmm=replace(_LAPTOP.badmm, inner_iterations=1),
    state_policy=FitConfig(steps=5),
    end_to_end=replace(
        _LAPTOP.end_to_end, iterations=1, head_fit=FitConfig(steps=5), finetune_fit=FitConfig(steps=1, batch=20)
    ),
)


def trained(folder, name, config, share=True):
    """The run, and how many rows were computed in it."""
    run = Run.create(folder, name=name, algorithm="gps", task="hanger", preset="laptop", seed=0, config=config)
    gps, rows = Gps(make_task("hanger"), config, 0), []
    train(gps, run, pretraining=SharedPretraining(folder / "pretraining", gps) if share else None, callback=rows.append)
    return run, rows


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    trained(folder, "first", _TINY)
    return folder


@pytest.mark.parametrize("vision", ["pose-features", "pose-prediction"])
def test_a_baseline_shares_pose_network_and_trajectories(first, vision):
    config = replace(_TINY, vision=vision)
    shared, rows = trained(first, f"shared {vision}", config)
    alone, all_rows = trained(first, f"alone {vision}", config, share=False)
    assert (shared.path / FILE_NAME).read_bytes() == (alone.path / FILE_NAME).read_bytes()
    assert [row["phase"] for row in all_rows] == ["vision_pretraining", "trajectories", "policy"]
    assert [row["phase"] for row in rows] == ["trajectories", "policy"]  # of what was shared the last row is shown
    told = [[(row["phase"], row.get("cost")) for row in run.metrics()] for run in (shared, alone)]
    assert told[0] == told[1]


@pytest.mark.parametrize("phase", ["trajectories", "policy"])
def test_a_run_is_resumed_right_after_shared_pretraining(first, phase):
    """The row of the first phase comes before the first checkpoint, that of the second after it."""
    config = replace(_TINY, vision="pose-features")
    name = f"stopped after {phase}"
    run = Run.create(first, name=name, algorithm="gps", task="hanger", preset="laptop", seed=0, config=config)

    def interrupt(row):
        if row["phase"] == phase:
            raise InterruptedError

    gps = Gps(make_task("hanger"), config, 0)
    with pytest.raises(InterruptedError):
        train(gps, run, pretraining=SharedPretraining(first / "pretraining", gps), callback=interrupt)
    assert len(run.metrics()) > gps.save_interval
    assert run.latest_checkpoint.exists() == (phase == "policy")
    train(Gps(make_task("hanger"), config, 0), Run.open(run.path), resume=True)
    alone, _ = trained(first, f"not {name}", config, share=False)
    assert (run.path / FILE_NAME).read_bytes() == (alone.path / FILE_NAME).read_bytes()
    assert [row["phase"] for row in run.metrics()] == [row["phase"] for row in alone.metrics()]


@pytest.mark.parametrize(
    "other",
    [
        replace(_TINY, num_conditions=5),
        replace(_TINY, pose=replace(_TINY.pose, learning_rate=1e-4)),
        replace(_TINY, trajectory=replace(_TINY.trajectory, kl_step=2.0)),
    ],
    ids=["conditions", "pose", "trajectory"],
)
def test_other_settings_share_nothing(first, other):
    assert SharedPretraining(first / "pretraining", Gps(make_task("hanger"), _TINY, 0)).load()
    assert not SharedPretraining(first / "pretraining", Gps(make_task("hanger"), other, 0)).load()
    assert not SharedPretraining(first / "pretraining", Gps(make_task("hanger"), _TINY, 1)).load()


def test_other_colours_share_nothing(first):
    gps = Gps(make_task("hanger"), _TINY, 0)
    gps.task.model.geom_rgba[1, 0] = 0.123
    assert not SharedPretraining(first / "pretraining", gps).load()


def test_a_damaged_file_is_as_good_as_none(first, tmp_path):
    gps = Gps(make_task("hanger"), _TINY, 0)
    shared = SharedPretraining(tmp_path, gps)
    content = (first / "pretraining" / shared.path.name).read_bytes()
    shared.path.write_bytes(content[: len(content) // 2])
    assert not shared.load()
    assert gps.phase == "vision_pretraining"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda content: content | {"rows": [1]}, r"rows\[0\] is 1, expected dict"),
        (lambda content: content | {"state": content["state"] | {"phase": 3}}, "state.phase is 3, expected str"),
    ],
)
def test_a_file_that_is_damaged_inside_is_named(first, tmp_path, change, told):
    gps = Gps(make_task("hanger"), _TINY, 0)
    shared = SharedPretraining(tmp_path, gps)
    save_checkpoint(shared.path, change(load_checkpoint(first / "pretraining" / shared.path.name)))
    with pytest.raises(VisuomotorError, match=rf"{shared.path} is damaged \({told}\); delete it"):
        shared.load()


_OWN = """
from visuomotor.tasks.pr2.hanger import Hanger

class Mine(Hanger):
    name = "mine"
"""


def test_a_change_in_a_task_of_one_s_own_counts(tmp_path):
    """Its cost, say, which no model shows."""
    file = tmp_path / "own.py"
    (tmp_path / "link.py").symlink_to("nowhere.py")
    (tmp_path / "folder.py").mkdir()
    found = []
    for code in (_OWN, _OWN + "    # another cost\n", _OWN):
        file.write_text(code)
        task = make_task(registry.absolute_name("task", f"{file}:Mine"))
        gps = Gps(task, replace(_TINY, pose=replace(_TINY.pose, epochs=0)), 0)
        shared = SharedPretraining(tmp_path, gps)
        found.append(bool(shared.load()))
        if not shared.path.exists():
            next(gps.steps())
            assert gps.is_pretrained
            shared.save([{"phase": "trajectories"}])
    assert found == [False, False, True]


def test_vision_layers_of_the_first_run_are_those_of_pose_regression(first):
    gps = Gps(make_task("hanger"), replace(_TINY, vision="pose-prediction"), 0)
    SharedPretraining(first / "pretraining", gps).load()
    policy, network = gps.visuomotor_policy, gps.pose_network
    images = torch.randint(256, (3, 32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    predicted = network.eval()(images)
    torch.testing.assert_close(policy.features(images) * network.scale + network.center, predicted)
    assert policy.settings["predicted_coordinates"] == predicted.shape[1]


def test_what_settings_do_not_tell_is_not_shared(first, tmp_path):
    """A file of first-layer filters may change under its name."""
    filters = tmp_path / "filters.pt"
    torch.save({"weight": torch.zeros(64, 3, 7, 7)}, filters)
    gps = Gps(make_task("hanger"), replace(_TINY, image=replace(_TINY.image, first_layer=filters)), 0)
    shared = SharedPretraining(first / "pretraining", gps)
    before = shared.path.read_bytes()
    assert not shared.load()
    shared.save([])
    assert shared.path.read_bytes() == before


def test_another_number_of_threads_shares_nothing(first, monkeypatch):
    """Sums are then made in another order."""
    monkeypatch.setattr("torch.get_num_threads", lambda: 77)
    assert not SharedPretraining(first / "pretraining", Gps(make_task("hanger"), _TINY, 0)).load()


def test_a_run_that_ends_with_its_pretraining_has_its_policy(first):
    config = replace(_TINY, end_to_end=replace(_TINY.end_to_end, iterations=0))
    shared, rows = trained(first, "nothing more", config)
    assert [row["phase"] for row in rows] == ["trajectories"]
    alone, _ = trained(first, "nothing more, alone", config, share=False)
    assert (shared.path / FILE_NAME).read_bytes() == (alone.path / FILE_NAME).read_bytes()
