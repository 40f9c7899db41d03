"""From a run folder with a policy to results, tables, videos and figures."""

import re
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from matplotlib.image import imread

import visuomotor
from visuomotor.algorithms.gps.config import PRESETS
from visuomotor.algorithms.trajectory_search import Cem
from visuomotor.cli import main
from visuomotor.errors import VisuomotorError
from visuomotor.evaluation import read_results
from visuomotor.evaluation.evaluate import evaluate
from visuomotor.evaluation.feature_point_figures import draw_feature_point_figures
from visuomotor.figures.video import read_video
from visuomotor.policies import PoseNetwork, TrainedPolicy, VisuomotorPolicy
from visuomotor.policies.policy import FILE_NAME
from visuomotor.policies.recurrent_policy import RecurrentPolicy
from visuomotor.props import table
from visuomotor.runs import Run, save_checkpoint
from visuomotor.tasks.jaco.lifting import Lifting
from visuomotor.tasks.pr2.hanger import Hanger


@dataclass
class Made:
    run: Run
    task: Lifting


@pytest.fixture
def made(tmp_path, monkeypatch, spec) -> Made:
    """A run on lifting whose policy has learned nothing; episodes are short."""
    monkeypatch.setattr(Lifting, "max_episode_steps", 8)
    config = replace(PRESETS["laptop"], image=replace(PRESETS["laptop"].image, size=32))
    run = Run.create(tmp_path, algorithm="gps", task="lifting", preset="laptop", seed=3, config=config, name="mine")
    task = Lifting()
    torch.manual_seed(0)
    network = VisuomotorPolicy(task.size("proprioception"), task.action_size)
    TrainedPolicy(network, spec(task)).save(run.path / FILE_NAME)
    return Made(run, task)


def test_a_result_tells_what_was_measured(made):
    result = evaluate(made.run, "random", trials=3)
    assert (result.task, result.algorithm, result.split, result.seed) == ("lifting", "gps", "random", 3)
    assert (result.trials, result.control_steps, result.num_diverged) == (3, 7, 0)
    assert list(result.stages) == ["start", "reached", "lifted"]
    assert result.stages["start"] == 3
    for stage, name in enumerate(result.stages):
        assert result.stages[name] == sum(furthest >= stage for furthest in result.outcomes.furthest_stage)
    assert result.training_commit == made.run.metadata["commit"]
    assert result.mean_final_distance_m > 0


def test_what_the_run_changed_in_its_preset_is_told(made):
    for demos, told in (("here/lifting.hdf5", ""), ("here/five.hdf5", ", demos five.hdf5")):
        made.run.metadata["config"] |= {"demos": demos, "save_interval": 3}  # how often does not change what is learned
        settings = evaluate(made.run, "random", trials=1).settings
        assert settings == f"image.size 32{told}, stopped after 7 control steps"


def test_the_seed_makes_the_trials(made, monkeypatch):
    starts = []
    reset = Lifting.reset

    def remember(self, engine, env_ids, params):
        starts.append(params.placement["block_position"])
        reset(self, engine, env_ids, params)

    monkeypatch.setattr(Lifting, "reset", remember)
    drawn = []
    for seed in (0, 0, 1):
        evaluate(made.run, "random", trials=3, seed=seed)
        drawn.append(starts[-1])
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_from_run_folder_to_table_and_video(made, capsys):
    assert main(["evaluate", str(made.run.path), "--trials", "3", "--video"]) == 0
    [result] = read_results(made.run.results)
    assert (result.split, result.trials, result.stages["start"]) == ("random", 3, 3)
    assert len(read_video(made.run.videos / "random.mp4")) == 9  # the start and what each step led to
    printed = capsys.readouterr().out
    assert re.search(r"\| lifting \| gps \| laptop \| random \| 1 \| \d / 3 \|", printed)
    assert "stage reached" in printed
    assert re.search(r"^random: \d of 3 trials failed", printed, re.MULTILINE)
    assert "| image.size 32, stopped after 7 control steps |" in printed
    assert (made.run.figures / "feature_points_random.png").is_file()


def test_the_public_function_takes_a_folder(made):
    assert visuomotor.evaluate(str(made.run.path), "random", trials=np.int64(2), seed=np.int64(0)).trials == 2


