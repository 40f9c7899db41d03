"""One face of a mesh in the frame buffer.

A face of a few pixels is drawn from its corners' places in the image, at each pixel where three edge functions (twice
the area of the triangle that the pixel spans with an edge) have one sign; the inverse depth is linear between them. A
large face is a polygon like any other, and lit at its corners (`corner_light.py`). So are the faces of a cluster that
reaches behind the near plane.
"""

import numpy as np

from visuomotor.camera.frame_buffer import LANES, TIE, FrameBuffer, rasterize_polygon, whole_image
from visuomotor.camera.geometry import add_scaled, cross, dot, out_of_frame, scale
from visuomotor.camera.mesh_clusters import Meshes
from visuomotor.camera.njit import Floats, Mat3, Vector, njit_call, njit_inline
from visuomotor.camera.surfaces import LIT_AT_CORNERS

Point = tuple[np.float32, np.float32]  # column and row

# A face is large if its box in the image has more pixels, or twice its area, outside of the image too.
_LARGE = 128
# A pixel this far outside of an edge still counts, so that rounding opens no crack between neighbours.
_SLACK = np.float32(1e-4)
_ZERO, _ONE = np.float32(0.0), np.float32(1.0)


@njit_inline
def vertices_of(meshes: Meshes, face: int | np.uint64, first: int) -> tuple[np.uint64, np.uint64, np.uint64]:
    """A face's vertices, counted from its cluster's `first`; unsigned, as compiled code indexes fastest."""
    faces = meshes.faces
    return np.uint64(faces[0, face] - first), np.uint64(faces[1, face] - first), np.uint64(faces[2, face] - first)


@njit_inline
def box_of(buffer: FrameBuffer, a: Point, b: Point, c: Point) -> tuple[np.float32, np.float32, np.float32, np.float32]:
    """The first and the last column, the first and the last row of a face in the image; the last ones not rounded.

    The first is beyond the last where the face lies between the pixels' middles or outside the image.
    """
    height, width = buffer.surface_id.shape
    return (
        max(np.ceil(min(a[0], b[0], c[0]) - _SLACK), _ZERO),
        min(max(a[0], b[0], c[0]) + _SLACK, np.float32(width - 1)),
        max(np.ceil(min(a[1], b[1], c[1]) - _SLACK), _ZERO),
        min(max(a[1], b[1], c[1]) + _SLACK, np.float32(height - 1)),
    )


@njit_inline
def area_of(a: Point, b: Point, c: Point) -> np.float32:
    """Twice a face's area in the image, above 0 if it is seen from its front: there its corners are counterclockwise,
    and rows count downwards."""
    return (b[1] - a[1]) * (c[0] - a[0]) - (b[0] - a[0]) * (c[1] - a[1])


