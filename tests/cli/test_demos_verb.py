import dataclasses
import json
import os
import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import h5py
import numpy as np
import pytest
import torch

from visuomotor.cli import main
from visuomotor.demos import read_demonstrations, write_demonstrations
from visuomotor.demos.generate import demonstrate
from visuomotor.demos.replay import StateReplay
from visuomotor.figures.video import read_video
from visuomotor.tasks import make_task

OWN_TASK = """
from visuomotor.demos.lifting import lift
from visuomotor.tasks.jaco.lifting import Lifting


def carefully(expert):
    expert.gain = 0.4
    yield from lift(expert)


class Careful(Lifting):
    name = "careful"
    expert = carefully
"""


class Spec(NamedTuple):
    path: Path
    algorithm: str = "gps"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    path = tmp_path_factory.mktemp("demos") / "lifting.hdf5"
    assert main(["demos", "generate", "lifting", "--episodes", "3", "--seed", "1", "--out", str(path)]) == 0
    return path


def test_generate_prints_what_it_made(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["demos", "generate", "lifting", "--episodes", "2"]) == 0
    printed = capsys.readouterr().out
    assert "of all generated episodes succeeded; failures are left out" in printed
    assert "demos/lifting.hdf5: 2 episodes of lifting" in printed
    assert "mean return" in printed
    assert (tmp_path / "demos" / "lifting.hdf5").is_file()
    assert main(["demos", "generate", "lifting", "--episodes", "1", "--keep-failures", "--overwrite"]) == 0
    assert "failures are kept" in capsys.readouterr().out


def test_the_same_seed_gives_the_same_demonstrations(recorded, tmp_path):
    main(["demos", "generate", "lifting", "--episodes", "3", "--seed", "1", "--out", str(tmp_path / "again.hdf5")])
    with h5py.File(recorded) as one, h5py.File(tmp_path / "again.hdf5") as other:
        for name in ("states", "actions", "dynamics/block_half"):
            assert (one[f"data/demo_2/{name}"][()] == other[f"data/demo_2/{name}"][()]).all()


def test_a_policy_may_demonstrate(tmp_path, capsys, monkeypatch):
    """Its task must be this one; the file tells who demonstrated."""
    episodes = demonstrate(make_task("lifting"), 2, torch.Generator().manual_seed(1))
    used, checked = [], []
    monkeypatch.setattr("visuomotor.policies.load_policy", lambda path: SimpleNamespace(spec=Spec(path)))
    monkeypatch.setattr("visuomotor.algorithms.algorithm.check_policy_fits", lambda *words: checked.append(words[0]))
    monkeypatch.setattr("visuomotor.demos.generate.demonstrate_by_policy", lambda *w: used.append(w[1]) or episodes)
    path = tmp_path / "it.hdf5"
    assert main(["demos", "generate", "lifting", "--episodes", "2", "--policy", "a/run", "--out", str(path)]) == 0
    assert [policy.spec for policy in used] == checked == [Spec(Path("a/run"))]
    assert read_demonstrations(path, make_task("lifting")).metadata["demonstrator"] == "policy"


def test_observations_and_actions_are_optional(tmp_path, capsys):
    path = tmp_path / "it.hdf5"
    main(["demos", "generate", "lifting", "--episodes", "1", "--observations", "--no-actions", "--out", str(path)])
    assert "actions: no" in capsys.readouterr().out
    with h5py.File(path) as file:
        demo = file["data/demo_0"]
        assert demo["obs/image"].shape == (demo.attrs["num_samples"], 64, 64, 3)
        assert demo["next_obs/proprioception"].shape == (demo.attrs["num_samples"], 24)
        assert "actions" not in demo
    assert main(["demos", "verify", str(path)]) == 0
    assert "no actions to replay" in capsys.readouterr().out


