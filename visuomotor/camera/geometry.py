"""Vectors as tuples of scalars (no allocation in compiled code) and the camera's frame."""

from visuomotor.camera.njit import Float64Array, Mat3, Vector, njit_inline


@njit_inline
def dot(a: Vector, b: Vector) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@njit_inline
def cross(a: Vector, b: Vector) -> Vector:
    return (a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])


@njit_inline
def scale(a: Vector, factor: float) -> Vector:
    return (a[0] * factor, a[1] * factor, a[2] * factor)


@njit_inline
def add_scaled(a: Vector, b: Vector, factor: float) -> Vector:
    return (a[0] + factor * b[0], a[1] + factor * b[1], a[2] + factor * b[2])


@njit_inline
def vector_at(rows: Float64Array, index: int) -> Vector:
    return (rows[index, 0], rows[index, 1], rows[index, 2])


@njit_inline
def matrix_columns(matrices: Float64Array, index: int) -> Mat3:
    """The three axes that MuJoCo's row-major 3x3 matrix number `index` holds in its columns."""
    m = matrices[index]
    return ((m[0], m[3], m[6]), (m[1], m[4], m[7]), (m[2], m[5], m[8]))


@njit_inline
def into_frame(axes: Mat3, vector: Vector) -> Vector:
    """The components of a world vector along a frame's axes."""
    return (dot(axes[0], vector), dot(axes[1], vector), dot(axes[2], vector))


@njit_inline
def out_of_frame(axes: Mat3, vector: Vector) -> Vector:
    """The vector whose components along a frame's axes are given; the inverse of `into_frame`."""
    return add_scaled(add_scaled(scale(axes[0], vector[0]), axes[1], vector[1]), axes[2], vector[2])


@njit_inline
def axes_into_frame(axes: Mat3, others: Mat3) -> Mat3:
    return (into_frame(axes, others[0]), into_frame(axes, others[1]), into_frame(axes, others[2]))
