"""What the kernel reads of a model and an engine, as plain arrays."""

from collections.abc import Collection
from typing import NamedTuple

import mujoco
import numpy as np
from numpy.typing import NDArray

from visuomotor.camera.njit import Float64Array, Floats, Integers
from visuomotor.engine import Engine

DRAWN_TYPES = (
    mujoco.mjtGeom.mjGEOM_PLANE,
    mujoco.mjtGeom.mjGEOM_HFIELD,
    mujoco.mjtGeom.mjGEOM_SPHERE,
    mujoco.mjtGeom.mjGEOM_CAPSULE,
    mujoco.mjtGeom.mjGEOM_ELLIPSOID,
    mujoco.mjtGeom.mjGEOM_CYLINDER,
    mujoco.mjtGeom.mjGEOM_BOX,
    mujoco.mjtGeom.mjGEOM_MESH,
    mujoco.mjtGeom.mjGEOM_SDF,
)
# What worlds could differ in, but not in images.
SAME_IN_ALL_WORLDS = ("geom_type", "geom_group", "cam_projection")


class Appearance(NamedTuple):
    """MjModel's fields that worlds may differ in, under its names; first axis world, or 1 where all worlds agree."""

    geom_size: Float64Array
    geom_rbound: Float64Array
    geom_rgba: Floats
    geom_matid: Integers
    geom_dataid: Integers
    mat_rgba: Floats
    mat_specular: Floats
    mat_shininess: Floats
    mat_emission: Floats
    mat_texid: Integers
    mat_texrepeat: Floats
    mat_texuniform: NDArray[np.bool_]
    light_type: Integers
    light_active: NDArray[np.bool_]
    light_attenuation: Floats
    light_cutoff: Floats
    light_exponent: Floats
    light_ambient: Floats
    light_diffuse: Floats
    light_specular: Floats
    cam_fovy: Float64Array
    cam_intrinsic: Floats
    cam_sensorsize: Floats


class Poses(NamedTuple):
    """MjData's fields, `(world, ...)`."""

    geom_xpos: Float64Array
    geom_xmat: Float64Array
    cam_xpos: Float64Array
    cam_xmat: Float64Array
    light_xpos: Float64Array
    light_xdir: Float64Array


class StaticScene(NamedTuple):
    """What no world can change."""

    geom_type: Integers
    drawn: Integers  # ids of the geoms to draw, ascending
    meshes: int  # how many meshes there are; height fields are counted from there on
    headlight: Floats  # (3, 3): ambient, diffuse, specular
    headlight_active: bool
    znear: float  # metres along the view axis
    zfar: float


def read_poses(engine: Engine) -> Poses:
    return Poses(*(engine.field(name).numpy() for name in Poses._fields))


def read_appearance(engine: Engine) -> Appearance:
    """Live views: later changes of the model or of the engine's per-world fields show through."""
    return Appearance(
        *(
            engine.model_field(name).numpy() if engine.is_per_world(name) else getattr(engine.model, name)[None]
            for name in Appearance._fields
        )
    )


def per_world_fields(engine: Engine) -> tuple[bool, ...]:
    return tuple(engine.is_per_world(name) for name in (*Appearance._fields, *SAME_IN_ALL_WORLDS))


def read_static_scene(model: mujoco.MjModel, groups: Collection[int]) -> StaticScene:
    headlight = model.vis.headlight
    drawn = np.isin(model.geom_group, list(groups)) & np.isin(model.geom_type, [int(kind) for kind in DRAWN_TYPES])
    return StaticScene(
        geom_type=model.geom_type,
        drawn=np.flatnonzero(drawn).astype(np.int32),
        meshes=int(model.nmesh),
        headlight=np.array([headlight.ambient, headlight.diffuse, headlight.specular], dtype=np.float32),
        headlight_active=bool(headlight.active),
        znear=float(model.vis.map.znear * model.stat.extent),
        zfar=float(model.vis.map.zfar * model.stat.extent),
    )