def test_a_task_in_a_file_of_the_users(tmp_path, capsys, monkeypatch):
    """The file of demonstrations remembers where the task is, from any folder, and when both move together; if the task
    alone has moved, --task says where."""
    (tmp_path / "mine.py").write_text(OWN_TASK)
    monkeypatch.chdir(tmp_path)
    assert main(["demos", "generate", "mine.py:Careful", "--episodes", "1"]) == 0
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    path = tmp_path / "demos" / "careful.hdf5"
    assert main(["demos", "verify", str(path)]) == 0
    assert "demo_0: passed" in capsys.readouterr().out
    together = tmp_path.rename(tmp_path.with_name("together"))
    path = together / "demos" / "careful.hdf5"
    monkeypatch.chdir(together / "elsewhere")
    assert main(["demos", "verify", str(path)]) == 0
    assert str(tmp_path).encode() not in path.read_bytes()
    (together / "mine.py").rename("moved.py")
    assert main(["demos", "verify", str(path)]) == 2
    assert "give --task" in capsys.readouterr().err
    assert main(["demos", "verify", str(path), "--task", "moved.py:Careful"]) == 0


def test_info(recorded, capsys):
    assert main(["demos", "info", str(recorded)]) == 0
    printed = capsys.readouterr().out
    for words in ("3 episodes of lifting", "success: 3 of 3", "seed: 1", "model_hash: ", "states by stage: start"):
        assert words in printed


def test_info_counts_who_is_in_time(recorded, tmp_path, capsys, monkeypatch):
    """Of three episodes one lifts its block within the steps that the task is given, and two after that."""
    lifting = make_task("lifting")
    episodes = read_demonstrations(recorded, lifting).episodes
    lifted = sorted(int((episode.stages == 2).nonzero()[0, 0]) for episode in episodes)
    assert lifted[0] < lifted[1]
    monkeypatch.setattr(type(lifting), "max_episode_steps", lifted[1] - 1)
    write_demonstrations(tmp_path / "it.hdf5", lifting, episodes)
    assert main(["demos", "info", str(tmp_path / "it.hdf5")]) == 0
    assert "in the last stage by then: 1 of 3" in capsys.readouterr().out


def test_playback_of_one_and_all(recorded, tmp_path, capsys):
    one, all_ = tmp_path / "one.mp4", tmp_path / "all.mp4"
    for name in ("demo_1", "1"):
        assert main(["demos", "playback", str(recorded), "--episode", name, "--size", "64", "--out", str(one)]) == 0
        with h5py.File(recorded) as file:
            assert read_video(one).shape == (len(file["data/demo_1/states"]) + 1, 64, 64, 3)
    assert main(["demos", "playback", str(recorded), "--grid", "--size", "32", "--out", str(all_)]) == 0
    assert read_video(all_).shape[1:3] == (2 * 38 + 2, 2 * 38 + 2)
    assert main(["demos", "playback", str(recorded), "--episode", "3", "--out", str(one)]) == 2
    assert "has no episode '3'; choose one of: demo_0, demo_1, demo_2" in capsys.readouterr().err


def test_verify_passes_and_fails(recorded, tmp_path, capsys):
    assert main(["demos", "verify", str(recorded)]) == 0
    printed = capsys.readouterr().out
    assert "demo_0: passed: states reproduce" in printed
    assert "3 of 3 episodes passed; 3 end in success" in printed
    damaged = tmp_path / "damaged.hdf5"
    damaged.write_bytes(recorded.read_bytes())
    with h5py.File(damaged, "a") as file:
        del file["data/demo_1"]
        file["data/demo_2/actions"][20] = 0.7
    assert main(["demos", "verify", str(damaged)]) == 1
    printed = capsys.readouterr().out
    assert "demo_2: FAILED: states do not follow" in printed  # the second episode, by its own name
    assert "demo_1" not in printed
    assert "1 of 2 episodes passed" in printed


def test_verify_says_who_did_not_succeed(recorded, tmp_path, capsys):
    task = make_task("lifting")
    episodes = read_demonstrations(recorded, task).episodes
    cut = [dataclasses.replace(it, states=it.states[:21], actions=it.actions[:20]) for it in episodes[:1]]
    cut = [dataclasses.replace(it, stages=it.stages[:21], rewards=it.rewards[:20], success=False) for it in cut]
    write_demonstrations(tmp_path / "it.hdf5", task, [*cut, episodes[1]])
    assert main(["demos", "verify", str(tmp_path / "it.hdf5")]) == 0
    first, second, last = capsys.readouterr().out.splitlines()
    assert first.endswith("does NOT succeed")
    assert second.endswith("succeeds")
    assert last == "2 of 2 episodes passed; 1 end in success"


