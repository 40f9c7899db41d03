"""MuJoCo's analytic shapes as surfaces in the frame buffer.

Every function takes the geom's centre and axes in the camera's frame and MuJoCo's sizes, and shows the outside only: a
camera inside a geom looks through it.
"""

from math import sqrt

from visuomotor.camera.frame_buffer import (
    Border,
    Box,
    Conic,
    FrameBuffer,
    conic_box,
    rasterize_disc,
    rasterize_polygon,
    rasterize_quadric,
    rasterize_tube,
    whole_image,
)
from visuomotor.camera.geometry import add_scaled, dot, scale
from visuomotor.camera.njit import Mat3, Vector, njit_inline
from visuomotor.camera.surfaces import Surfaces, add_centred_surface, add_flat_surface
from visuomotor.camera.texture_mapping import map_capsule_cap, map_flat

_NEAR = 1e-6  # closer to the camera's plane than this, a point has no usable place on the image
_NO_LIMIT = 1e9
_IDENTITY = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
_OVERLAP = 1e-3  # of its radius: how far a capsule's cap goes on within its side


@njit_inline
def _include(box: Box, buffer: FrameBuffer, point: Vector) -> Box:
    """Stretch a box to a point of the camera's frame; to all the image if the point is not in front."""
    if point[2] > -_NEAR:
        return (-_NO_LIMIT, _NO_LIMIT, -_NO_LIMIT, _NO_LIMIT)
    inverse = -1.0 / point[2]
    column = (point[0] * inverse - buffer.left) / buffer.dx
    row = (point[1] * inverse - buffer.top) / buffer.dy
    return (min(box[0], column), max(box[1], column), min(box[2], row), max(box[3], row))


@njit_inline
def _edge(buffer: FrameBuffer, side: int, edge: Vector) -> None:
    buffer.edges[side, 0] = edge[0]
    buffer.edges[side, 1] = edge[1]
    buffer.edges[side, 2] = edge[2]


@njit_inline
def draw_rectangle(
    buffer: FrameBuffer,
    surfaces: Surfaces,
    geom: int,
    centre: Vector,
    normal: Vector,
    u: Vector,
    half_u: float,
    v: Vector,
    half_v: float,
) -> None:
    """The part `|u.(p - c)| <= half_u, |v.(p - c)| <= half_v` of the plane through `c`, from both its sides; no limit
    where half <= 0."""
    distance = dot(normal, centre)
    if distance == 0.0:
        return
    plane = scale(normal, 1.0 / distance)
    # With p = d / w and w = plane.d, the limit |u.(p - c)| <= s is |(u - (u.c) plane).d| <= s plane.d.
    sides = 0
    if half_u > 0.0:
        along = add_scaled(u, plane, -dot(u, centre))
        reach = scale(plane, half_u)
        _edge(buffer, sides, add_scaled(reach, along, 1.0))
        _edge(buffer, sides + 1, add_scaled(reach, along, -1.0))
        sides += 2
    if half_v > 0.0:
        along = add_scaled(v, plane, -dot(v, centre))
        reach = scale(plane, half_v)
        _edge(buffer, sides, add_scaled(reach, along, 1.0))
        _edge(buffer, sides + 1, add_scaled(reach, along, -1.0))
        sides += 2
    box = whole_image(buffer)
    if sides == 4:
        box = (_NO_LIMIT, -_NO_LIMIT, _NO_LIMIT, -_NO_LIMIT)
        low, high = add_scaled(centre, u, -half_u), add_scaled(centre, u, half_u)
        box = _include(box, buffer, add_scaled(low, v, -half_v))
        box = _include(box, buffer, add_scaled(low, v, half_v))
        box = _include(box, buffer, add_scaled(high, v, -half_v))
        box = _include(box, buffer, add_scaled(high, v, half_v))
        height, width = buffer.surface_id.shape
        if box[1] < 0.0 or box[0] > width - 1 or box[3] < 0.0 or box[2] > height - 1:
            return
    rasterize_polygon(buffer, add_flat_surface(surfaces, geom, normal), plane, sides, box)


