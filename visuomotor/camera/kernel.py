"""The compiled function that renders worlds one after the other, without the interpreter lock."""

from collections.abc import Callable
from math import pi, tan
from typing import cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

from visuomotor.camera.frame_buffer import FrameBuffer
from visuomotor.camera.geometry import add_scaled, axes_into_frame, into_frame, matrix_columns, vector_at
from visuomotor.camera.meshes import Meshes, draw_mesh
from visuomotor.camera.njit import Bytes, Float64Array, Floats, Integers, Mat3, Vector, njit_inline, source_digest
from visuomotor.camera.primitives import (
    draw_box,
    draw_capsule,
    draw_cylinder,
    draw_ellipsoid,
    draw_rectangle,
    draw_sphere,
)
from visuomotor.camera.scene import Appearance, Poses, StaticScene
from visuomotor.camera.shading import LIGHT_WIDTH, SCRATCH_ROWS, light_into_camera, put_light, shade, tile_rows
from visuomotor.camera.surfaces import NOTHING, WIDTH, Surfaces, clear, set_look

# MuJoCo's numbers, as plain constants for compiled code.
_PLANE, _SPHERE, _CAPSULE, _ELLIPSOID, _CYLINDER, _BOX, _MESH = 0, 2, 3, 4, 5, 6, 7
_DIRECTIONAL = 1
_AMBIENT_WITHOUT_LIGHT = 0.3


@njit_inline
def _frustum(
    appearance: Appearance, static: StaticScene, world: int, camera: int, aspect: float
) -> tuple[float, float, float, float]:
    """X of the left and right, Y of the top and bottom border of the image at depth 1."""
    sensor_width, sensor_height = float(static.camera_sensorsize[0]), float(static.camera_sensorsize[1])
    if sensor_height == 0.0:
        half = tan(appearance.cam_fovy[world % appearance.cam_fovy.shape[0], camera] * pi / 360.0)
        return (-half * aspect, half * aspect, half, -half)
    intrinsic = appearance.cam_intrinsic[world % appearance.cam_intrinsic.shape[0], camera]
    if aspect > sensor_width / sensor_height:
        sensor_height = sensor_width / aspect
    else:
        sensor_width = sensor_height * aspect
    fx, fy, cx, cy = float(intrinsic[0]), float(intrinsic[1]), float(intrinsic[2]), float(intrinsic[3])
    return (
        -(0.5 * sensor_width - cx) / fx,
        (0.5 * sensor_width + cx) / fx,
        (0.5 * sensor_height - cy) / fy,
        -(0.5 * sensor_height + cy) / fy,
    )


@njit_inline
def _rasterize_world(
    buffer: FrameBuffer,
    surfaces: Surfaces,
    static: StaticScene,
    appearance: Appearance,
    poses: Poses,
    meshes: Meshes,
    vertices: Float64Array,
    world: int,
    eye: Vector,
    axes: Mat3,
) -> None:
    """Find the nearest surface at every pixel."""
    clear(surfaces)
    buffer.inverse_depth[:, :] = np.float32(1.0 / static.zfar)
    buffer.surface_id[:, :] = np.uint32(NOTHING)
    sizes = appearance.geom_size[world % appearance.geom_size.shape[0]]
    rgba = appearance.geom_rgba[world % appearance.geom_rgba.shape[0]]
    materials = appearance.geom_matid[world % appearance.geom_matid.shape[0]]
    data = appearance.geom_dataid[world % appearance.geom_dataid.shape[0]]
    mat_rgba = appearance.mat_rgba[world % appearance.mat_rgba.shape[0]]
    mat_specular = appearance.mat_specular[world % appearance.mat_specular.shape[0]]
    mat_shininess = appearance.mat_shininess[world % appearance.mat_shininess.shape[0]]
    mat_emission = appearance.mat_emission[world % appearance.mat_emission.shape[0]]
    places, turns = poses.geom_xpos[world], poses.geom_xmat[world]
    for index in range(static.drawn.shape[0]):
        geom = static.drawn[index]
        if not set_look(
            surfaces, geom, int(materials[geom]), rgba, mat_rgba, mat_specular, mat_shininess, mat_emission
        ):
            continue
        centre = into_frame(axes, add_scaled(vector_at(places, geom), eye, -1.0))
        turned = axes_into_frame(axes, matrix_columns(turns, geom))
        size = vector_at(sizes, geom)
        kind = static.geom_type[geom]
        if kind == _PLANE:
            draw_rectangle(buffer, surfaces, geom, centre, turned[2], turned[0], size[0], turned[1], size[1])
        elif kind == _SPHERE:
            draw_sphere(buffer, surfaces, geom, centre, size[0])
        elif kind == _CAPSULE:
            draw_capsule(buffer, surfaces, geom, centre, turned[2], size[0], size[1])
        elif kind == _ELLIPSOID:
            draw_ellipsoid(buffer, surfaces, geom, centre, turned, size)
        elif kind == _CYLINDER:
            draw_cylinder(buffer, surfaces, geom, centre, turned[2], size[0], size[1])
        elif kind == _BOX:
            draw_box(buffer, surfaces, geom, centre, turned, size)
        elif kind == _MESH and data[geom] >= 0:
            draw_mesh(buffer, surfaces, geom, centre, turned, int(data[geom]), meshes, vertices)


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
    count = 0
    ambient = (0.0, 0.0, 0.0)
    if static.headlight_active:
        own = static.headlight[0]
        ambient = (float(own[0]), float(own[1]), float(own[2]))
        put_light(
            lights, 0, _DIRECTIONAL, (0.0, 0.0, 0.0), (0.0, 0.0, -1.0), static.headlight[1], static.headlight[2],
            static.headlight[0], 0.0, 0.0,
        )  # fmt: skip
        count = 1
    elif active.shape[0] == 0:
        ambient = (_AMBIENT_WITHOUT_LIGHT, _AMBIENT_WITHOUT_LIGHT, _AMBIENT_WITHOUT_LIGHT)
    for light in range(active.shape[0]):
        if active[light]:
            own = ambients[light]
            ambient = (ambient[0] + own[0], ambient[1] + own[1], ambient[2] + own[2])
            place = light_into_camera(axes, eye, vector_at(poses.light_xpos[world], light))
            direction = into_frame(axes, vector_at(poses.light_xdir[world], light))
            put_light(
                lights, count, kinds[light], place, direction, diffuse[light], specular[light], attenuation[light],
                float(cutoff[light]), float(exponent[light]),
            )  # fmt: skip
            count += 1
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
def _write_depth(buffer: FrameBuffer, surfaces: Surfaces, samples: int, depth: Floats, segmentation: Integers) -> None:
    """Depth and geom of each pixel's middle sample."""
    for row in range(depth.shape[0]):
        for column in range(depth.shape[1]):
            i, j = row * samples + samples // 2, column * samples + samples // 2
            surface_id = buffer.surface_id[i, j]
            segmentation[row, column] = surfaces.geom[surface_id]
            depth[row, column] = (
                np.float32(0.0) if surface_id == NOTHING else np.float32(1.0) / buffer.inverse_depth[i, j]
            )