def test_nothing_is_overwritten_unasked(tmp_path, capsys):
    path = tmp_path / "it.hdf5"
    path.write_text("mine")
    assert main(["demos", "generate", "lifting", "--episodes", "1", "--out", str(path)]) == 2
    assert "give --overwrite" in capsys.readouterr().err
    assert path.read_text() == "mine"
    assert main(["demos", "generate", "lifting", "--episodes", "1", "--out", str(path), "--overwrite"]) == 0


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("folder", "it is a folder; give the name of a file"),
        ("pipe", "it is no regular file"),
        ("file/it.hdf5", "file is no folder; give another name"),
        ("nowhere", "nowhere exists; give --overwrite, or another --out"),
    ],
)
def test_a_place_that_cannot_be_written_is_found_before_the_work(tmp_path, monkeypatch, capsys, name, told):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("mine")
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.setattr("visuomotor.demos.generate.record", lambda *_: pytest.fail("this is the work"))
    assert main(["demos", "generate", "lifting", "--episodes", "1", "--out", str(tmp_path / name)]) == 2
    assert told in capsys.readouterr().err
    assert (tmp_path / "file").read_text() == "mine"


def test_merge_and_render(recorded, tmp_path, capsys, monkeypatch):
    """The same observations as those of `generate --observations`; names, masks and metadata stay."""
    monkeypatch.chdir(tmp_path)
    small = ["lifting", "--episodes", "1", "--seed", "5", "--out"]
    assert main(["demos", "generate", *small, "plain.hdf5"]) == 0
    assert "no episode is in the mask valid" in capsys.readouterr().out
    assert main(["demos", "generate", *small, "observed.hdf5", "--observations"]) == 0
    assert main(["demos", "merge", "plain.hdf5", str(recorded), "--out", "merged.hdf5"]) == 0
    printed = capsys.readouterr().out.partition("merged.hdf5: 4 episodes of lifting")[2]
    assert "mask valid: 1 of 4" in printed
    assert "no episode is in" not in printed
    merged = read_demonstrations(tmp_path / "merged.hdf5")
    assert merged.masks["train"] == ["demo_0", "demo_1", "demo_2"]
    assert merged.masks["valid"] == ["demo_3"]
    assert [source["seed"] for source in merged.metadata["sources"]] == [5, 1]
    assert merged.metadata["command"].startswith("visuomotor demos merge plain.hdf5")
    with h5py.File("merged.hdf5", "a") as file:
        assert file["data"].attrs["total"] == sum(len(episode) for episode in merged.episodes)
        del file["data/demo_1"]
    assert main(["demos", "render", "merged.hdf5"]) == 0
    rendered = read_demonstrations(tmp_path / "merged_rendered.hdf5", observations=True)
    assert [episode.name for episode in rendered.episodes] == ["demo_0", "demo_2", "demo_3"]
    assert rendered.masks["train"] == ["demo_0", "demo_2"]
    assert rendered.metadata == merged.metadata
    (generated,) = read_demonstrations(tmp_path / "observed.hdf5", observations=True).episodes
    for name in ("image", "proprioception"):
        assert torch.equal(rendered.episodes[0].observations[name], generated.observations[name])
    assert main(["demos", "render", "merged.hdf5"]) == 2
    assert "merged_rendered.hdf5 exists; give --overwrite" in capsys.readouterr().err
    assert main(["demos", "render", "merged.hdf5", "--size", "16", "--overwrite"]) == 0
    with h5py.File("merged_rendered.hdf5") as file:
        assert file["data/demo_2/next_obs/image"].shape[1:] == (16, 16, 3)


def test_merge_refuses(recorded, tmp_path, capsys):
    other = tmp_path / "other.hdf5"
    other.write_bytes(recorded.read_bytes())
    assert main(["demos", "merge", str(recorded), "--out", str(tmp_path / "new.hdf5")]) == 2
    assert "two or more files" in capsys.readouterr().err
    assert main(["demos", "merge", str(recorded), str(other), "--out", str(other)]) == 2
    assert f"{other} exists; give --overwrite, or another --out" in capsys.readouterr().err
    assert other.read_bytes() == recorded.read_bytes()


