"""Colour of every pixel: Blinn-Phong, with MuJoCo's lights, materials and headlight.

    colour = base (emission + ambient + sum_l diffuse_l w_l max(0, n.L)) + sum_l specular_l s w_l max(0, n.H)^e

`n.L` and `n.H` are cosines with the direction to the light and with the half-way vector between light and camera, `s`
the material's specular, `e` 128 times its shininess, `w_l` the light's attenuation and spot cone. No gamma: channels
are cut to 0..1 and stored as bytes, rounded down. This is the model of MuJoCo Warp's renderer.

A few rows of pixels (a tile) at a time. The work that differs between surfaces goes by runs of pixels with one owner;
all else runs over the whole tile in loops that vectorise.
"""

from math import cos, pi

import numpy as np

from visuomotor.camera.frame_buffer import FrameBuffer
from visuomotor.camera.geometry import add_scaled, into_frame
from visuomotor.camera.njit import Bytes, Float64Array, Floats, Integers, Mat3, Vector, njit_call, njit_inline
from visuomotor.camera.surfaces import COLOUR, CONSTANT, EMISSION, EXPONENT, GRADIENT, SPECULAR, Surfaces

# Rows of the scratch of a tile of pixels.
_X, _Y, _DEPTH, _NX, _NY, _NZ, _NV, _V, _SPECULAR, _EXPONENT, _BASE, _DIFFUSE, _HIGHLIGHT = (
    0,
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
    9,
    10,
    14,
    17,
)
SCRATCH_ROWS = 20
# Pixels of a tile, which is one row at least: its scratch fits the processor's nearest cache.
_TILE = 512

# Columns of the light table. VECTOR: direction to a directional light, else the light's place.
VECTOR, DIFFUSE, HIGHLIGHT, AXIS, ATTENUATION, CUTOFF_COSINE, SPOT_EXPONENT, KIND, LIGHT_WIDTH = (
    0,
    3,
    6,
    9,
    12,
    15,
    16,
    17,
    18,
)
_SPOT, _DIRECTIONAL = 0, 1
_LARGEST_CHANNEL = np.float32(255.0)
_ZERO, _HALF, _ONE, _TWO = np.float32(0.0), np.float32(0.5), np.float32(1.0), np.float32(2.0)
_TINY = np.float32(1e-20)
_BYTE, _TWO_BYTES = np.int32(8), np.int32(16)


@njit_inline
def put_light(
    lights: Float64Array,
    index: int,
    kind: int,
    place: Vector,
    direction: Vector,
    diffuse: Floats,
    specular: Floats,
    attenuation: Floats,
    cutoff_degrees: float,
    exponent: float,
) -> None:
    """Enter a light, place and direction in the camera's frame."""
    row = lights[index]
    for i in range(3):
        row[VECTOR + i] = -direction[i] if kind == _DIRECTIONAL else place[i]
        row[AXIS + i] = direction[i]
        row[DIFFUSE + i] = diffuse[i]
        row[HIGHLIGHT + i] = specular[i]
        row[ATTENUATION + i] = attenuation[i]
    row[CUTOFF_COSINE] = cos(cutoff_degrees * pi / 180.0)
    row[SPOT_EXPONENT] = exponent
    row[KIND] = kind


@njit_inline
def light_into_camera(axes: Mat3, camera: Vector, place: Vector) -> Vector:
    return into_frame(axes, add_scaled(place, camera, -1.0))


_MANTISSA, _EXPONENT_OF_ONE = np.int32(0x7FFFFF), np.int32(0x3F800000)
_BITS, _BIAS = np.int32(23), np.int32(127)
_LEAST_POWER = np.float32(-40.0)
# log2(1 + m) / m and 2^f on 0..1, fitted at Chebyshev points: errors 8e-5 and 1.1e-4.
_L0, _L1, _L2, _L3, _L4 = (np.float32(c) for c in (1.44261568, -0.71706393, 0.44227418, -0.22771264, 0.05994559))
_E0, _E1, _E2, _E3 = (np.float32(c) for c in (0.99989669, 0.69639055, 0.22451634, 0.07908570))