def test_a_run_without_a_policy(made):
    (made.run.path / FILE_NAME).unlink()
    with pytest.raises(VisuomotorError, match=r"no policy file .* training writes it"):
        evaluate(made.run, "random", trials=1)


def test_a_search_has_no_policy_to_evaluate(tmp_path):
    run = Run.create(tmp_path, algorithm="cem", task="lifting", preset="laptop", seed=0, config=Cem.presets["laptop"])
    with pytest.raises(VisuomotorError, match=r"cem trains no policy from pixels, .* visuomotor report"):
        evaluate(run, "random", trials=1)


@pytest.mark.parametrize(
    ("trials", "seed", "name"),
    [(0, 0, "trials"), (1, -1, "seed"), (1, 2**31, "seed"), ("1", 0, "trials"), (1.0, 0, "trials"), (1, None, "seed")],
)
def test_numbers_out_of_range_are_refused(made, trials, seed, name):
    with pytest.raises(VisuomotorError, match=f"{name} must be a whole number from"):
        evaluate(made.run, "random", trials=trials, seed=seed)


def test_splits_and_presets_that_do_not_exist(made):
    with pytest.raises(VisuomotorError, match="task 'lifting' has no split 'visual'; choose one of: random"):
        evaluate(made.run, "visual", trials=1)
    made.run.metadata["preset"] = "mainframe"
    with pytest.raises(VisuomotorError, match="no preset 'mainframe'"):
        evaluate(made.run, "random", trials=1)


def test_another_camera_than_the_policys_is_refused(made, monkeypatch):
    monkeypatch.setattr(table, "CAMERA_POSITION", (0.0, -0.6, 0.9))
    with pytest.raises(VisuomotorError, match="trained with another camera"):
        evaluate(made.run, "random", trials=1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"proprioception_size": 5}, "proprioception size was 5 in training, is 24 now"),
        (
            {"proprioception": (*[("sin jaco_joint_1", "1")] * 6, *[("?", "rad")] * 18)},
            r"reading 1 was sin jaco_joint_1 \(1\) in training, is sin jaco_joint_2 \(1\) now",
        ),
        ({"action_limits": (1.0, 2.0)}, "number of actions was 2 in training, is 9 now"),
        ({"action_unit": "N m"}, "unit of actions was N m in training, is rad/s now"),
        ({"action_limits": (5.0,) * 9}, r"action_limits was \[5.0, .* in training, is \[0.628"),
        ({"control_dt": 0.1}, "control_dt"),
        ({"task_name": "stacking"}, "task was stacking in training, is lifting now; put back the run's own policy"),
        ({"algorithm": "ppo-gail"}, "algorithm was ppo-gail in training, is gps now"),
    ],
)
def test_a_policy_for_another_task_robot_or_algorithm_is_refused(made, spec, changes, message):
    told = spec(made.task, **changes)
    network = VisuomotorPolicy(told.proprioception_size, len(told.action_limits))
    TrainedPolicy(network, told).save(made.run.path / FILE_NAME)
    with pytest.raises(VisuomotorError, match=message):
        evaluate(made.run, "random", trials=1)


def test_recurrent_policies_are_evaluated_too_and_have_no_feature_points(made, spec):
    network = RecurrentPolicy(made.task.size("proprioception"), made.task.action_size, 1, 24)
    TrainedPolicy(network, spec(made.task)).save(made.run.path / FILE_NAME)
    assert evaluate(made.run, "random", trials=2).trials == 2
    assert draw_feature_point_figures(made.run) == []


def test_feature_points_of_the_policy_and_of_the_pose_network(tmp_path, monkeypatch, spec):
    monkeypatch.setattr(Hanger, "max_episode_steps", 4)
    task = Hanger()
    run = Run.create(tmp_path, algorithm="gps", task="hanger", preset="laptop", seed=0, config=PRESETS["laptop"])
    policy = VisuomotorPolicy(task.size("proprioception"), task.action_size)
    TrainedPolicy(policy, spec(task, size=32)).save(run.path / FILE_NAME)
    save_checkpoint(run.latest_checkpoint, {"state": {"pose_network": dict(PoseNetwork().state_dict())}})
    drawn = draw_feature_point_figures(run)
    points = [f"feature_points_{split}.png" for split in ("training", "visual", "background")]
    assert [path.name for path in drawn] == [points[0], "policy_against_pose.png", *points[1:]]
    assert len({imread(path).tobytes() for path in drawn}) == 4
