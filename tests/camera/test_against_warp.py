"""The rasteriser against MuJoCo Warp's ray tracer, shadows and textures off."""

import numpy as np
import pytest
from random_scenes import random_engine

from visuomotor.camera import Camera, Frame
from visuomotor.camera.scene import Appearance, Poses
from visuomotor.engine import Engine

SIZE = 120
FARTHEST = 1e3  # metres; Warp cuts its depth there


class WarpReference:
    """Renders engines of one model with one compiled Warp kernel (over a minute the first time)."""

    def __init__(self, engine: Engine):
        wp = pytest.importorskip("warp")
        mjw = pytest.importorskip("mujoco_warp")
        wp.config.quiet = True
        self.wp, self.mjw = wp, mjw
        wp.init()
        with wp.ScopedDevice("cpu"):
            self.model = mjw.put_model(engine.model)
            self.data = mjw.make_data(engine.model, nworld=engine.worlds)
            self.context = mjw.create_render_context(
                engine.model,
                nworld=engine.worlds,
                cam_res=(SIZE, SIZE),
                render_rgb=True,
                render_depth=True,
                render_seg=True,
                use_textures=False,
                use_shadows=False,
                use_precomputed_rays=False,
                cam_active=["eye"],
            )

    def render(self, engine: Engine) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Colour, depth and geom ids of all worlds."""
        wp, mjw = self.wp, self.mjw
        worlds = engine.worlds
        with wp.ScopedDevice("cpu"):
            for name in Appearance._fields:
                if engine.is_per_world(name):
                    setattr(self.model, name, _to_warp(wp, getattr(self.model, name), engine.model_field(name).numpy()))
            for name in Poses._fields:
                setattr(self.data, name, _to_warp(wp, getattr(self.data, name), engine.field(name).numpy()))
            mjw.refit_bvh(self.model, self.data, self.context)
            mjw.render(self.model, self.data, self.context)
            rgb = wp.zeros((worlds, SIZE, SIZE), dtype=wp.vec3)
            mjw.get_rgb(self.context, 0, rgb)
            depth = wp.zeros((worlds, SIZE, SIZE), dtype=float)
            mjw.get_depth(self.context, 0, FARTHEST, depth)
            segmentation = wp.zeros((worlds, SIZE, SIZE), dtype=wp.vec2i)
            mjw.get_segmentation(self.context, 0, segmentation)
        return 255.0 * rgb.numpy(), FARTHEST * depth.numpy(), segmentation.numpy()[..., 0]


def _to_warp(wp, like, values: np.ndarray):
    numbers = values.astype(np.int32 if like.dtype is int else np.bool_ if like.dtype is bool else np.float32)
    shape = (*numbers.shape[:2], *getattr(like.dtype, "_shape_", ()))
    return wp.array(numbers.reshape(shape), dtype=like.dtype)


def _agreement(frame: Frame, colour: np.ndarray, depth: np.ndarray, geom: np.ndarray) -> tuple[float, float, float]:
    same = frame.segmentation.numpy() == geom
    near = np.abs(frame.depth.numpy() - depth) <= 1e-3 * np.maximum(depth, 1e-6)
    like = np.abs(frame.rgb.numpy().astype(float) - colour).max(axis=-1) <= 3.0
    return same.mean(), near[same].mean(), like[same].mean()


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_agrees_with_warp(seed: int) -> None:
    engine = random_engine(seed)
    frame = Camera(engine, "eye", SIZE, SIZE).render()
    colour, depth, geom = WarpReference(engine).render(engine)
    same, near, like = _agreement(frame, colour, depth, geom)
    print(f"seed {seed}: segmentation {same:.5f}, depth {near:.5f}, colour {like:.5f}, geoms {len(np.unique(geom))}")
    assert same >= 0.995
    assert near >= 0.99
    assert like >= 0.99