@njit_inline
def _draw_faces(
    buffer: FrameBuffer,
    surfaces: Surfaces,
    geom: int,
    centre: Vector,
    normal: Vector,
    half: float,
    u: Vector,
    half_u: float,
    v: Vector,
    half_v: float,
) -> None:
    """That one of a pair of opposite faces of a box which the camera can see, if any."""
    towards_camera = -dot(normal, centre)
    if abs(towards_camera) > half:
        outwards = scale(normal, 1.0 if towards_camera > 0.0 else -1.0)
        face = add_scaled(centre, outwards, half)
        map_flat(surfaces.look, centre, u, half_u, v, half_v, -1.0)
        draw_rectangle(buffer, surfaces, geom, face, outwards, u, max(half_u, 1e-12), v, max(half_v, 1e-12))


@njit_inline
def draw_box(buffer: FrameBuffer, surfaces: Surfaces, geom: int, centre: Vector, axes: Mat3, size: Vector) -> None:
    a, b, c = axes
    _draw_faces(buffer, surfaces, geom, centre, a, size[0], b, size[1], c, size[2])
    _draw_faces(buffer, surfaces, geom, centre, b, size[1], a, size[0], c, size[2])
    _draw_faces(buffer, surfaces, geom, centre, c, size[2], a, size[0], b, size[1])


@njit_inline
def _sphere_outline(buffer: FrameBuffer, centre: Vector, radius: float) -> tuple[float, Conic, Box]:
    """k, S and the box of a sphere for `rasterize_quadric`; an empty box where it is not seen from outside.

    Q = identity / r^2, and everything is multiplied by r^2: k = c'c - r^2.
    """
    x, y, z = centre
    k = dot(centre, centre) - radius * radius
    conic = (x * x - k, x * y, x * z, y * y - k, y * z, z * z - k)
    box = (0.0, 0.0, 1.0, 0.0)
    if k > 0.0 and z < radius:
        box = conic_box(buffer, conic)
    return k, conic, box


@njit_inline
def draw_sphere(buffer: FrameBuffer, surfaces: Surfaces, geom: int, centre: Vector, radius: float) -> None:
    k, conic, box = _sphere_outline(buffer, centre, radius)
    if box[2] <= box[3]:
        surface = add_centred_surface(surfaces, geom, _IDENTITY, centre)
        rasterize_quadric(buffer, surface, centre, conic, k, box)


@njit_inline
def draw_ellipsoid(
    buffer: FrameBuffer, surfaces: Surfaces, geom: int, centre: Vector, axes: Mat3, size: Vector
) -> None:
    reach = sqrt((axes[0][2] * size[0]) ** 2 + (axes[1][2] * size[1]) ** 2 + (axes[2][2] * size[2]) ** 2)
    if centre[2] >= reach:
        return
    i0, i1, i2 = 1.0 / (size[0] * size[0]), 1.0 / (size[1] * size[1]), 1.0 / (size[2] * size[2])
    a, b, c = axes
    q00 = i0 * a[0] * a[0] + i1 * b[0] * b[0] + i2 * c[0] * c[0]
    q01 = i0 * a[0] * a[1] + i1 * b[0] * b[1] + i2 * c[0] * c[1]
    q02 = i0 * a[0] * a[2] + i1 * b[0] * b[2] + i2 * c[0] * c[2]
    q11 = i0 * a[1] * a[1] + i1 * b[1] * b[1] + i2 * c[1] * c[1]
    q12 = i0 * a[1] * a[2] + i1 * b[1] * b[2] + i2 * c[1] * c[2]
    q22 = i0 * a[2] * a[2] + i1 * b[2] * b[2] + i2 * c[2] * c[2]
    matrix = ((q00, q01, q02), (q01, q11, q12), (q02, q12, q22))
    q = (dot(matrix[0], centre), dot(matrix[1], centre), dot(matrix[2], centre))
    k = dot(q, centre) - 1.0
    if k <= 0.0:
        return
    conic = (
        q[0] * q[0] - k * q00,
        q[0] * q[1] - k * q01,
        q[0] * q[2] - k * q02,
        q[1] * q[1] - k * q11,
        q[1] * q[2] - k * q12,
        q[2] * q[2] - k * q22,
    )
    box = conic_box(buffer, conic)
    if box[2] > box[3]:
        return
    surface = add_centred_surface(surfaces, geom, matrix, centre)
    rasterize_quadric(buffer, surface, q, conic, k, box)


