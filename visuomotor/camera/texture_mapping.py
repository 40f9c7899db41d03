"""Where on a texture a point of a geom lies, by the rules of MuJoCo's OpenGL renderer.

The point's own coordinates o are in half sizes of its geom, or in metres on endless planes, meshes and height fields. A
cube texture is looked up by the direction o; `texuniform` multiplies that by the half sizes. A 2-D texture has

| on | s | t |
|---|---|---|
| a plane or a box's face | (o_x + 1) / 2 | (1 - o_y) / 2, with the face's two axes in their order |
| a sphere or an ellipsoid | azimuth / 2 pi | 1/2 - elevation / pi |
| a cylinder's side, a capsule's | azimuth / 2 pi | (1 - o_z) / 2 |
| a cylinder's end | (o_x + 1) / 2 | (o_y + 1) / 2 |
| a capsule's upper, lower end | azimuth / 2 pi | 1 - 2 elevation / pi, -2 elevation / pi |

times `texrepeat` (1 in place of 0 and less), and with `texuniform` times the geom's first two half sizes; azimuths
count from 0 to 2 pi. So are the texture coordinates that a mesh may have (`meshes.read_face`). On other meshes, height
fields and endless planes `s = o_x repeat / 2 - 1/2` and `t = -o_y repeat / 2 - 1/2`, where repeat is divided by the
half sizes unless `texuniform`; 1 takes the place of 0 and less on planes only. Where only one side of a plane is
endless, the coordinate along the other side is that of the table less 1/2.
"""

from math import atan2, pi, sqrt

from visuomotor.camera.geometry import dot
from visuomotor.camera.njit import Floats, Mat3, Vector, njit_call, njit_inline
from visuomotor.camera.surfaces import COLOUR, MAP_CONSTANT, MAP_GRADIENT, MAP_SCALE, MAP_SHAPE, TEXTURE

FLAT, CUBE, GLOBE, TUBE, UPPER_CAP, LOWER_CAP = 0, 1, 2, 3, 4, 5

_MATRIX, _OFFSET, _SHAPE, _SCALE = MAP_GRADIENT - COLOUR, MAP_CONSTANT - COLOUR, MAP_SHAPE - COLOUR, MAP_SCALE - COLOUR
_LEAST_SIZE = 1e-15


@njit_inline
def _enter(look: Floats, row: int, axis: Vector, centre: Vector, factor: float, offset: float) -> None:
    """Coordinate number `row` is `factor axis.(p - centre) + offset`."""
    at = _MATRIX + 3 * row
    look[at], look[at + 1], look[at + 2] = factor * axis[0], factor * axis[1], factor * axis[2]
    look[_OFFSET + row] = offset - factor * dot(axis, centre)


