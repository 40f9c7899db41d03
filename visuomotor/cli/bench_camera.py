"""How many images a second the camera makes, next to other renderers of the same scene."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import mujoco
import numpy as np
import torch

from visuomotor.camera import Camera
from visuomotor.engine import CpuEngine
from visuomotor.errors import VisuomotorError
from visuomotor.robots.mjcf import load_mjcf, named

_GL_BACKENDS = ("egl", "osmesa")
_GL_SECONDS_AT_MOST = 300


def bench_camera(
    model: mujoco.MjModel, camera: str, size: int, num_envs: int = 64, seconds: float = 3.0, seed: int = 0
) -> dict[str, object]:
    """Time colour images of one camera, `size x size` pixels, the joints of every world elsewhere.

    All renderers are timed in this call, one after the other, without shadows, textures or multisampling: MuJoCo's own
    GL renderer (scene update and image, one world after the other) and MuJoCo Warp on its CPU device (all worlds
    at once).

    Args:
        seconds: to spend on each renderer after its warm-up.

    Returns:
        `frames_per_second` (the median of repeated calls), `ratio_to_mujoco_gl` and `ratio_to_mujoco_warp_cpu` (how
        many times faster; None where that renderer is missing), `mujoco_gl_frames_per_second`,
        `mujoco_warp_cpu_frames_per_second`, `mujoco_gl_backend`, `size`, `num_envs`, `geoms`.
    """
    engine = _scattered_engine(model, num_envs, seed)
    own = Camera(engine, camera, size, size)
    rate = num_envs / _median_seconds(own.rgb, seconds)
    positions = engine.field("qpos").numpy().copy()
    gl_rate, gl_backend = _time_gl(model, camera, size, positions, seconds)
    warp_rate = _time_warp(model, camera, size, engine, seconds)
    return {
        "frames_per_second": rate,
        "ratio_to_mujoco_gl": None if gl_rate is None else rate / gl_rate,
        "ratio_to_mujoco_warp_cpu": None if warp_rate is None else rate / warp_rate,
        "mujoco_gl_frames_per_second": gl_rate,
        "mujoco_gl_backend": gl_backend,
        "mujoco_warp_cpu_frames_per_second": warp_rate,
        "size": size,
        "num_envs": num_envs,
        "geoms": int(model.ngeom),
    }


def read_scene(path: Path) -> tuple[mujoco.MjModel, str]:
    """The model of an MJCF file and its first camera's name."""
    model = load_mjcf(path).compile()
    cameras = named(model, "camera")
    if not cameras:
        raise VisuomotorError(f"{path} has no camera with a name; add one")
    return model, cameras[0]


def _scattered_engine(model: mujoco.MjModel, worlds: int, seed: int) -> CpuEngine:
    """An engine whose worlds have their hinges turned and slides shifted a little, each in its own way."""
    engine = CpuEngine(model, worlds)
    single = np.isin(model.jnt_type, [mujoco.mjtJoint.mjJNT_HINGE, mujoco.mjtJoint.mjJNT_SLIDE])
    addresses = torch.as_tensor(model.jnt_qposadr[single].astype(np.int64))
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn((worlds, len(addresses)), generator=generator, dtype=torch.float64)
    engine.field("qpos")[:, addresses] += 0.1 * noise
    engine.forward()
    return engine


def _median_seconds(call: Callable[[], object], seconds: float) -> float:
    """The median duration of one call, after one that warms up."""
    call()
    durations: list[float] = []
    stop = time.perf_counter() + seconds
    while len(durations) < 3 or time.perf_counter() < stop:
        start = time.perf_counter()
        call()
        durations.append(time.perf_counter() - start)
    return median(durations)


def _time_gl(
    model: mujoco.MjModel, camera: str, size: int, positions: np.ndarray, seconds: float
) -> tuple[float | None, str | None]:
    """Frames a second of MuJoCo's renderer, and its GL backend; in a process of its own, since a bad driver crashes."""
    with tempfile.TemporaryDirectory() as folder:
        scene, places = Path(folder) / "scene.mjb", Path(folder) / "qpos.npy"
        mujoco.mj_saveModel(model, str(scene), None)
        np.save(places, positions)
        for backend in _GL_BACKENDS:
            command = [sys.executable, "-m", __name__, str(scene), str(places), camera, str(size), str(seconds)]
            try:
                run = subprocess.run(
                    command,
                    env={**os.environ, "MUJOCO_GL": backend},
                    capture_output=True,
                    text=True,
                    timeout=_GL_SECONDS_AT_MOST,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                continue
            if run.returncode == 0 and run.stdout.strip():
                return float(json.loads(run.stdout.splitlines()[-1])), backend
    return None, None


def _gl_frames_per_second(scene: str, places: str, camera: str, size: int, seconds: float) -> float:
    model = mujoco.MjModel.from_binary_path(scene)
    model.vis.quality.offsamples = 0
    model.vis.global_.offwidth = max(size, model.vis.global_.offwidth)
    model.vis.global_.offheight = max(size, model.vis.global_.offheight)
    data = mujoco.MjData(model)
    positions = np.load(places)
    with mujoco.Renderer(model, size, size) as renderer:
        for flag in (mujoco.mjtRndFlag.mjRND_SHADOW, mujoco.mjtRndFlag.mjRND_REFLECTION):
            renderer.scene.flags[flag] = False
        image = np.empty((size, size, 3), dtype=np.uint8)
        frame = 0

        def draw() -> float:
            """The duration of one frame; moving the joints is not part of it."""
            nonlocal frame
            data.qpos[:] = positions[frame % len(positions)]
            mujoco.mj_forward(model, data)
            frame += 1
            start = time.perf_counter()
            renderer.update_scene(data, camera)
            renderer.render(out=image)
            return time.perf_counter() - start

        for _ in range(5):
            draw()
        durations: list[float] = []
        stop = time.perf_counter() + seconds
        while len(durations) < 10 or time.perf_counter() < stop:
            durations.append(draw())
    return 1.0 / median(durations)


def _time_warp(model: mujoco.MjModel, camera: str, size: int, engine: CpuEngine, seconds: float) -> float | None:
    """Frames a second of MuJoCo Warp's renderer on its CPU device, bounding volumes included."""
    try:
        import mujoco_warp as mjw
        import warp as wp
    except ImportError:
        return None
    wp.config.quiet = True  # pyright: ignore[reportAttributeAccessIssue]
    wp.init()
    with wp.ScopedDevice("cpu"):
        try:
            warp_model = mjw.put_model(model)
        except (NotImplementedError, ValueError):  # a scene whose physics Warp does not know
            return None
        data = mjw.make_data(model, nworld=engine.worlds)
        for name in ("geom_xpos", "geom_xmat", "cam_xpos", "cam_xmat", "light_xpos", "light_xdir"):
            like = getattr(data, name)
            values = engine.field(name).numpy().astype(np.float32)
            setattr(data, name, wp.array(values.reshape(like.numpy().shape), dtype=like.dtype))
        context = mjw.create_render_context(
            model,
            nworld=engine.worlds,
            cam_res=(size, size),
            render_rgb=True,
            render_depth=False,
            render_seg=False,
            use_textures=False,
            use_shadows=False,
            cam_active=[camera],
        )

        def draw() -> None:
            mjw.refit_bvh(warp_model, data, context)
            mjw.render(warp_model, data, context)

        return engine.worlds / _median_seconds(draw, seconds)


if __name__ == "__main__":
    _, _scene, _places, _camera, _size, _seconds = sys.argv
    print(json.dumps(_gl_frames_per_second(_scene, _places, _camera, int(_size), float(_seconds))))
