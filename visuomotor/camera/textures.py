"""Textures with mipmaps, and the colour at a point of one.

Filtered as OpenGL does: linear in both directions and between the two mipmap levels whose texels are about as large as
a pixel.
"""

from math import floor, log2
from typing import NamedTuple

import mujoco
import numpy as np
from numpy.typing import NDArray

from visuomotor.camera.geometry import dot
from visuomotor.camera.njit import Bytes, Vector, njit_call, njit_inline
from visuomotor.camera.texture_mapping import CUBE, unrolled

_CUBE_FACES = 6
Colour = tuple[float, float, float, float]


class Textures(NamedTuple):
    """All textures of a model. A level's texels are rows from the texture's first to its last; a cube has six faces."""

    first_level: NDArray[np.int64]  # (texture + 1,); a texture that cannot be drawn has no levels
    is_cube: NDArray[np.bool_]  # (texture,)
    levels: NDArray[np.int64]  # (level, 3): its first texel, width, height
    texels: Bytes  # (texel, 4)


def read_textures(model: mujoco.MjModel) -> Textures:
    first_level, levels, texels, count = [0], [], [], 0
    is_cube = model.tex_type != mujoco.mjtTexture.mjTEXTURE_2D
    colours = set(model.mat_texid[:, mujoco.mjtTextureRole.mjTEXROLE_RGB].tolist())
    for texture in range(int(model.ntex)):
        if texture in colours and drawable(model, texture):
            image = _faces(model, texture, bool(is_cube[texture]))
            while True:
                height, width = image.shape[1:3]
                levels.append((count, width, height))
                texels.append(np.rint(image).astype(np.uint8).reshape(-1, 4))
                count += len(texels[-1])
                if width == height == 1:
                    break
                image = _halved(_halved(image, 1), 2)
        first_level.append(len(levels))
    return Textures(
        np.array(first_level, np.int64),
        np.ascontiguousarray(is_cube, np.bool_),
        np.array(levels, np.int64).reshape(-1, 3),
        np.concatenate(texels) if texels else np.zeros((0, 4), np.uint8),
    )


def drawable(model: mujoco.MjModel, texture: int) -> bool:
    return int(model.tex_nchannel[texture]) in (3, 4)


def _faces(model: mujoco.MjModel, texture: int, is_cube: bool) -> NDArray[np.float32]:
    """`(face, height, width, 4)`, 0 to 255, linear."""
    width, height = int(model.tex_width[texture]), int(model.tex_height[texture])
    channels, first = int(model.tex_nchannel[texture]), int(model.tex_adr[texture])
    data = model.tex_data[first : first + width * height * channels].reshape(height, width, channels)
    image = np.full((height, width, 4), 255.0, np.float32)
    image[..., :channels] = data
    is_srgb = model.tex_colorspace[texture] == mujoco.mjtColorSpace.mjCOLORSPACE_SRGB
    if is_srgb and not is_cube:  # MuJoCo's renderer does not convert cubes either
        value = image[..., :3] / 255
        image[..., :3] = 255 * np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    if not is_cube:
        return image[None]
    if width == height:  # one image for all faces
        return np.repeat(image[None], _CUBE_FACES, axis=0)
    return image.reshape(_CUBE_FACES, width, width, 4)


