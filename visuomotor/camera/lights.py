"""Lights as a table in the camera's frame, and what each adds to the light on a tile of pixels (see `shading`)."""

from math import cos, pi

import numpy as np

from visuomotor.camera.geometry import add_scaled, into_frame
from visuomotor.camera.njit import Float64Array, Floats, Mat3, Vector, njit_call, njit_inline
from visuomotor.camera.tile import (
    ONE,
    ROW_BASE,
    ROW_DEPTH,
    ROW_DIFFUSE,
    ROW_EXPONENT,
    ROW_HIGHLIGHT,
    ROW_NV,
    ROW_NX,
    ROW_NY,
    ROW_NZ,
    ROW_SPECULAR,
    ROW_V,
    ROW_X,
    ROW_Y,
    TINY,
    TWO,
    ZERO,
)

# Columns of the light table. VECTOR: direction to a directional light, else the light's place.
VECTOR, DIFFUSE, SPECULAR, AXIS, ATTENUATION, CUTOFF_COSINE, SPOT_EXPONENT, KIND, AMBIENT, LIGHT_WIDTH = (
    0,
    3,
    6,
    9,
    12,
    15,
    16,
    17,
    18,
    21,
)
SPOT, DIRECTIONAL, POINT = 0, 1, 2  # MuJoCo's numbers; a fourth kind, images, does not shine here
_WIDEST_CUTOFF, _LARGEST_EXPONENT = 90.0, 128.0  # OpenGL ignores numbers beyond, and below 0


@njit_inline
def put_light(
    lights: Float64Array,
    index: int,
    kind: int,
    place: Vector,
    direction: Vector,
    ambient: Floats,
    diffuse: Floats,
    specular: Floats,
    attenuation: Floats,
    cutoff_degrees: float,
    exponent: float,
) -> None:
    """Enter a light, place and direction in the camera's frame.

    As in OpenGL, a spot with a cutoff out of range has no cone: it is a point light.
    """
    row = lights[index]
    for i in range(3):
        row[VECTOR + i] = -direction[i] if kind == DIRECTIONAL else place[i]
        row[AXIS + i] = direction[i]
        row[AMBIENT + i] = ambient[i]
        row[DIFFUSE + i] = diffuse[i]
        row[SPECULAR + i] = specular[i]
        row[ATTENUATION + i] = attenuation[i]
    row[CUTOFF_COSINE] = cos(cutoff_degrees * pi / 180.0)
    row[SPOT_EXPONENT] = exponent if 0.0 <= exponent <= _LARGEST_EXPONENT else 0.0
    row[KIND] = POINT if kind == SPOT and not 0.0 <= cutoff_degrees <= _WIDEST_CUTOFF else kind


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
    m = np.int32((bits & _MANTISSA) | _EXPONENT_OF_ONE).view(np.float32) - ONE
    log = whole + m * (_L0 + m * (_L1 + m * (_L2 + m * (_L3 + m * _L4))))
    power = max(np.float32(exponent) * log, _LEAST_POWER)
    floor = np.floor(power)
    f = power - floor
    mantissa = _E0 + f * (_E1 + f * (_E2 + f * _E3))
    return mantissa * np.int32((np.int32(floor) + _BIAS) << _BITS).view(np.float32)


@njit_inline
def start_light(scratch: Floats, pixels: int, ambient: Vector) -> None:
    """Unit normals and the direction of view; starts the sums of light."""
    red, green, blue = np.float32(ambient[0]), np.float32(ambient[1]), np.float32(ambient[2])
    for x in range(np.uint64(pixels)):
        column, y = scratch[ROW_X, x], scratch[ROW_Y, x]
        nx, ny, nz = scratch[ROW_NX, x], scratch[ROW_NY, x], scratch[ROW_NZ, x]
        unit = ONE / np.sqrt(nx * nx + ny * ny + nz * nz + TINY)
        nx, ny, nz = nx * unit, ny * unit, nz * unit
        view = ONE / np.sqrt(column * column + y * y + ONE)
        scratch[ROW_NX, x], scratch[ROW_NY, x], scratch[ROW_NZ, x] = nx, ny, nz
        scratch[ROW_NV, x] = (nz - nx * column - ny * y) * view
        scratch[ROW_V, x] = view
        glow = scratch[ROW_BASE + 3, x]
        scratch[ROW_DIFFUSE, x], scratch[ROW_DIFFUSE + 1, x], scratch[ROW_DIFFUSE + 2, x] = (
            glow + red,
            glow + green,
            glow + blue,
        )
        scratch[ROW_HIGHLIGHT, x], scratch[ROW_HIGHLIGHT + 1, x], scratch[ROW_HIGHLIGHT + 2, x] = ZERO, ZERO, ZERO


@njit_inline
def _add_directional(scratch: Floats, pixels: int, light: Float64Array) -> None:
    lx, ly, lz = np.float32(light[0]), np.float32(light[1]), np.float32(light[2])
    dr, dg, db = np.float32(light[DIFFUSE]), np.float32(light[DIFFUSE + 1]), np.float32(light[DIFFUSE + 2])
    hr, hg, hb = np.float32(light[SPECULAR]), np.float32(light[SPECULAR + 1]), np.float32(light[SPECULAR + 2])
    for x in range(np.uint64(pixels)):
        cosine = scratch[ROW_NX, x] * lx + scratch[ROW_NY, x] * ly + scratch[ROW_NZ, x] * lz
        lit = max(cosine, ZERO)
        scratch[ROW_DIFFUSE, x] += dr * lit
        scratch[ROW_DIFFUSE + 1, x] += dg * lit
        scratch[ROW_DIFFUSE + 2, x] += db * lit
        # H = (L + V) / |L + V| and |L + V|^2 = 2 + 2 L.V; the square of n.H goes with half its exponent.
        towards = (lz - lx * scratch[ROW_X, x] - ly * scratch[ROW_Y, x]) * scratch[ROW_V, x]
        both = max(cosine + scratch[ROW_NV, x], ZERO)
        half = both * both / max(TWO + TWO * towards, TINY)
        shine = scratch[ROW_SPECULAR, x] * _power(min(max(half, TINY), ONE), scratch[ROW_EXPONENT, x])
        shine = shine if cosine > ZERO else ZERO
        scratch[ROW_HIGHLIGHT, x] += hr * shine
        scratch[ROW_HIGHLIGHT + 1, x] += hg * shine
        scratch[ROW_HIGHLIGHT + 2, x] += hb * shine