@njit_inline
def rasterize_face(
    buffer: FrameBuffer,
    surface: int,
    meshes: Meshes,
    face: int,
    first: int,
    projected: Floats,
    axes: Mat3,
    centre: Vector,
) -> None:
    """Rasterize a face that lies beyond the near plane, is seen from its front and has pixels in its box.

    Args:
        first: its cluster's first vertex.
        projected: the cluster's vertices in the image: columns, rows and inverse depths.
    """
    i, j, k = vertices_of(meshes, face, first)
    columns, rows, inverse_depths = projected[0], projected[1], projected[2]
    a, b, c = (columns[i], rows[i]), (columns[j], rows[j]), (columns[k], rows[k])
    left, last, top, bottom = box_of(buffer, a, b, c)
    start, end, end_row = np.int64(left), np.int64(last) + 1, np.int64(bottom) + 1
    area = area_of(a, b, c)
    if area > _LARGE or (end - start) * (end_row - np.int64(top)) > _LARGE:
        rasterize_as_polygon(buffer, surface, meshes, face, axes, centre)
        return
    wa, wb, wc = inverse_depths[i], inverse_depths[j], inverse_depths[k]
    share = _ONE / area
    number = np.uint32(surface)
    abx, aby, acx, acy = b[0] - a[0], b[1] - a[1], c[0] - a[0], c[1] - a[1]
    slack_a = -_SLACK * (abs(b[0] - c[0]) + abs(b[1] - c[1]))
    slack_b, slack_c = -_SLACK * (abs(acx) + abs(acy)), -_SLACK * (abs(abx) + abs(aby))
    # Whole vectors of pixels without a branch, since a mispredicted branch takes longer than a vector.
    end = start + ((end - start + LANES - 1) & -LANES)
    for row in range(np.uint64(top), np.uint64(end_row)):
        y = np.float32(row) - a[1]
        for column in range(np.uint64(start), np.uint64(end)):
            place = np.float32(np.int32(column))
            x = place - a[0]
            of_b = y * acx - x * acy
            of_c = aby * x - abx * y
            of_a = area - of_b - of_c
            w = (of_a * wa + of_b * wb + of_c * wc) * share
            old = buffer.inverse_depth[row, column]
            inside = (place <= last) & (of_a >= slack_a) & (of_b >= slack_b) & (of_c >= slack_c)
            wins = inside & (w >= old * TIE)
            buffer.inverse_depth[row, column] = w if wins else old
            buffer.surface_id[row, column] = number if wins else buffer.surface_id[row, column]


@njit_inline
def corner_of(meshes: Meshes, face: int, corner: int, axes: Mat3, centre: Vector) -> Vector:
    """A corner's place in the camera's frame."""
    vertex = meshes.faces[corner, face]
    x, y, z = meshes.vertices[0, vertex], meshes.vertices[1, vertex], meshes.vertices[2, vertex]
    return add_scaled(out_of_frame(axes, (float(x), float(y), float(z))), centre, 1.0)


@njit_call
def rasterize_as_polygon(
    buffer: FrameBuffer, surface: int, meshes: Meshes, face: int, axes: Mat3, centre: Vector
) -> None:
    """Rasterize a face as a polygon that is lit at its corners, if it is seen from its front."""
    a = corner_of(meshes, face, 0, axes, centre)
    b = corner_of(meshes, face, 1, axes, centre)
    c = corner_of(meshes, face, 2, axes, centre)
    normal = cross(add_scaled(b, a, -1.0), add_scaled(c, a, -1.0))
    distance = dot(normal, a)
    if distance >= 0.0 or min(a[2], b[2], c[2]) > -buffer.near:
        return
    box = whole_image(buffer)
    if max(a[2], b[2], c[2]) <= -buffer.near:
        i, j, k = -1.0 / a[2], -1.0 / b[2], -1.0 / c[2]
        x0, x1 = min(a[0] * i, b[0] * j, c[0] * k), max(a[0] * i, b[0] * j, c[0] * k)
        y0, y1 = min(a[1] * i, b[1] * j, c[1] * k), max(a[1] * i, b[1] * j, c[1] * k)
        box = (
            max(box[0], (x0 - buffer.left) / buffer.dx),
            min(box[1], (x1 - buffer.left) / buffer.dx),
            max(box[2], (y1 - buffer.top) / buffer.dy),
            min(box[3], (y0 - buffer.top) / buffer.dy),
        )
    # Barycentric coordinates of p on the triangle: p.(b x c) / D, p.(c x a) / D, p.(a x b) / D, where D < 0.
    edge_a, edge_b, edge_c = cross(b, c), cross(c, a), cross(a, b)
    edges = buffer.edges
    edges[0, 0], edges[0, 1], edges[0, 2] = -edge_a[0], -edge_a[1], -edge_a[2]
    edges[1, 0], edges[1, 1], edges[1, 2] = -edge_b[0], -edge_b[1], -edge_b[2]
    edges[2, 0], edges[2, 1], edges[2, 2] = -edge_c[0], -edge_c[1], -edge_c[2]
    rasterize_polygon(buffer, surface + LIT_AT_CORNERS, scale(normal, 1.0 / distance), 3, box)
