"""Faces of meshes and height fields in the frame buffer.

A face of a few pixels is painted from its corners' places in the image, at each pixel where three edge functions (twice
the area of the triangle that the pixel spans with an edge) have one sign; the inverse depth is linear between them. A
large face, and one that reaches behind the near plane, is a polygon like any other.
"""

from math import ceil, floor, sqrt

import numpy as np

from visuomotor.camera.frame_buffer import FrameBuffer, rasterize_polygon, whole_image
from visuomotor.camera.geometry import add_scaled, cross, dot, out_of_frame, scale, vector_at
from visuomotor.camera.mesh_clusters import Meshes
from visuomotor.camera.mesh_views import MeshViews, view_of
from visuomotor.camera.njit import Floats, Mat3, Vector, njit_call, njit_inline
from visuomotor.camera.surfaces import (
    CONSTANT,
    FACE,
    GRADIENT,
    MAP_CONSTANT,
    MAP_GRADIENT,
    MAP_SCALE,
    TEXTURE,
    Surfaces,
    copy_look,
)

_LARGE = 64.0  # pixels of a face's box, from where on it is painted as a polygon
# A pixel this far outside of an edge still counts, so that rounding opens no crack between neighbours.
_SLACK = np.float32(1e-4)
_TIE = np.float32(1.0 - 2e-6)
_ZERO, _ONE = np.float32(0.0), np.float32(1.0)


@njit_inline
def _outside(buffer: FrameBuffer, centre: Vector, radius: float) -> bool:
    """Whether a sphere is outside the part of space that the image shows."""
    height, width = buffer.surface_id.shape
    left, right = buffer.left, buffer.left + buffer.dx * (width - 1)
    top, bottom = buffer.top, buffer.top + buffer.dy * (height - 1)
    x, y, z = centre
    return (
        -z + radius < buffer.near
        or x + left * z < -radius * sqrt(1.0 + left * left)
        or -x - right * z < -radius * sqrt(1.0 + right * right)
        or -y - top * z < -radius * sqrt(1.0 + top * top)
        or y + bottom * z < -radius * sqrt(1.0 + bottom * bottom)
    )


@njit_inline
def _corner(meshes: Meshes, face: int, corner: int, axes: Mat3, centre: Vector) -> Vector:
    """A corner's place in the camera's frame."""
    vertex = meshes.faces[face, corner]
    x, y, z = meshes.vertices[0, vertex], meshes.vertices[1, vertex], meshes.vertices[2, vertex]
    return add_scaled(out_of_frame(axes, (float(x), float(y), float(z))), centre, 1.0)


@njit_call
def _paint_large(
    buffer: FrameBuffer, surface: int, meshes: Meshes, face: int, axes: Mat3, centre: Vector, whole: bool
) -> None:
    """Paint a face as a polygon; `whole` if all of it lies beyond the near plane."""
    a = _corner(meshes, face, 0, axes, centre)
    b = _corner(meshes, face, 1, axes, centre)
    c = _corner(meshes, face, 2, axes, centre)
    normal = cross(add_scaled(b, a, -1.0), add_scaled(c, a, -1.0))
    distance = dot(normal, a)
    if distance >= 0.0 or min(a[2], b[2], c[2]) > -buffer.near:
        return
    box = whole_image(buffer)
    if whole:
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
    rasterize_polygon(buffer, surface, scale(normal, 1.0 / distance), 3, box)


