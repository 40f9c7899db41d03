import numpy as np
from matplotlib.image import imread

from visuomotor.cli import main
from visuomotor.tasks import make_task, task_names


def test_each_task_has_a_line_and_a_picture(tmp_path, capsys):
    assert main(["tasks", "--pictures", str(tmp_path / "new"), "--size", "48"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for line, name in zip(lines, task_names(), strict=True):
        assert line.startswith(name)
        assert make_task(name).summary in line
        assert str(tmp_path / "new" / f"{name}.png") in line
        picture = imread(tmp_path / "new" / f"{name}.png")
        assert picture.shape[:2] == (48, 48)
        assert np.ptp(picture[..., :3]) > 0.2


def test_pictures_go_to_the_users_cache_by_default(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    main(["tasks", "--size", "16"])
    assert len(list((tmp_path / "visuomotor" / "tasks").glob("*.png"))) == len(task_names())
