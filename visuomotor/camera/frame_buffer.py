"""Rasterization of every primitive's surface into the image of one world.

Everything is in the camera's frame. The ray through a pixel is `d = (X, Y, -1)`, so the ray's parameter `t` is the
depth along the view axis. The buffer holds the inverse depth `w = 1 / t`, for two reasons: on a plane `n.p = D` it is
linear, `w = n.d / D`, and on a quadric it is a root without a division (see `rasterize_quadric`). Larger is nearer.

A pixel remembers the nearest surface's number (its surface id); colours come later, once a pixel. Surfaces are drawn in
the order of their geoms, and one that ties with another wins over it, as in MuJoCo's OpenGL renderer.
"""

from math import ceil, floor, sqrt
from typing import NamedTuple

import numpy as np

from visuomotor.camera.njit import Float64Array, Floats, SurfaceIds, Vector, njit_inline

# Two formulas for one plane differ by rounding; nearer than this (relative) counts as a tie.
TIE = np.float32(1.0 - 2e-6)
_ZERO = np.float32(0.0)
# Pixels of a small face's row that are drawn together, also past the row's end. They stay as they are there; the two
# images have room for as many more.
LANES = 8


class FrameBuffer(NamedTuple):
    """One world's image while it is drawn."""

    inverse_depth: Floats  # (height, width), 1/m
    surface_id: SurfaceIds  # (height, width)
    columns: Floats  # (width,), X of each column
    edges: Float64Array  # (6, 4), scratch of `rasterize_polygon`
    near: float  # metres along the view axis; what is nearer is not drawn
    left: float  # X of column 0
    dx: float  # X from one column to the next, positive
    top: float  # Y of row 0
    dy: float  # Y from one row to the next, negative


Conic = tuple[float, float, float, float, float, float]  # S00, S01, S02, S11, S12, S22 of a symmetric matrix
Spans = tuple[float, float, float, float, float]
Quadratic = tuple[np.float32, np.float32, np.float32]  # the coefficients of x^2, x and 1
Box = tuple[float, float, float, float]  # left column, right column, top row, bottom row; inclusive, not rounded
Border = tuple[float, float, float, float]  # column at row 0, columns per row, least and greatest column


@njit_inline
def whole_image(buffer: FrameBuffer) -> Box:
    height, width = buffer.surface_id.shape
    return (0.0, width - 1.0, 0.0, height - 1.0)


@njit_inline
def first_index(position: float) -> int:
    """The first pixel at or after `position`, at least 0."""
    return ceil(min(max(position, 0.0), 1e6))


@njit_inline
def end_index(position: float, size: int) -> int:
    """One past the last pixel at or before `position`, at most `size`."""
    return floor(min(max(position, -1.0), size - 1.0)) + 1


@njit_inline
def _largest_on(buffer: FrameBuffer, plane: Vector, box: Box) -> float:
    """The largest `plane.d` on the pixels of a box."""
    height, width = buffer.surface_id.shape
    left = buffer.left + buffer.dx * min(max(box[0], 0.0), width - 1.0)
    right = buffer.left + buffer.dx * min(max(box[1], 0.0), width - 1.0)
    top = buffer.top + buffer.dy * min(max(box[2], 0.0), height - 1.0)
    bottom = buffer.top + buffer.dy * min(max(box[3], 0.0), height - 1.0)
    return max(plane[0] * left, plane[0] * right) + max(plane[1] * top, plane[1] * bottom) - plane[2]


@njit_inline
def rasterize_polygon(buffer: FrameBuffer, surface: int, plane: Vector, sides: int, box: Box) -> None:
    """Rasterize the part of a plane where `edge.d >= 0` for the first `sides` (at most 5) rows of `buffer.edges`.

    Args:
        plane: `n / D`, so that `w = plane.d`.
        box: pixels outside need not be looked at.
    """
    height, width = buffer.surface_id.shape
    number = np.uint32(surface)
    edges = buffer.edges
    nearest = 1.0 / buffer.near
    if _largest_on(buffer, plane, box) > nearest:  # one edge more: w <= nearest, where d's last component is -1
        edges[sides, 0], edges[sides, 1], edges[sides, 2] = -plane[0], -plane[1], -plane[2] - nearest
        sides += 1
    for side in range(sides):  # edge.d as slope * column + offset + per_row * row; then where it crosses zero
        slope = edges[side, 0] * buffer.dx
        offset = edges[side, 0] * buffer.left + edges[side, 1] * buffer.top - edges[side, 2]
        per_row = edges[side, 1] * buffer.dy
        if abs(slope) > 1e-14 * (abs(offset) + abs(per_row) + 1e-300):
            edges[side, 0] = -offset / slope
            edges[side, 1] = -per_row / slope
            edges[side, 3] = 1.0 if slope > 0.0 else -1.0
        else:
            edges[side, 0] = offset
            edges[side, 1] = per_row
            edges[side, 3] = 0.0
    w_column = np.float32(plane[0])
    for row in range(first_index(box[2]), end_index(box[3], height)):
        low, high = box[0], box[1]
        for side in range(sides):
            crossing = edges[side, 0] + edges[side, 1] * row
            if edges[side, 3] > 0.0:
                low = max(low, crossing)
            elif edges[side, 3] < 0.0:
                high = min(high, crossing)
            elif crossing < 0.0:
                high = -1.0
        # Neighbours share their border exactly; the margin keeps rounding from opening a crack between them.
        start, end = first_index(low - 1e-9), end_index(high + 1e-9, width)
        w_row = np.float32(plane[1] * (buffer.top + buffer.dy * row) - plane[2])
        line, y = np.uint64(row), np.uint64(start)
        for x in range(y, np.uint64(max(start, end))):
            w = w_column * buffer.columns[x] + w_row
            old = buffer.inverse_depth[line, x]
            wins = w >= old * TIE
            buffer.inverse_depth[line, x] = w if wins else old
            buffer.surface_id[line, x] = number if wins else buffer.surface_id[line, x]


