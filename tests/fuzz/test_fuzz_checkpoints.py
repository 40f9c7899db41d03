"""Checkpoints and policy files with anything in them: resumed as they were, or refused in one line."""

import copy
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from damage import Damaged, damaged, is_told, structure, tries
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from visuomotor.algorithms.algorithm import Algorithm
from visuomotor.algorithms.gps import Gps
from visuomotor.algorithms.gps.config import PRESETS as GPS
from visuomotor.algorithms.gps.supervised import FitConfig
from visuomotor.algorithms.ppo_gail import PpoGail
from visuomotor.algorithms.ppo_gail.config import AuxiliaryConfig, ImitationConfig, PpoConfig, PpoGailConfig
from visuomotor.algorithms.training import train
from visuomotor.algorithms.trajectory_search import Cem
from visuomotor.demos import write_demonstrations
from visuomotor.demos.generate import demonstrate
from visuomotor.errors import VisuomotorError
from visuomotor.policies import load_policy
from visuomotor.runs import Run, load_checkpoint, save_checkpoint
from visuomotor.tasks import make_task
from visuomotor.tasks.simulated.insertion2d import Insertion2d


@pytest.fixture(scope="module")
def ppo_gail(tmp_path_factory) -> Algorithm:
    """After an iteration, everything in use."""
    demos = tmp_path_factory.mktemp("demos") / "lifting.hdf5"
    write_demonstrations(demos, make_task("lifting"), demonstrate(make_task("lifting"), 1, torch.Generator()))
    config = PpoGailConfig(
        demos=demos,
        num_envs=4,
        total_steps=1000,
        ppo=PpoConfig(num_steps=3, num_epochs=1, num_minibatches=2),
        imitation=ImitationConfig(batch_size=8, num_updates=1),
        auxiliary=AuxiliaryConfig(batch_size=8, pretraining_updates=1, updates_per_iteration=1),
    )
    algorithm = PpoGail(make_task("lifting"), config, 0)
    for row in algorithm.steps():
        if row["phase"] == "ppo":
            break
    return algorithm


@pytest.fixture(scope="module")
def gps() -> Algorithm:
    """In the last phase, with images remembered."""
    laptop = GPS["laptop"]
    config = replace(
        laptop,
        num_conditions=2,
        image=replace(laptop.image, size=32, supersampling=1),
        pose=replace(laptop.pose, epochs=0),
        dynamics=replace(laptop.dynamics, clusters=2),
        trajectory=replace(laptop.trajectory, iterations=1),
        badmm=replace(laptop.badmm, inner_iterations=1),
        state_policy=FitConfig(steps=2),
        end_to_end=replace(
            laptop.end_to_end, iterations=2, head_fit=FitConfig(steps=2), finetune_fit=FitConfig(steps=1, batch=2)
        ),
    )
    algorithm = Gps(make_task("lifting"), config, 0)
    steps = algorithm.steps()
    next(steps), next(steps)
    assert algorithm.phase == "policy"
    return algorithm


def variable(path: tuple[Any, ...]) -> bool:
    """Where a checkpoint may hold fewer or more entries: recent episodes and samples, an optimizer that has not begun,
    processes, what is None as long as nothing is remembered, and what earlier checkpoints lack."""
    names = {str(part) for part in path}
    lists = {
        "recent",
        "sample_history",
        "transition_history",
        "processes",
        "demonstrations",
        "pose_optimizer",
        "most_processes",
    }
    return bool(names & lists) or (len(path) >= 2 and "state" in path[-2:])


def resume(algorithm: Algorithm, whole: dict[str, Any], found: Damaged) -> None:
    try:
        algorithm.load_state_dict(found.content)
    except VisuomotorError as error:
        is_told(error)
        return
    finally:
        algorithm.load_state_dict(copy.deepcopy(whole))
    assert variable(found.path) or structure(found.content) == structure(whole), found
    assert variable(found.path) or is_finite(found.content), found


def is_finite(value: Any) -> bool:
    if isinstance(value, dict | list | tuple):
        return all(map(is_finite, value.values() if isinstance(value, dict) else value))
    if isinstance(value, torch.Tensor):
        return not value.is_floating_point() or bool(value.isfinite().all())
    return not isinstance(value, float) or math.isfinite(value)


