"""Images of all worlds of an engine."""

import warnings
from collections.abc import Collection
from dataclasses import dataclass

import mujoco
import numpy as np
import torch
from torch import Tensor

from visuomotor.camera.camera_spec import LARGEST_SIDE, LARGEST_SUPERSAMPLING
from visuomotor.camera.kernel import render_worlds
from visuomotor.camera.limits import Limit, check_limits, check_meshes, check_per_world, limits_of
from visuomotor.camera.mesh_clusters import read_meshes
from visuomotor.camera.not_drawn import not_drawn
from visuomotor.camera.scene import Appearance, per_world_fields, read_appearance, read_poses, read_static_scene
from visuomotor.camera.textures import read_textures
from visuomotor.engine import Engine
from visuomotor.engine.thread_pool import available_cores, parallel_for
from visuomotor.engine.world_ids import check_world_ids
from visuomotor.errors import VisuomotorError, brief, unknown, whole_number

# More parts share a busy machine's cores better, but each part costs a call.
_PARTS_PER_THREAD = 4


@dataclass(frozen=True)
class Frame:
    """What a camera sees of n worlds.

    Depth and segmentation are those of the nearest geom, however transparent it is.

    Attributes:
        rgb: `(n, height, width, 3)` uint8.
        depth: `(n, height, width)` float32, metres along the view axis (not along the ray); 0 where nothing is hit.
        segmentation: `(n, height, width)` int32, the geom's id; -1 where nothing is hit.
    """

    rgb: Tensor
    depth: Tensor
    segmentation: Tensor


class Camera:
    """A camera of the scene, rendered on the CPU for many worlds at once, without GL.

    Shows planes, height fields, spheres, capsules, ellipsoids, cylinders, boxes and meshes under MuJoCo's lights, with
    textures and transparency: no shadows, reflections, fog or skybox (the background is black), and no flexes, skins,
    tendons and sites. What the model has of these is named in a `UserWarning` when the camera is made; for shadows and
    fog, which all models have by default, only if it changes their settings (`not_drawn`). Images agree with MuJoCo's
    OpenGL renderer, but light is worked out at every pixel, except on large faces of meshes and height fields. Poses
    are those of the engine's last call; colours, materials, sizes, lights and fields of view are the engine's per-world
    ones where it keeps such, else the model's at the time of the call. The headlight, `znear`, `zfar`, meshes, height
    fields, textures and which geoms exist are taken when the camera is made.

    Args:
        engine: whose worlds to look at; its tensors must be on the CPU.
        name: of a camera in the model, with perspective projection.
        height: of the images, in pixels.
        width: of the images, in pixels.
        supersampling: side of the square of rays whose mean is a pixel's colour; 1 for one ray through its middle.
            Depth and segmentation are the middle ray's (for an even side, the one right below the middle).
        threads: 0 for all cores. Images do not depend on it.
        groups: the geom groups to show.

    Raises:
        VisuomotorError: an argument does not fit; the model's texture coordinates or repeats are not finite; worlds
            have types or groups of geoms of their own, ids of materials, meshes or textures that do not exist, or a
            field of view or focal length that is not above 0.
            Errors in worlds are also raised when an image is made.
    """

    def __init__(
        self,
        engine: Engine,
        name: str,
        height: int = 64,
        width: int = 64,
        supersampling: int = 1,
        threads: int = 0,
        groups: Collection[int] = (0, 1, 2),
    ):
        model = engine.model
        names = [str(model.camera(i).name) for i in range(int(model.ncam))]
        if not name or name not in names:
            raise unknown("camera", name, filter(None, names))
        height = whole_number("the image's height", height, 1, LARGEST_SIDE)
        width = whole_number("the image's width", width, 1, LARGEST_SIDE)
        supersampling = whole_number("supersampling", supersampling, 1, LARGEST_SUPERSAMPLING)
        threads = whole_number("threads (0 for all cores)", threads, 0, 10_000)
        if not isinstance(groups, Collection):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise VisuomotorError(f"groups are the numbers of geom groups, such as (0, 1, 2), not {brief(groups)}")
        groups = {whole_number("a geom group", group, 0, mujoco.mjNGROUP - 1) for group in groups}
        self._threads = threads or available_cores()
        self._index = names.index(name)
        check_meshes(model)
        self._appearance, self._limits, self._per_world = _read_worlds(engine, self._index)
        if missing := not_drawn(model, groups):
            warnings.warn(f"the camera does not draw {', '.join(missing)}", stacklevel=2)
        if model.cam_projection[self._index] != mujoco.mjtProjection.mjPROJ_PERSPECTIVE:
            raise VisuomotorError(f'camera {name!r} is orthographic; set its projection to "perspective"')
        if engine.field("cam_xpos").device.type != "cpu":
            raise VisuomotorError("this camera renders on the CPU; give it an engine whose tensors are there")
        self._engine = engine
        self._height, self._width, self._samples = height, width, supersampling
        self._static = read_static_scene(model, groups)
        self._meshes, self._textures = read_meshes(model), read_textures(model)
        self._poses = read_poses(engine)

    @property
    def height(self) -> int:
        return self._height

    @property
    def width(self) -> int:
        return self._width

    def rgb(self, worlds: Tensor | None = None) -> Tensor:
        """Colour images in a fresh tensor, `(n, height, width, 3)` uint8; `worlds` is `(n,)` int, None for all."""
        return self._render(worlds, measure=False).rgb

    def render(self, worlds: Tensor | None = None) -> Frame:
        """Colour, depth and segmentation in fresh tensors; `worlds` is `(n,)` int, None for all."""
        return self._render(worlds, measure=True)

    def _render(self, worlds: Tensor | None, measure: bool) -> Frame:
        chosen = np.arange(self._engine.worlds) if worlds is None else check_world_ids(worlds, self._engine.worlds)
        if self._per_world != per_world_fields(self._engine):
            self._appearance, self._limits, self._per_world = _read_worlds(self._engine, self._index)
        check_limits(self._engine.model, self._limits)
        shape = (len(chosen), self._height, self._width)
        rgb = torch.empty((*shape, 3), dtype=torch.uint8)
        measured = shape if measure else (0, 0, 0)
        depth, segmentation = torch.empty(measured), torch.empty(measured, dtype=torch.int32)
        outputs = rgb.numpy(), depth.numpy(), segmentation.numpy()
        parts = min(len(chosen), _PARTS_PER_THREAD * self._threads)

        def render_part(part: int) -> None:
            render_worlds(
                self._static,
                self._appearance,
                self._poses,
                self._meshes,
                self._textures,
                self._index,
                chosen,
                self._samples,
                part * len(chosen) // parts,
                (part + 1) * len(chosen) // parts,
                *outputs,
            )

        parallel_for(render_part, parts, self._threads)
        return Frame(rgb, depth, segmentation)


def _read_worlds(engine: Engine, camera: int) -> tuple[Appearance, list[Limit], tuple[bool, ...]]:
    """Views of what worlds may differ in, what to check of those that do before each image, and which they are."""
    check_per_world(engine)
    appearance = read_appearance(engine)
    limits = limits_of(engine.model, appearance, camera)
    check_limits(engine.model, limits)
    return appearance, [limit for limit in limits if engine.is_per_world(limit.field)], per_world_fields(engine)