def _halved(image: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
    """Half as many texels along an axis, rounded down: what lies at their middles, linear between texels."""
    size = image.shape[axis]
    if size == 1:
        return image
    half = size // 2
    if size == 2 * half:  # the mean of two
        pairs = image.reshape(*image.shape[:axis], half, 2, *image.shape[axis + 1 :])
        return pairs.mean(axis=axis + 1)
    middles = (np.arange(half) + 0.5) * size / half - 0.5
    low = np.floor(middles).astype(np.int64)
    weight = (middles - low).astype(np.float32).reshape([-1 if i == axis else 1 for i in range(4)])
    first, second = np.take(image, low, axis), np.take(image, np.minimum(low + 1, size - 1), axis)
    return first + weight * (second - first)


@njit_inline
def _bilinear(textures: Textures, level: int, face: int, clamp: bool, s: float, t: float) -> Colour:
    first, width, height = textures.levels[level, 0], textures.levels[level, 1], textures.levels[level, 2]
    first += face * width * height
    x, y = s * width - 0.5, t * height - 0.5
    column, row = floor(x), floor(y)
    right, below = x - column, y - row
    if clamp:
        i, j = min(max(column, 0), width - 1), min(max(column + 1, 0), width - 1)
        k, m = min(max(row, 0), height - 1), min(max(row + 1, 0), height - 1)
    else:
        i, k = column % width, row % height
        j, m = i + 1 if i + 1 < width else 0, k + 1 if k + 1 < height else 0
    a, b = textures.texels[first + k * width + i], textures.texels[first + k * width + j]
    c, d = textures.texels[first + m * width + i], textures.texels[first + m * width + j]
    wa, wb, wc, wd = (1.0 - right) * (1.0 - below), right * (1.0 - below), (1.0 - right) * below, right * below
    return (
        wa * a[0] + wb * b[0] + wc * c[0] + wd * d[0],
        wa * a[1] + wb * b[1] + wc * c[1] + wd * d[1],
        wa * a[2] + wb * b[2] + wc * c[2] + wd * d[2],
        wa * a[3] + wb * b[3] + wc * c[3] + wd * d[3],
    )


@njit_inline
def _onto_cube(q: Vector) -> tuple[int, Vector, Vector, float]:
    """The face of a cube that a direction meets (+x, -x, +y, -y, +z, -z), and its coordinates s and t there: these are
    `(axis.q / depth + 1) / 2` for the two axes and the depth that follow."""
    x, y, z = q
    if abs(x) >= abs(y) and abs(x) >= abs(z):
        if x >= 0.0:
            return 0, (0.0, 0.0, -1.0), (0.0, -1.0, 0.0), x
        return 1, (0.0, 0.0, 1.0), (0.0, -1.0, 0.0), -x
    if abs(y) >= abs(z):
        if y >= 0.0:
            return 2, (1.0, 0.0, 0.0), (0.0, 0.0, 1.0), y
        return 3, (1.0, 0.0, 0.0), (0.0, 0.0, -1.0), -y
    if z >= 0.0:
        return 4, (1.0, 0.0, 0.0), (0.0, -1.0, 0.0), z
    return 5, (-1.0, 0.0, 0.0), (0.0, -1.0, 0.0), -z


@njit_inline
def _face_step(along: Vector, q: Vector, step: Vector, depth: float, face: int) -> float:
    """How far a coordinate on a cube's face moves while the direction moves by `step`."""
    major = step[0] if face < 2 else (step[1] if face < 4 else step[2])
    major = major if face & 1 == 0 else -major
    return 0.5 * (dot(along, step) - dot(along, q) * major / depth) / depth


@njit_call
def sample(
    textures: Textures, texture: int, shape: int, scale_s: float, scale_t: float, q: Vector, right: Vector, down: Vector
) -> Colour:
    """The texture's red, green, blue and alpha, 0 to 1.

    Args:
        shape, scale_s, scale_t: what the coordinates are, and what s and t are multiplied by (`texture_mapping`).
        q: the coordinates: s and t, a direction, or a place on a round shape.
        right, down: how much they change from one pixel to the next.
    """
    first, end = textures.first_level[texture], textures.first_level[texture + 1]
    if first == end:
        return (1.0, 1.0, 1.0, 1.0)
    width, height = float(textures.levels[first, 1]), float(textures.levels[first, 2])
    face, s, t = 0, q[0], q[1]
    s_right, t_right, s_down, t_down = right[0], right[1], down[0], down[1]
    is_cube = shape == CUBE
    if shape > CUBE:
        s, t, s_right, t_right = unrolled(shape, q, right)
        s, t, s_down, t_down = unrolled(shape, q, down)
        s, t, s_right, s_down = s * scale_s, t * scale_t, s_right * scale_s, s_down * scale_s
        t_right, t_down = t_right * scale_t, t_down * scale_t
    if is_cube:
        face, along_s, along_t, depth = _onto_cube(q)
        depth = max(depth, 1e-12)
        s, t = 0.5 * (dot(along_s, q) / depth + 1.0), 0.5 * (dot(along_t, q) / depth + 1.0)
        s_right, t_right = _face_step(along_s, q, right, depth, face), _face_step(along_t, q, right, depth, face)
        s_down, t_down = _face_step(along_s, q, down, depth, face), _face_step(along_t, q, down, depth, face)
    # The level whose texels are as large as a pixel, by the longer of its two steps.
    across = (s_right * width) ** 2 + (t_right * height) ** 2
    along = (s_down * width) ** 2 + (t_down * height) ** 2
    last = end - first - 1
    level = min(max(0.5 * log2(max(across, along, 1e-30)), 0.0), float(last))
    near = min(max(int(level), 0), last)  # poses and sizes that are not finite must not lead out of the arrays
    a = _bilinear(textures, first + near, face, is_cube, s, t)
    weight = level - near
    if weight > 0.0:
        b = _bilinear(textures, first + min(near + 1, last), face, is_cube, s, t)
        a = (
            a[0] + weight * (b[0] - a[0]),
            a[1] + weight * (b[1] - a[1]),
            a[2] + weight * (b[2] - a[2]),
            a[3] + weight * (b[3] - a[3]),
        )
    scale = 1.0 / 255.0
    return (a[0] * scale, a[1] * scale, a[2] * scale, a[3] * scale)