def _make_kernel(digest: int) -> Callable[..., int]:
    def render_worlds(
        static: StaticScene,
        appearance: Appearance,
        poses: Poses,
        meshes: Meshes,
        camera: int,
        worlds: NDArray[np.int64],
        samples: int,
        most_surfaces: int,
        first: int,
        end: int,
        rgb: Bytes,
        depth: Floats,
        segmentation: Integers,
    ) -> int:
        """Render `worlds[first:end]` into the same rows of `rgb` and, unless empty, `depth` and `segmentation`."""
        height, width = rgb.shape[1] * samples, rgb.shape[2] * samples
        most_vertices = 0
        for mesh in range(meshes.mesh_vertnum.shape[0]):
            most_vertices = max(most_vertices, meshes.mesh_vertnum[mesh])
        columns = np.empty(width, np.float32)
        inverse_depth = np.empty((height, width), np.float32)
        surface_id = np.empty((height, width), np.uint32)
        edges = np.empty((6, 4), np.float64)
        surfaces = Surfaces(
            np.empty((most_surfaces, WIDTH), np.float32),
            np.empty(most_surfaces, np.int32),
            np.empty(1, np.int32),
            np.empty(WIDTH, np.float32),
        )
        lights = np.empty((appearance.light_active.shape[1] + 1, LIGHT_WIDTH), np.float64)
        scratch = np.empty((SCRATCH_ROWS, tile_rows(height, width) * width), np.float32)
        packed = np.empty(tile_rows(height, width) * width, np.int32)
        vertices = np.empty((most_vertices, 5), np.float64)
        fine = np.empty((height if samples > 1 else 0, width, 3), np.uint8)
        for item in range(first, end):
            world = worlds[item]
            axes = matrix_columns(poses.cam_xmat[world], camera)
            eye = vector_at(poses.cam_xpos[world], camera)
            left, right, top, bottom = _frustum(appearance, static, world, camera, width / height)
            dx, dy = (right - left) / width, (bottom - top) / height
            left, top = left + 0.5 * dx, top + 0.5 * dy
            for column in range(width):
                columns[column] = left + dx * column
            buffer = FrameBuffer(inverse_depth, surface_id, columns, edges, left, dx, top, dy)
            _rasterize_world(buffer, surfaces, static, appearance, poses, meshes, vertices, world, eye, axes)
            count, ambient = _collect_lights(static, appearance, poses, world, eye, axes, lights)
            image = fine if samples > 1 else rgb[item]
            shade(buffer, surfaces, lights[:count], ambient, scratch, packed, image.reshape(height * width, 3))
            if samples > 1:
                _average_blocks(fine, samples, rgb[item])
            if depth.shape[0] > 0:
                _write_depth(buffer, surfaces, samples, depth[item], segmentation[item])
        return digest

    return cast(Callable[..., int], njit(nogil=True, cache=True, fastmath=True, error_model="numpy")(render_worlds))


# Compiled at the first call, from numba's disk cache if it can.
render_worlds = _make_kernel(source_digest())
