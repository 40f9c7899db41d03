"""A fingerprint of a scene's physics: states of one scene mean nothing in another."""

import hashlib
from collections.abc import Iterator

import mujoco
import numpy as np

# Everything that the meaning and the future of a state depend on. The fields are named one by one, so that a new MuJoCo
# with new fields does not count as a new scene. Colours, lights, cameras and sites may change.
_OPTIONS = ("timestep", "gravity", "integrator", "cone", "impratio")
_BODIES = ("parentid", "pos", "quat", "ipos", "iquat", "mass", "inertia", "gravcomp")
_JOINTS = ("type", "bodyid", "pos", "axis", "stiffness", "limited", "range")
_DOFS = ("armature", "damping", "frictionloss")
_GEOMS = ("type", "bodyid", "contype", "conaffinity", "condim", "priority", "size", "pos", "quat", "friction")
_CONTACTS = ("solref", "solimp", "margin")
_EQUALITIES = ("type", "obj1id", "obj2id", "data", "active0")
_ACTUATORS = ("trntype", "trnid", "dyntype", "gaintype", "gainprm", "biastype", "biasprm", "gear")
_RANGES = ("ctrllimited", "ctrlrange", "forcelimited", "forcerange")
_FIELDS = {
    "body": _BODIES,
    "jnt": _JOINTS,
    "dof": _DOFS,
    "geom": _GEOMS + _CONTACTS,
    "eq": _EQUALITIES,
    "actuator": _ACTUATORS + _RANGES,
}

# What few models use: it counts only where it is not what MuJoCo has by default, so that files written before these
# fields counted still fit their scenes. Meshes count by their size, mass and inertia.
_RARE_OPTIONS = ("density", "viscosity", "wind", "disableflags", "enableflags", "disableactuator", "noslip_iterations")
_ZEROS = (
    *("jnt_margin", "jnt_actfrclimited", "jnt_actfrcrange", "jnt_actgravcomp", "jnt_stiffnesspoly", "dof_dampingpoly"),
    *("actuator_damping", "actuator_armature", "actuator_delay", "actuator_actlimited", "actuator_actrange"),
    *("actuator_cranklength", "geom_gap", "geom_fluid"),
)
_SOLREF, _SOLIMP = (0.02, 1.0), (0.9, 0.95, 0.001, 0.5, 2.0)
_RARE: dict[str, tuple[float, ...]] = {
    **dict.fromkeys(_ZEROS, (0.0,)),
    "geom_solmix": (1.0,),
    **dict.fromkeys(("jnt_solref", "dof_solref"), _SOLREF),
    **dict.fromkeys(("jnt_solimp", "dof_solimp", "eq_solimp"), _SOLIMP),
}
_RARE_KINDS = {  # most models have none
    "tendon": ("adr", "num", "limited", "range", "stiffness", "damping", "frictionloss", "lengthspring", "margin"),
    "wrap": ("type", "objid", "prm"),
    "pair": ("dim", "geom1", "geom2", "solref", "solimp", "margin", "friction"),
    "exclude": ("signature",),
}


def model_hash(model: mujoco.MjModel) -> str:
    """16 hex digits that stay the same on every machine, and change when the model's physics does."""
    touching = (model.geom_contype | model.geom_conaffinity) > 0  # the other geoms are only seen
    parts = [_text(f"opt.{name}", getattr(model.opt, name)) for name in _OPTIONS] + [_text("qpos0", model.qpos0)]
    for kind, names in _FIELDS.items():
        for name in names:
            value = getattr(model, f"{kind}_{name}")
            parts.append(_text(f"{kind}_{name}", value[touching] if kind == "geom" else value))
    parts += [_text(name, value) for name, value in _rare(model, touching)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _rare(model: mujoco.MjModel, touching: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Fields that are not as they are by default."""
    for name in _RARE_OPTIONS:
        if np.any(value := np.asarray(getattr(model.opt, name))):
            yield f"opt.{name}", value
    if not np.array_equal(model.qpos_spring, model.qpos0):
        yield "qpos_spring", model.qpos_spring
    for name, default in _RARE.items():
        value = getattr(model, name)
        value = value[touching] if name.startswith("geom_") else value
        if np.any(value != default):
            yield name, value
    for kind, names in _RARE_KINDS.items():
        for name in names:
            if len(value := getattr(model, f"{kind}_{name}")):
                yield f"{kind}_{name}", value


def _text(name: str, value: np.ndarray) -> str:
    """Numbers to eight significant digits: another machine's rounding does not count."""
    numbers = np.asarray(value, np.float64)
    numbers = np.where(np.abs(numbers) < 1e-12, 0.0, numbers)
    return f"{name} {numbers.shape} {' '.join(f'{number:.8g}' for number in numbers.ravel())}"
