"""The example of a user's own robot, as a user uses it: by its file, from any folder. Its errors are those of the
documentation."""

import os
import re
import shutil
from math import cos, pi, sin
from pathlib import Path

import pytest
import torch

from visuomotor.cli import main
from visuomotor.demos.generate import demonstrate
from visuomotor.engine import Engine
from visuomotor.errors import VisuomotorError
from visuomotor.runs import Run
from visuomotor.tasks import Task, make_task

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "own_robot"
LIFT, DEMOS = f"{EXAMPLE / 'lift.py'}:Lift", EXAMPLE / "demos.hdf5"
DOCUMENTATION = " ".join((ROOT / "docs" / "your_own_task.md").read_text().split())


@pytest.fixture(scope="module")
def task() -> Task:
    return make_task(LIFT)


def started(task: Task, worlds: int, randomize: bool = True) -> Engine:
    engine = task.make_engine(worlds, 1)
    params = task.sample_reset(worlds, torch.Generator().manual_seed(0), randomize=randomize)
    task.reset(engine, torch.arange(worlds), params)
    return engine


def test_blocks_stand_on_the_table_within_reach_and_differ(task):
    engine = started(task, 50)
    block = task.keypoints(engine)[:, 0]
    half = engine.model_field("geom_size")[:, task.model.geom("block").id, 0]
    torch.testing.assert_close(block[:, 2].double(), half, atol=1e-7, rtol=0)
    assert ((block[:, :2] - torch.tensor([0.21, 0.0])).abs() <= 0.05).all()
    assert block[:, :2].std(0).min() > 0.02  # uniform over 10 cm: 2.9 cm
    assert 0.012 <= half.min() < half.max() <= 0.018
    assert (task.stage(engine) == 0).all()
    task.step(engine, torch.zeros(50, 6))
    assert (task.keypoints(engine)[:, 0] - block).abs().max() < 1e-3  # nothing falls, jumps or is pushed


@pytest.mark.parametrize(
    ("offset", "tilt", "stage"),
    [
        ((0, 0, -0.075), 0, "start"),  # on the table, under the gripper
        ((0.035, 0, -0.03), 0, "start"),
        ((0, 0, -0.028), 0, "reached"),  # its lowest corner is 47 mm above the table
        ((0, 0, -0.02), 0, "lifted"),  # 55 mm
        ((0, 0, -0.02), pi / 4, "reached"),  # an edge is lower than a face: 49 mm
        ((0, 0, 0.06), 0, "start"),  # in the air, without the gripper
    ],
)
def test_stages(task, offset, tilt, stage):
    """The gripper is at home, 90 mm above the table; the block has half an edge of 15 mm."""
    engine = started(task, 1, randomize=False)
    task.robot.set_joints(engine, torch.arange(1), task.robot.home[None])
    engine.forward()
    pose = [*(task.robot.end_effector_position(engine)[0] + torch.tensor(offset)), cos(tilt / 2), 0, sin(tilt / 2), 0]
    address = int(task.model.joint("block").qposadr[0])
    engine.field("qpos")[0, address : address + 7] = torch.tensor(pose, dtype=torch.float64)
    engine.forward()
    assert task.stages[int(task.stage(engine)[0])] == stage


def test_the_expert_lifts(task):
    """Of 40 starts; 200 of 200 with another seed."""
    episodes = demonstrate(task, 40, torch.Generator().manual_seed(1))
    assert sum(episode.success for episode in episodes) >= 38


def test_its_demonstrations_verify(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["demos", "verify", str(DEMOS)]) == 0
    assert "30 of 30 episodes passed; 30 end in success" in capsys.readouterr().out


def test_ppo_gail_trains_and_is_evaluated_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lift, demos = os.path.relpath(EXAMPLE / "lift.py"), os.path.relpath(DEMOS)
    few = ["--num-envs", "8", "--total-steps", "400", "--save-interval", "1"]
    few += ["--auxiliary.pretraining-updates", "4", "--auxiliary.updates-per-iteration", "2"]
    assert main(["train", "ppo-gail", f"{lift}:Lift", "--demos", demos, "--name", "mine", *few]) == 0
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert main(["evaluate", "../runs/mine", "--trials", "4"]) == 0
    run = Run.open("../runs/mine")
    assert [row["control_steps"] for row in run.metrics() if row["phase"] == "ppo"] == [200, 400]
    assert run.task == LIFT
    assert len(list(run.results.glob("*.json"))) == 1


def test_gps_starts_on_it(tmp_path):
    few = ["--num-conditions", "2", "--pose.images", "20", "--pose.epochs", "1", "--trajectory.iterations", "1"]
    few += ["--end-to-end.iterations", "0", "--state-policy.steps", "2", "--dynamics.clusters", "2"]
    assert main(["train", "gps", LIFT, "--root", str(tmp_path), "--name", "mine", *few]) == 0
    *_, row = Run.open(tmp_path / "mine").metrics()
    assert row["phase"] == "trajectories"
    assert row["num_diverged"] == 0


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("def stage(", "def stags(", "lacks stage (stage(self, engine) -> (n,) int64)"),
        (
            'camera="side"',
            'camera="front"',
            "there is no camera in the scene of task 'lift' named 'front'; choose one of: side",
        ),
        ('end_effector="gripper"', 'end_effector="tip"', "there is no site 'tip'; choose one of: gripper"),
        (", max_speed=[1.5] * 5 + [2.0]", "", "position actuators do not tell how fast they are; give max_speed"),
        ("(0.0, 0.125, 1.0)", "(0.0, 1.0)", "give at least two stages, and one reward for each"),
        ('placement["gripper"]', 'placement["hand"]', "reset raises KeyError in line"),
        (".norm(dim=-1)\n", ".norm()\n", "stage raises IndexError in line"),
        ("REACH_RADIUS).long()", "REACH_RADIUS)", "stage(engine) gives torch.bool; expected torch.int64"),
        ("[:, [self.block]]", "[:, self.block]", "keypoints(engine) gives (2, 3) torch.float32 for 2 worlds; expected"),
        ("        engine.forward(env_ids)\n", "", "reset leaves old positions; end it with engine.forward(env_ids)"),
        ("self.randomizer", "self.variation", "sample_reset gives dynamics that nothing applies"),
        ("        engine.reset(env_ids)\n", "", "reset gives two states for the same params"),
        ("[self.block]].float()", "[self.block]]", "keypoints(engine) gives torch.float64; expected torch.float32"),
        ('named("block")', 'named("brick")', "cannot be made: KeyError"),
    ],
)
def test_mistakes_are_told_as_documented(tmp_path, old, new, message):
    for file in (*EXAMPLE.glob("*.xml"), EXAMPLE / "lift.py"):
        shutil.copy(file, tmp_path)
    path = tmp_path / "lift.py"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(VisuomotorError, match=re.escape(message)):
        make_task(f"{path}:Lift")
    assert f"`{message}" in DOCUMENTATION
