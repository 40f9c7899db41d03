"""What follows from a model field that differs between worlds follows it, in every world: against `mj_setConst` on a
copy of the model with that world's values."""

import mujoco
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mujoco.batch import MODEL_FIELDS

from visuomotor.engine import CpuEngine
from visuomotor.errors import VisuomotorError

WORLDS = 3
SCENE = """
<mujoco>
  <option jacobian="dense" wind="0.1 0 0" density="1"/>
  <asset><mesh name="wedge" vertex="0 0 0  .2 0 0  0 .3 0  0 0 .1"/></asset>
  <worldbody>
    <light name="lamp" pos="0 0 3" mode="trackcom"/>
    <camera name="tracking" pos="0 -2 1" mode="track"/>
    <geom name="floor" type="plane" size="2 2 0.1" margin="0.01"/>
    <body simple="false" name="upper" pos="0 0 1">
      <camera name="looking" pos="0.1 0 0.2" mode="targetbody" target="box"/>
      <joint name="shoulder" axis="0 1 0" pos="0.02 0 0" damping="0.1" armature="0.1" stiffness="2" springref="20"/>
      <geom name="arm" type="capsule" fromto="0 0 0 0.4 0 0" size="0.02"/>
      <site name="start" pos="0.1 0 0.05"/>
      <body simple="false" name="lower" pos="0.4 0 0" gravcomp="0.5">
        <joint name="elbow" axis="0 1 0" range="-1 1" frictionloss="0.2"/>
        <geom name="wedge" type="mesh" mesh="wedge" pos="0.1 0 0" euler="10 20 30"/>
        <site name="end" pos="0.2 0 0" euler="0 0 40"/>
        <light name="torch" dir="1 0 -1" mode="track"/>
        <body simple="false" name="finger" pos="0.2 0 0">
          <joint name="slide" type="slide" axis="1 0 0"/>
          <geom type="cylinder" size="0.02 0.05" friction="0.7 0.01 0.001"/>
        </body>
      </body>
    </body>
    <body simple="false" name="box" pos="0.5 0.2 0.3" euler="0 0 15">
      <freejoint/>
      <geom name="box" type="box" size="0.05 0.04 0.03" fluidshape="ellipsoid"/>
      <geom name="knob" type="ellipsoid" size="0.02 0.03 0.01" pos="0.05 0 0.03"/>
    </body>
    <body simple="false" name="held" pos="0.5 0.2 0.5"><freejoint/><geom type="sphere" size="0.03"/></body>
    <body simple="false" name="hung" pos="0.9 0 0.8">
      <joint type="ball"/>
      <geom type="sphere" size="0.03" pos="0 0 -0.2"/>
    </body>
  </worldbody>
  <equality>
    <weld body1="box" body2="held"/>
    <connect body1="finger" body2="hung" anchor="0 0 0.1"/>
    <joint joint1="elbow" joint2="shoulder" polycoef="0 0.5 0 0 0"/>
  </equality>
  <tendon>
    <spatial name="cable" stiffness="3" armature="0.01" range="0 1"><site site="start"/><site site="end"/></spatial>
    <fixed name="coupling"><joint joint="shoulder" coef="0.5"/><joint joint="elbow" coef="-1"/></fixed>
  </tendon>
  <actuator>
    <motor joint="shoulder" gear="3"/>
    <position joint="elbow" kp="5" dampratio="1"/>
    <position tendon="cable" kp="2"/>
  </actuator>
  <contact><pair geom1="box" geom2="wedge" margin="0.02"/></contact>
  <keyframe><key qpos="0.1 0.2 0 0.5 0.2 0.3 1 0 0 0 0.5 0.2 0.5 1 0 0 0 1 0 0 0"/></keyframe>
</mujoco>
"""
MODEL = mujoco.MjModel.from_xml_string(SCENE)


def arrays(model: mujoco.MjModel | mujoco.MjOption) -> dict[str, np.ndarray]:
    found = {name: np.asarray(getattr(model, name)) for name in dir(model) if not name.startswith("_")}
    return {name: value for name, value in found.items() if value.dtype.kind in "biuf"}


DERIVED = ("0", "rbound", "subtreemass", "_L", "dof_length", "bvh_aabb")
FIELDS = [
    name
    for name, value in {**arrays(MODEL), **{f"opt.{name}": value for name, value in arrays(MODEL.opt).items()}}.items()
    if name in MODEL_FIELDS and value.size and value.dtype.kind == "f"
    if name in mujoco.MjModel._setconst_inputs or not name.endswith(DERIVED)
]


def vary(engine: CpuEngine, name: str, worlds: list[int], seed: int) -> None:
    """Other places and directions; of all else, other numbers of the same sign."""
    field, generator = engine.model_field(name), np.random.default_rng(seed)
    value = field[worlds].numpy()
    if name.endswith(("pos", "quat", "axis", "dir")):
        value = value + generator.uniform(0.01, 0.1, value.shape)
        if not name.endswith("pos"):
            value /= np.linalg.norm(value, axis=-1, keepdims=True)
    else:
        value = value * generator.uniform(1.1, 1.6, value.shape)
    field[worlds] = torch.from_numpy(value).to(field.dtype)


def assert_consistent(engine: CpuEngine) -> None:
    """Of every world."""
    for world in range(engine.worlds):
        found, expected = engine._batch.get_model(world), engine._batch.get_model(world)
        mujoco.mj_setConst(expected, mujoco.MjData(expected))
        mine = arrays(found)
        for name, value in arrays(expected).items():
            np.testing.assert_array_equal(mine[name], value, err_msg=f"{name} of world {world}")


@pytest.mark.parametrize("name", FIELDS)
def test_what_follows_from_a_field_follows_it(name):
    engine = CpuEngine(MODEL, WORLDS, 1)
    vary(engine, name, [0, 2], 0)
    engine.set_const(torch.tensor([0, 2]))
    assert_consistent(engine)


@settings(max_examples=15, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.lists(st.sampled_from(FIELDS), min_size=1, max_size=4), st.sets(st.integers(0, WORLDS - 1), min_size=1)
        ),
        min_size=1,
        max_size=3,
    ),
    st.integers(0, 2**32),
)
def test_many_fields_may_vary_again_and_again(rounds, seed):
    engine = CpuEngine(MODEL, WORLDS, 1)
    for names, chosen in rounds:
        worlds = sorted(chosen)
        for name in names:
            vary(engine, name, worlds, seed)
        engine.set_const(torch.tensor(worlds))
    assert_consistent(engine)


def test_values_that_cannot_be_are_told_in_one_line():
    engine = CpuEngine(mujoco.MjModel.from_xml_string(SCENE.replace(' simple="false"', "")), WORLDS, 1)
    engine.model_field("body_ipos")[1, MODEL.body("held").id] = 0.1
    with pytest.raises(VisuomotorError, match=r"worlds \[1\] .*body/simple='false'") as told:
        engine.set_const()
    assert "\n" not in str(told.value)
