"""Triangle meshes on the canvas."""

from typing import NamedTuple

from visuomotor.camera.frame_buffer import FrameBuffer, rasterize_polygon
from visuomotor.camera.geometry import add_scaled, cross, dot, out_of_frame, scale, vector_at
from visuomotor.camera.njit import Float64Array, Floats, Integers, Mat3, Vector, njit_call, njit_inline
from visuomotor.camera.surfaces import Surfaces, add_surface

_NEAR = 1e-6
# As MuJoCo's OpenGL renderer, which leaves aside a vertex normal further than this cosine from the face's own.
_LEAST_COSINE = 0.8


class Meshes(NamedTuple):
    """MjModel's meshes, under its names."""

    mesh_vertadr: Integers
    mesh_vertnum: Integers
    mesh_faceadr: Integers
    mesh_facenum: Integers
    mesh_normaladr: Integers
    mesh_vert: Floats
    mesh_face: Integers
    mesh_normal: Floats
    mesh_facenormal: Integers


@njit_inline
def _corner_normal(meshes: Meshes, mesh: int, face: int, corner: int, axes: Mat3, face_normal: Vector) -> Vector:
    index = meshes.mesh_normaladr[mesh] + meshes.mesh_facenormal[face, corner]
    stored = meshes.mesh_normal[index]
    normal = out_of_frame(axes, (float(stored[0]), float(stored[1]), float(stored[2])))
    return face_normal if dot(normal, face_normal) < _LEAST_COSINE else normal


@njit_inline
def _outer_sum(a: Vector, e: Vector, b: Vector, f: Vector, c: Vector, g: Vector, factor: float) -> Mat3:
    """`factor (a e' + b f' + c g')`."""
    return (
        scale(add_scaled(add_scaled(scale(e, a[0]), f, b[0]), g, c[0]), factor),
        scale(add_scaled(add_scaled(scale(e, a[1]), f, b[1]), g, c[1]), factor),
        scale(add_scaled(add_scaled(scale(e, a[2]), f, b[2]), g, c[2]), factor),
    )


@njit_call
def draw_mesh(
    buffer: FrameBuffer,
    surfaces: Surfaces,
    geom: int,
    centre: Vector,
    axes: Mat3,
    mesh: int,
    meshes: Meshes,
    vertices: Float64Array,
) -> None:
    """Paint the front faces of a mesh.

    Args:
        vertices: `(vertex, 5)` scratch: place in the camera's frame, then column and row.
    """
    height, width = buffer.surface_id.shape
    first = meshes.mesh_vertadr[mesh]
    for i in range(meshes.mesh_vertnum[mesh]):
        stored = meshes.mesh_vert[first + i]
        point = add_scaled(out_of_frame(axes, (float(stored[0]), float(stored[1]), float(stored[2]))), centre, 1.0)
        vertices[i, 0], vertices[i, 1], vertices[i, 2] = point
        if point[2] < -_NEAR:
            vertices[i, 3] = (-point[0] / point[2] - buffer.left) / buffer.dx
            vertices[i, 4] = (-point[1] / point[2] - buffer.top) / buffer.dy
    first_face = meshes.mesh_faceadr[mesh]
    for face in range(first_face, first_face + meshes.mesh_facenum[mesh]):
        i, j, k = meshes.mesh_face[face, 0], meshes.mesh_face[face, 1], meshes.mesh_face[face, 2]
        a, b, c = vector_at(vertices, i), vector_at(vertices, j), vector_at(vertices, k)
        normal = cross(add_scaled(b, a, -1.0), add_scaled(c, a, -1.0))
        distance = dot(normal, a)
        if distance >= 0.0:  # seen from its back
            continue
        box = (0.0, width - 1.0, 0.0, height - 1.0)
        if max(a[2], b[2], c[2]) < -_NEAR:
            box = (
                min(vertices[i, 3], vertices[j, 3], vertices[k, 3]),
                max(vertices[i, 3], vertices[j, 3], vertices[k, 3]),
                min(vertices[i, 4], vertices[j, 4], vertices[k, 4]),
                max(vertices[i, 4], vertices[j, 4], vertices[k, 4]),
            )
            if box[1] < 0.0 or box[0] > width - 1.0 or box[3] < 0.0 or box[2] > height - 1.0:
                continue
        elif min(a[2], b[2], c[2]) >= 0.0:
            continue
        # Barycentric coordinates of p on the triangle: p.(b x c) / D, p.(c x a) / D, p.(a x b) / D, where D < 0.
        edge_a, edge_b, edge_c = cross(b, c), cross(c, a), cross(a, b)
        for axis in range(3):
            buffer.edges[0, axis] = -edge_a[axis]
            buffer.edges[1, axis] = -edge_b[axis]
            buffer.edges[2, axis] = -edge_c[axis]
        if rasterize_polygon(buffer, surfaces.used[0], scale(normal, 1.0 / distance), 3, box) == 0:
            continue
        unit = scale(normal, 1.0 / dot(normal, normal) ** 0.5)
        gradient = _outer_sum(
            _corner_normal(meshes, mesh, face, 0, axes, unit), edge_a,
            _corner_normal(meshes, mesh, face, 1, axes, unit), edge_b,
            _corner_normal(meshes, mesh, face, 2, axes, unit), edge_c,
            1.0 / distance,
        )  # fmt: skip
        add_surface(surfaces, geom, gradient, (0.0, 0.0, 0.0))
