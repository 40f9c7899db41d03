"""Meshes and height fields as clusters of neighbouring faces, made once when a camera is.

Most of a large mesh's faces are turned away, outside the image, or smaller than a pixel. A cluster's bounding sphere
and cone of normals rule out up to 96 faces with one test; and since a cluster holds copies of its own vertices, these
are projected in one loop that vectorises.
"""

from typing import Any, NamedTuple

import mujoco
import numpy as np
from numpy.typing import NDArray

from visuomotor.camera.njit import Floats, Integers

MOST_FACES = 96
# How much the faces' directions count against their places when faces are put into clusters.
_DIRECTION_WEIGHT = 0.5
# As MuJoCo's OpenGL renderer, which leaves aside a vertex normal further than this cosine from the face's own, unless
# the mesh has texture coordinates.
_LEAST_COSINE = 0.8


class Meshes(NamedTuple):
    """All meshes of a model, then all its height fields, each in its own frame."""

    mesh_clusters: Integers  # (mesh + 1,): where each one's clusters begin
    mesh_faces: Integers  # (mesh + 1,): where each one's faces begin
    has_texcoord: NDArray[np.bool_]  # (mesh,)
    cluster_faces: Integers  # (cluster + 1,): where each one's faces begin
    cluster_vertices: Integers  # (cluster + 1,): where each one's vertices begin
    sphere: Floats  # (cluster, 4): centre and radius
    cone: Floats  # (cluster, 5): axis, cosine and sine of the half angle; a cosine below 0 where no cone fits
    mesh_sphere: Floats  # (mesh, 4)
    vertices: Floats  # (3, vertex): x, y and z apart
    faces: Integers  # (3, face): vertices of the three corners apart, counterclockwise seen from outside
    normals: Floats  # (face, 3, 3): of the three corners, unit length
    texcoords: Floats  # (face, 3, 2); empty where no mesh has any


class _Faces(NamedTuple):
    """One mesh: corners' places and normals `(face, 3, 3)`, texture coordinates `(face, 3, 2)` or None."""

    corners: Floats
    normals: Floats
    texcoords: Floats | None


def read_meshes(model: mujoco.MjModel) -> Meshes:
    each = [_mesh_faces(model, mesh) for mesh in range(int(model.nmesh))]
    each += [_height_field_faces(model, field) for field in range(int(model.nhfield))]
    any_texcoords = any(faces.texcoords is not None for faces in each)
    cluster_ends, face_ends, spheres, cones, mesh_spheres = [0], [0], [], [], []
    cluster_faces, cluster_vertices = [0], [0]
    vertices: list[NDArray[np.float32]] = []
    corners: list[NDArray[np.int32]] = []
    normals: list[NDArray[np.float32]] = []
    texcoords: list[NDArray[np.float32]] = []
    for mesh in each:
        across = np.cross(mesh.corners[:, 1] - mesh.corners[:, 0], mesh.corners[:, 2] - mesh.corners[:, 0])
        directions = across / np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-30)
        centres = mesh.corners.mean(axis=1)
        extent = max(float(np.ptp(mesh.corners.reshape(-1, 3), axis=0).max(initial=0.0)), 1e-9)
        features = np.hstack([centres / extent, _DIRECTION_WEIGHT * directions])
        for members in _clusters(features):
            places, indices = np.unique(mesh.corners[members].reshape(-1, 3), axis=0, return_inverse=True)
            corners.append((indices.reshape(-1, 3) + cluster_vertices[-1]).astype(np.int32))
            vertices.append(places.astype(np.float32))
            normals.append(mesh.normals[members])
            if any_texcoords:
                none = np.zeros((len(members), 3, 2), np.float32)
                texcoords.append(none if mesh.texcoords is None else mesh.texcoords[members])
            spheres.append(_bounding_sphere(places))
            cones.append(_cone(directions[members]))
            cluster_faces.append(cluster_faces[-1] + len(members))
            cluster_vertices.append(cluster_vertices[-1] + len(places))
        mesh_spheres.append(_bounding_sphere(mesh.corners.reshape(-1, 3)))
        cluster_ends.append(len(spheres))
        face_ends.append(cluster_faces[-1])
    return Meshes(
        mesh_clusters=np.array(cluster_ends, np.int32),
        mesh_faces=np.array(face_ends, np.int32),
        has_texcoord=np.array([mesh.texcoords is not None for mesh in each], np.bool_),
        cluster_faces=np.array(cluster_faces, np.int32),
        cluster_vertices=np.array(cluster_vertices, np.int32),
        sphere=np.array(spheres, np.float32).reshape(-1, 4),
        cone=np.array(cones, np.float32).reshape(-1, 5),
        mesh_sphere=np.array(mesh_spheres, np.float32).reshape(-1, 4),
        vertices=np.ascontiguousarray(_joined(vertices, (0, 3)).T),
        faces=np.ascontiguousarray(_joined(corners, (0, 3)).astype(np.int32).T),
        normals=_joined(normals, (0, 3, 3)),
        texcoords=_joined(texcoords, (0, 3, 2)),
    )


