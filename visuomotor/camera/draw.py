"""Which geoms of a world are seen, drawn one after the other, and in which order the transparent ones follow."""

from math import sqrt
from typing import NamedTuple

import numpy as np

from visuomotor.camera.frame_buffer import FrameBuffer
from visuomotor.camera.geometry import add_scaled, axes_into_frame, dot, into_frame, matrix_columns, vector_at
from visuomotor.camera.mesh_clusters import Meshes
from visuomotor.camera.mesh_views import MeshViews, add_view
from visuomotor.camera.meshes import ClusterScratch, draw_mesh
from visuomotor.camera.njit import Float64Array, Integers, Mat3, Vector, njit_inline
from visuomotor.camera.primitives import (
    draw_box,
    draw_capsule,
    draw_cylinder,
    draw_ellipsoid,
    draw_rectangle,
    draw_sphere,
)
from visuomotor.camera.scene import Appearance, Poses, StaticScene
from visuomotor.camera.surfaces import ALPHA, COLOUR, INVISIBLE, OPAQUE, Surfaces, set_look
from visuomotor.camera.texture_mapping import CUBE, FLAT, GLOBE, TUBE, map_flat, map_texture
from visuomotor.camera.textures import Textures

# MuJoCo's numbers, as plain constants for compiled code. Signed distance fields (8) are drawn as their meshes.
_PLANE, _HFIELD, _SPHERE, _CAPSULE, _ELLIPSOID, _CYLINDER, _BOX, _MESH = 0, 1, 2, 3, 4, 5, 6, 7
_RGB = 1  # the role of a material's texture that is its colour
_ALPHA_FROM_BEHIND = np.float32(0.3)  # of what a plane's alpha is to a camera behind it
_FAR = 1e10


class Layers(NamedTuple):
    """The transparent geoms of one world, in the order of their distances; `used[0]` of them."""

    geom: Integers  # (geom,)
    distance: Float64Array  # (geom,), metres from the camera to a geom's bounding sphere
    used: Integers  # (1,)


@njit_inline
def _postpone(layers: Layers, geom: int, distance: float) -> None:
    """Insert a transparent geom, behind those that are as far."""
    place = layers.used[0]
    layers.used[0] = place + 1
    while place > 0 and layers.distance[place - 1] > distance:
        layers.geom[place], layers.distance[place] = layers.geom[place - 1], layers.distance[place - 1]
        place -= 1
    layers.geom[place], layers.distance[place] = geom, distance


@njit_inline
def draw_geoms(
    buffer: FrameBuffer,
    surfaces: Surfaces,
    views: MeshViews,
    static: StaticScene,
    appearance: Appearance,
    poses: Poses,
    meshes: Meshes,
    textures: Textures,
    scratch: ClusterScratch,
    world: int,
    eye: Vector,
    axes: Mat3,
    geoms: Integers,
    first: int,
    end: int,
    layers: Layers,
    postpone: bool,
) -> None:
    """Find the nearest surface of `geoms[first:end]` at every pixel.

    Args:
        eye, axes: of the camera.
        postpone: enter transparent geoms into `layers` instead.
    """
    sizes = appearance.geom_size[world % appearance.geom_size.shape[0]]
    rgba = appearance.geom_rgba[world % appearance.geom_rgba.shape[0]]
    materials = appearance.geom_matid[world % appearance.geom_matid.shape[0]]
    data = appearance.geom_dataid[world % appearance.geom_dataid.shape[0]]
    mat_rgba = appearance.mat_rgba[world % appearance.mat_rgba.shape[0]]
    mat_specular = appearance.mat_specular[world % appearance.mat_specular.shape[0]]
    mat_shininess = appearance.mat_shininess[world % appearance.mat_shininess.shape[0]]
    mat_emission = appearance.mat_emission[world % appearance.mat_emission.shape[0]]
    mat_texid = appearance.mat_texid[world % appearance.mat_texid.shape[0]]
    repeats = appearance.mat_texrepeat[world % appearance.mat_texrepeat.shape[0]]
    uniform = appearance.mat_texuniform[world % appearance.mat_texuniform.shape[0]]
    rbound = appearance.geom_rbound[world % appearance.geom_rbound.shape[0]]
    places, turns = poses.geom_xpos[world], poses.geom_xmat[world]
    for index in range(first, end):
        geom = geoms[index]
        material = int(materials[geom])
        kind = static.geom_type[geom]
        visible = set_look(surfaces, geom, material, rgba, mat_rgba, mat_specular, mat_shininess, mat_emission)
        if visible == INVISIBLE:
            continue
        centre = into_frame(axes, add_scaled(vector_at(places, geom), eye, -1.0))
        turned = axes_into_frame(axes, matrix_columns(turns, geom))
        from_behind = kind == _PLANE and dot(turned[2], centre) > 0.0
        if postpone and (visible != OPAQUE or from_behind):
            _postpone(layers, geom, _FAR if kind == _PLANE else sqrt(dot(centre, centre)) - float(rbound[geom]))
            continue
        size = vector_at(sizes, geom)
        if material >= 0 and mat_texid[material, _RGB] >= 0:
            texture = int(mat_texid[material, _RGB])
            half = size
            if kind == _SPHERE:
                half = (size[0], size[0], size[0])
            elif kind in (_CAPSULE, _CYLINDER):
                half = (size[0], size[0], size[1])
            endless = kind == _PLANE and min(size[0], size[1]) <= 0.0
            in_metres = bool(kind in (_PLANE, _HFIELD) or kind >= _MESH)
            shape = GLOBE
            if textures.is_cube[texture]:
                shape = CUBE
            elif endless or kind == _HFIELD or kind >= _MESH:
                shape = FLAT
            elif kind in (_CAPSULE, _CYLINDER):
                shape = TUBE
            map_texture(
                surfaces.look, texture, shape, in_metres, endless, turned, centre, half,
                float(repeats[material, 0]), float(repeats[material, 1]), uniform[material],
            )  # fmt: skip
            if kind == _PLANE and not endless:
                map_flat(surfaces.look, centre, turned[0], size[0], turned[1], size[1], -1.0)
        if kind == _PLANE:
            if from_behind:
                surfaces.look[ALPHA - COLOUR] *= _ALPHA_FROM_BEHIND
            draw_rectangle(buffer, surfaces, geom, centre, turned[2], turned[0], size[0], turned[1], size[1])
        elif kind == _SPHERE:
            draw_sphere(buffer, surfaces, geom, centre, size[0])
        elif kind == _CAPSULE:
            draw_capsule(buffer, surfaces, geom, centre, turned[2], size[0], size[1])
        elif kind == _ELLIPSOID:
            draw_ellipsoid(buffer, surfaces, geom, centre, turned, size)
        elif kind == _CYLINDER:
            draw_cylinder(buffer, surfaces, geom, centre, turned, size[0], size[1])
        elif kind == _BOX:
            draw_box(buffer, surfaces, geom, centre, turned, size)
        elif data[geom] >= 0:
            mesh = int(data[geom]) + (static.meshes if kind == _HFIELD else 0)
            faces = meshes.mesh_faces[mesh + 1] - meshes.mesh_faces[mesh]
            first_surface = add_view(views, surfaces, geom, mesh, faces, turned, centre)
            draw_mesh(buffer, first_surface, mesh, centre, turned, meshes, scratch)
