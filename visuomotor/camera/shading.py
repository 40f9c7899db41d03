"""Colour of every pixel: Blinn-Phong, with MuJoCo's lights, materials and headlight.

    colour = base (emission + ambient + sum_l diffuse_l w_l max(0, n.L)) + sum_l specular_l s w_l max(0, n.H)^e

`n.L` and `n.H` are cosines with the direction to the light and with the half-way vector between light and camera, `s` the
material's specular, `e` 128 times its shininess, `w_l` the light's attenuation and spot cone. No gamma: channels
are cut to 0..1 and stored as bytes, rounded down. This is the model of MuJoCo Warp's renderer.

A row of pixels at a time, so that every loop below runs over contiguous pixels and vectorises.
"""

from math import cos, pi

import numpy as np

from visuomotor.camera.canvas import Canvas
from visuomotor.camera.compiled import Bytes, Doubles, Floats, Rows, Vector, compiled
from visuomotor.camera.geometry import add_scaled, into_frame
from visuomotor.camera.surfaces import COLOUR, CONSTANT, EMISSION, EXPONENT, GRADIENT, SPECULAR, Surfaces

# Rows of the scratch that `shade_row` works in.
_DEPTH, _NX, _NY, _NZ, _NV, _V, _SPECULAR, _EXPONENT, _DIFFUSE, _HIGHLIGHT = 0, 1, 2, 3, 4, 5, 6, 7, 8, 11
SCRATCH_ROWS = 14

# Columns of the light table. VECTOR: direction to a directional light, else the light's place.
VECTOR, DIFFUSE, HIGHLIGHT, AXIS, ATTENUATION, CUTOFF_COSINE, SPOT_EXPONENT, KIND, LIGHT_WIDTH = 0, 3, 6, 9, 12, 15, 16, 17, 18
_SPOT, _DIRECTIONAL = 0, 1
_LARGEST_CHANNEL = np.float32(255.0)
_ONE, _ZERO, _TWO = np.float32(1.0), np.float32(0.0), np.float32(2.0)
_TINY = np.float32(1e-20)


