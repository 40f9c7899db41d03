import numpy as np
from matplotlib.image import imread

from visuomotor.figures.curves import PANELS, _series, draw_curves

ROWS = [{"phase": "badmm", "cost": 3.0 / (i + 1), "kl": 0.5, "kl_bound": 1.0, "success": 0.1 * i} for i in range(5)]


def test_curves_of_a_run(tmp_path):
    picture = imread(draw_curves(tmp_path / "figures" / "curves.png", [ROWS]))
    assert len(np.unique(picture.reshape(-1, picture.shape[-1]), axis=0)) > 10


def test_nothing_to_draw(tmp_path):
    assert draw_curves(tmp_path / "curves.png", [[{"note": "x", "cost": None}]]) is None
    assert draw_curves(tmp_path / "curves.png", [[]]) is None
    assert list(tmp_path.iterdir()) == []


def test_seeds_are_compared_as_far_as_all_of_them_go(tmp_path):
    other = [{"cost": 1.0}, {"cost": None}, {"pretrain": 1}, {"cost": 2.0}]
    np.testing.assert_allclose(_series([ROWS, other], "cost"), [[3.0, 1.5], [1.0, 2.0]])
    assert draw_curves(tmp_path / "curves.png", [ROWS, other])


def test_each_metric_has_one_panel():
    names = [name for panel in PANELS for name in panel.lines]
    assert len(names) == len(set(names))
