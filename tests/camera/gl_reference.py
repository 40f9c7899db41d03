"""MuJoCo's OpenGL renderer as a reference.

It runs in a process of its own: a bad driver crashes, and its platform is chosen before MuJoCo is imported.
"""

import os
import subprocess
import sys
from pathlib import Path

import mujoco
import numpy as np

_BACKENDS = ("egl", "osmesa")
_SECONDS_AT_MOST = 300


def gl_images(
    models: dict[str, mujoco.MjModel], size: int, folder: Path
) -> dict[tuple[str, str], tuple[np.ndarray, np.ndarray]] | None:
    """Colours `(size, size, 3)` and geom ids `(size, size)` of every named camera, by model and camera.

    None where there is no OpenGL. Poses are those of the first keyframe, or the model's own.
    """
    for name, model in models.items():
        mujoco.mj_saveModel(model, str(folder / f"{name}.mjb"), None)
    for backend in _BACKENDS:
        command = [sys.executable, __file__, str(folder), str(size)]
        environment = {**os.environ, "MUJOCO_GL": backend}
        try:
            run = subprocess.run(command, env=environment, capture_output=True, timeout=_SECONDS_AT_MOST, check=False)
        except subprocess.TimeoutExpired:
            continue
        if run.returncode == 0:
            images = {}
            for name, model in models.items():
                with np.load(folder / f"{name}.npz") as stored:
                    for camera in named_cameras(model):
                        images[name, camera] = stored[f"{camera}-rgb"], stored[f"{camera}-geom"]
            return images
    return None


def named_cameras(model: mujoco.MjModel) -> list[str]:
    """Those with perspective."""
    perspective = mujoco.mjtProjection.mjPROJ_PERSPECTIVE
    names = [model.camera(i).name for i in range(model.ncam) if model.cam_projection[i] == perspective]
    return [name for name in names if name]


def _render_all(folder: Path, size: int) -> None:
    for path in sorted(folder.glob("*.mjb")):
        model = mujoco.MjModel.from_binary_path(str(path))
        model.vis.quality.offsamples = 0
        model.vis.global_.offwidth = model.vis.global_.offheight = size
        data = mujoco.MjData(model)
        if model.nkey:
            mujoco.mj_resetDataKeyframe(model, data, 0)
        mujoco.mj_forward(model, data)
        images = {}
        with mujoco.Renderer(model, size, size) as renderer:
            for camera in named_cameras(model):
                images[f"{camera}-rgb"] = _draw(renderer, data, camera)
                renderer.enable_segmentation_rendering()
                pairs = _draw(renderer, data, camera)
                renderer.disable_segmentation_rendering()
                is_geom = pairs[..., 1] == int(mujoco.mjtObj.mjOBJ_GEOM)
                images[f"{camera}-geom"] = np.where(is_geom, pairs[..., 0], -1)
        np.savez(path.with_suffix(".npz"), **images)


def _draw(renderer: mujoco.Renderer, data: mujoco.MjData, camera: str) -> np.ndarray:
    """An image without what visuomotor's camera says that it does not draw."""
    option = mujoco.MjvOption()
    option.sitegroup[:] = 0
    for flag in (mujoco.mjtVisFlag.mjVIS_TENDON, mujoco.mjtVisFlag.mjVIS_SKIN, mujoco.mjtVisFlag.mjVIS_RANGEFINDER):
        option.flags[flag] = False
    renderer.update_scene(data, camera, option)
    flags = mujoco.mjtRndFlag
    for flag in (flags.mjRND_SHADOW, flags.mjRND_REFLECTION, flags.mjRND_SKYBOX, flags.mjRND_FOG, flags.mjRND_HAZE):
        renderer.scene.flags[flag] = False
    return renderer.render().copy()


if __name__ == "__main__":
    _render_all(Path(sys.argv[1]), int(sys.argv[2]))