@compiled
def put_light(
    lights: Doubles,
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


@compiled
def light_into_camera(axes: Rows, camera: Vector, place: Vector) -> Vector:
    return into_frame(axes, add_scaled(place, camera, -1.0))


_MANTISSA, _EXPONENT_OF_ONE = np.int32(0x7FFFFF), np.int32(0x3F800000)
_BITS, _BIAS = np.int32(23), np.int32(127)
_LEAST_POWER = np.float32(-40.0)
# log2(1 + m) / m and 2^f on 0..1, fitted at Chebyshev points: errors 2e-6 and 4e-6.
_L0, _L1, _L2, _L3 = np.float32(1.4426932), np.float32(-0.72116274), np.float32(0.47770593), np.float32(-0.33924776)
_L4, _L5, _L6 = np.float32(0.21558854), np.float32(-0.09606625), np.float32(0.020490346)
_E0, _E1, _E2 = np.float32(1.0000036), np.float32(0.69296956), np.float32(0.24162132)
_E3, _E4 = np.float32(0.051717736), np.float32(0.013683983)


@compiled
def _power(base: float, exponent: float) -> float:
    """`base ** exponent` for a base in (0, 1], to about 1e-4, in operations that vectorise (libm's do not)."""
    bits = np.float32(base).view(np.int32)
    whole = np.float32((bits >> _BITS) - _BIAS)
    m = np.int32((bits & _MANTISSA) | _EXPONENT_OF_ONE).view(np.float32) - _ONE
    log = whole + m * (_L0 + m * (_L1 + m * (_L2 + m * (_L3 + m * (_L4 + m * (_L5 + m * _L6))))))
    power = max(np.float32(exponent) * log, _LEAST_POWER)
    floor = np.floor(power)
    f = power - floor
    mantissa = _E0 + f * (_E1 + f * (_E2 + f * (_E3 + f * _E4)))
    return mantissa * np.int32((np.int32(floor) + _BIAS) << _BITS).view(np.float32)


@compiled
def _prepare(canvas: Canvas, surfaces: Surfaces, row: int, scratch: Floats) -> None:
    """Depth, unit normal and material of every pixel of a row; clears the sums of light."""
    table = surfaces.table
    line = np.uint64(row)
    y = np.float32(canvas.top + canvas.down * row)
    y2 = y * y + _ONE
    for x in range(np.uint64(canvas.owner.shape[1])):
        s = np.uint64(canvas.owner[line, x])
        t = _ONE / canvas.inverse_depth[line, x]
        column = canvas.columns[x]
        px, py, pz = column * t, y * t, -t
        nx = table[s, GRADIENT] * px + table[s, GRADIENT + 1] * py + table[s, GRADIENT + 2] * pz + table[s, CONSTANT]
        ny = table[s, 3] * px + table[s, 4] * py + table[s, 5] * pz + table[s, CONSTANT + 1]
        nz = table[s, 6] * px + table[s, 7] * py + table[s, 8] * pz + table[s, CONSTANT + 2]
        unit = _ONE / np.sqrt(nx * nx + ny * ny + nz * nz + _TINY)
        nx, ny, nz = nx * unit, ny * unit, nz * unit
        view = _ONE / np.sqrt(column * column + y2)
        scratch[_DEPTH, x] = t
        scratch[_NX, x], scratch[_NY, x], scratch[_NZ, x] = nx, ny, nz
        scratch[_NV, x] = (nz - nx * column - ny * y) * view
        scratch[_V, x] = view
        scratch[_SPECULAR, x] = table[s, SPECULAR]
        scratch[_EXPONENT, x] = table[s, EXPONENT]
        for channel in range(3):
            scratch[_DIFFUSE + channel, x] = _ZERO
            scratch[_HIGHLIGHT + channel, x] = _ZERO


@compiled
def _add_directional(canvas: Canvas, row: int, light: Doubles, scratch: Floats) -> None:
    lx, ly, lz = np.float32(light[0]), np.float32(light[1]), np.float32(light[2])
    dr, dg, db = np.float32(light[DIFFUSE]), np.float32(light[DIFFUSE + 1]), np.float32(light[DIFFUSE + 2])
    hr, hg, hb = np.float32(light[HIGHLIGHT]), np.float32(light[HIGHLIGHT + 1]), np.float32(light[HIGHLIGHT + 2])
    y = np.float32(canvas.top + canvas.down * row)
    for x in range(np.uint64(canvas.owner.shape[1])):
        cosine = scratch[_NX, x] * lx + scratch[_NY, x] * ly + scratch[_NZ, x] * lz
        lit = max(cosine, _ZERO)
        scratch[_DIFFUSE, x] += dr * lit
        scratch[_DIFFUSE + 1, x] += dg * lit
        scratch[_DIFFUSE + 2, x] += db * lit
        # The half-way vector of unit vectors L and V has the length sqrt(2 + 2 L.V).
        towards = (lz - lx * canvas.columns[x] - ly * y) * scratch[_V, x]
        half = (cosine + scratch[_NV, x]) / np.sqrt(max(_TWO + _TWO * towards, _TINY))
        shine = scratch[_SPECULAR, x] * _power(min(max(half, _TINY), _ONE), scratch[_EXPONENT, x])
        shine = shine if cosine > _ZERO else _ZERO
        scratch[_HIGHLIGHT, x] += hr * shine
        scratch[_HIGHLIGHT + 1, x] += hg * shine
        scratch[_HIGHLIGHT + 2, x] += hb * shine


@compiled
def _add_positional(canvas: Canvas, row: int, light: Doubles, scratch: Floats) -> None:
    """A point light or a spot."""
    lx, ly, lz = np.float32(light[0]), np.float32(light[1]), np.float32(light[2])
    ax, ay, az = np.float32(light[AXIS]), np.float32(light[AXIS + 1]), np.float32(light[AXIS + 2])
    a0, a1 = np.float32(light[ATTENUATION]), np.float32(light[ATTENUATION + 1])
    a2 = np.float32(light[ATTENUATION + 2])
    dr, dg, db = np.float32(light[DIFFUSE]), np.float32(light[DIFFUSE + 1]), np.float32(light[DIFFUSE + 2])
    hr, hg, hb = np.float32(light[HIGHLIGHT]), np.float32(light[HIGHLIGHT + 1]), np.float32(light[HIGHLIGHT + 2])
    spot = light[KIND] == _SPOT
    cutoff = np.float32(light[CUTOFF_COSINE]) if spot else np.float32(-2.0)
    exponent = np.float32(light[SPOT_EXPONENT]) if spot else _ZERO
    y = np.float32(canvas.top + canvas.down * row)
    for x in range(np.uint64(canvas.owner.shape[1])):
        t = scratch[_DEPTH, x]
        column = canvas.columns[x]
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
        half = (cosine + scratch[_NV, x]) / np.sqrt(max(_TWO + _TWO * towards, _TINY))
        shine = weight * scratch[_SPECULAR, x] * _power(min(max(half, _TINY), _ONE), scratch[_EXPONENT, x])
        scratch[_HIGHLIGHT, x] += hr * shine
        scratch[_HIGHLIGHT + 1, x] += hg * shine
        scratch[_HIGHLIGHT + 2, x] += hb * shine


@compiled
def shade_row(
    canvas: Canvas, surfaces: Surfaces, row: int, lights: Doubles, ambient: Vector, scratch: Floats, pixels: Bytes
) -> None:
    """Fill `pixels` `(width, 3)` from the surfaces that own the row's pixels."""
    _prepare(canvas, surfaces, row, scratch)
    for index in range(lights.shape[0]):
        if lights[index, KIND] == _DIRECTIONAL:
            _add_directional(canvas, row, lights[index], scratch)
        else:
            _add_positional(canvas, row, lights[index], scratch)
    table = surfaces.table
    line = np.uint64(row)
    red, green, blue = np.float32(ambient[0]), np.float32(ambient[1]), np.float32(ambient[2])
    for x in range(np.uint64(canvas.owner.shape[1])):
        s = np.uint64(canvas.owner[line, x])
        own = table[s, EMISSION]
        r = table[s, COLOUR] * (own + red + scratch[_DIFFUSE, x]) + scratch[_HIGHLIGHT, x]
        g = table[s, COLOUR + 1] * (own + green + scratch[_DIFFUSE + 1, x]) + scratch[_HIGHLIGHT + 1, x]
        b = table[s, COLOUR + 2] * (own + blue + scratch[_DIFFUSE + 2, x]) + scratch[_HIGHLIGHT + 2, x]
        pixels[x, 0] = np.uint8(np.int32(min(max(r, _ZERO), _ONE) * _LARGEST_CHANNEL))
        pixels[x, 1] = np.uint8(np.int32(min(max(g, _ZERO), _ONE) * _LARGEST_CHANNEL))
        pixels[x, 2] = np.uint8(np.int32(min(max(b, _ZERO), _ONE) * _LARGEST_CHANNEL))
