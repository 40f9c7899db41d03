"""What MuJoCo's own renderer shows of a model and the camera does not."""

from collections.abc import Collection
from operator import attrgetter

import mujoco
import numpy as np
from numpy.typing import NDArray

from visuomotor.camera.scene import DRAWN_TYPES
from visuomotor.camera.textures import drawable

_SHOWN_BY_DEFAULT = 3  # MuJoCo shows groups 0, 1 and 2
_UNSET = np.array([0.5, 0.5, 0.5, 1.0])  # MuJoCo's colour for what sets none, and so takes its material's
_ROUND = [
    int(kind)
    for kind in (
        mujoco.mjtGeom.mjGEOM_SPHERE,
        mujoco.mjtGeom.mjGEOM_CAPSULE,
        mujoco.mjtGeom.mjGEOM_ELLIPSOID,
        mujoco.mjtGeom.mjGEOM_CYLINDER,
    )
]
_PLANE, _BOX = int(mujoco.mjtGeom.mjGEOM_PLANE), int(mujoco.mjtGeom.mjGEOM_BOX)


def not_drawn(model: mujoco.MjModel, groups: Collection[int]) -> list[str]:
    """In words, what of this model is missing from the camera's images or looks different there.

    By default every light casts shadows, every model has numbers for a fog that is off, and round shapes have many
    corners. These are named only where the model's settings of them are not the default.
    """
    in_groups = np.isin(model.geom_group, list(groups))
    kinds = sorted({int(kind) for kind in model.geom_type[in_groups]})
    missing = [
        f"geoms of type {mujoco.mjtGeom(kind).name.removeprefix('mjGEOM_').lower()}"
        for kind in kinds
        if kind not in {int(drawn) for drawn in DRAWN_TYPES}
    ]
    lit = model.light_active.astype(bool)
    of_image = model.light_type == mujoco.mjtLightType.mjLIGHT_IMAGE
    counts = {
        ("flex", "flexes"): _shown(model, "flex"),
        ("skin", "skins"): _shown(model, "skin"),
        ("tendon", "tendons"): _shown(model, "tendon") & _is_spatial(model),
        ("site", "sites"): _shown(model, "site"),
        ("rangefinder's ray", "rangefinders' rays"): model.sensor_type == mujoco.mjtSensor.mjSENS_RANGEFINDER,
        ("line of a fromto sensor", "lines of fromto sensors"): model.sensor_type == mujoco.mjtSensor.mjSENS_GEOMFROMTO,
        ("slider-crank", "slider-cranks"): model.actuator_trntype == mujoco.mjtTrn.mjTRN_SLIDERCRANK,
        ("image light", "image lights"): lit & of_image,
    }
    missing += [f"{n} {one if n == 1 else many}" for (one, many), which in counts.items() if (n := int(which.sum()))]
    if (model.tex_type == mujoco.mjtTexture.mjTEXTURE_SKYBOX).any():
        missing.append("the skybox (the background is black)")
        if (in_groups & (model.geom_type == _PLANE) & (model.geom_size[:, :2] <= 0).all(axis=1)).any():
            missing.append("haze")
    materials = model.geom_matid[in_groups & np.isin(model.geom_type, (_PLANE, _BOX))]
    if (model.mat_reflectance[materials[materials >= 0]] > 0).any():
        missing.append("reflections")
    if model.vis.quality.shadowsize > 0 and (lit & ~of_image & model.light_castshadow.astype(bool)).any():
        missing += ["shadows"] * _differs(model, ("quality.shadowsize", "map.shadowclip", "map.shadowscale"))
    missing += ["fog"] * _differs(model, ("map.fogstart", "map.fogend", "rgba.fog"))
    if np.isin(kinds, _ROUND).any():
        missing += ["corners of round shapes"] * _differs(model, ("quality.numslices", "quality.numstacks"))
    of_colour = model.mat_texid[:, mujoco.mjtTextureRole.mjTEXROLE_RGB]
    unknown = [texture for texture in np.unique(of_colour[of_colour >= 0]) if not drawable(model, int(texture))]
    missing += [f"texture {model.texture(int(texture)).name!r} (not of 3 or 4 channels)" for texture in unknown]
    return missing


def _shown(model: mujoco.MjModel, kind: str) -> NDArray[np.bool_]:
    """Which of the sites (...) are in a group that MuJoCo shows and not invisible."""
    group, rgba, material = (np.asarray(getattr(model, f"{kind}_{field}")) for field in ("group", "rgba", "matid"))
    alpha = rgba[:, 3].copy()
    if kind != "flex":  # whose elements have materials
        unset = (rgba == _UNSET).all(axis=1) & (material >= 0)
        alpha[unset] = model.mat_rgba[material[unset], 3]
    return (group < _SHOWN_BY_DEFAULT) & (alpha > 0)


def _is_spatial(model: mujoco.MjModel) -> NDArray[np.bool_]:
    return np.array([model.wrap_type[address] != mujoco.mjtWrap.mjWRAP_JOINT for address in model.tendon_adr], bool)


def _differs(model: mujoco.MjModel, settings: Collection[str]) -> bool:
    """Whether any of these `visual` settings is not MuJoCo's default."""
    default = mujoco.MjSpec().visual
    return any(np.any(attrgetter(name)(model.vis) != attrgetter(name)(default)) for name in settings)
