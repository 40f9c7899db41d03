"""TrialResults of a recurrent policy: success at the end, stages on the way, returns; and the whole of it on a real run."""

import re
from dataclasses import dataclass, replace

import pytest
import torch

from visuomotor.camera import camera_spec
from visuomotor.cli import main
from visuomotor.errors import VisuomotorError
from visuomotor.evaluation import Outcomes, read_results, staged_trials
from visuomotor.evaluation.evaluate import evaluate
from visuomotor.figures.video import read_video
from visuomotor.policies.recurrent_policy import RecurrentPolicy
from visuomotor.algorithms.ppo_gail.config import PRESETS
from visuomotor.algorithms.ppo_gail.trained import CHECKPOINT
from visuomotor.props import table
from visuomotor.runs import Run, save_checkpoint
from visuomotor.tasks import VecEnv
from visuomotor.tasks.jaco.lifting import Lifting

# Stages by world, after each of five steps.
SCRIPT = torch.tensor([[0, 1, 2, 2, 2], [0, 1, 2, 2, 1], [0, 0, 1, 0, 0], [0, 0, 0, 0, 0], [1, 1, 1, 1, 2]])


class Scripted(Lifting):
    """Its stages follow the script, whatever happens."""

    steps = 5
    begun = 0
    """The first world's row in the script."""
    blows_up: int | None = None
    """The row of a world whose physics does so at step 3."""

    def stage(self, engine) -> torch.Tensor:
        step = round(float(engine.field("time").max()) / self.control_dt)
        rows = torch.arange(engine.worlds) + self.begun
        return SCRIPT[rows, step - 1] if step else torch.zeros(engine.worlds, dtype=torch.int64)

    def act(self, engine, actions) -> None:
        step = round(float(engine.field("time").max()) / self.control_dt)
        if step == 2 and self.blows_up is not None:
            engine.field("qvel")[self.blows_up - self.begun] = 1e12
        super().act(engine, actions)


class Counting:
    """A policy that notes its memory: it counts the steps of each episode."""

    image_size = 20

    def __init__(self):
        self.seen = []

    def initial_state(self, worlds):
        return torch.zeros(worlds, 1)

    def see(self, images):
        assert torch.is_inference_mode_enabled()
        return images

    def step(self, features, proprioception, state):
        self.seen.append((len(features), int(state[0, 0])))
        return torch.zeros(len(features), 9), state + 1


@dataclass
class Trained:
    task: Scripted
    policy: Counting
    image_size: int = 20
    control_steps: int = 7
    circumstances: tuple[str, ...] = ()
    started: int = 0

    def episodes(self, worlds: int, generator: torch.Generator) -> VecEnv:
        self.task.begun, self.started = self.started, self.started + worlds
        return VecEnv(self.task, worlds, generator, image_size=self.image_size)


@pytest.fixture
def trained(monkeypatch) -> Trained:
    found = Trained(Scripted(), Counting())
    monkeypatch.setattr(staged_trials, "load_trained", lambda run: found)
    return found


@pytest.fixture
def run(tmp_path) -> Run:
    config = replace(PRESETS["laptop"], policy=replace(PRESETS["laptop"].policy, image_size=20))
    return Run.create(tmp_path, method="ppo-gail", task="lifting", preset="laptop", seed=3, config=config, name="mine")


def save_policy(run: Run) -> None:
    """A checkpoint with a policy that has learned nothing."""
    task = Lifting()
    torch.manual_seed(0)
    policy = RecurrentPolicy(task.proprioception_size, task.action_size, len(task.objects), 20)
    view = camera_spec(task.model, task.camera, 20, 1)
    progress = {"cloned": 0, "control_steps": 7, "processes": [{}]}
    rest = {"task": "lifting", "view": view, "policy": dict(policy.state_dict()), **progress}
    save_checkpoint(run.latest_checkpoint, {**CHECKPOINT, **rest})


def test_success_is_the_last_stage_at_the_last_step(trained, run):
    result = evaluate(run, "random", trials=5)
    assert (result.trials, result.successes) == (5, 2)
    assert result.stages == {"start": 5, "reached": 4, "lifted": 3}
    assert result.outcomes == Outcomes((True, False, False, False, True), furthest_stage=(2, 2, 1, 0, 2))
    # Worlds 0 to 4 earn, with 1/8 for reached and 1 for lifted:
    returns = [0.125 + 3, 0.125 + 2 + 0.125, 0.125, 0, 4 * 0.125 + 1]
    assert result.mean_return == pytest.approx(sum(returns) / 5)
    assert (result.method, result.protocol, result.seed) == ("ppo-gail", "random", 3)
    assert result.mean_final_distance_m is None


