"""Colour of every pixel: Blinn-Phong, with MuJoCo's lights, materials and headlight.

    colour = base (emission + sum_l w_l (ambient_l + diffuse_l max(0, n.L))) + sum_l specular_l s w_l max(0, n.H)^e

`n.L` and `n.H` are cosines with the direction to the light and with the half-way vector between light and camera, `s`
the material's specular, `e` 128 times its shininess, `w_l` the light's attenuation and spot cone. No gamma: channels
are cut to 0..1 and stored as bytes, rounded down; a texture then multiplies them. This is MuJoCo's OpenGL renderer,
which works it out at vertices only. Here it is worked out at every pixel, except on large faces (`corner_light.py`).

A few rows of pixels (a tile) at a time. The work that differs between surfaces goes by runs of pixels with one surface
id; all else runs over the whole tile in loops that vectorise.
"""

import numpy as np

from visuomotor.camera.corner_light import CornerLight, clear_corner_light, light_large_faces
from visuomotor.camera.frame_buffer import FrameBuffer
from visuomotor.camera.lights import add_lights, start_light
from visuomotor.camera.mesh_clusters import Meshes
from visuomotor.camera.mesh_views import MeshViews
from visuomotor.camera.meshes import read_face
from visuomotor.camera.njit import Bytes, Float64Array, Floats, Integers, SurfaceIds, Vector, njit_call, njit_inline
from visuomotor.camera.surfaces import (
    COLOUR,
    CONSTANT,
    EMISSION,
    EXPONENT,
    FACE,
    FIRST_FACE,
    GRADIENT,
    LIT_AT_CORNERS,
    NOTHING,
    SPECULAR,
    Surfaces,
)
from visuomotor.camera.texels import fill_texels
from visuomotor.camera.textures import Textures
from visuomotor.camera.tile import (
    HALF,
    ONE,
    ROW_BASE,
    ROW_DEPTH,
    ROW_DIFFUSE,
    ROW_EXPONENT,
    ROW_HIGHLIGHT,
    ROW_NX,
    ROW_NY,
    ROW_NZ,
    ROW_SPECULAR,
    ROW_TEXEL,
    ROW_X,
    ROW_Y,
    ZERO,
    Scratch,
    tile_rows,
)

_LARGEST_CHANNEL = np.float32(255.0)
_BYTE, _TWO_BYTES = np.int32(8), np.int32(16)


@njit_inline
def _fill_gbuffer(
    buffer: FrameBuffer,
    surfaces: Surfaces,
    views: MeshViews,
    meshes: Meshes,
    first_row: int,
    rows: int,
    scratch: Floats,
) -> tuple[bool, bool]:
    """Place, normal (of any length) and material of every pixel of a tile.

    Returns:
        Whether there is a large face, and whether there is anything that is neither that nor background.
    """
    all_ids, other_ids = np.uint32(NOTHING), np.uint32(NOTHING)
    table = surfaces.table
    width = np.uint64(buffer.surface_id.shape[1])
    one = np.uint64(1)
    for row in range(rows):
        line = np.uint64(first_row + row)
        base = np.uint64(row) * width
        y = np.float32(buffer.top + buffer.dy * (first_row + row))
        for x in range(width):
            scratch[ROW_X, base + x] = buffer.columns[x]
            scratch[ROW_Y, base + x] = y
            scratch[ROW_DEPTH, base + x] = ONE / buffer.inverse_depth[line, x]
        start = np.uint64(0)
        while start < width:
            surface_id = buffer.surface_id[line, start]
            end = start + one
            while end < width and buffer.surface_id[line, end] == surface_id:
                end += one
            all_ids |= surface_id
            other_ids |= surface_id if surface_id < LIT_AT_CORNERS else np.uint32(NOTHING)
            entry = surface_id
            if surface_id >= FIRST_FACE:
                read_face(surfaces, views, meshes, surface_id)
                entry = np.uint32(FACE)
            surface = table[entry]
            g00, g01, g02 = surface[GRADIENT], surface[GRADIENT + 1], surface[GRADIENT + 2]
            g10, g11, g12 = surface[GRADIENT + 3], surface[GRADIENT + 4], surface[GRADIENT + 5]
            g20, g21, g22 = surface[GRADIENT + 6], surface[GRADIENT + 7], surface[GRADIENT + 8]
            m0, m1, m2 = surface[CONSTANT], surface[CONSTANT + 1], surface[CONSTANT + 2]
            # p = (X, Y, -1) t, so G p = (G's first column X + the rest) t.
            a0, a1, a2 = g01 * y - g02, g11 * y - g12, g21 * y - g22
            red, green, blue, emission = surface[COLOUR], surface[COLOUR + 1], surface[COLOUR + 2], surface[EMISSION]
            specular, exponent = surface[SPECULAR], HALF * surface[EXPONENT]
            for x in range(start, end):
                at = base + x
                column, t = scratch[ROW_X, at], scratch[ROW_DEPTH, at]
                scratch[ROW_NX, at] = (g00 * column + a0) * t + m0
                scratch[ROW_NY, at] = (g10 * column + a1) * t + m1
                scratch[ROW_NZ, at] = (g20 * column + a2) * t + m2
                scratch[ROW_SPECULAR, at] = specular
                scratch[ROW_EXPONENT, at] = exponent
                scratch[ROW_BASE, at] = red
                scratch[ROW_BASE + 1, at] = green
                scratch[ROW_BASE + 2, at] = blue
                scratch[ROW_BASE + 3, at] = emission
            start = end
    return bool(all_ids >= LIT_AT_CORNERS), bool(other_ids != NOTHING)