@njit_inline
def _add_positional(scratch: Floats, pixels: int, light: Float64Array) -> None:
    """A point light or a spot."""
    lx, ly, lz = np.float32(light[0]), np.float32(light[1]), np.float32(light[2])
    ax, ay, az = np.float32(light[AXIS]), np.float32(light[AXIS + 1]), np.float32(light[AXIS + 2])
    a0, a1 = np.float32(light[ATTENUATION]), np.float32(light[ATTENUATION + 1])
    a2 = np.float32(light[ATTENUATION + 2])
    dr, dg, db = np.float32(light[DIFFUSE]), np.float32(light[DIFFUSE + 1]), np.float32(light[DIFFUSE + 2])
    hr, hg, hb = np.float32(light[SPECULAR]), np.float32(light[SPECULAR + 1]), np.float32(light[SPECULAR + 2])
    spot = light[KIND] == SPOT
    cutoff = np.float32(light[CUTOFF_COSINE]) if spot else np.float32(-2.0)
    exponent = np.float32(light[SPOT_EXPONENT] if spot else 0.0)
    for x in range(np.uint64(pixels)):
        t = scratch[ROW_DEPTH, x]
        column, y = scratch[ROW_X, x], scratch[ROW_Y, x]
        vx, vy, vz = lx - column * t, ly - y * t, lz + t
        square = vx * vx + vy * vy + vz * vz
        near = ONE / np.sqrt(square + TINY)
        vx, vy, vz = vx * near, vy * near, vz * near
        weight = ONE / max(a0 + a1 * square * near + a2 * square, TINY)
        cone = -(vx * ax + vy * ay + vz * az)
        weight *= _power(min(max(cone, TINY), ONE), exponent)
        weight = weight if cone >= cutoff else ZERO
        cosine = scratch[ROW_NX, x] * vx + scratch[ROW_NY, x] * vy + scratch[ROW_NZ, x] * vz
        weight = weight if cosine > ZERO else ZERO
        lit = cosine * weight
        scratch[ROW_DIFFUSE, x] += dr * lit
        scratch[ROW_DIFFUSE + 1, x] += dg * lit
        scratch[ROW_DIFFUSE + 2, x] += db * lit
        towards = (vz - vx * column - vy * y) * scratch[ROW_V, x]
        both = max(cosine + scratch[ROW_NV, x], ZERO)
        half = both * both / max(TWO + TWO * towards, TINY)
        shine = weight * scratch[ROW_SPECULAR, x] * _power(min(max(half, TINY), ONE), scratch[ROW_EXPONENT, x])
        scratch[ROW_HIGHLIGHT, x] += hr * shine
        scratch[ROW_HIGHLIGHT + 1, x] += hg * shine
        scratch[ROW_HIGHLIGHT + 2, x] += hb * shine


@njit_call
def _add_ambient(scratch: Floats, pixels: int, light: Float64Array) -> None:
    """The ambient light of a point light or a spot, which weakens with distance and cone but comes from all sides."""
    lx, ly, lz = np.float32(light[0]), np.float32(light[1]), np.float32(light[2])
    ax, ay, az = np.float32(light[AXIS]), np.float32(light[AXIS + 1]), np.float32(light[AXIS + 2])
    a0, a1 = np.float32(light[ATTENUATION]), np.float32(light[ATTENUATION + 1])
    a2 = np.float32(light[ATTENUATION + 2])
    red, green, blue = np.float32(light[AMBIENT]), np.float32(light[AMBIENT + 1]), np.float32(light[AMBIENT + 2])
    spot = light[KIND] == SPOT
    cutoff = np.float32(light[CUTOFF_COSINE]) if spot else np.float32(-2.0)
    exponent = np.float32(light[SPOT_EXPONENT] if spot else 0.0)
    for x in range(np.uint64(pixels)):
        t = scratch[ROW_DEPTH, x]
        vx, vy, vz = lx - scratch[ROW_X, x] * t, ly - scratch[ROW_Y, x] * t, lz + t
        square = vx * vx + vy * vy + vz * vz
        near = ONE / np.sqrt(square + TINY)
        weight = ONE / max(a0 + a1 * square * near + a2 * square, TINY)
        cone = -(vx * ax + vy * ay + vz * az) * near
        weight *= _power(min(max(cone, TINY), ONE), exponent)
        weight = weight if cone >= cutoff else ZERO
        scratch[ROW_DIFFUSE, x] += red * weight
        scratch[ROW_DIFFUSE + 1, x] += green * weight
        scratch[ROW_DIFFUSE + 2, x] += blue * weight


@njit_call
def add_lights(scratch: Floats, pixels: int, lights: Float64Array) -> None:
    """Add every light to the sums."""
    for index in range(lights.shape[0]):
        light = lights[index]
        if light[KIND] == DIRECTIONAL:
            _add_directional(scratch, pixels, light)
        else:
            _add_positional(scratch, pixels, light)
            if light[AMBIENT] + light[AMBIENT + 1] + light[AMBIENT + 2] > 0.0:
                _add_ambient(scratch, pixels, light)