@njit_inline
def conic_box(buffer: FrameBuffer, conic: Conic) -> Box:
    """The rows that an ellipse `d' S d >= 0` reaches, all columns."""
    s00, s01, s02, s11, s12, s22 = conic
    # A row meets the ellipse where the discriminant of the quadratic in X, itself a quadratic in Y, is not negative.
    a = s01 * s01 - s00 * s11
    b = -s01 * s02 + s00 * s12
    c = s02 * s02 - s00 * s22
    root = b * b - a * c
    if a >= 0.0 or s00 >= 0.0:
        return whole_image(buffer)
    if root <= 0.0:
        return (0.0, -1.0, 0.0, -1.0)
    root = sqrt(root)
    highest, lowest = (-b - root) / a, (-b + root) / a  # a < 0: the first is the larger Y, so the upper row
    return (
        0.0,
        buffer.surface_id.shape[1] - 1.0,
        (highest - buffer.top) / buffer.dy,
        (lowest - buffer.top) / buffer.dy,
    )


@njit_inline
def conic_spans(buffer: FrameBuffer, conic: Conic) -> Spans:
    """Prepare `span_at`: the middle of a row's columns inside a conic is linear, its half-width squared quadratic."""
    s00, s01, s02, s11, s12, s22 = conic
    if s00 >= -1e-12 * (abs(s11) + abs(s22)):  # not one interval, or not one that this formula can find
        return (0.0, 0.0, 0.0, 0.0, 1e18)
    to_columns = 1.0 / (s00 * buffer.dx)
    # With b(Y) = S01 Y - S02 the borders are X = (-b +- sqrt(b^2 - S00 (S11 Y^2 - 2 S12 Y + S22))) / S00.
    b_row, b_start = s01 * buffer.dy, s01 * buffer.top - s02
    r_row, r_start = s11 * buffer.dy, s11 * buffer.top - s12
    rest = r_start * buffer.top - s12 * buffer.top + s22
    square = to_columns * to_columns
    return (
        -b_row * to_columns,
        -b_start * to_columns - buffer.left / buffer.dx,
        (b_row * b_row - s00 * r_row * buffer.dy) * square,
        2.0 * (b_row * b_start - s00 * r_start * buffer.dy) * square,
        (b_start * b_start - s00 * rest) * square,
    )


@njit_inline
def span_at(spans: Spans, row: int, low: float, high: float) -> tuple[float, float]:
    """Narrow the columns `low..high` of a row to those inside the conic."""
    middle = spans[0] * row + spans[1]
    square = (spans[2] * row + spans[3]) * row + spans[4]
    half = sqrt(max(square, 0.0))
    return max(low, middle - half), (min(high, middle + half) if square > 0.0 else -1.0)


@njit_inline
def _expand_row(
    buffer: FrameBuffer, conic: Conic, spans: Spans, row: int, low: float, high: float
) -> tuple[int, int, float, float, Quadratic]:
    """The columns of a row inside a conic, and `d' S d` there about their middle, where single precision loses nothing
    to cancellation.

    Returns:
        First and end column, X of their middle, Y of the row, and the quadratic in the distance from the middle.
    """
    s00, s01, s02, s11, s12, s22 = conic
    y = buffer.top + buffer.dy * row
    low, high = span_at(spans, row, low, high)
    start, end = first_index(low), end_index(high, buffer.surface_id.shape[1])
    middle = buffer.left + buffer.dx * 0.5 * (start + end)
    b = s00 * middle + s01 * y - s02
    c0 = s11 * y * y - 2.0 * s12 * y + s22 + (b + s01 * y - s02) * middle
    return start, end, middle, y, (np.float32(s00), np.float32(2.0 * b), np.float32(c0))


