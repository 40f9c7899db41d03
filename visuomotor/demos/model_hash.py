"""A fingerprint of a scene's physics: states of one scene mean nothing in another."""

import hashlib

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


def model_hash(model: mujoco.MjModel) -> str:
    """16 hex digits that stay the same on every machine, and change when the model's physics does."""
    touching = (model.geom_contype | model.geom_conaffinity) > 0  # the other geoms are only seen
    parts = [_text(f"opt.{name}", getattr(model.opt, name)) for name in _OPTIONS] + [_text("qpos0", model.qpos0)]
    for kind, names in _FIELDS.items():
        for name in names:
            value = getattr(model, f"{kind}_{name}")
            parts.append(_text(f"{kind}_{name}", value[touching] if kind == "geom" else value))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _text(name: str, value: np.ndarray) -> str:
    """Numbers to eight significant digits: another machine's rounding does not count."""
    numbers = np.asarray(value, np.float64)
    numbers = np.where(np.abs(numbers) < 1e-12, 0.0, numbers)
    return f"{name} {numbers.shape} {' '.join(f'{number:.8g}' for number in numbers.ravel())}"