@njit_call
def _project(
    buffer: FrameBuffer, meshes: Meshes, first: int, end: int, axes: Mat3, centre: Vector, projected: Floats
) -> None:
    """Columns, rows and inverse depths of a cluster's vertices."""
    to_column, to_row = np.float32(1.0 / buffer.dx), np.float32(1.0 / buffer.dy)
    column, row = np.float32(-buffer.left / buffer.dx), np.float32(-buffer.top / buffer.dy)
    m00, m01, m02 = np.float32(axes[0][0]), np.float32(axes[1][0]), np.float32(axes[2][0])
    m10, m11, m12 = np.float32(axes[0][1]), np.float32(axes[1][1]), np.float32(axes[2][1])
    m20, m21, m22 = np.float32(axes[0][2]), np.float32(axes[1][2]), np.float32(axes[2][2])
    cx, cy, cz = np.float32(centre[0]), np.float32(centre[1]), np.float32(centre[2])
    xs, ys, zs = meshes.vertices[0], meshes.vertices[1], meshes.vertices[2]
    for i in range(np.uint64(end - first)):
        vertex = np.uint64(first) + i
        x, y, z = xs[vertex], ys[vertex], zs[vertex]
        w = -_ONE / (m20 * x + m21 * y + m22 * z + cz)
        projected[0, i] = (m00 * x + m01 * y + m02 * z + cx) * w * to_column + column
        projected[1, i] = (m10 * x + m11 * y + m12 * z + cy) * w * to_row + row
        projected[2, i] = w


@njit_call
def draw_mesh(
    buffer: FrameBuffer,
    first_surface: int,
    mesh: int,
    centre: Vector,
    axes: Mat3,
    meshes: Meshes,
    projected: Floats,
) -> None:
    """Paint the front faces of a mesh.

    Args:
        first_surface: the number of its first face's surface.
        projected: `(3, most vertices of a cluster)`, scratch.
    """
    sphere = meshes.mesh_sphere[mesh]
    middle = add_scaled(out_of_frame(axes, (float(sphere[0]), float(sphere[1]), float(sphere[2]))), centre, 1.0)
    if _outside(buffer, middle, float(sphere[3])):
        return
    height, width = buffer.surface_id.shape
    right, bottom = np.float32(width - 1), np.float32(height - 1)
    eye = (-dot(axes[0], centre), -dot(axes[1], centre), -dot(axes[2], centre))
    ids_from = first_surface - meshes.mesh_faces[mesh]
    for cluster in range(meshes.mesh_clusters[mesh], meshes.mesh_clusters[mesh + 1]):
        sphere, cone = meshes.sphere[cluster], meshes.cone[cluster]
        place = (float(sphere[0]), float(sphere[1]), float(sphere[2]))
        radius = float(sphere[3])
        if cone[3] > 0.0:  # from v = place - eye, all faces are turned away if |v| cos(angle to axis + half) >= radius
            v = add_scaled(place, eye, -1.0)
            along = dot((float(cone[0]), float(cone[1]), float(cone[2])), v)
            across = sqrt(max(dot(v, v) - along * along, 0.0))
            if along * cone[3] - across * cone[4] >= radius:
                continue
        middle = add_scaled(out_of_frame(axes, place), centre, 1.0)
        if _outside(buffer, middle, radius):
            continue
        if -middle[2] - radius < buffer.near:
            for face in range(meshes.cluster_faces[cluster], meshes.cluster_faces[cluster + 1]):
                _paint_large(buffer, ids_from + face, meshes, face, axes, centre, False)
            continue
        first = meshes.cluster_vertices[cluster]
        _project(buffer, meshes, first, meshes.cluster_vertices[cluster + 1], axes, centre, projected)
        for face in range(meshes.cluster_faces[cluster], meshes.cluster_faces[cluster + 1]):
            i, j, k = meshes.faces[face, 0] - first, meshes.faces[face, 1] - first, meshes.faces[face, 2] - first
            ax, ay, bx, by = projected[0, i], projected[1, i], projected[0, j], projected[1, j]
            cx, cy = projected[0, k], projected[1, k]
            left, top = max(ceil(min(ax, bx, cx) - _SLACK), 0), max(ceil(min(ay, by, cy) - _SLACK), 0)
            end_x = floor(min(max(ax, bx, cx) + _SLACK, right)) + 1
            end_y = floor(min(max(ay, by, cy) + _SLACK, bottom)) + 1
            if left >= end_x or top >= end_y:  # most faces of a fine mesh lie between the pixels' middles
                continue
            # Rows count downwards, so counterclockwise faces have this sign.
            area = (by - ay) * (cx - ax) - (bx - ax) * (cy - ay)
            if area <= _ZERO:  # seen from its back
                continue
            if (end_x - left) * (end_y - top) > _LARGE:
                _paint_large(buffer, ids_from + face, meshes, face, axes, centre, True)
                continue
            wa, wb, wc = projected[2, i], projected[2, j], projected[2, k]
            share = _ONE / area
            number = np.uint32(ids_from + face)
            slack_a = -_SLACK * (abs(bx - cx) + abs(by - cy))
            slack_b = -_SLACK * (abs(cx - ax) + abs(cy - ay))
            slack_c = -_SLACK * (abs(ax - bx) + abs(ay - by))
            for row in range(np.uint64(top), np.uint64(end_y)):
                y = np.float32(row) - ay
                for column in range(np.uint64(left), np.uint64(end_x)):
                    x = np.float32(column) - ax
                    of_b = y * (cx - ax) - x * (cy - ay)
                    of_c = (by - ay) * x - (bx - ax) * y
                    of_a = area - of_b - of_c
                    if of_a >= slack_a and of_b >= slack_b and of_c >= slack_c:
                        w = (of_a * wa + of_b * wb + of_c * wc) * share
                        if w >= buffer.inverse_depth[row, column] * _TIE:
                            buffer.inverse_depth[row, column] = w
                            buffer.surface_id[row, column] = number


