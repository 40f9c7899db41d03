"""The compiled function that renders worlds one after the other, without the interpreter lock."""

from collections.abc import Callable
from math import pi, tan
from typing import cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

from visuomotor.camera.corner_light import KEPT, CornerLight
from visuomotor.camera.draw import Layers, draw_geoms
from visuomotor.camera.frame_buffer import LANES, FrameBuffer
from visuomotor.camera.geometry import into_frame, matrix_columns, vector_at
from visuomotor.camera.lights import DIRECTIONAL, LIGHT_WIDTH, POINT, SPOT, light_into_camera, put_light
from visuomotor.camera.mesh_clusters import MOST_FACES, Meshes
from visuomotor.camera.mesh_views import MeshViews, clear_views, geom_of
from visuomotor.camera.meshes import ClusterScratch
from visuomotor.camera.njit import (
    Bytes,
    Float64Array,
    Floats,
    Integers,
    Mat3,
    SurfaceIds,
    Vector,
    njit_inline,
    source_digest,
)
from visuomotor.camera.scene import Appearance, Poses, StaticScene
from visuomotor.camera.shading import shade
from visuomotor.camera.surfaces import COLOUR, FACE, MOST_PER_PRIMITIVE, NOTHING, WIDTH, Surfaces, clear
from visuomotor.camera.textures import Textures
from visuomotor.camera.tile import SCRATCH_ROWS, Scratch, tile_rows

_AMBIENT_WITHOUT_LIGHT = 0.3
_MOST_LIGHTS = 8  # that MuJoCo's OpenGL renderer shows, which skips point lights


@njit_inline
def _frustum(appearance: Appearance, world: int, camera: int, aspect: float) -> tuple[float, float, float, float]:
    """X of the left and right, Y of the top and bottom border of the image at depth 1.

    The image shows a whole sensor, as MuJoCo's: stretched where the sensor has another aspect.
    """
    sensor = appearance.cam_sensorsize[world % appearance.cam_sensorsize.shape[0], camera]
    half_width, half_height = 0.5 * float(sensor[0]), 0.5 * float(sensor[1])
    if half_height == 0.0:
        half = tan(appearance.cam_fovy[world % appearance.cam_fovy.shape[0], camera] * pi / 360.0)
        return (-half * aspect, half * aspect, half, -half)
    intrinsic = appearance.cam_intrinsic[world % appearance.cam_intrinsic.shape[0], camera]
    fx, fy, cx, cy = float(intrinsic[0]), float(intrinsic[1]), float(intrinsic[2]), float(intrinsic[3])
    return (-(half_width - cx) / fx, (half_width + cx) / fx, (half_height - cy) / fy, -(half_height + cy) / fy)


@njit_inline
def _collect_lights(
    static: StaticScene, appearance: Appearance, poses: Poses, world: int, eye: Vector, axes: Mat3, lights: Float64Array
) -> tuple[int, Vector]:
    """Fill the table of lights in the camera's frame; returns how many there are, and the ambient light."""
    active = appearance.light_active[world % appearance.light_active.shape[0]]
    kinds = appearance.light_type[world % appearance.light_type.shape[0]]
    diffuse = appearance.light_diffuse[world % appearance.light_diffuse.shape[0]]
    specular = appearance.light_specular[world % appearance.light_specular.shape[0]]
    attenuation = appearance.light_attenuation[world % appearance.light_attenuation.shape[0]]
    cutoff = appearance.light_cutoff[world % appearance.light_cutoff.shape[0]]
    exponent = appearance.light_exponent[world % appearance.light_exponent.shape[0]]
    ambients = appearance.light_ambient[world % appearance.light_ambient.shape[0]]
    count, left = 0, _MOST_LIGHTS
    ambient = (0.0, 0.0, 0.0)
    if static.headlight_active:
        own = static.headlight[0]
        ambient = (float(own[0]), float(own[1]), float(own[2]))
        put_light(
            lights, 0, DIRECTIONAL, (0.0, 0.0, 0.0), (0.0, 0.0, -1.0), static.headlight[0], static.headlight[1],
            static.headlight[2], static.headlight[0], 0.0, 0.0,
        )  # fmt: skip
        count, left = 1, left - 1
    for light in range(active.shape[0]):
        limited = kinds[light] == DIRECTIONAL or kinds[light] == SPOT
        if active[light] and (kinds[light] == POINT or (limited and left > 0)):
            left -= limited
            if kinds[light] == DIRECTIONAL:  # those of other lights weaken with distance
                own = ambients[light]
                ambient = (ambient[0] + own[0], ambient[1] + own[1], ambient[2] + own[2])
            place = light_into_camera(axes, eye, vector_at(poses.light_xpos[world], light))
            direction = into_frame(axes, vector_at(poses.light_xdir[world], light))
            put_light(
                lights, count, kinds[light], place, direction, ambients[light], diffuse[light], specular[light],
                attenuation[light], float(cutoff[light]), float(exponent[light]),
            )  # fmt: skip
            count += 1
    if count == 0:
        ambient = (_AMBIENT_WITHOUT_LIGHT, _AMBIENT_WITHOUT_LIGHT, _AMBIENT_WITHOUT_LIGHT)
    return count, ambient


