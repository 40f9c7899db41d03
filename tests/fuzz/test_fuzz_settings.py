"""Settings of all kinds: taken as they were meant, or refused in one line."""

import math
import typing
from dataclasses import fields, is_dataclass
from typing import Any

import pytest
from damage import JUNK, is_told, tries
from hypothesis import given
from hypothesis import strategies as st

from visuomotor.algorithms.gps.config import PRESETS as GPS
from visuomotor.algorithms.ppo_gail.config import PRESETS as PPO_GAIL
from visuomotor.errors import VisuomotorError
from visuomotor.runs import config_from_dict, config_to_dict, flatten
from visuomotor.runs.config import Range

CONFIGS = {"gps": GPS["laptop"], "ppo-gail": PPO_GAIL["laptop"]}


def numbers_without_a_range(kind: Any, prefix: str = "") -> list[str]:
    """Settings that are numbers, and whose annotation does not say which."""
    hints = typing.get_type_hints(kind, include_extras=True)
    found = []
    for field in fields(kind):
        hint = hints[field.name]
        limits = any(isinstance(one, Range) for one in getattr(hint, "__metadata__", ()))
        plain = hint.__origin__ if hasattr(hint, "__metadata__") else hint
        if is_dataclass(plain):
            found += numbers_without_a_range(plain, f"{prefix}{field.name}.")
        elif not limits and {int, float} & {plain, *typing.get_args(plain)}:
            found.append(prefix + field.name)
    return found


@pytest.mark.parametrize("name", CONFIGS)
def test_every_number_has_a_range(name):
    assert numbers_without_a_range(type(CONFIGS[name])) == []


@tries(400)
@given(st.data())
def test_any_value_of_any_setting(data):
    config = CONFIGS[data.draw(st.sampled_from(sorted(CONFIGS)))]
    values = config_to_dict(config)
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from([name.split(".") for name in flatten(values)]))
        inner = values
        for part in path[:-1]:
            inner = inner[part]
        value = data.draw(st.sampled_from(JUNK) | st.floats() | st.integers())
        inner[data.draw(st.sampled_from([path[-1], "extra"])) if value == "x" else path[-1]] = value
        if isinstance(value, dict):
            break
    try:
        taken = config_from_dict(type(config), values)
    except VisuomotorError as error:
        is_told(error)
        return
    found, asked = flatten(config_to_dict(taken)), flatten(values)
    assert found == asked
    for value in found.values():
        for number in value if isinstance(value, list) else [value]:
            assert not isinstance(number, float) or (math.isfinite(number) and abs(number) <= 1e12)