@njit_inline
def _corner_normal(meshes: Meshes, face: int, corner: int, axes: Mat3) -> Vector:
    normal = meshes.normals[face, corner]
    return out_of_frame(axes, (float(normal[0]), float(normal[1]), float(normal[2])))


@njit_inline
def _blend(row: Floats, at: int, edges: Mat3, values: Vector, factor: float) -> None:
    """Enter the row of a matrix that takes a point of the face to the blend of its corners' values."""
    a, b, c = scale(edges[0], values[0] * factor), scale(edges[1], values[1] * factor), edges[2]
    total = add_scaled(add_scaled(a, b, 1.0), c, values[2] * factor)
    row[at], row[at + 1], row[at + 2] = total


@njit_call
def read_face(surfaces: Surfaces, views: MeshViews, meshes: Meshes, surface: int) -> None:
    """Fill the row `FACE` for one face.

    With barycentric coordinates `p.(b x c) / D`, `p.(c x a) / D`, `p.(a x b) / D` for a point p of the face, the blend
    of the corners' values is linear in p.
    """
    place = view_of(views, surface)
    owner, pose = views.owner[place], views.pose[place]
    axes = (vector_at(pose, 0), vector_at(pose, 1), vector_at(pose, 2))
    centre, mesh = vector_at(pose, 3), owner[2]
    face = surface - owner[0] + meshes.mesh_faces[mesh]
    a = _corner(meshes, face, 0, axes, centre)
    b = _corner(meshes, face, 1, axes, centre)
    c = _corner(meshes, face, 2, axes, centre)
    edges = (cross(b, c), cross(c, a), cross(a, b))
    factor = 1.0 / dot(a, edges[0])
    n, m, o = (
        _corner_normal(meshes, face, 0, axes),
        _corner_normal(meshes, face, 1, axes),
        _corner_normal(meshes, face, 2, axes),
    )
    row = surfaces.table[FACE]
    _blend(row, GRADIENT, edges, (n[0], m[0], o[0]), factor)
    _blend(row, GRADIENT + 3, edges, (n[1], m[1], o[1]), factor)
    _blend(row, GRADIENT + 6, edges, (n[2], m[2], o[2]), factor)
    row[CONSTANT], row[CONSTANT + 1], row[CONSTANT + 2] = 0.0, 0.0, 0.0
    copy_look(views.look[place], row)
    if row[TEXTURE] >= 0.0 and meshes.has_texcoord[mesh]:
        for axis in range(2):
            values = (
                float(meshes.texcoords[face, 0, axis]),
                float(meshes.texcoords[face, 1, axis]),
                float(meshes.texcoords[face, 2, axis]),
            )
            _blend(row, MAP_GRADIENT + 3 * axis, edges, values, factor * row[MAP_SCALE + axis])
            row[MAP_CONSTANT + axis] = 0.0