def test_what_the_run_changed_in_its_preset_is_told(trained, run):
    for demos, told in (("here/lifting.hdf5", ""), (None, ""), ("here/five.hdf5", "demos five.hdf5, ")):
        run.facts["config"] |= {"demos": demos, "checkpoint_every": 3}  # how often is no matter of learning
        result = evaluate(run, "random", trials=1)
        assert result.settings == told + "policy.image_size 20"
    trained.circumstances = ("processes 2",)
    assert evaluate(run, "random", trials=1).settings.endswith("policy.image_size 20, processes 2")
    assert result.training_commit == run.facts["commit"]


def test_a_preset_of_another_version(trained, run):
    run.facts["preset"] = "mainframe"
    with pytest.raises(VisuomotorError, match="no preset 'mainframe'"):
        evaluate(run, "random", trials=1)


def test_trials_are_run_in_batches_each_with_a_fresh_memory(trained, run, monkeypatch):
    monkeypatch.setattr(staged_trials, "_AT_ONCE", 2)
    result = evaluate(run, "random", trials=5)
    assert (result.successes, result.stages) == (2, {"start": 5, "reached": 4, "lifted": 3})
    assert result.outcomes.furthest_stage == (2, 2, 1, 0, 2)
    assert trained.policy.seen == [(worlds, step) for worlds in (2, 2, 1) for step in range(5)]


def test_a_world_that_blows_up_has_failed_and_counts_as_far_as_it_got(trained, run):
    trained.task.blows_up = 0
    result = evaluate(run, "random", trials=5)
    assert result.successes == 1
    assert result.stages == {"start": 5, "reached": 4, "lifted": 2}
    assert result.outcomes == Outcomes((False, False, False, False, True), furthest_stage=(1, 2, 1, 0, 2))


def test_images_of_a_size_that_the_policy_does_not_know_are_refused(trained, run):
    trained.image_size = 32
    trained.policy = RecurrentPolicy(24, 9, 1, image_size=20)  # type: ignore[assignment]
    with pytest.raises(VisuomotorError, match="was trained on 20x20 images"):
        evaluate(run, "random", trials=2)


def test_protocols_of_other_methods_are_refused(trained, run):
    with pytest.raises(VisuomotorError, match="no protocol 'spatial'; choose one of: random"):
        evaluate(run, "spatial", trials=2)
    run.facts["method"] = "dagger"
    with pytest.raises(VisuomotorError, match="no method 'dagger'; choose one of: gps, ppo-gail"):
        evaluate(run, "random", trials=2)


def test_from_checkpoint_to_table_and_video(run, monkeypatch, capsys):
    save_policy(run)
    monkeypatch.setattr(Lifting, "steps", 8)
    assert main(["evaluate", str(run.path), "--trials", "3", "--video"]) == 0
    [result] = read_results(run.results)
    assert (result.protocol, result.trials, result.stages["start"]) == ("random", 3, 3)
    assert len(read_video(run.videos / "random.mp4")) == 9  # the first and what each step led to
    printed = capsys.readouterr().out
    assert re.search(r"\| lifting \| ppo-gail \| laptop \| random \| 1 \| \d / 3 \|", printed)
    assert "got to" in printed
    assert re.search(r"^random: \d of 3 trials failed", printed, re.MULTILINE)
    assert result.control_steps == 7
    assert "| policy.image_size 20, stopped after 7 control steps |" in printed


def test_another_camera_than_the_policys_is_refused(run, monkeypatch):
    save_policy(run)
    with monkeypatch.context() as patch:
        patch.setitem(run.facts["config"]["policy"], "supersampling", 2)
        with pytest.raises(VisuomotorError, match="trained with another camera \\(supersampling 1, now 2\\)"):
            evaluate(run, "random", trials=2)
    monkeypatch.setattr(table, "CAMERA_POSITION", (0.0, -0.6, 0.9))
    with pytest.raises(VisuomotorError, match="trained with another camera"):
        evaluate(run, "random", trials=2)


def test_the_seed_makes_the_trials(run, monkeypatch):
    save_policy(run)
    monkeypatch.setattr(Lifting, "steps", 4)
    seen = []

    def remember(self, engine) -> torch.Tensor:
        seen.append(self.features(engine))
        return torch.zeros(engine.worlds, dtype=torch.int64)

    monkeypatch.setattr(Lifting, "stage", remember)
    trials = []
    for seed in (0, 0, 1):
        seen.clear()
        evaluate(run, "random", trials=3, seed=seed)
        trials.append(torch.stack(seen))
    assert torch.equal(trials[0], trials[1])
    assert not torch.equal(trials[0], trials[2])
