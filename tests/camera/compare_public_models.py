"""How well the camera's images of other people's models agree with MuJoCo's OpenGL renderer.

    python tests/camera/compare_public_models.py MODEL.xml ... [--size 240]

Prints, for every named camera, the share of pixels that show the same geom, the share whose colours are within 8 of
255, and the frames a second of one core's processor time; then the means.
Models are in the wheels of robosuite, dm_control and gym-aloha (`pip download --no-deps robosuite`, then `unzip`).
"""

import argparse
import tempfile
import time
import warnings
from pathlib import Path

import mujoco
import numpy as np
from gl_reference import gl_images, named_cameras

from visuomotor.camera import Camera
from visuomotor.engine import CpuEngine


def compare(paths: list[Path], size: int) -> None:
    models = {}
    for path in paths:
        try:
            spec = mujoco.MjSpec.from_file(str(path))
            spec.option.jacobian = mujoco.mjtJacobian.mjJAC_DENSE
            models[f"{len(models)}-{path.parent.name}-{path.stem}"] = spec.compile()
        except ValueError as error:
            print(f"{path}: left out, {str(error).splitlines()[0]}")
    with tempfile.TemporaryDirectory() as folder:
        images = gl_images(models, size, Path(folder))
    if images is None:
        raise SystemExit("there is no OpenGL here; install libegl1 and Mesa")
    shares = []
    for name, model in models.items():
        engine = CpuEngine(model, 1, 1)
        engine.forward()
        for camera in named_cameras(model):
            ours = Camera(engine, camera, size, size, threads=1)
            frame = ours.render()
            colour, geom = images[name, camera]
            same = float((frame.segmentation[0].numpy() == geom).mean())
            alike = float((np.abs(frame.rgb[0].numpy().astype(int) - colour).max(-1) <= 8).mean())
            began = time.process_time()
            for _ in range(10):
                ours.rgb()
            rate = 10 / (time.process_time() - began)
            print(f"{name:60} {camera:20} geom {same:.4f} colour {alike:.4f} {rate:6.0f} frames/s", flush=True)
            shares.append((same, alike))
    print(f"{len(shares)} cameras: geom {np.mean(shares, 0)[0]:.4f}, colour {np.mean(shares, 0)[1]:.4f} (means)")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--size", type=int, default=240)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    compare(arguments.models, arguments.size)