@njit_call
def map_texture(
    look: Floats,
    texture: int,
    shape: int,
    in_metres: bool,
    endless: bool,
    axes: Mat3,
    centre: Vector,
    size: Vector,
    repeat_x: float,
    repeat_y: float,
    uniform: bool,
) -> None:
    """Set the texture of the geom that is being drawn.

    Args:
        shape: CUBE, GLOBE, TUBE, or FLAT for meshes, height fields and planes; `map_flat` then sets finite planes and
            boxes.
        in_metres: whether o is in metres.
        endless: whether it is a plane with an endless side.
        size: half sizes along the geom's axes; 0 where a plane is endless.
    """
    look[TEXTURE - COLOUR], look[_SHAPE] = texture, shape
    unit = (max(size[0], _LEAST_SIZE), max(size[1], _LEAST_SIZE), max(size[2], _LEAST_SIZE))
    above_x, above_y = repeat_x if repeat_x > 0.0 else 1.0, repeat_y if repeat_y > 0.0 else 1.0
    look[_SCALE], look[_SCALE + 1] = above_x, above_y
    if uniform:
        look[_SCALE], look[_SCALE + 1] = above_x * size[0], above_y * size[1]
    if shape == FLAT:
        start_x, start_y = -0.5, -0.5
        if endless:
            repeat_x, repeat_y = above_x, above_y
            start_x += 0.5 * look[_SCALE] if size[0] > 0.0 else 0.0
            start_y += 0.5 * look[_SCALE + 1] if size[1] > 0.0 else 0.0
        of_x, of_y = 0.5 * repeat_x, -0.5 * repeat_y
        if not uniform:
            of_x /= unit[0] if size[0] > 0.0 else 1.0
            of_y /= unit[1] if size[1] > 0.0 else 1.0
        _enter(look, 0, axes[0], centre, of_x, start_x)
        _enter(look, 1, axes[1], centre, of_y, start_y)
        return
    stretch = uniform and shape == CUBE
    _enter(look, 0, axes[0], centre, (1.0 if in_metres else 1.0 / unit[0]) * (size[0] if stretch else 1.0), 0.0)
    _enter(look, 1, axes[1], centre, (1.0 if in_metres else 1.0 / unit[1]) * (size[1] if stretch else 1.0), 0.0)
    _enter(look, 2, axes[2], centre, (1.0 if in_metres else 1.0 / unit[2]) * (size[2] if stretch else 1.0), 0.0)


@njit_inline
def map_flat(look: Floats, centre: Vector, u: Vector, half_u: float, v: Vector, half_v: float, sign: float) -> None:
    """Spread a 2-D texture over a rectangle; t grows along `sign v`."""
    if look[TEXTURE - COLOUR] >= 0.0 and look[_SHAPE] != CUBE:
        look[_SHAPE] = FLAT
        _enter(look, 0, u, centre, 0.5 / half_u * look[_SCALE], 0.5 * look[_SCALE])
        _enter(look, 1, v, centre, sign * 0.5 / half_v * look[_SCALE + 1], 0.5 * look[_SCALE + 1])


@njit_inline
def map_capsule_cap(look: Floats, axis: Vector, centre: Vector, radius: float, half: float, sign: float) -> None:
    """Make the third coordinate that of a capsule's cap, whose own unit is the radius.

    For a cube texture `o_z = z / r +- (1 - half / r)` meets that of the side, `z / half`, at the border.
    """
    if look[TEXTURE - COLOUR] < 0.0:
        return
    if look[_SHAPE] != CUBE:
        look[_SHAPE] = UPPER_CAP if sign > 0.0 else LOWER_CAP
        _enter(look, 2, axis, centre, 1.0 / radius, -sign * half / radius)
        return
    at = _MATRIX + 6
    unit = look[at] * axis[0] + look[at + 1] * axis[1] + look[at + 2] * axis[2]
    unit *= half if sign > 0.0 else radius  # the side's, then the upper cap's
    _enter(look, 2, axis, centre, unit / radius, sign * unit * (1.0 - half / radius))


@njit_inline
def unrolled(shape: int, q: Vector, step: Vector) -> tuple[float, float, float, float]:
    """Coordinates s and t of a round shape at o = q, and how much they change with `step`."""
    x, y, z = q
    square = max(x * x + y * y, 1e-12)
    s = atan2(y, x) / (2.0 * pi)
    s = s + 1.0 if s < 0.0 else s
    turn = (x * step[1] - y * step[0]) / square
    if shape == TUBE:
        return s, 0.5 - 0.5 * z, turn / (2.0 * pi), -0.5 * step[2]
    across = sqrt(square)
    elevation = atan2(z, across)
    rise = (across * step[2] - z * (x * step[0] + y * step[1]) / across) / (square + z * z)
    if shape == GLOBE:
        return s, 0.5 - elevation / pi, turn / (2.0 * pi), -rise / pi
    t = -2.0 * elevation / pi
    return s, t + 1.0 if shape == UPPER_CAP else t, turn / (2.0 * pi), -2.0 * rise / pi