@njit_inline
def rasterize_disc(buffer: FrameBuffer, surface: int, plane: Vector, conic: Conic, box: Box) -> None:
    """Rasterize the part of a plane inside the cone of rays `d' S d >= 0`."""
    height = buffer.surface_id.shape[0]
    number = np.uint32(surface)
    w_column, nearest = np.float32(plane[0]), np.float32(1.0 / buffer.near)
    spans = conic_spans(buffer, conic)
    for row in range(first_index(box[2]), end_index(box[3], height)):
        start, end, middle, y, (c2, c1, c0) = _expand_row(buffer, conic, spans, row, box[0], box[1])
        x0 = np.float32(middle)
        w_row = np.float32(plane[1] * y - plane[2])
        line = np.uint64(row)
        for x in range(np.uint64(start), np.uint64(max(start, end))):
            away = buffer.columns[x] - x0
            inside = (c2 * away + c1) * away + c0
            w = w_column * buffer.columns[x] + w_row
            old = buffer.inverse_depth[line, x]
            wins = (inside >= _ZERO) & (w >= old * TIE) & (w <= nearest)
            buffer.inverse_depth[line, x] = w if wins else old
            buffer.surface_id[line, x] = number if wins else buffer.surface_id[line, x]


@njit_inline
def rasterize_quadric(
    buffer: FrameBuffer,
    surface: int,
    pull: Vector,
    conic: Conic,
    offset: float,
    box: Box,
) -> None:
    """Rasterize the near side of a quadric around `c`, `(p - c)' Q (p - c) = 1`, seen from outside.

    With `q = Q c` and `k = c' Q c - 1 > 0` a ray meets it where `k w^2 - 2 (q.d) w + d' Q d = 0`, first at

        w = (q.d + sqrt(d' S d)) / k,    S = q q' - k Q

    Args:
        pull: `q`.
        conic: `S`.
        offset: `k`.
    """
    height = buffer.surface_id.shape[0]
    number = np.uint32(surface)
    inverse, nearest = np.float32(1.0 / offset), np.float32(1.0 / buffer.near)
    spans = conic_spans(buffer, conic)
    for row in range(first_index(box[2]), end_index(box[3], height)):
        start, end, middle, y, (c2, c1, c0) = _expand_row(buffer, conic, spans, row, box[0], box[1])
        x0 = np.float32(middle)
        b1, b0 = np.float32(pull[0]), np.float32(pull[0] * middle + pull[1] * y - pull[2])
        line = np.uint64(row)
        for x in range(np.uint64(start), np.uint64(max(start, end))):
            away = buffer.columns[x] - x0
            inside = (c2 * away + c1) * away + c0
            w = (b1 * away + b0 + np.sqrt(max(inside, _ZERO))) * inverse
            old = buffer.inverse_depth[line, x]
            wins = (inside >= _ZERO) & (w >= old * TIE) & (w <= nearest)
            buffer.inverse_depth[line, x] = w if wins else old
            buffer.surface_id[line, x] = number if wins else buffer.surface_id[line, x]


@njit_inline
def rasterize_tube(
    buffer: FrameBuffer,
    surface: int,
    pull: Vector,
    conic: Conic,
    offset: float,
    axis: Vector,
    axial_centre: float,
    half_length: float,
    box: Box,
    left_border: Border,
    right_border: Border,
) -> None:
    """`rasterize_quadric` for an endless cylinder, kept only where `|axis.p - axial_centre| <= half_length`.

    With `p = d / w` that is `|axis.d - axial_centre w| <= half_length w`.

    Args:
        left_border, right_border: the outline's column as a clamped line over the rows.
    """
    height = buffer.surface_id.shape[0]
    number = np.uint32(surface)
    inverse, nearest = np.float32(1.0 / offset), np.float32(1.0 / buffer.near)
    centre, half = np.float32(axial_centre), np.float32(half_length)
    spans = conic_spans(buffer, conic)
    for row in range(first_index(box[2]), end_index(box[3], height)):
        low = max(box[0], min(max(left_border[0] + left_border[1] * row, left_border[2]), left_border[3]))
        high = min(box[1], min(max(right_border[0] + right_border[1] * row, right_border[2]), right_border[3]))
        start, end, middle, y, (c2, c1, c0) = _expand_row(buffer, conic, spans, row, low, high)
        x0 = np.float32(middle)
        b1, b0 = np.float32(pull[0]), np.float32(pull[0] * middle + pull[1] * y - pull[2])
        g1, g0 = np.float32(axis[0]), np.float32(axis[0] * middle + axis[1] * y - axis[2])
        line = np.uint64(row)
        for x in range(np.uint64(start), np.uint64(max(start, end))):
            away = buffer.columns[x] - x0
            inside = (c2 * away + c1) * away + c0
            w = (b1 * away + b0 + np.sqrt(max(inside, _ZERO))) * inverse
            between = abs(g1 * away + g0 - centre * w) <= half * w
            old = buffer.inverse_depth[line, x]
            wins = (inside >= _ZERO) & between & (w >= old * TIE) & (w <= nearest)
            buffer.inverse_depth[line, x] = w if wins else old
            buffer.surface_id[line, x] = number if wins else buffer.surface_id[line, x]