def _joined(parts: list[Any], empty: tuple[int, ...]) -> NDArray[Any]:
    return np.concatenate(parts) if parts else np.zeros(empty, np.float32)


def _mesh_faces(model: mujoco.MjModel, mesh: int) -> _Faces:
    rows = slice(model.mesh_faceadr[mesh], model.mesh_faceadr[mesh] + model.mesh_facenum[mesh])
    corners = model.mesh_vert[model.mesh_vertadr[mesh] + model.mesh_face[rows]]
    normals = model.mesh_normal[model.mesh_normaladr[mesh] + model.mesh_facenormal[rows]]
    if model.mesh_texcoordadr[mesh] >= 0:
        first = model.mesh_texcoordadr[mesh]
        texcoords = model.mesh_texcoord[first + model.mesh_facetexcoord[rows]]
        return _Faces(corners, normals, texcoords)
    flat = _flat_normals(corners)
    sharp = (normals * flat).sum(axis=-1, keepdims=True) < _LEAST_COSINE
    return _Faces(corners, np.where(sharp, flat, normals).astype(np.float32), None)


def _height_field_faces(model: mujoco.MjModel, field: int) -> _Faces:
    """The top, whose cells are cut from their lowest to their highest row and column; four sides and the bottom."""
    rows, columns = int(model.hfield_nrow[field]), int(model.hfield_ncol[field])
    x_half, y_half, top, base = model.hfield_size[field]
    first = int(model.hfield_adr[field])
    heights = top * model.hfield_data[first : first + rows * columns].reshape(rows, columns)
    x, y = np.meshgrid(np.linspace(-x_half, x_half, columns), np.linspace(-y_half, y_half, rows))
    above = np.stack([x, y, heights], axis=-1)
    below = np.stack([x, y, np.full_like(x, -base)], axis=-1)
    strips = [_strip(above[:-1], above[1:])]
    strips += [_strip(below[:1], above[:1]), _strip(above[-1:], below[-1:])]
    strips += [_strip(above[:, :1].swapaxes(0, 1), below[:, :1].swapaxes(0, 1))]
    strips += [_strip(below[:, -1:].swapaxes(0, 1), above[:, -1:].swapaxes(0, 1))]
    ends = below[:: rows - 1, :: columns - 1]
    strips += [_strip(ends[1:], ends[:1])]
    corners = np.concatenate(strips).astype(np.float32)
    return _Faces(corners, _flat_normals(corners), None)


def _strip(lower: NDArray[np.float64], upper: NDArray[np.float64]) -> NDArray[np.float64]:
    """Two triangles between every two neighbours of two lines of points, `(line, point, 3)`, to `(face, 3, 3)`."""
    a, b, c, d = lower[:, :-1], lower[:, 1:], upper[:, 1:], upper[:, :-1]
    return np.concatenate([np.stack([a, b, c], axis=2), np.stack([a, c, d], axis=2)]).reshape(-1, 3, 3)


def _flat_normals(corners: Floats) -> Floats:
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-30)
    return np.broadcast_to(across[:, None], corners.shape).astype(
        np.float32, order="C"
    )  # else the kernel compiles again


def _clusters(features: NDArray[np.float32]) -> list[NDArray[np.int64]]:
    """Cut the faces in two where they spread most, over and over."""
    waiting, done = [np.arange(len(features))], []
    while waiting:
        members = waiting.pop()
        if len(members) <= MOST_FACES:
            done.append(members)
            continue
        values = features[members]
        axis = int(np.ptp(values, axis=0).argmax())
        order = np.argpartition(values[:, axis], len(members) // 2)
        waiting += [members[order[len(members) // 2 :]], members[order[: len(members) // 2]]]
    return done


def _bounding_sphere(points: NDArray[np.float32]) -> NDArray[np.float64]:
    centre = (points.min(axis=0) + points.max(axis=0)) / 2
    return np.append(centre, np.linalg.norm(points - centre, axis=1).max() * (1 + 1e-5))


def _cone(directions: NDArray[np.float32]) -> NDArray[np.float64]:
    """Axis, cosine and sine of a cone that holds all directions; faces without area have none."""
    real = directions[np.linalg.norm(directions, axis=1) > 0.5]
    axis = real.sum(axis=0)
    axis = axis / max(float(np.linalg.norm(axis)), 1e-30)
    cosine = float((real @ axis).min(initial=1.0)) - 1e-5
    return np.array([*axis, cosine, np.sqrt(max(1 - cosine * cosine, 0.0))])
