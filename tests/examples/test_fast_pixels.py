"""The example of pixels for any MJCF, run as a user runs it."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
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


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fast_pixels", ROOT / "examples/fast_pixels.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MUJOCO_GL", "egl")  # which the example sets too, and other tests must not see
        spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["none.xml"], "there is no model file none.xml"),
        (["bad.xml"], "bad.xml is no valid MuJoCo model"),
        (["arm.xml", "--camera", "nose"], "there is no camera 'nose'; choose one of: overview"),
        (["arm.xml", "--camera", ""], "there is no camera ''"),
        (["arm.xml", "--worlds", "0"], "the number of worlds must be a whole number from 1 to 10000000, not 0"),
        (["arm.xml", "--size", "0"], "height must be a whole number from 1 to 4096, not 0"),
        (["arm.xml", "--output", "nowhere/x.png"], "there is no folder nowhere for --output"),
        (["arm.xml", "--output", "x.foo"], "--output must end in .png or .jpg, not x.foo"),
        (["arm.xml", "--worlds", "1", "--size", "8", "--output", "taken.png"], "cannot write taken.png"),
    ],
)
def test_one_line_for_what_the_user_can_correct(
    example: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["fast_pixels.py", *words])
    monkeypatch.setattr(example, "mujoco_picture", lambda *_: None)  # OpenGL may crash, and has a process elsewhere
    Path("arm.xml").write_text(MODEL)
    Path("bad.xml").write_text("<mujoco><worldbody><geom/></worldbody></mujoco>")
    Path("taken.png").mkdir()
    with pytest.raises(SystemExit) as stopped:
        example.main()
    assert message in str(stopped.value.code)
    assert "\n" not in str(stopped.value.code)


CAMERAS = """<mujoco><worldbody><geom size="1"/><camera projection="orthographic"/>{}</worldbody></mujoco>"""


@pytest.mark.parametrize(
    ("more", "chosen"),
    [
        ("<camera/><camera name='last'/>", "camera1"),
        ("<camera name='last'/>", "last"),
        ("", "overview"),
        ("<camera name='camera0'/>", "camera0"),  # which the unnamed one must not be called too
        ("<camera name='overview' projection='orthographic'/>", "camera1"),
    ],
)
def test_takes_the_first_camera_with_perspective(example: ModuleType, tmp_path: Path, more: str, chosen: str) -> None:
    (tmp_path / "m.xml").write_text(CAMERAS.format(more))
    model, name = example.load(tmp_path / "m.xml")
    assert name == chosen
    assert model.cam_projection[model.camera(name).id] == 0