@njit_inline
def _average_blocks(fine: Bytes, samples: int, coarse: Bytes) -> None:
    """Each pixel of `coarse` is the mean of `samples x samples` pixels of `fine`, rounded to the nearest."""
    half = samples * samples // 2
    for row in range(coarse.shape[0]):
        for column in range(coarse.shape[1]):
            for channel in range(3):
                total = half
                for i in range(samples):
                    for j in range(samples):
                        total += int(fine[row * samples + i, column * samples + j, channel])
                coarse[row, column, channel] = total // (samples * samples)


@njit_inline
def _write_depth(
    surfaces: Surfaces,
    views: MeshViews,
    inverse_depth: Floats,
    surface_id: SurfaceIds,
    samples: int,
    depth: Floats,
    segmentation: Integers,
) -> None:
    """Depth and geom of each pixel's middle sample."""
    for row in range(depth.shape[0]):
        for column in range(depth.shape[1]):
            i, j = row * samples + samples // 2, column * samples + samples // 2
            surface = surface_id[i, j]
            segmentation[row, column] = geom_of(surfaces, views, surface)
            depth[row, column] = np.float32(0.0) if surface == NOTHING else np.float32(1.0) / inverse_depth[i, j]


def _make_kernel(digest: int) -> Callable[..., int]:
    def render_worlds(
        static: StaticScene,
        appearance: Appearance,
        poses: Poses,
        meshes: Meshes,
        textures: Textures,
        camera: int,
        worlds: NDArray[np.int64],
        samples: int,
        first: int,
        end: int,
        rgb: Bytes,
        depth: Floats,
        segmentation: Integers,
    ) -> int:
        """Render `worlds[first:end]` into the same rows of `rgb` and, unless empty, `depth` and `segmentation`."""
        height, width = rgb.shape[1] * samples, rgb.shape[2] * samples
        pixels = tile_rows(height, width) * width
        most_geoms = static.drawn.shape[0]
        most_surfaces = FACE + 1 + MOST_PER_PRIMITIVE * most_geoms
        columns = np.empty(width, np.float32)
        depths = np.empty((2, height * width + LANES), np.float32)
        ids = np.empty((2, height * width + LANES), np.uint32)
        inverse_depth, layer_depth = (
            depths[0, :-LANES].reshape(height, width),
            depths[1, :-LANES].reshape(height, width),
        )
        surface_id, layer_id = ids[0, :-LANES].reshape(height, width), ids[1, :-LANES].reshape(height, width)
        edges = np.empty((6, 4), np.float64)
        surfaces = Surfaces(
            np.empty((most_surfaces, WIDTH), np.float32),
            np.empty(most_surfaces, np.int32),
            np.empty(1, np.int32),
            np.empty(WIDTH - COLOUR, np.float32),
        )
        views = MeshViews(
            np.empty((most_geoms + 1, 3), np.int32),
            np.empty((most_geoms, 4, 3), np.float64),
            np.empty((most_geoms, WIDTH - COLOUR), np.float32),
            np.empty(1, np.int32),
        )
        layers = Layers(np.empty(most_geoms, np.int32), np.empty(most_geoms, np.float64), np.empty(1, np.int32))
        lights = np.empty((appearance.light_active.shape[1] + 1, LIGHT_WIDTH), np.float64)
        scratch = Scratch(
            np.empty((SCRATCH_ROWS, pixels), np.float32), np.empty(pixels, np.int32), np.empty((pixels, 3), np.uint8)
        )
        corner_light = CornerLight(
            np.empty(KEPT, np.uint32), np.empty((KEPT, 9), np.float32), np.empty((SCRATCH_ROWS, 3), np.float32)
        )
        cluster = ClusterScratch(np.empty((3, 3 * MOST_FACES), np.float32), np.empty(MOST_FACES, np.int32))
        fine = np.empty((height if samples > 1 else 0, width, 3), np.uint8)
        for item in range(first, end):
            world = worlds[item]
            axes = matrix_columns(poses.cam_xmat[world], camera)
            eye = vector_at(poses.cam_xpos[world], camera)
            left, right, top, bottom = _frustum(appearance, world, camera, width / height)
            dx, dy = (right - left) / width, (bottom - top) / height
            left, top = left + 0.5 * dx, top + 0.5 * dy
            for column in range(width):
                columns[column] = left + dx * column
            clear(surfaces)
            clear_views(views)
            inverse_depth[:, :] = np.float32(1.0 / static.zfar)
            surface_id[:, :] = np.uint32(NOTHING)
            layers.used[0] = 0
            count, ambient = _collect_lights(static, appearance, poses, world, eye, axes, lights)
            image = (fine if samples > 1 else rgb[item]).reshape(height * width, 3)
            # Turn 0 draws what is opaque. MuJoCo lays transparent geoms over that from the nearest to the farthest,
            # and once more back: a turn each. A last turn draws them all, for depth and segmentation.
            turn, turns, used, viewed = 0, 1, 0, 0
            while turn < turns:
                layer = turn if turn <= layers.used[0] else 2 * layers.used[0] + 1 - turn  # counted from 1
                between = turn > 0 and layer > 0
                if turn > 0:
                    surfaces.used[0], views.used[0] = used, viewed
                if between:
                    layer_depth[:, :] = inverse_depth
                    layer_id[:, :] = np.uint32(NOTHING)
                buffer = FrameBuffer(
                    layer_depth if between else inverse_depth, layer_id if between else surface_id, columns, edges,
                    static.znear, left, dx, top, dy,
                )  # fmt: skip
                draw_geoms(
                    buffer, surfaces, views, static, appearance, poses, meshes, textures, cluster, world, eye, axes,
                    static.drawn if turn == 0 else layers.geom,
                    layer - 1 if between else 0,
                    layer if between else (most_geoms if turn == 0 else layers.used[0]),
                    layers, turn == 0,
                )  # fmt: skip
                if turn == 0 or between:
                    shade(
                        buffer, surfaces, views, meshes, textures, lights[:count], ambient, between, scratch,
                        corner_light, image,
                    )  # fmt: skip
                if turn == 0:
                    used, viewed = surfaces.used[0], views.used[0]
                    if layers.used[0] > 0:
                        turns += 2 * layers.used[0] + (1 if depth.shape[0] > 0 else 0)
                turn += 1
            if samples > 1:
                _average_blocks(fine, samples, rgb[item])
            if depth.shape[0] > 0:
                _write_depth(surfaces, views, inverse_depth, surface_id, samples, depth[item], segmentation[item])
        return digest

    return cast(Callable[..., int], njit(nogil=True, cache=True, fastmath=True, error_model="numpy")(render_worlds))


# Compiled at the first call, from numba's disk cache if it can.
render_worlds = _make_kernel(source_digest())