@njit_inline
def _power(base: np.float32, exponent: np.float32) -> np.float32:
    """`base ** exponent` for a base in (0, 1], good to a quarter of a grey level, in operations that vectorise."""
    bits = np.float32(base).view(np.int32)
    whole = np.float32((bits >> _BITS) - _BIAS)
    m = np.int32((bits & _MANTISSA) | _EXPONENT_OF_ONE).view(np.float32) - _ONE
    log = whole + m * (_L0 + m * (_L1 + m * (_L2 + m * (_L3 + m * _L4))))
    power = max(np.float32(exponent) * log, _LEAST_POWER)
    floor = np.floor(power)
    f = power - floor
    mantissa = _E0 + f * (_E1 + f * (_E2 + f * _E3))
    return mantissa * np.int32((np.int32(floor) + _BIAS) << _BITS).view(np.float32)


@njit_call
def _spread(buffer: FrameBuffer, surfaces: Surfaces, first_row: int, rows: int, scratch: Floats) -> None:
    """Place, normal (of any length) and material of every pixel of a tile."""
    table = surfaces.table
    width = np.uint64(buffer.surface_id.shape[1])
    one = np.uint64(1)
    for row in range(rows):
        line = np.uint64(first_row + row)
        base = np.uint64(row) * width
        y = np.float32(buffer.top + buffer.dy * (first_row + row))
        for x in range(width):
            scratch[_X, base + x] = buffer.columns[x]
            scratch[_Y, base + x] = y
            scratch[_DEPTH, base + x] = _ONE / buffer.inverse_depth[line, x]
        start = np.uint64(0)
        while start < width:
            surface_id = buffer.surface_id[line, start]
            end = start + one
            while end < width and buffer.surface_id[line, end] == surface_id:
                end += one
            surface = table[surface_id]
            g00, g01, g02 = surface[GRADIENT], surface[GRADIENT + 1], surface[GRADIENT + 2]
            g10, g11, g12 = surface[GRADIENT + 3], surface[GRADIENT + 4], surface[GRADIENT + 5]
            g20, g21, g22 = surface[GRADIENT + 6], surface[GRADIENT + 7], surface[GRADIENT + 8]
            m0, m1, m2 = surface[CONSTANT], surface[CONSTANT + 1], surface[CONSTANT + 2]
            # p = (X, Y, -1) t, so G p = (G's first column X + the rest) t.
            a0, a1, a2 = g01 * y - g02, g11 * y - g12, g21 * y - g22
            red, green, blue, emission = surface[COLOUR], surface[COLOUR + 1], surface[COLOUR + 2], surface[EMISSION]
            specular, exponent = surface[SPECULAR], _HALF * surface[EXPONENT]
            for x in range(start, end):
                at = base + x
                column, t = scratch[_X, at], scratch[_DEPTH, at]
                scratch[_NX, at] = (g00 * column + a0) * t + m0
                scratch[_NY, at] = (g10 * column + a1) * t + m1
                scratch[_NZ, at] = (g20 * column + a2) * t + m2
                scratch[_SPECULAR, at] = specular
                scratch[_EXPONENT, at] = exponent
                scratch[_BASE, at] = red
                scratch[_BASE + 1, at] = green
                scratch[_BASE + 2, at] = blue
                scratch[_BASE + 3, at] = emission
            start = end


