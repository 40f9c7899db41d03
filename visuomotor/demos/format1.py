"""Files of format 1 (visuomotor 0.1): their names, translated to those of format 2 when they are read."""

from collections.abc import Mapping
from typing import Any, Final, TypeVar

Value = TypeVar("Value")

GROUPS: Final = {"dynamics": "physics", "appearance": "looks"}
"""The HDF5 groups of an episode in format 1, by their names in format 2."""

_METADATA: Final = {
    "scene": "model_hash",
    "control_period": "control_dt",
    "steps": "max_episode_steps",
    "physics": "dynamics",
}
_ROWS: Final = {
    "motor_gain": "actuator_gain",
    "arm_grey": "robot_grey",
    "lamp_brightness": "light_brightness",
    "lamp_tilt": "light_tilt",
}


def translate_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """`env_kwargs` with the names of format 2; `format` stays 1."""
    translated = {_METADATA.get(name, name): value for name, value in metadata.items()}
    dynamics = translated.get("dynamics")
    return {**translated, "dynamics": translate_rows(dynamics) if isinstance(dynamics, dict) else dynamics}


def translate_rows(rows: Mapping[str, Value]) -> dict[str, Value]:
    """What is stored for each row of dynamics or appearance, with the names of format 2."""
    return {_ROWS.get(name, name): value for name, value in rows.items()}