@njit_inline
def _finish(scratch: Floats, packed: Integers, pixels: int, image: Bytes) -> None:
    """Multiply the light with the surfaces' colours and store the bytes."""
    for x in range(np.uint64(pixels)):
        r = scratch[ROW_BASE, x] * scratch[ROW_DIFFUSE, x] + scratch[ROW_HIGHLIGHT, x]
        g = scratch[ROW_BASE + 1, x] * scratch[ROW_DIFFUSE + 1, x] + scratch[ROW_HIGHLIGHT + 1, x]
        b = scratch[ROW_BASE + 2, x] * scratch[ROW_DIFFUSE + 2, x] + scratch[ROW_HIGHLIGHT + 2, x]
        red = np.int32(min(max(r, ZERO), ONE) * _LARGEST_CHANNEL)
        green = np.int32(min(max(g, ZERO), ONE) * _LARGEST_CHANNEL)
        blue = np.int32(min(max(b, ZERO), ONE) * _LARGEST_CHANNEL)
        packed[x] = red | (green << _BYTE) | (blue << _TWO_BYTES)
    # Apart, because a loop that stores bytes three apart does not vectorise.
    for x in range(np.uint64(pixels)):
        colour = packed[x]
        image[x, 0] = np.uint8(colour)
        image[x, 1] = np.uint8(colour >> _BYTE)
        image[x, 2] = np.uint8(colour >> _TWO_BYTES)


@njit_call
def _modulate(scratch: Floats, pixels: int, image: Bytes) -> None:
    """Multiply colours with texels."""
    for x in range(np.uint64(pixels)):
        for channel in range(3):
            image[x, channel] = np.uint8(image[x, channel] * scratch[ROW_TEXEL + channel, x] + HALF)


@njit_call
def _blend(surface_ids: SurfaceIds, scratch: Floats, pixels: int, over: Bytes, image: Bytes) -> None:
    """Lay the colours `over` on an image, as far as their alpha goes."""
    for x in range(np.uint64(pixels)):
        if surface_ids[x] != NOTHING:
            alpha = min(scratch[ROW_TEXEL + 3, x], ONE)
            for channel in range(3):
                below = np.float32(image[x, channel])
                image[x, channel] = np.uint8(below + alpha * (np.float32(over[x, channel]) - below) + HALF)


@njit_inline
def _is_empty(surface_ids: SurfaceIds) -> bool:
    seen = 0
    for x in range(surface_ids.shape[0]):
        seen += surface_ids[x] != NOTHING
    return seen == 0


@njit_inline
def shade(
    buffer: FrameBuffer,
    surfaces: Surfaces,
    views: MeshViews,
    meshes: Meshes,
    textures: Textures,
    lights: Float64Array,
    ambient: Vector,
    transparent: bool,
    scratch: Scratch,
    corner_light: CornerLight,
    image: Bytes,
) -> None:
    """Fill `image` `(height * width, 3)` from the surfaces in `buffer.surface_id`.

    Args:
        transparent: whether to lay the surfaces over what the image shows; it stays as it is where there are none.
    """
    height, width = buffer.surface_id.shape
    surface_ids = buffer.surface_id.reshape(height * width)
    step = tile_rows(height, width)
    rows_of = scratch.rows
    clear_corner_light(corner_light)
    for first in range(0, height, step):
        rows = min(step, height - first)
        pixels = rows * width
        start, end = first * width, first * width + pixels
        if transparent and _is_empty(surface_ids[start:end]):
            continue
        any_large, any_other = _fill_gbuffer(buffer, surfaces, views, meshes, first, rows, rows_of)
        start_light(rows_of, pixels, ambient)
        if any_other:
            add_lights(rows_of, pixels, lights)
        if any_large:
            light_large_faces(corner_light, buffer, views, meshes, lights, ambient, first, rows, rows_of)
        colours = scratch.colours if transparent else image[start:end]
        _finish(rows_of, scratch.packed, pixels, colours)
        if transparent or textures.texels.shape[0] > 0:
            fill_texels(buffer, surfaces, views, meshes, textures, first, rows, rows_of)
            _modulate(rows_of, pixels, colours)
        if transparent:
            _blend(surface_ids[start:end], rows_of, pixels, colours, image[start:end])
