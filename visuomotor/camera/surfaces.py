"""The list of surfaces in view of one world's camera, and what shading needs to know of each.

The unnormalised normal of every surface is affine in the point on it, `n = G p + m`, so that shading needs no branch on
the kind of primitive: `G` is zero on a plane, the identity on a sphere, `Q` on an ellipsoid, and blends the vertex
normals on a smooth triangle. So are the coordinates that its texture is looked up by, `T p + u`.

Faces of meshes are too many for a list. A pixel that shows one has the number `FIRST_FACE` plus the face's place among
the faces of all meshes in view (`mesh_views.py`), and its row is worked out where it is shaded. If the face is large,
`LIT_AT_CORNERS` is added to the number.
"""

from typing import NamedTuple

import numpy as np

from visuomotor.camera.njit import Floats, Integers, Mat3, Vector, njit_inline

# Columns of `Surfaces.table`.
GRADIENT = 0  # 9 values, row-major
CONSTANT = 9  # 3
COLOUR = 12  # 3
SPECULAR = 15
EXPONENT = 16
EMISSION = 17
TEXTURE = 18  # the texture's number, -1 for none
ALPHA = 19
MAP_GRADIENT = 20  # 9 values, row-major
MAP_CONSTANT = 29  # 3
MAP_SHAPE = 32  # what of `texture_mapping` the coordinates are
MAP_SCALE = 33  # 2, of the coordinates on the texture
WIDTH = 35

MOST_PER_PRIMITIVE = 3  # a capsule's side and two caps; at most three faces of a box are in view
NOTHING = 0  # the surface id of the background
FACE = 1  # the row of the mesh's face that is being shaded
FIRST_FACE = 1 << 24
LIT_AT_CORNERS = 1 << 31  # larger than any number of a face
FACE_NUMBER = LIT_AT_CORNERS - 1  # the bits of a face's number

# MuJoCo's colour for a geom that sets none; such a geom takes its material's.
_UNSET = np.float32(0.5)
_LARGEST_EXPONENT = 128.0  # at shininess 1
_SPECULAR_WITHOUT_MATERIAL = 0.5
_SHININESS_WITHOUT_MATERIAL = 0.5
_TRANSPARENT_BELOW = np.float32(0.995)  # MuJoCo's limit
INVISIBLE, OPAQUE, TRANSPARENT = 0, 1, 2


class Surfaces(NamedTuple):
    """The list; `used[0]` of its rows are in use."""

    table: Floats  # (surface, WIDTH)
    geom: Integers  # (surface,), -1 for the background
    used: Integers  # (1,)
    look: Floats  # (WIDTH - COLOUR,): colour, material and texture of the geom that is being drawn


@njit_inline
def clear(surfaces: Surfaces) -> None:
    surfaces.table[NOTHING, :] = 0.0
    surfaces.table[NOTHING, TEXTURE] = -1.0
    surfaces.geom[NOTHING] = -1
    surfaces.used[0] = FACE + 1


@njit_inline
def set_look(
    surfaces: Surfaces,
    geom: int,
    material: int,
    geom_rgba: Floats,
    mat_rgba: Floats,
    mat_specular: Floats,
    mat_shininess: Floats,
    mat_emission: Floats,
) -> int:
    """Take colour and material of one geom (of one world's arrays); INVISIBLE (alpha 0), OPAQUE or TRANSPARENT."""
    look = surfaces.look
    r, g, b, a = geom_rgba[geom, 0], geom_rgba[geom, 1], geom_rgba[geom, 2], geom_rgba[geom, 3]
    specular, shininess, emission = _SPECULAR_WITHOUT_MATERIAL, _SHININESS_WITHOUT_MATERIAL, 0.0
    if material >= 0:
        if r == _UNSET and g == _UNSET and b == _UNSET and a == np.float32(1.0):
            r, g, b, a = (
                mat_rgba[material, 0],
                mat_rgba[material, 1],
                mat_rgba[material, 2],
                mat_rgba[material, 3],
            )
        specular, shininess, emission = mat_specular[material], mat_shininess[material], mat_emission[material]
    look[0], look[1], look[2] = r, g, b
    look[SPECULAR - COLOUR] = specular
    look[EXPONENT - COLOUR] = _LARGEST_EXPONENT * shininess
    look[EMISSION - COLOUR] = emission
    look[TEXTURE - COLOUR] = -1.0
    look[ALPHA - COLOUR] = a
    if a >= _TRANSPARENT_BELOW:
        return OPAQUE
    return TRANSPARENT if a > np.float32(0.0) else INVISIBLE


@njit_inline
def add_surface(surfaces: Surfaces, geom: int, gradient: Mat3, constant: Vector) -> int:
    """Enter a surface of the geom whose look is set; returns its number."""
    number = int(surfaces.used[0])
    surfaces.used[0] = number + 1
    surfaces.geom[number] = geom
    row = surfaces.table[number]
    # Written out: an index into a tuple that only a running loop knows is slow in compiled code.
    g0, g1, g2 = gradient
    row[0], row[1], row[2] = g0
    row[3], row[4], row[5] = g1
    row[6], row[7], row[8] = g2
    row[CONSTANT], row[CONSTANT + 1], row[CONSTANT + 2] = constant
    copy_look(surfaces.look, row)
    return number


@njit_inline
def copy_look(look: Floats, row: Floats) -> None:
    """Into a surface's row."""
    for i in range(MAP_GRADIENT - COLOUR):
        row[COLOUR + i] = look[i]
    if look[TEXTURE - COLOUR] >= 0.0:
        for i in range(MAP_GRADIENT - COLOUR, WIDTH - COLOUR):
            row[COLOUR + i] = look[i]


@njit_inline
def add_flat_surface(surfaces: Surfaces, geom: int, normal: Vector) -> int:
    nothing = (0.0, 0.0, 0.0)
    return add_surface(surfaces, geom, (nothing, nothing, nothing), normal)


@njit_inline
def add_centred_surface(surfaces: Surfaces, geom: int, gradient: Mat3, centre: Vector) -> int:
    """A surface with `n = G (p - c)`."""
    g = gradient
    constant = (
        -(g[0][0] * centre[0] + g[0][1] * centre[1] + g[0][2] * centre[2]),
        -(g[1][0] * centre[0] + g[1][1] * centre[1] + g[1][2] * centre[2]),
        -(g[2][0] * centre[0] + g[2][1] * centre[1] + g[2][2] * centre[2]),
    )
    return add_surface(surfaces, geom, gradient, constant)
