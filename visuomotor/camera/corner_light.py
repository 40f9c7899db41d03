"""The light of large faces, which is worked out at their corners, as in MuJoCo's OpenGL renderer.

That renderer works out the colour at each corner, cuts it to 0..1 and blends the three linearly in the point on the
face. So a highlight or a spot of light between the corners does not show. On a small face light hardly changes, and
lighting its few pixels is faster. Faces are found to be large when they are drawn (`faces.py`); their surface ids tell.
"""

from typing import NamedTuple

import numpy as np

from visuomotor.camera.frame_buffer import FrameBuffer
from visuomotor.camera.geometry import cross, dot
from visuomotor.camera.lights import add_lights, start_light
from visuomotor.camera.mesh_clusters import Meshes
from visuomotor.camera.mesh_views import MeshViews
from visuomotor.camera.meshes import blend, corner_normal, locate_face
from visuomotor.camera.njit import Float64Array, Floats, SurfaceIds, Vector, njit_call, njit_inline
from visuomotor.camera.surfaces import COLOUR, EMISSION, EXPONENT, LIT_AT_CORNERS, NOTHING, SPECULAR
from visuomotor.camera.tile import (
    HALF,
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
    ZERO,
)

KEPT = 64  # faces; one row of pixels mostly shows fewer large ones, and the next row nearly the same
_LEAST_DEPTH = 1e-6  # metres; nearer to the camera's plane than this, a corner has no usable place on the image


class CornerLight(NamedTuple):
    """The colours of the large faces that were shaded last, each in the row of its surface id modulo `KEPT`."""

    faces: SurfaceIds  # (KEPT,), surface ids; NOTHING where there is none
    colours: Floats  # (KEPT, 9), the matrix that takes a point of the face to its colour, row-major
    corners: Floats  # (SCRATCH_ROWS, 3), scratch: the corners of one face in the layout of a tile's pixels


@njit_inline
def clear_corner_light(kept: CornerLight) -> None:
    kept.faces[:] = np.uint32(NOTHING)


@njit_call
def light_large_faces(
    kept: CornerLight,
    buffer: FrameBuffer,
    views: MeshViews,
    meshes: Meshes,
    lights: Float64Array,
    ambient: Vector,
    first_row: int,
    rows: int,
    scratch: Floats,
) -> None:
    """Replace the light on the large faces of a tile: their colours become highlights of a black material."""
    width = np.uint64(buffer.surface_id.shape[1])
    one = np.uint64(1)
    for row in range(rows):
        line = np.uint64(first_row + row)
        base = np.uint64(row) * width
        start = np.uint64(0)
        while start < width:
            surface_id = buffer.surface_id[line, start]
            end = start + one
            while end < width and buffer.surface_id[line, end] == surface_id:
                end += one
            if surface_id >= LIT_AT_CORNERS:
                place = surface_id % np.uint32(KEPT)
                colours = kept.colours[place]
                if kept.faces[place] != surface_id:
                    kept.faces[place] = surface_id
                    _light_corners(colours, kept.corners, views, meshes, lights, ambient, surface_id)
                for channel in range(3):
                    of_x, of_y, of_z = colours[3 * channel], colours[3 * channel + 1], colours[3 * channel + 2]
                    for x in range(base + start, base + end):
                        column, y, t = scratch[ROW_X, x], scratch[ROW_Y, x], scratch[ROW_DEPTH, x]
                        scratch[ROW_HIGHLIGHT + channel, x] = (of_x * column + of_y * y - of_z) * t
                        scratch[ROW_BASE + channel, x] = ZERO
            start = end


@njit_call
def _light_corners(
    colours: Floats,
    corners: Floats,
    views: MeshViews,
    meshes: Meshes,
    lights: Float64Array,
    ambient: Vector,
    surface: int,
) -> None:
    """Fill the matrix `colours` `(9,)` of a face. The functions that light pixels light its corners."""
    place, face, axes, a, b, c = locate_face(views, meshes, surface)
    _enter_corner(corners, 0, a, corner_normal(meshes, face, 0, axes))
    _enter_corner(corners, 1, b, corner_normal(meshes, face, 1, axes))
    _enter_corner(corners, 2, c, corner_normal(meshes, face, 2, axes))
    look = views.look[place]
    corners[ROW_SPECULAR] = look[SPECULAR - COLOUR]
    corners[ROW_EXPONENT] = HALF * look[EXPONENT - COLOUR]
    corners[ROW_BASE + 3] = look[EMISSION - COLOUR]
    for channel in range(3):
        corners[ROW_BASE + channel] = look[channel]
    start_light(corners, 3, ambient)
    for corner in range(3):
        if corners[ROW_DEPTH, corner] < ZERO:  # behind the camera, where `start_light` has the view the wrong way round
            corners[ROW_V, corner], corners[ROW_NV, corner] = -corners[ROW_V, corner], -corners[ROW_NV, corner]
    add_lights(corners, 3, lights)
    edges = (cross(b, c), cross(c, a), cross(a, b))
    factor = 1.0 / dot(a, edges[0])
    for channel in range(3):
        light = corners[ROW_DIFFUSE + channel]
        for corner in range(3):
            lit = light[corner] * corners[ROW_BASE + channel, corner] + corners[ROW_HIGHLIGHT + channel, corner]
            light[corner] = min(max(lit, ZERO), ONE)
        blend(colours, 3 * channel, edges, (float(light[0]), float(light[1]), float(light[2])), factor)


@njit_inline
def _enter_corner(corners: Floats, corner: int, place: Vector, normal: Vector) -> None:
    """Place `(X, Y, -1) depth` and normal; the depth of a corner behind the camera is negative."""
    depth = -place[2] if abs(place[2]) > _LEAST_DEPTH else _LEAST_DEPTH
    corners[ROW_X, corner], corners[ROW_Y, corner] = place[0] / depth, place[1] / depth
    corners[ROW_DEPTH, corner] = depth
    corners[ROW_NX, corner], corners[ROW_NY, corner], corners[ROW_NZ, corner] = normal
