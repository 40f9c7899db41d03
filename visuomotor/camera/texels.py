"""The texture's colour at every pixel of a tile."""

import numpy as np

from visuomotor.camera.frame_buffer import FrameBuffer
from visuomotor.camera.mesh_clusters import Meshes
from visuomotor.camera.mesh_views import MeshViews
from visuomotor.camera.meshes import read_face
from visuomotor.camera.njit import Floats, njit_call
from visuomotor.camera.surfaces import (
    ALPHA,
    FACE,
    FIRST_FACE,
    MAP_CONSTANT,
    MAP_GRADIENT,
    MAP_SCALE,
    MAP_SHAPE,
    TEXTURE,
    Surfaces,
)
from visuomotor.camera.textures import Textures, sample
from visuomotor.camera.tile import ONE, ROW_DEPTH, ROW_NX, ROW_NY, ROW_NZ, ROW_TEXEL, ROW_X, ROW_Y, ZERO


@njit_call
def fill_texels(
    buffer: FrameBuffer,
    surfaces: Surfaces,
    views: MeshViews,
    meshes: Meshes,
    textures: Textures,
    first_row: int,
    rows: int,
    scratch: Floats,
) -> None:
    """Texels of every pixel of a tile, white where there is no texture, and in their fourth row alpha."""
    width = np.uint64(buffer.surface_id.shape[1])
    scratch[ROW_TEXEL : ROW_TEXEL + 3, : np.uint64(rows) * width] = ONE
    for row in range(rows):
        line = np.uint64(first_row + row)
        base = np.uint64(row) * width
        start = np.uint64(0)
        while start < width:
            surface_id = buffer.surface_id[line, start]
            end = start + np.uint64(1)
            while end < width and buffer.surface_id[line, end] == surface_id:
                end += np.uint64(1)
            entry = surface_id
            if surface_id >= FIRST_FACE:
                read_face(surfaces, views, meshes, surface_id)
                entry = np.uint32(FACE)
            surface = surfaces.table[entry]
            scratch[ROW_TEXEL + 3, base + start : base + end] = surface[ALPHA]
            if surface[TEXTURE] >= ZERO:
                _sample_run(buffer, surface, textures, base + start, base + end, scratch)
            start = end


@njit_call
def _sample_run(
    buffer: FrameBuffer, surface: Floats, textures: Textures, start: np.uint64, end: np.uint64, scratch: Floats
) -> None:
    """Texels of a run of pixels on one surface.

    From one pixel to the next the ray changes by `e`, and its end on the surface's tangent plane by
    `t (e - d (n.e) / (n.d))`.
    """
    m = MAP_GRADIENT
    u = (float(surface[m]), float(surface[m + 1]), float(surface[m + 2]))
    v = (float(surface[m + 3]), float(surface[m + 4]), float(surface[m + 5]))
    w = (float(surface[m + 6]), float(surface[m + 7]), float(surface[m + 8]))
    u0, v0, w0 = surface[MAP_CONSTANT], surface[MAP_CONSTANT + 1], surface[MAP_CONSTANT + 2]
    for at in range(start, end):
        x, y, t = float(scratch[ROW_X, at]), float(scratch[ROW_Y, at]), float(scratch[ROW_DEPTH, at])
        nx, ny, nz = float(scratch[ROW_NX, at]), float(scratch[ROW_NY, at]), float(scratch[ROW_NZ, at])
        along = nx * x + ny * y - nz
        tilt_x, tilt_y = (nx / along, ny / along) if along != 0.0 else (0.0, 0.0)
        du, dv, dw = u[0] * x + u[1] * y - u[2], v[0] * x + v[1] * y - v[2], w[0] * x + w[1] * y - w[2]
        right, down = t * buffer.dx, t * buffer.dy
        texel = sample(
            textures,
            int(surface[TEXTURE]),
            int(surface[MAP_SHAPE]),
            surface[MAP_SCALE],
            surface[MAP_SCALE + 1],
            (du * t + u0, dv * t + v0, dw * t + w0),
            (right * (u[0] - du * tilt_x), right * (v[0] - dv * tilt_x), right * (w[0] - dw * tilt_x)),
            (down * (u[1] - du * tilt_y), down * (v[1] - dv * tilt_y), down * (w[1] - dw * tilt_y)),
        )
        scratch[ROW_TEXEL, at], scratch[ROW_TEXEL + 1, at], scratch[ROW_TEXEL + 2, at] = texel[0], texel[1], texel[2]
        scratch[ROW_TEXEL + 3, at] *= texel[3]
