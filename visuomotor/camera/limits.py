"""What the camera refuses of a model and of its worlds: the kernel does not check its indices."""

from typing import Any, NamedTuple

import mujoco
import numpy as np
from numpy.typing import NDArray

from visuomotor.camera.scene import SAME_IN_ALL_WORLDS, Appearance
from visuomotor.engine import Engine
from visuomotor.errors import VisuomotorError

_LARGEST = float(np.finfo(np.float32).max)


class Limit(NamedTuple):
    """What `values[:, items]` of a field must lie between."""

    field: str
    values: NDArray[Any]  # (world or 1, item, ...), live
    items: NDArray[np.int64] | slice
    low: float
    high: float


def limits_of(model: mujoco.MjModel, appearance: Appearance, camera: int) -> list[Limit]:
    meshes = np.flatnonzero(np.isin(model.geom_type, [mujoco.mjtGeom.mjGEOM_MESH, mujoco.mjtGeom.mjGEOM_SDF]))
    height_fields = np.flatnonzero(model.geom_type == mujoco.mjtGeom.mjGEOM_HFIELD)
    textures = appearance.mat_texid[..., mujoco.mjtTextureRole.mjTEXROLE_RGB]
    return [
        Limit("geom_matid", appearance.geom_matid, slice(None), -1, model.nmat - 1),
        Limit("geom_dataid", appearance.geom_dataid, meshes, -1, model.nmesh - 1),
        Limit("geom_dataid", appearance.geom_dataid, height_fields, -1, model.nhfield - 1),
        Limit("mat_texid", textures, slice(None), -1, model.ntex - 1),
        Limit("mat_texrepeat", appearance.mat_texrepeat, slice(None), -_LARGEST, _LARGEST),
        _field_of_view(model, appearance, camera),
    ]


def _field_of_view(model: mujoco.MjModel, appearance: Appearance, camera: int) -> Limit:
    """Of a camera with a sensor its focal lengths decide (m); of one without, `fovy` (degrees)."""
    if model.cam_sensorsize[camera, 1] > 0:
        return Limit("cam_intrinsic", appearance.cam_intrinsic[..., :2], np.array([camera]), 1e-9, 1e9)
    return Limit("cam_fovy", appearance.cam_fovy, np.array([camera]), 1e-3, 179.9)


def check_limits(model: mujoco.MjModel, limits: list[Limit]) -> None:
    """Raise a VisuomotorError for the first value that lies elsewhere."""
    for field, values, items, low, high in limits:
        seen = values[:, items]
        if seen.size and not (low <= seen.min() and seen.max() <= high):  # this way round NaN does not pass
            place = tuple(np.argwhere(~((seen >= low) & (seen <= high)))[0])
            item = int(np.arange(values.shape[1])[items][place[1]])
            kind = {"geom": "geom", "mat": "material", "cam": "camera"}[field.partition("_")[0]]
            name = getattr(model, kind)(item).name or item
            where = f" in world {place[0]}" if len(values) > 1 else ""
            allowed = "finite" if high == _LARGEST else f"between {low} and {high}"
            if field == "cam_intrinsic":
                allowed = "above 0: give a camera with sensorsize its focal length"
            raise VisuomotorError(f"{field} of {kind} {name!r} is {seen[place]}{where}; it must be {allowed}")


def check_meshes(model: mujoco.MjModel) -> None:
    """Raise a VisuomotorError where texture coordinates are not finite."""
    for mesh in range(int(model.nmesh)):
        first, count = int(model.mesh_texcoordadr[mesh]), int(model.mesh_texcoordnum[mesh])
        if first >= 0 and not np.isfinite(model.mesh_texcoord[first : first + count]).all():
            raise VisuomotorError(f"mesh {model.mesh(mesh).name!r} has a texcoord that is not finite; correct it")


def check_per_world(engine: Engine) -> None:
    """Raise a VisuomotorError where worlds have values of their own that the camera would not show."""
    for name in SAME_IN_ALL_WORLDS:
        if engine.is_per_world(name):
            raise VisuomotorError(
                f"the camera shows the model's {name} in all worlds; do not ask for engine.model_field({name!r}) "
                "(an alpha of 0 in geom_rgba hides a geom of one world)"
            )
