"""A thousand worlds of any MJCF, rendered on the CPU, beside MuJoCo's own picture where it can make one.

python examples/fast_pixels.py my_robot.xml [--camera NAME] [--size 128] [--worlds 1000] [--output pixels.png]
"""

import argparse
import itertools
import os
import sys
import time
import warnings
from pathlib import Path

os.environ.setdefault("MUJOCO_GL", "egl")  # before mujoco is imported
import mujoco
import numpy as np
import torch
from matplotlib.image import imsave

from visuomotor.camera import Camera
from visuomotor.engine import CpuEngine
from visuomotor.errors import VisuomotorError
from visuomotor.robots.mjcf import compile_scene, load_mjcf


def load(path: Path) -> tuple[mujoco.MjModel, str]:
    """The model, and a camera for it: the first with perspective, or one that sees all of the model."""
    spec = load_mjcf(path)
    taken = {camera.name for camera in spec.cameras}
    names = (name for number in itertools.count() if (name := f"camera{number}") not in taken)
    for camera in spec.cameras:
        camera.name = camera.name or next(names)
    perspective = [camera.name for camera in spec.cameras if camera.proj == mujoco.mjtProjection.mjPROJ_PERSPECTIVE]
    if not perspective:
        statistic = spec.compile().stat
        place = statistic.center + statistic.extent * np.array([1.2, -1.2, 0.8])
        z = (place - statistic.center) / np.linalg.norm(place - statistic.center)
        x = np.cross([0, 0, 1], z)
        perspective = ["overview" if "overview" not in taken else next(names)]
        camera = spec.worldbody.add_camera(name=perspective[0], pos=place)
        camera.alt.type, camera.alt.xyaxes = mujoco.mjtOrientation.mjORIENTATION_XYAXES, [*x, *np.cross(z, x)]
    return compile_scene(spec, str(path)), perspective[0]


def mujoco_picture(model: mujoco.MjModel, camera: str, size: int, qpos: np.ndarray) -> np.ndarray | None:
    """The first world by MuJoCo's OpenGL renderer; None where there is no OpenGL."""
    model.vis.global_.offwidth = model.vis.global_.offheight = size
    data = mujoco.MjData(model)
    if model.nkey:  # as the engine starts
        mujoco.mj_resetDataKeyframe(model, data, 0)
    data.qpos[:] = qpos
    mujoco.mj_forward(model, data)
    try:
        with mujoco.Renderer(model, size, size) as renderer:
            renderer.update_scene(data, model.camera(camera).id)
            renderer.scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = False
            return renderer.render()
    except Exception as error:  # whatever the driver says
        print(f"no picture by MuJoCo: {error}")
        return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--camera")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--worlds", type=int, default=1000)
    parser.add_argument("--output", type=Path, default=Path("pixels.png"))
    try:
        render(parser.parse_args())
    except VisuomotorError as error:
        sys.exit(f"fast_pixels: {error}")
    except (MemoryError, RuntimeError) as error:
        sys.exit(f"fast_pixels: {error}; try fewer --worlds or a smaller --size")


def render(options: argparse.Namespace) -> None:
    if not options.output.parent.is_dir():
        raise VisuomotorError(f"there is no folder {options.output.parent} for --output; make it")
    if options.output.suffix not in (".png", ".jpg"):
        raise VisuomotorError(f"--output must end in .png or .jpg, not {options.output}")
    model, first = load(options.model)
    name = first if options.camera is None else options.camera
    engine = CpuEngine(model, options.worlds)
    hinges = np.isin(model.jnt_type, [mujoco.mjtJoint.mjJNT_HINGE, mujoco.mjtJoint.mjJNT_SLIDE])
    joints = torch.as_tensor(model.jnt_qposadr[hinges].astype(np.int64))
    engine.field("qpos")[1:, joints] += 0.2 * torch.randn(options.worlds - 1, len(joints), dtype=torch.float64)
    engine.forward()

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        camera = Camera(engine, name, options.size, options.size)
    for warning in told:  # of what it does not draw
        print(warning.message)
    camera.rgb()  # compiles
    began = time.perf_counter()
    images = camera.rgb().numpy()
    print(f"{options.worlds / (time.perf_counter() - began):,.0f} frames/s, {options.size}x{options.size}")

    pictures = list(images[:4])
    theirs = mujoco_picture(model, name, options.size, engine.field("qpos")[0].numpy())
    if theirs is not None:
        pictures.insert(0, theirs)
    try:
        imsave(options.output, np.hstack(pictures))
    except OSError as error:
        raise VisuomotorError(f"cannot write {options.output}: {error}; choose another --output") from error
    print(f"{options.output}: {'MuJoCo, then ' if theirs is not None else ''}worlds 0 to {len(images[:4]) - 1}")


if __name__ == "__main__":
    main()