@njit_inline
def _sphere_box(buffer: FrameBuffer, centre: Vector, radius: float) -> Box:
    """The pixels that a sphere's outline reaches; the sphere must lie wholly in front of the camera."""
    x, y, z = centre
    square = radius * radius
    below = z * z - square
    spread_x = radius * sqrt(max(x * x + below, 0.0))
    spread_y = radius * sqrt(max(y * y + below, 0.0))
    return (
        ((-x * z - spread_x) / below - buffer.left) / buffer.dx,
        ((-x * z + spread_x) / below - buffer.left) / buffer.dx,
        ((-y * z + spread_y) / below - buffer.top) / buffer.dy,
        ((-y * z - spread_y) / below - buffer.top) / buffer.dy,
    )


@njit_inline
def _left_border(upper: Box, lower: Box, sign: float) -> Border:
    """The left border (`sign` 1) or right border (-1) of two boxes' hull as a clamped line (`rasterize_tube`).

    Between a box and one further left below it the border joins their top corners, otherwise their bottom corners.
    """
    above, below = (upper[0], lower[0]) if sign > 0.0 else (-upper[1], -lower[1])
    if below < above:
        rows, start = lower[2] - upper[2], upper[2]
    else:
        rows, start = lower[3] - upper[3], upper[3]
    least, greatest = min(above, below), max(above, below)
    if rows > 1e-3:
        slope = (below - above) / rows
        at_zero = above - slope * start
    else:
        slope, at_zero = 0.0, least
    if sign > 0.0:
        return (at_zero, slope, least, greatest)
    return (-at_zero, -slope, -greatest, -least)


@njit_inline
def _draw_side(
    buffer: FrameBuffer, surfaces: Surfaces, geom: int, centre: Vector, axis: Vector, radius: float, half: float
) -> bool:
    """The round side of a cylinder around `axis`. Returns whether any of the cylinder can be in front."""
    top, bottom = add_scaled(centre, axis, half), add_scaled(centre, axis, -half)
    if top[2] >= radius and bottom[2] >= radius:
        return False
    along = dot(axis, centre)
    # Q = (identity - axis axis') / r^2; everything here is multiplied by r^2.
    q = add_scaled(centre, axis, -along)
    k = dot(q, q) - radius * radius
    if k <= 0.0:  # the camera is inside the endless cylinder and sees the caps only
        return True
    s00 = q[0] * q[0] - k * (1.0 - axis[0] * axis[0])
    s01 = q[0] * q[1] + k * axis[0] * axis[1]
    s02 = q[0] * q[2] + k * axis[0] * axis[2]
    s11 = q[1] * q[1] - k * (1.0 - axis[1] * axis[1])
    s12 = q[1] * q[2] + k * axis[1] * axis[2]
    s22 = q[2] * q[2] - k * (1.0 - axis[2] * axis[2])
    box = whole_image(buffer)
    left = (0.0, 0.0, 0.0, 0.0)
    right = (box[1], 0.0, box[1], box[1])
    if top[2] < -radius - _NEAR and bottom[2] < -radius - _NEAR:
        # A cylinder lies in the hull of the spheres around its ends, and their outlines in boxes.
        first, second = _sphere_box(buffer, top, radius), _sphere_box(buffer, bottom, radius)
        if second[2] < first[2]:
            first, second = second, first
        box = (
            min(first[0], second[0]),
            max(first[1], second[1]),
            min(first[2], second[2]),
            max(first[3], second[3]),
        )
        left, right = _left_border(first, second, 1.0), _left_border(first, second, -1.0)
        height, width = buffer.surface_id.shape
        if box[1] < 0.0 or box[0] > width - 1 or box[3] < 0.0 or box[2] > height - 1:
            return False
    gradient = (
        (1.0 - axis[0] * axis[0], -axis[0] * axis[1], -axis[0] * axis[2]),
        (-axis[0] * axis[1], 1.0 - axis[1] * axis[1], -axis[1] * axis[2]),
        (-axis[0] * axis[2], -axis[1] * axis[2], 1.0 - axis[2] * axis[2]),
    )
    surface = add_centred_surface(surfaces, geom, gradient, q)
    rasterize_tube(buffer, surface, q, (s00, s01, s02, s11, s12, s22), k, axis, along, half, box, left, right)
    return True


