"""Meshes and height fields in the frame buffer, cluster by cluster, and the look of the faces that are seen."""

from math import sqrt
from typing import NamedTuple

import numpy as np

from visuomotor.camera.faces import area_of, box_of, corner_of, rasterize_as_polygon, rasterize_face, vertices_of
from visuomotor.camera.frame_buffer import FrameBuffer
from visuomotor.camera.geometry import add_scaled, cross, dot, out_of_frame, scale, vector_at
from visuomotor.camera.mesh_clusters import Meshes
from visuomotor.camera.mesh_views import MeshViews, view_of
from visuomotor.camera.njit import Floats, Integers, Mat3, Vector, njit_call, njit_inline
from visuomotor.camera.surfaces import (
    CONSTANT,
    FACE,
    FACE_NUMBER,
    GRADIENT,
    MAP_CONSTANT,
    MAP_GRADIENT,
    MAP_SCALE,
    MAP_SHAPE,
    TEXTURE,
    Surfaces,
    copy_look,
)
from visuomotor.camera.texture_mapping import CUBE

_ZERO, _ONE = np.float32(0.0), np.float32(1.0)


class ClusterScratch(NamedTuple):
    """Room for the cluster that is being drawn."""

    projected: Floats  # (3, vertex): columns, rows and inverse depths
    visible: Integers  # (face,)


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


@njit_call
def _project(
    buffer: FrameBuffer, meshes: Meshes, first: int, end: int, axes: Mat3, centre: Vector, projected: Floats
) -> None:
    """Columns, rows and inverse depths of the vertices `first` to `end` of a cluster."""
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


@njit_inline
def _visible_faces(
    buffer: FrameBuffer, meshes: Meshes, begin: int, end: int, first: int, projected: Floats, visible: Integers
) -> int:
    """List those of the faces `begin` to `end` that `rasterize_face` takes; returns how many.

    Most faces of a fine mesh are turned away or lie between the pixels' middles, so this loop has to vectorise.
    """
    columns, rows = projected[0], projected[1]
    for place in range(np.uint64(end - begin)):
        i, j, k = vertices_of(meshes, np.uint64(begin) + place, first)
        a, b, c = (columns[i], rows[i]), (columns[j], rows[j]), (columns[k], rows[k])
        left, right, top, bottom = box_of(buffer, a, b, c)
        visible[place] = (left <= right) & (top <= bottom) & (area_of(a, b, c) > _ZERO)
    count = np.uint64(0)
    for place in range(np.uint64(end - begin)):
        is_visible = visible[place]
        visible[count] = begin + np.int32(place)
        count += np.uint64(is_visible)
    return int(count)


@njit_call
def draw_mesh(
    buffer: FrameBuffer,
    first_surface: int,
    mesh: int,
    centre: Vector,
    axes: Mat3,
    meshes: Meshes,
    scratch: ClusterScratch,
) -> None:
    """Rasterize the front faces of a mesh.

    Args:
        first_surface: the number of its first face's surface.
    """
    sphere = meshes.mesh_sphere[mesh]
    middle = add_scaled(out_of_frame(axes, (float(sphere[0]), float(sphere[1]), float(sphere[2]))), centre, 1.0)
    if _outside(buffer, middle, float(sphere[3])):
        return
    projected = scratch.projected
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
        begin, end = meshes.cluster_faces[cluster], meshes.cluster_faces[cluster + 1]
        if -middle[2] - radius < buffer.near:
            for face in range(begin, end):
                rasterize_as_polygon(buffer, ids_from + face, meshes, face, axes, centre)
            continue
        first = meshes.cluster_vertices[cluster]
        _project(buffer, meshes, first, meshes.cluster_vertices[cluster + 1], axes, centre, projected)
        count = _visible_faces(buffer, meshes, begin, end, first, projected, scratch.visible)
        for place in range(count):
            face = scratch.visible[place]
            rasterize_face(buffer, ids_from + face, meshes, face, first, projected, axes, centre)


@njit_inline
def corner_normal(meshes: Meshes, face: int, corner: int, axes: Mat3) -> Vector:
    normal = meshes.normals[face, corner]
    return out_of_frame(axes, (float(normal[0]), float(normal[1]), float(normal[2])))


@njit_inline
def blend(row: Floats, at: int, edges: Mat3, values: Vector, factor: float) -> None:
    """Enter the row of a matrix that takes a point of the face to the blend of its corners' values."""
    a, b, c = scale(edges[0], values[0] * factor), scale(edges[1], values[1] * factor), edges[2]
    total = add_scaled(add_scaled(a, b, 1.0), c, values[2] * factor)
    row[at], row[at + 1], row[at + 2] = total


@njit_inline
def locate_face(views: MeshViews, meshes: Meshes, surface: int) -> tuple[int, int, Mat3, Vector, Vector, Vector]:
    """The row of a face's mesh in `views`, the face's number, its mesh's axes and its three corners."""
    number = surface & FACE_NUMBER
    place = view_of(views, number)
    ids, pose = views.ids[place], views.pose[place]
    axes = (vector_at(pose, 0), vector_at(pose, 1), vector_at(pose, 2))
    centre = vector_at(pose, 3)
    face = number - ids[0] + meshes.mesh_faces[ids[2]]
    a = corner_of(meshes, face, 0, axes, centre)
    b = corner_of(meshes, face, 1, axes, centre)
    c = corner_of(meshes, face, 2, axes, centre)
    return place, face, axes, a, b, c


@njit_call
def read_face(surfaces: Surfaces, views: MeshViews, meshes: Meshes, surface: int) -> None:
    """Fill the row `FACE` for one face.

    With barycentric coordinates `p.(b x c) / D`, `p.(c x a) / D`, `p.(a x b) / D` for a point p of the face, the blend
    of the corners' values is linear in p.
    """
    place, face, axes, a, b, c = locate_face(views, meshes, surface)
    edges = (cross(b, c), cross(c, a), cross(a, b))
    factor = 1.0 / dot(a, edges[0])
    n, m, o = (
        corner_normal(meshes, face, 0, axes),
        corner_normal(meshes, face, 1, axes),
        corner_normal(meshes, face, 2, axes),
    )
    row = surfaces.table[FACE]
    blend(row, GRADIENT, edges, (n[0], m[0], o[0]), factor)
    blend(row, GRADIENT + 3, edges, (n[1], m[1], o[1]), factor)
    blend(row, GRADIENT + 6, edges, (n[2], m[2], o[2]), factor)
    row[CONSTANT], row[CONSTANT + 1], row[CONSTANT + 2] = 0.0, 0.0, 0.0
    copy_look(views.look[place], row)
    if row[TEXTURE] >= 0.0 and row[MAP_SHAPE] != CUBE and meshes.has_texcoord[views.ids[place, 2]]:
        for axis in range(2):
            values = (
                float(meshes.texcoords[face, 0, axis]),
                float(meshes.texcoords[face, 1, axis]),
                float(meshes.texcoords[face, 2, axis]),
            )
            blend(row, MAP_GRADIENT + 3 * axis, edges, values, factor * row[MAP_SCALE + axis])
            row[MAP_CONSTANT + axis] = 0.0
