"""The example of pixels for any MJCF, run as a user runs it."""

import subprocess
import sys
from pathlib import Path

from matplotlib.image import imread

ROOT = Path(__file__).parents[2]
MODEL = """
<mujoco><worldbody><light pos="0 0 3"/><geom type="plane" size="1 1 .1"/><site pos="0 0 1"/>
<body pos="0 0 .5"><joint type="hinge" axis="0 1 0"/><geom type="capsule" size=".05 .2" rgba="1 0 0 1"/></body>
</worldbody></mujoco>
"""


def test_writes_a_picture_and_tells_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "arm.xml").write_text(MODEL)
    command = [sys.executable, str(ROOT / "examples/fast_pixels.py"), "arm.xml", "--size", "32", "--worlds", "5"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "frames/s, 32x32" in run.stdout
    assert "does not draw 1 site" in run.stdout
    image = imread(tmp_path / "pixels.png")
    assert image.shape[0] == 32
    assert image.shape[1] in (4 * 32, 5 * 32)  # with MuJoCo's where there is OpenGL
    red = (image[..., 0] > 2 * image[..., 1]).reshape(32, -1, 32).any(axis=(0, 2))
    assert red.all()  # the arm is in every picture
