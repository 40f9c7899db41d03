import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from visuomotor.errors import VisuomotorError
from visuomotor.runs import config_from_dict, config_to_dict, flatten
from visuomotor.runs.config import Range, absolute_paths, check_settings


@dataclass(frozen=True)
class Inner:
    rate: float = 0.1
    sizes: tuple[int, ...] = (1, 2)
    pair: tuple[int, float] = (1, 2.0)

    def __post_init__(self):
        if self.rate <= 0:
            raise ValueError(f"rate must be above 0, not {self.rate}")


@dataclass(frozen=True)
class Outer:
    mode: Literal["a", "b"] = "a"
    limit: float | None = None
    inner: Inner = field(default_factory=Inner)
    other: Inner | None = None


def test_flatten():
    flat = flatten(config_to_dict(Outer()))
    assert flat == {
        "mode": "a",
        "limit": None,
        "inner.rate": 0.1,
        "inner.sizes": [1, 2],
        "inner.pair": [1, 2.0],
        "other": None,
    }


WHOLE = st.integers(1 - 2**63, 2**63 - 1)


@settings(deadline=None)
@given(
    st.builds(
        Outer,
        mode=st.sampled_from(["a", "b"]),
        limit=st.none() | st.floats(allow_nan=False),
        inner=st.builds(Inner, rate=st.floats(min_value=0.01), sizes=st.lists(WHOLE).map(tuple)),
        other=st.none() | st.builds(Inner, pair=st.tuples(WHOLE, st.floats(allow_nan=False))),
    )
)
def test_round_trip(config):
    assert config_from_dict(Outer, config_to_dict(config)) == config


@dataclass(frozen=True)
class Files:
    demos: Path | None
    name: str = "relative/name"
    inner: "Files | None" = None


def test_paths_become_absolute_wherever_they_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = Files(Path("a/../demos.hdf5"), inner=Files(Path("/there/x")))
    found = absolute_paths(config)
    assert found.demos == tmp_path / "a/../demos.hdf5"
    assert (found.name, found.inner) == ("relative/name", Files(Path("/there/x")))
    assert absolute_paths(Files(None)) == Files(None)


@dataclass(frozen=True)
class Limited:
    rate: Annotated[float, Range(0, 1)] = 0.5
    limit: Annotated[float | None, Range(2, 3)] = None
    sizes: Annotated[tuple[int, ...], Range(1, 5)] = ()
    inner: "Limited | None" = None


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (Limited(rate=1.01), "^rate must be between 0 and 1, not 1.01"),
        (Limited(rate=float("nan")), "^rate must be between 0 and 1, not nan"),
        (Limited(limit=1.0), "^limit must be between 2 and 3, not 1"),
        (Limited(sizes=(1, 5, 6)), "^sizes must be between 1 and 5, not 6"),
        (Limited(inner=Limited(inner=Limited(rate=-1))), r"^inner\.inner\.rate must be between 0 and 1, not -1"),
        (Limited(rate="0.5"), "^rate is '0.5', expected float"),
        (Limited(sizes=(1, 2.5)), r"^sizes\[1\] is 2.5, expected int"),
        (Limited(sizes=3), "^sizes is 3, expected tuple"),
        (Files(""), "^demos is '', expected Path or None"),
        (Limited(inner=Inner()), "^inner is Inner.*, expected Limited or None"),
    ],
)
def test_ranges_stand_in_the_annotations(config, message):
    with pytest.raises(VisuomotorError, match=message):
        check_settings(config)
    check_settings(Limited(0.0, 3.0, (1, 5), Limited(1.0)))


def test_settings_become_what_their_annotations_say():
    config = Limited(np.float32(0.5), 3, [np.int64(1), 5], Limited(1))
    check_settings(config)
    assert config == Limited(0.5, 3.0, (1, 5), Limited(1.0))
    assert [type(value) for value in (config.rate, config.limit, *config.sizes, config.inner.rate)] == [
        *(float, float),
        *(int, int),
        float,
    ]
    files = Files("demos.hdf5")
    check_settings(files)
    assert files.demos == Path("demos.hdf5")


def test_whole_number_is_a_float_too():
    restored = config_from_dict(Outer, {"inner": {"rate": 2}})
    assert isinstance(restored.inner.rate, float)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"moed": "a"}, "config has no field moed; its fields are: mode, limit, inner, other"),
        ({"inner": {"rate": -1.0}}, r"config\.inner: rate must be above 0, not -1"),
        ({"mode": "c"}, r"config\.mode is 'c'; choose one of: a, b"),
        ({"limit": "x"}, r"config\.limit is 'x', expected float or None"),
        ({"inner": {"rate": True}}, r"config\.inner\.rate is True, expected float"),
        ({"inner": {"sizes": [1, "x"]}}, r"config\.inner\.sizes\[1\] is 'x', expected int"),
        ({"inner": {"pair": [1]}}, r"config\.inner\.pair has 1 entries, expected 2"),
        ({"inner": 3}, r"config\.inner is 3, expected Inner"),
        ({"other": {"rate": True}}, r"^config\.other\.rate is True, expected float"),
        ({"other": 3}, r"config\.other is 3, expected Inner or None"),
        ({5: 3}, "config has no field 5"),
    ],
)
def test_bad_values_are_named_with_their_place(values, message):
    with pytest.raises(VisuomotorError, match=message):
        config_from_dict(Outer, values)


@dataclass(frozen=True)
class Loose:
    """As users write them: the annotations are not always true of the defaults."""

    note: str = None  # pyright: ignore[reportAssignmentType]
    x: object = None
    sizes: Sequence[int] = (1, 2)
    pair: tuple = (1, "a")  # pyright: ignore[reportMissingTypeArgument]
    limit: int = 2.5  # pyright: ignore[reportAssignmentType]

    def __post_init__(self):
        check_settings(self)


@pytest.mark.parametrize("config", [Loose(), Loose("a", 3, [np.int64(4)], ["b"], 7)])
def test_annotations_that_are_not_exact(config):
    assert config_from_dict(Loose, json.loads(json.dumps(config_to_dict(config)))) == config


def test_arrays_are_the_lists_and_numbers_in_them():
    config = Limited(torch.tensor(0.5), np.array(3), np.array([1, 5]))
    check_settings(config)
    assert config == Limited(0.5, 3.0, (1, 5))
    with pytest.raises(VisuomotorError, match=r"mode is \['a', 'b'\]; choose one of: a, b"):
        check_settings(Outer(mode=np.array(["a", "b"])))


def test_a_nested_config_of_another_kind_cannot_be_read_back():
    @dataclass(frozen=True)
    class More(Limited):
        more: int = 3

    with pytest.raises(VisuomotorError, match=r"inner is .*More.*, expected Limited or None"):
        check_settings(Limited(inner=More()))
