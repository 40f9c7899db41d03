"""What MuJoCo's own renderer shows of a model and the camera does not."""

from collections.abc import Collection

import mujoco
import numpy as np

from visuomotor.camera.scene import DRAWN_TYPES
from visuomotor.camera.textures import drawable

_UNSET = (0.5, 0.5, 0.5, 1.0)  # a colour that was not given; a material's then counts
_SHOWN_BY_DEFAULT = 3  # MuJoCo shows groups 0, 1 and 2


def not_drawn(model: mujoco.MjModel, groups: Collection[int]) -> list[str]:
    """In words, what of this model is missing from the camera's images or looks otherwise there.

    Shadows, fog and haze are never drawn and not named.
    """
    kinds = sorted({int(kind) for kind in model.geom_type[np.isin(model.geom_group, list(groups))]})
    missing = [
        f"geoms of type {mujoco.mjtGeom(kind).name.removeprefix('mjGEOM_').lower()}"
        for kind in kinds
        if kind not in {int(drawn) for drawn in DRAWN_TYPES}
    ]
    counts = {
        ("flex", "flexes"): model.nflex,
        ("skin", "skins"): model.nskin,
        ("tendon", "tendons"): _shown_tendons(model),
        ("site", "sites"): _sites(model),
    }
    missing += [f"{count} {name if count == 1 else plural}" for (name, plural), count in counts.items() if count]
    if (model.tex_type == mujoco.mjtTexture.mjTEXTURE_SKYBOX).any():
        missing.append("the skybox (the background is black)")
    if (model.mat_reflectance[model.geom_matid[model.geom_matid >= 0]] > 0).any():
        missing.append("reflections")
    of_colour = model.mat_texid[:, mujoco.mjtTextureRole.mjTEXROLE_RGB]
    unknown = [texture for texture in np.unique(of_colour[of_colour >= 0]) if not drawable(model, int(texture))]
    missing += [f"texture {model.texture(int(texture)).name!r} (not of 3 or 4 channels)" for texture in unknown]
    return missing


def _shown_tendons(model: mujoco.MjModel) -> int:
    spatial = [model.wrap_type[address] != mujoco.mjtWrap.mjWRAP_JOINT for address in model.tendon_adr]
    return int((np.array(spatial, bool) & (model.tendon_group < _SHOWN_BY_DEFAULT)).sum())


def _sites(model: mujoco.MjModel) -> int:
    alpha = model.site_rgba[:, 3].copy()
    by_material = (model.site_matid >= 0) & (model.site_rgba == _UNSET).all(-1)
    alpha[by_material] = model.mat_rgba[model.site_matid[by_material], 3]
    return int(((model.site_group < _SHOWN_BY_DEFAULT) & (alpha > 0)).sum())