@pytest.mark.parametrize("name", ["ppo_gail", "gps"])
def test_a_damaged_state(name, request):
    algorithm: Algorithm = request.getfixturevalue(name)
    whole = copy.deepcopy(algorithm.state_dict())  # its tensors are the algorithm's own

    @tries(150)
    @given(damaged(lambda: whole))
    def check(found):
        resume(algorithm, whole, found)

    check()


class Short(Insertion2d):
    max_episode_steps = 8


def search() -> Cem:
    config = replace(Cem.presets["laptop"], iterations=2, samples=4, num_conditions=1)
    return Cem(Short(), config, 0)


def test_a_damaged_checkpoint_of_a_run(tmp_path):
    run = Run.create(tmp_path, algorithm="cem", task="insertion2d", preset="laptop", seed=0, config=search().config)
    train(search(), run)
    whole = load_checkpoint(run.latest_checkpoint)
    files = {path: path.read_bytes() for path in (run.latest_checkpoint, run.path / "metrics.jsonl")}

    @tries(150)
    @given(damaged(lambda: whole))
    def check(found):
        save_checkpoint(run.latest_checkpoint, found.content)
        try:
            train(search(), Run.open(run.path), resume=True)
        except VisuomotorError as error:
            is_told(error)
        else:
            assert is_finite(found.content), found
            if found.path[0] == "state" and len(found.path) > 1:  # settings that are missing have their defaults
                assert structure(found.content) == structure(whole), found
        finally:
            assert Run.open(run.path).metrics_lines >= 1  # of two: the last one may be done again
            for path, content in files.items():
                path.write_bytes(content)

    check()


SMALL = {"algorithm": "gps", "weights": torch.arange(6.0), "state": {"a": [1, 2.0, "x", None], "b": torch.ones(2, 2)}}


def changed_bytes(data: st.DataObject, whole: bytes) -> bytes:
    """Some bytes overwritten, cut out or put in."""
    found = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, max(0, len(found) - 1)))
        length = data.draw(st.sampled_from([0, 1, 8, 1000]))
        found[place : place + length] = data.draw(st.binary(max_size=9))
    return bytes(found)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


@tries(400)
@given(st.data())
def test_a_checkpoint_with_other_bytes(folder, data):
    path = folder / "latest.pt"
    save_checkpoint(path, SMALL)
    path.write_bytes(changed_bytes(data, path.read_bytes()))
    try:
        found = load_checkpoint(path, expect={"algorithm": "gps"}, types={"state": dict})
    except VisuomotorError as error:
        is_told(error)
    else:
        assert structure(found) == structure(SMALL)
        assert torch.equal(found["weights"], SMALL["weights"])


def test_a_policy_file_with_another_header(gps, folder):
    path = folder / "policy.safetensors"
    gps.policy().save(path)
    size = int.from_bytes(path.read_bytes()[:8], "little")
    told = json.loads(json.loads(path.read_bytes()[8 : 8 + size])["__metadata__"]["visuomotor"])
    weights = load_file(path)

    @tries(200)
    @given(damaged(lambda: told))
    def check(found):
        try:
            text = json.dumps(found.content)
        except TypeError:  # a tensor in the place of a number
            return
        save_file(weights, path, metadata={"visuomotor": text})
        try:
            policy = load_policy(path)
        except VisuomotorError as error:
            is_told(error)
            return
        # what is left to the file is a matter of words, of the camera, and of how training went
        # (an older file does not tell of predicted coordinates)
        assert found.path[0] == "spec" or {**found.content, "settings": policy.network.settings} == told
        policy.reset(1)
        images = torch.zeros(1, policy.spec.image_size, policy.spec.image_size, 3, dtype=torch.uint8)
        assert policy.act(images[:, :64, :64], torch.zeros(1, policy.spec.proprioception_size)).isfinite().all()

    check()


@tries(150)
@given(st.data())
def test_a_policy_file_with_other_bytes(gps, folder, data):
    path = folder / "bytes.safetensors"
    gps.policy().save(path)
    path.write_bytes(changed_bytes(data, path.read_bytes()))
    try:
        policy = load_policy(path)
    except VisuomotorError as error:
        is_told(error)
    else:
        assert all(weight.isfinite().all() for weight in policy.network.state_dict().values())
