import subprocess
import sys

import gymnasium
import pytest

from visuomotor import registry
from visuomotor.adapters.gymnasium import VisuomotorEnv, VisuomotorVectorEnv
from visuomotor.adapters.registration import register_tasks


@pytest.mark.parametrize("imports", ["visuomotor, gymnasium", "gymnasium, visuomotor"])
def test_gymnasium_knows_the_tasks_of_an_imported_package(imports):
    """In whatever order; and nothing heavy is loaded for it."""
    code = f"import sys, {imports}; print(*gymnasium.registry, 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    *names, torch_is_loaded = done.stdout.split()
    assert {f"visuomotor/{name}-v0" for name in registry.BUILT_IN["task"]} <= set(names)
    assert torch_is_loaded == "False"


def test_a_package_without_gymnasium_is_none_the_worse():
    code = "import sys, visuomotor; sys.path[:] = []; import gymnasium"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.endswith("ModuleNotFoundError: No module named 'gymnasium'\n")


@pytest.mark.parametrize("name", registry.BUILT_IN["task"])
def test_every_name_makes_its_environments(name):
    envs = gymnasium.make_vec(f"visuomotor/{name}-v0", num_envs=2, image_size=24)
    assert isinstance(envs, VisuomotorVectorEnv)
    assert (envs.num_envs, envs.task.name) == (2, name)
    env = gymnasium.make(f"visuomotor/{name}-v0", image_size=24)
    assert isinstance(env.unwrapped, VisuomotorEnv)
    assert env.observation_space == envs.single_observation_space
    assert env.spec.max_episode_steps == envs.task.max_episode_steps
    assert env.spec.make().unwrapped.spec == env.unwrapped.spec


def test_names_of_installed_packages_are_known_too(monkeypatch, recwarn):
    monkeypatch.setattr(gymnasium.envs.registration, "registry", {})
    monkeypatch.setattr(gymnasium, "registry", gymnasium.envs.registration.registry)
    monkeypatch.setattr(registry, "names", lambda kind: ["lifting", "my.own", "no name"])
    for _ in range(2):
        register_tasks()
    assert list(gymnasium.registry) == ["visuomotor/lifting-v0", "visuomotor/my.own-v0"]
    assert gymnasium.spec("visuomotor/my.own-v0").kwargs == {"task": "my.own"}
    assert not recwarn.list


def test_the_spec_of_a_single_environment_makes_many():
    spec = gymnasium.make("visuomotor/lifting-v0", image_size=8).spec
    many = gymnasium.make_vec(spec, num_envs=2)
    assert many.unwrapped.vec_env.max_episode_steps == spec.max_episode_steps
    many = gymnasium.make_vec("visuomotor/lifting-v0", num_envs=2, image_size=8, max_episode_steps=7)
    assert many.unwrapped.vec_env.max_episode_steps == 7
