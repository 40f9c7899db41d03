"""Tasks and environments by their names: what is taken, and what is refused."""

import numpy as np
import pytest
import torch

from visuomotor.errors import VisuomotorError
from visuomotor.tasks import make_env, make_task


@pytest.mark.parametrize(
    ("option", "values", "told"),
    [
        ("observations", ("state", None, 5), "observations must be a list of groups, such as .*, not "),
        ("observations", (["states"], ("state", 5)), "no group of observations .*; choose one of: keypoints, "),
        ("seed", (None, "a", 1.5, 2**70), "seed must be "),
        ("image_sise", (24,), "no option of make_env 'image_sise'; choose one of: image_size, "),
        ("generator", (None,), "no option of make_env 'generator'"),
        ("n_envs", (2,), "no option of make_env 'n_envs'; choose one of: .* num_envs, .* seed, "),
    ],
)
def test_what_make_env_cannot_take_is_told(lifting, option, values, told):
    for value in values:
        with pytest.raises(VisuomotorError, match=told):
            make_env(lifting, 1, **{option: value})


def test_make_env_takes_numbers_of_numpy(lifting):
    theirs = make_env(lifting, np.int64(2), np.int64(3), image_size=np.int32(16), max_episode_steps=np.int64(5))
    ours = make_env(lifting, 2, 3, image_size=16, max_episode_steps=5)
    assert torch.equal(theirs.engine.state(), ours.engine.state())
    assert torch.equal(theirs.render(), ours.render())


@pytest.mark.parametrize("name", [None, 5, b"lifting"])
def test_the_name_of_a_task_is_text(name):
    with pytest.raises(VisuomotorError, match="the name of a task is text, not"):
        make_task(name)
