"""The meshes in view of one world's camera, and which of them a face's surface number belongs to."""

from typing import NamedTuple

from visuomotor.camera.njit import Float64Array, Floats, Integers, Mat3, Vector, njit_inline
from visuomotor.camera.surfaces import COLOUR, FACE_NUMBER, FIRST_FACE, WIDTH, Surfaces


class MeshViews(NamedTuple):
    """One row for each mesh that is drawn, in the order of their faces' surface numbers; `used[0]` are in use."""

    ids: Integers  # (mesh in view + 1, 3): its first face's surface number, its geom, the mesh
    pose: Float64Array  # (mesh in view, 4, 3): its three axes and its centre in the camera's frame
    look: Floats  # (mesh in view, WIDTH - COLOUR), as in `Surfaces`
    used: Integers  # (1,)


@njit_inline
def clear_views(views: MeshViews) -> None:
    views.used[0] = 0
    views.ids[0, 0] = FIRST_FACE


@njit_inline
def add_view(views: MeshViews, surfaces: Surfaces, geom: int, mesh: int, faces: int, axes: Mat3, centre: Vector) -> int:
    """Enter a mesh of the geom whose look is set; returns the surface number of its first face."""
    place = views.used[0]
    views.used[0] = place + 1
    first = int(views.ids[place, 0])
    views.ids[place + 1, 0] = first + faces
    views.ids[place, 1], views.ids[place, 2] = geom, mesh
    pose, look = views.pose[place], views.look[place]
    pose[0, 0], pose[0, 1], pose[0, 2] = axes[0]
    pose[1, 0], pose[1, 1], pose[1, 2] = axes[1]
    pose[2, 0], pose[2, 1], pose[2, 2] = axes[2]
    pose[3, 0], pose[3, 1], pose[3, 2] = centre
    for i in range(WIDTH - COLOUR):
        look[i] = surfaces.look[i]
    return first


@njit_inline
def view_of(views: MeshViews, surface: int) -> int:
    """The row of the mesh that a face belongs to."""
    low, high = 0, views.used[0]
    while high - low > 1:
        middle = (low + high) >> 1
        if views.ids[middle, 0] <= surface:
            low = middle
        else:
            high = middle
    return low


@njit_inline
def geom_of(surfaces: Surfaces, views: MeshViews, surface: int) -> int:
    """The id of the geom that a surface belongs to; -1 for the background."""
    if surface < FIRST_FACE:
        return surfaces.geom[surface]
    return views.ids[view_of(views, surface & FACE_NUMBER), 1]
