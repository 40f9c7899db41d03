"""Load model files into the form that the engine needs."""

import os
from pathlib import Path
from typing import Literal

import mujoco
import numpy as np

from visuomotor.errors import VisuomotorError, one_line

Part = Literal["joint", "actuator", "site", "geom", "body", "camera"]
Control = Literal["torque", "velocity", "position"]

_JOINT_TRANSMISSION = int(mujoco.mjtTrn.mjTRN_JOINT)
_STATELESS = int(mujoco.mjtDyn.mjDYN_NONE)
_FIXED = int(mujoco.mjtGain.mjGAIN_FIXED)
_AFFINE = int(mujoco.mjtBias.mjBIAS_AFFINE)


def load_mjcf(path: Path | str) -> mujoco.MjSpec:
    """An MJCF or URDF file as a spec that the engine takes: its constraint Jacobian is dense, where MJCF leaves the
    choice to MuJoCo by default.

    Raises:
        VisuomotorError: there is no such file, or it is no valid model.
    """
    try:
        path = Path(path)
    except TypeError:
        raise VisuomotorError(f"a model is the path of its file, or a mujoco.MjSpec, not {path!r}") from None
    if not os.path.isfile(path):  # Path.is_file raises where a name is too long
        raise VisuomotorError(f"there is no model file {path}")
    try:
        spec = mujoco.MjSpec.from_file(str(path))
    except (ValueError, mujoco.FatalError) as error:
        raise _invalid(str(path), one_line(error)) from error
    compile_scene(spec, str(path))
    return spec


def compile_scene(spec: mujoco.MjSpec, what: str) -> mujoco.MjModel:
    """The compiled model of a spec, whose constraint Jacobian is made dense.

    Args:
        what: the spec is called that in the error.

    Raises:
        VisuomotorError: it does not compile, or holds numbers that are not finite.
    """
    spec.option.jacobian = mujoco.mjtJacobian.mjJAC_DENSE  # MuJoCo 4.0.0 solves sparse ones wrongly
    try:
        model = spec.compile()
    except (ValueError, mujoco.FatalError) as error:
        raise _invalid(what, one_line(error)) from error
    fields = {name: getattr(model, name) for name in dir(model) if not name.startswith("_")}
    wrong = [
        name
        for name, value in fields.items()
        if isinstance(value, np.ndarray) and value.dtype.kind == "f" and not np.isfinite(value).all()
    ]
    if wrong:
        raise _invalid(what, f"it holds numbers that are not finite ({', '.join(wrong)})")
    return model


def _invalid(what: str, why: str) -> VisuomotorError:
    return VisuomotorError(f"{what} is no valid MuJoCo model: {why}; correct it there")


def named(model: mujoco.MjModel, kind: Part) -> list[str]:
    """The names of all joints (...) of a model that have one."""
    get = getattr(model, kind)
    count = {"joint": model.njnt, "actuator": model.nu, "site": model.nsite, "geom": model.ngeom}
    count |= {"body": model.nbody, "camera": model.ncam}
    return [name for index in range(count[kind]) if (name := str(get(index).name))]


def actuators_of_joint(model: mujoco.MjModel, joint: str) -> list[int]:
    """The numbers of the actuators that move a joint."""
    wanted = int(model.joint(joint).id)
    return [
        index
        for index in range(model.nu)
        if int(model.actuator_trntype[index]) == _JOINT_TRANSMISSION and int(model.actuator_trnid[index, 0]) == wanted
    ]


def pulls_to_a_position(model: mujoco.MjModel, index: int) -> bool:
    """Whether an actuator's force depends on its joint's position."""
    return int(model.actuator_biastype[index]) == _AFFINE and bool(model.actuator_biasprm[index, 1] != 0)


def control_of_actuator(model: mujoco.MjModel, actuator: str) -> Control:
    """What an actuator's control is: force = gain ctrl + bias1 position + bias2 velocity.

    Raises:
        VisuomotorError: it filters, integrates or delays its control, so that it has a state of its own, which
            nothing here sets or observes.
    """
    index = int(model.actuator(actuator).id)
    if int(model.actuator_dyntype[index]) != _STATELESS or model.actuator_delay[index] != 0:
        raise VisuomotorError(
            f"actuator {actuator!r} filters, integrates or delays its control; leave out timeconst, dyntype and delay, "
            "and make it a motor, a position or a velocity one"
        )
    if int(model.actuator_gaintype[index]) != _FIXED:
        raise VisuomotorError(
            f"the gain of actuator {actuator!r} is not fixed; make it a motor, a position or a velocity one"
        )
    if int(model.actuator_biastype[index]) != _AFFINE:
        return "torque"
    return "position" if pulls_to_a_position(model, index) else "velocity"


def per_control(model: mujoco.MjModel, actuator: str) -> float:
    """What a control of 1 is at the joint of an actuator: the torque (N m) of a motor, through its gear and gain; 1 of
    a servo, whose control is the joint's target.

    Raises:
        VisuomotorError: a servo's control is not that target (a gear, or unequal gains); a motor does nothing.
    """
    actuator_model, kind = model.actuator(actuator), control_of_actuator(model, actuator)
    gear, gain = float(actuator_model.gear[0]), float(actuator_model.gainprm[0])
    if kind == "torque":
        if gear * gain == 0:
            raise VisuomotorError(f"actuator {actuator!r} has no gear or no gain, and does nothing; correct it")
        return gear * gain
    back = -float(actuator_model.biasprm[1 if kind == "position" else 2])
    if gear != 1 or abs(gain - back) > 1e-6 * abs(back):
        raise VisuomotorError(
            f"the control of {kind} actuator {actuator!r} must be its joint's target, with gear 1 and equal gains, "
            f"not a gear of {gear:g}, a gain of {gain:g} and {back:g} on the joint's {kind}; correct the model"
        )
    return 1.0


def geoms_below(model: mujoco.MjModel, body: int) -> list[int]:
    """The ids of all geoms of a body and of those that hang on it."""
    found: list[int] = []
    for index in range(model.ngeom):
        at = int(model.geom_bodyid[index])
        while at not in (0, body):
            at = int(model.body_parentid[at])
        if at == body:
            found.append(index)
    return found
