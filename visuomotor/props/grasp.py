"""How hands hold things: a weld that can be released, or for good."""

from typing import Any

import mujoco
import numpy as np


def add_grasp(spec: mujoco.MjSpec, tool: str, body: str) -> str:
    """Weld free body `body` to body `tool`, with both frames aligned.

    Returns:
        The equality's name. `eq_active` releases the body; `eq_data[3:10]` is its pose in the tool frame (position,
        quaternion), per world through `engine.model_field("eq_data")`.
    """
    weld = spec.add_equality(
        name=f"{body}_grasp",
        type=mujoco.mjtEq.mjEQ_WELD,
        objtype=mujoco.mjtObj.mjOBJ_BODY,
        name1=tool,
        name2=body,
        data=[0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0],  # anchor, relative pose, weight of the rotation, unused
        solref=[0.01, 1],  # two time steps: as stiff as stays steady
        solimp=[0.98, 0.995, 0.001, 0.5, 2],
    )
    return weld.name


def add_fixed(spec: mujoco.MjSpec, tool: str, name: str, position: np.ndarray, quat: np.ndarray) -> Any:
    """A new weightless body, fixed to body `tool`, which is at `position` (m) and `quat` (wxyz) in its frame."""
    inverse_position, inverse_quat = np.empty(3), np.empty(4)
    mujoco.mju_negPose(inverse_position, inverse_quat, position, quat)
    return spec.body(tool).add_body(name=name, pos=inverse_position, quat=inverse_quat, gravcomp=1)