@njit_call
def _prepare(scratch: Floats, pixels: int, ambient: Vector) -> None:
    """Unit normals and the direction of view; starts the sums of light."""
    red, green, blue = np.float32(ambient[0]), np.float32(ambient[1]), np.float32(ambient[2])
    for x in range(np.uint64(pixels)):
        column, y = scratch[_X, x], scratch[_Y, x]
        nx, ny, nz = scratch[_NX, x], scratch[_NY, x], scratch[_NZ, x]
        unit = _ONE / np.sqrt(nx * nx + ny * ny + nz * nz + _TINY)
        nx, ny, nz = nx * unit, ny * unit, nz * unit
        view = _ONE / np.sqrt(column * column + y * y + _ONE)
        scratch[_NX, x], scratch[_NY, x], scratch[_NZ, x] = nx, ny, nz
        scratch[_NV, x] = (nz - nx * column - ny * y) * view
        scratch[_V, x] = view
        glow = scratch[_BASE + 3, x]
        scratch[_DIFFUSE, x], scratch[_DIFFUSE + 1, x], scratch[_DIFFUSE + 2, x] = glow + red, glow + green, glow + blue
        scratch[_HIGHLIGHT, x], scratch[_HIGHLIGHT + 1, x], scratch[_HIGHLIGHT + 2, x] = _ZERO, _ZERO, _ZERO


@njit_call
def _add_directional(scratch: Floats, pixels: int, light: Float64Array) -> None:
    lx, ly, lz = np.float32(light[0]), np.float32(light[1]), np.float32(light[2])
    dr, dg, db = np.float32(light[DIFFUSE]), np.float32(light[DIFFUSE + 1]), np.float32(light[DIFFUSE + 2])
    hr, hg, hb = (
        np.float32(light[HIGHLIGHT]),
        np.float32(light[HIGHLIGHT + 1]),
        np.float32(light[HIGHLIGHT + 2]),
    )
    for x in range(np.uint64(pixels)):
        cosine = scratch[_NX, x] * lx + scratch[_NY, x] * ly + scratch[_NZ, x] * lz
        lit = max(cosine, _ZERO)
        scratch[_DIFFUSE, x] += dr * lit
        scratch[_DIFFUSE + 1, x] += dg * lit
        scratch[_DIFFUSE + 2, x] += db * lit
        # H = (L + V) / |L + V| and |L + V|^2 = 2 + 2 L.V; the square of n.H goes with half its exponent.
        towards = (lz - lx * scratch[_X, x] - ly * scratch[_Y, x]) * scratch[_V, x]
        both = max(cosine + scratch[_NV, x], _ZERO)
        half = both * both / max(_TWO + _TWO * towards, _TINY)
        shine = scratch[_SPECULAR, x] * _power(min(max(half, _TINY), _ONE), scratch[_EXPONENT, x])
        shine = shine if cosine > _ZERO else _ZERO
        scratch[_HIGHLIGHT, x] += hr * shine
        scratch[_HIGHLIGHT + 1, x] += hg * shine
        scratch[_HIGHLIGHT + 2, x] += hb * shine