@njit_inline
def draw_capsule(
    buffer: FrameBuffer, surfaces: Surfaces, geom: int, centre: Vector, axis: Vector, radius: float, half: float
) -> None:
    if _draw_side(buffer, surfaces, geom, centre, axis, radius, half):
        map_capsule_cap(surfaces.look, axis, centre, radius, half, 1.0)
        _draw_cap(buffer, surfaces, geom, add_scaled(centre, axis, half), axis, radius)
        map_capsule_cap(surfaces.look, axis, centre, radius, half, -1.0)
        _draw_cap(buffer, surfaces, geom, add_scaled(centre, axis, -half), scale(axis, -1.0), radius)


@njit_inline
def _draw_cap(
    buffer: FrameBuffer, surfaces: Surfaces, geom: int, centre: Vector, outwards: Vector, radius: float
) -> None:
    """The outer half of a sphere, and a little more, so that rounding leaves no gap beside the cylinder's side."""
    k, conic, box = _sphere_outline(buffer, centre, radius)
    if box[2] > box[3]:
        return
    surface = add_centred_surface(surfaces, geom, _IDENTITY, centre)
    middle, half = dot(outwards, centre) + 0.5 * radius, (0.5 + _OVERLAP) * radius
    left, right = (0.0, 0.0, 0.0, 0.0), (box[1], 0.0, box[1], box[1])
    rasterize_tube(buffer, surface, centre, conic, k, outwards, middle, half, box, left, right)


@njit_inline
def draw_cylinder(
    buffer: FrameBuffer, surfaces: Surfaces, geom: int, centre: Vector, axes: Mat3, radius: float, half: float
) -> None:
    u, v, axis = axes
    towards_camera = -dot(axis, centre)
    if not _draw_side(buffer, surfaces, geom, centre, axis, radius, half) or abs(towards_camera) <= half:
        return
    sign = 1.0 if towards_camera > 0.0 else -1.0
    normal = scale(axis, sign)
    c = add_scaled(centre, normal, half)
    distance = dot(normal, c)
    plane = scale(normal, 1.0 / distance)
    # |p - c|^2 <= r^2 with p = d / w and w = plane.d: (plane.d)^2 (r^2 - c.c) + 2 (plane.d) (c.d) - d.d >= 0.
    f = radius * radius - dot(c, c)
    conic = (
        plane[0] * plane[0] * f + 2.0 * plane[0] * c[0] - 1.0,
        plane[0] * plane[1] * f + plane[0] * c[1] + plane[1] * c[0],
        plane[0] * plane[2] * f + plane[0] * c[2] + plane[2] * c[0],
        plane[1] * plane[1] * f + 2.0 * plane[1] * c[1] - 1.0,
        plane[1] * plane[2] * f + plane[1] * c[2] + plane[2] * c[1],
        plane[2] * plane[2] * f + 2.0 * plane[2] * c[2] - 1.0,
    )
    box = conic_box(buffer, conic)
    if box[2] > box[3]:
        return
    map_flat(surfaces.look, centre, u, radius, v, radius, 1.0)
    rasterize_disc(buffer, add_flat_surface(surfaces, geom, normal), plane, conic, box)
