"""A thousand worlds of any MJCF, rendered on the CPU, beside MuJoCo's own picture where it can make one.

python examples/fast_pixels.py my_robot.xml [--camera NAME] [--size 128] [--worlds 1000] [--output pixels.png]
"""

import argparse
import os
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


def load(path: Path) -> mujoco.MjModel:
    """The model, with a camera that sees all of it if it has none."""
    spec = mujoco.MjSpec.from_file(str(path))
    spec.option.jacobian = mujoco.mjtJacobian.mjJAC_DENSE
    if not spec.cameras:
        statistic = spec.compile().stat
        place = statistic.center + statistic.extent * np.array([1.2, -1.2, 0.8])
        z = (place - statistic.center) / np.linalg.norm(place - statistic.center)
        x = np.cross([0, 0, 1], z)
        camera = spec.worldbody.add_camera(name="overview", pos=place)
        camera.alt.type, camera.alt.xyaxes = mujoco.mjtOrientation.mjORIENTATION_XYAXES, [*x, *np.cross(z, x)]
    return spec.compile()


def mujoco_picture(model: mujoco.MjModel, camera: str, size: int, qpos: np.ndarray) -> np.ndarray | None:
    """The first world by MuJoCo's OpenGL renderer; None where there is no OpenGL."""
    model.vis.global_.offwidth = model.vis.global_.offheight = size
    data = mujoco.MjData(model)
    data.qpos[:] = qpos
    mujoco.mj_forward(model, data)
    try:
        with mujoco.Renderer(model, size, size) as renderer:
            renderer.update_scene(data, camera)
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
    options = parser.parse_args()

    model = load(options.model)
    name = options.camera or model.camera(0).name
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
    imsave(options.output, np.hstack(pictures))
    print(f"{options.output}: {'MuJoCo, then ' if theirs is not None else ''}worlds 0 to {len(images[:4]) - 1}")


if __name__ == "__main__":
    main()