def test_what_is_not_copied_is_told(recorded, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine.hdf5").write_bytes(recorded.read_bytes())
    with h5py.File("mine.hdf5", "a") as file:
        file.create_group("notes")
        file.attrs["license"] = "MIT"
        file["data"].attrs["made_by"] = "a lab"
        file["data/demo_1"].attrs["model_file"] = "<mujoco/>"
        file["data/demo_1/datagen_info/subtask"] = np.zeros(3)
        steps = file["data/demo_1"].attrs["num_samples"]
        for name in ("obs", "next_obs"):
            file[f"data/demo_1/{name}/depth"] = np.zeros((steps, 4))
    told = (
        "notes, the attribute license, the attribute made_by of data, datagen_info of episodes, "
        "the attribute model_file of episodes, obs/depth"
    )
    with pytest.warns(UserWarning, match=f"what else mine.hdf5 holds is not copied: {told}$"):
        assert main(["demos", "render", "mine.hdf5", "--size", "8"]) == 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert main(["demos", "render", "mine_rendered.hdf5", "--size", "8", "--out", "again.hdf5"]) == 0


def test_a_file_of_the_users_task_is_rendered_elsewhere(tmp_path, monkeypatch):
    """The copy knows the way to the task from where it is."""
    (tmp_path / "mine.py").write_text(OWN_TASK)
    monkeypatch.chdir(tmp_path)
    assert main(["demos", "generate", "mine.py:Careful", "--episodes", "1"]) == 0
    copy = tmp_path / "deep" / "er" / "copy.hdf5"
    assert main(["demos", "render", "demos/careful.hdf5", "--size", "8", "--out", str(copy)]) == 0
    with h5py.File(copy) as file:
        assert json.loads(file["data"].attrs["env_args"])["env_kwargs"]["task"] == "../../mine.py:Careful"
    assert main(["demos", "verify", str(copy)]) == 0
    (tmp_path / "mine.py").rename("moved.py")
    again = ["demos", "render", str(copy), "--size", "8", "--out", "again.hdf5", "--task", "moved.py:Careful"]
    assert main(again) == 0
    assert read_demonstrations(tmp_path / "again.hdf5").metadata["task"] == f"{tmp_path / 'moved.py'}:Careful"


def test_info_prints_whatever_a_file_says(recorded, tmp_path, capsys):
    path = tmp_path / "odd.hdf5"
    path.write_bytes(recorded.read_bytes())
    with h5py.File(path, "a") as file:
        arguments = json.loads(file["data"].attrs["env_args"])
        arguments["env_kwargs"] |= {"note": "two\nlines", "name\ud800": {"a": [None, "ä"]}}
        file["data"].attrs["env_args"] = json.dumps(arguments)
    assert main(["demos", "info", str(path)]) == 0
    printed = capsys.readouterr().out
    assert "note: two\\nlines" in printed
    assert "name\\ud800" in printed
    assert "mask valid: 1 of 3" in printed


@pytest.mark.parametrize("name", ["a.gif", "a.xyz", "a"])
def test_a_video_of_another_format_is_refused_before_anything_is_drawn(recorded, tmp_path, capsys, monkeypatch, name):
    monkeypatch.setattr(StateReplay, "images", None)
    assert main(["demos", "playback", str(recorded), "--out", str(tmp_path / name)]) == 2
    assert f"{name} has another ending; give a name that ends in .mp4" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_user_errors_exit_with_2(tmp_path, capsys):
    assert main(["demos", "generate", "nothing"]) == 2
    assert main(["demos", "generate", "lifting", "--episodes", "0"]) == 2
    assert main(["demos", "info", str(tmp_path / "no.hdf5")]) == 2
    assert main(["demos", "verfy", "it"]) == 2
    assert "did you mean 'verify'?" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["demos", "--help"], ["demos", "generate", "--help"]])
def test_help_lists_the_commands_without_torch(arguments):
    code = "import sys; from visuomotor.cli import main\ntry: main(sys.argv[1:])\nfinally: print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    assert "visuomotor demos" in done.stdout
    assert "torch" not in done.stdout.split()