@njit_call
def _add_positional(scratch: Floats, pixels: int, light: Float64Array) -> None:
    """A point light or a spot."""
    lx, ly, lz = np.float32(light[0]), np.float32(light[1]), np.float32(light[2])
    ax, ay, az = np.float32(light[AXIS]), np.float32(light[AXIS + 1]), np.float32(light[AXIS + 2])
    a0, a1 = np.float32(light[ATTENUATION]), np.float32(light[ATTENUATION + 1])
    a2 = np.float32(light[ATTENUATION + 2])
    dr, dg, db = np.float32(light[DIFFUSE]), np.float32(light[DIFFUSE + 1]), np.float32(light[DIFFUSE + 2])
    hr, hg, hb = (
        np.float32(light[HIGHLIGHT]),
        np.float32(light[HIGHLIGHT + 1]),
        np.float32(light[HIGHLIGHT + 2]),
    )
    spot = light[KIND] == _SPOT
    cutoff = np.float32(light[CUTOFF_COSINE]) if spot else np.float32(-2.0)
    exponent = np.float32(light[SPOT_EXPONENT] if spot else 0.0)
    for x in range(np.uint64(pixels)):
        t = scratch[_DEPTH, x]
        column, y = scratch[_X, x], scratch[_Y, x]
        vx, vy, vz = lx - column * t, ly - y * t, lz + t
        square = vx * vx + vy * vy + vz * vz
        near = _ONE / np.sqrt(square + _TINY)
        vx, vy, vz = vx * near, vy * near, vz * near
        weight = _ONE / max(a0 + a1 * square * near + a2 * square, _TINY)
        cone = -(vx * ax + vy * ay + vz * az)
        weight *= _power(min(max(cone, _TINY), _ONE), exponent)
        weight = weight if cone >= cutoff else _ZERO
        cosine = scratch[_NX, x] * vx + scratch[_NY, x] * vy + scratch[_NZ, x] * vz
        weight = weight if cosine > _ZERO else _ZERO
        lit = cosine * weight
        scratch[_DIFFUSE, x] += dr * lit
        scratch[_DIFFUSE + 1, x] += dg * lit
        scratch[_DIFFUSE + 2, x] += db * lit
        towards = (vz - vx * column - vy * y) * scratch[_V, x]
        both = max(cosine + scratch[_NV, x], _ZERO)
        half = both * both / max(_TWO + _TWO * towards, _TINY)
        shine = weight * scratch[_SPECULAR, x] * _power(min(max(half, _TINY), _ONE), scratch[_EXPONENT, x])
        scratch[_HIGHLIGHT, x] += hr * shine
        scratch[_HIGHLIGHT + 1, x] += hg * shine
        scratch[_HIGHLIGHT + 2, x] += hb * shine


@njit_call
def _finish(scratch: Floats, packed: Integers, pixels: int, image: Bytes) -> None:
    """Multiply the light with the surfaces' colours and store the bytes."""
    for x in range(np.uint64(pixels)):
        r = scratch[_BASE, x] * scratch[_DIFFUSE, x] + scratch[_HIGHLIGHT, x]
        g = scratch[_BASE + 1, x] * scratch[_DIFFUSE + 1, x] + scratch[_HIGHLIGHT + 1, x]
        b = scratch[_BASE + 2, x] * scratch[_DIFFUSE + 2, x] + scratch[_HIGHLIGHT + 2, x]
        red = np.int32(min(max(r, _ZERO), _ONE) * _LARGEST_CHANNEL)
        green = np.int32(min(max(g, _ZERO), _ONE) * _LARGEST_CHANNEL)
        blue = np.int32(min(max(b, _ZERO), _ONE) * _LARGEST_CHANNEL)
        packed[x] = red | (green << _BYTE) | (blue << _TWO_BYTES)
    # Apart, because a loop that stores bytes three apart does not vectorise.
    for x in range(np.uint64(pixels)):
        colour = packed[x]
        image[x, 0] = np.uint8(colour)
        image[x, 1] = np.uint8(colour >> _BYTE)
        image[x, 2] = np.uint8(colour >> _TWO_BYTES)


@njit_inline
def tile_rows(height: int, width: int) -> int:
    """How many rows are shaded together."""
    return min(height, max(1, _TILE // width))


@njit_inline
def shade(
    buffer: FrameBuffer,
    surfaces: Surfaces,
    lights: Float64Array,
    ambient: Vector,
    scratch: Floats,
    packed: Integers,
    image: Bytes,
) -> None:
    """Fill `image` `(height * width, 3)` from the surfaces that own the pixels.

    Args:
        scratch: `(SCRATCH_ROWS, tile_rows * width)`.
        packed: `(tile_rows * width,)`, scratch too.
    """
    height, width = buffer.surface_id.shape
    step = tile_rows(height, width)
    for first in range(0, height, step):
        rows = min(step, height - first)
        pixels = rows * width
        _spread(buffer, surfaces, first, rows, scratch)
        _prepare(scratch, pixels, ambient)
        for index in range(lights.shape[0]):
            if lights[index, KIND] == _DIRECTIONAL:
                _add_directional(scratch, pixels, lights[index])
            else:
                _add_positional(scratch, pixels, lights[index])
        _finish(scratch, packed, pixels, image[first * width : first * width + pixels])
