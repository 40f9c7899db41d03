import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.image import imread

from visuomotor.figures.curves import draw_comparison, draw_curves, series

ROWS = [
    {"phase": "trajectories", "cost": 3.0 / (i + 1), "kl": 0.5, "kl_bound": 1.0, "success": 0.1 * i} for i in range(5)
]


def test_curves_of_a_run(tmp_path):
    picture = imread(draw_curves(tmp_path / "figures" / "curves.png", [ROWS]))
    assert len(np.unique(picture.reshape(-1, picture.shape[-1]), axis=0)) > 10


def test_nothing_to_draw(tmp_path):
    assert draw_curves(tmp_path / "curves.png", [[{"note": "x", "cost": None}]]) is None
    assert draw_curves(tmp_path / "curves.png", [[]]) is None
    assert list(tmp_path.iterdir()) == []


def test_seeds_are_compared_as_far_as_all_of_them_go(tmp_path):
    other = [{"cost": 1.0}, {"cost": None}, {"pretrain": 1}, {"cost": 2.0}]
    found = series([ROWS, other], "cost")
    np.testing.assert_allclose(found.values, [[3.0, 1.5], [1.0, 2.0]])
    assert (found.at.tolist(), found.unit) == ([1, 2], "iteration")
    assert draw_curves(tmp_path / "curves.png", [ROWS, other])


def test_rows_that_know_their_episodes_are_compared_at_these():
    few = [{"episodes": 5 * i, "policy_cost": 10.0 - i} for i in (1, 2, 3, 4)]
    many = [{"episodes": 10 * i, "policy_cost": 20.0 - i} for i in (1, 2)]
    found = series([few, many], "policy_cost")
    assert (found.at.tolist(), found.unit) == ([10, 20], "episodes")
    np.testing.assert_allclose(found.values, [[8, 6], [19, 18]])


def test_metrics_of_one_plot_are_numbered_together():
    """Those of a later phase begin where the earlier ones are by then; rows without any of them do not count."""
    rows = [{"pose_loss": 1.0}, {"success": 0.1}, {"success": 0.2}, {"success": 0.3, "policy_success": 0.5}]
    assert series([rows], "policy_success", ["success"]).at.tolist() == [3]
    assert series([rows], "success", ["policy_success"]).at.tolist() == [1, 2, 3]
    assert series([rows], "policy_success").at.tolist() == [1]


def test_metrics_that_no_table_knows_are_not_drawn(tmp_path):
    assert (
        draw_curves(tmp_path / "curves.png", [[{"my_own": 1.0, "control_steps": 10, "elapsed_seconds": 2.0}]]) is None
    )


def ppo_rows(steps: int, count: int) -> list[dict]:
    """The return is a tenth of the control steps."""
    cloning = [{"phase": "behavior_cloning", "iteration": 100, "action_error": 0.3}]
    return cloning + [
        {
            "phase": "ppo",
            "iteration": i,
            "control_steps": i * steps,
            "task_return": i * steps / 10,
            "stage_fraction/start": 0.5,
            "stage_fraction/reached": 0.4,
            "stage_fraction/lifted": 0.1,
            "success_rate": min(1.0, i / count),
            "time/env_step": 1.0,
            "time/learn": 2.0,
        }
        for i in range(1, count + 1)
    ]


def test_seeds_are_compared_at_the_same_control_steps():
    """Whatever an iteration of each is worth: here 100 and 150 steps, of which the first goes further."""
    found = series([ppo_rows(100, 12), ppo_rows(150, 6)], "task_return")
    assert found.unit == "control steps"
    assert found.at.tolist() == [150, 300, 450, 600, 750, 900]
    np.testing.assert_allclose(found.values, np.tile(found.at / 10, (2, 1)))
    assert series([ppo_rows(100, 3)], "action_error").unit == "iteration"
    assert len(series([ppo_rows(100, 3), ROWS], "task_return").values) == 1  # the other has none of it
    assert series([], "task_return").empty


def test_curves_of_reinforcement_and_imitation(tmp_path):
    picture = imread(draw_curves(tmp_path / "curves.png", [ppo_rows(100, 80), ppo_rows(100, 90)]))
    assert picture.shape[0] > 500  # more than one row of panels


def test_groups_of_seeds_are_compared_in_one_metric(tmp_path):
    runs = {"with imitation": [ppo_rows(100, 5), ppo_rows(100, 4)], "without": [ppo_rows(50, 9)], "none": [ROWS]}
    pictures = [
        imread(draw_comparison(tmp_path / f"{len(chosen)}.png", {k: runs[k] for k in chosen}, "success_rate"))
        for chosen in (["without"], ["with imitation", "without", "none"])
    ]
    assert pictures[0].shape == pictures[1].shape
    assert not np.array_equal(*pictures)
    assert draw_comparison(tmp_path / "none.png", {"none": [ROWS]}, "success_rate") is None


@pytest.mark.parametrize(
    ("key", "title"),
    [
        ("cost", "cost of a trajectory"),
        ("success_rate", "success rate: random starts (with noise)"),
        ("stage_fraction/lifted", "steps by stage: lifted"),
        ("final_distance_m", "final distance: local controllers (m)"),
        ("my_own", "my own"),
    ],
)
def test_a_comparison_says_which_metric_of_its_group_it_shows(tmp_path, monkeypatch, key, title):
    titles = []
    monkeypatch.setattr(Axes, "set_title", lambda self, label, **_: titles.append(label))
    assert draw_comparison(tmp_path / "a.png", {"a": [[{key: 0.5}, {key: 0.6}]]}, key)
    assert titles == [title]


def test_numbers_that_no_axis_can_hold_are_left_out(tmp_path):
    rows = [{"control_steps": i, "kl": 0.1} for i in range(3)]
    odd = [{"control_steps": -1e308, "kl": -1e308}, {"control_steps": 3, "kl": 10**400}]
    assert draw_curves(tmp_path / "c.png", [[*rows, *odd]]) == tmp_path / "c.png"
