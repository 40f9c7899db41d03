"""`visuomotor train --resume` and `--from`: runs that go on, and what they refuse."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from toy_algorithm import OWN_TASK, Config, Toy, make_run

from visuomotor.cli import main
from visuomotor.policies import TrainedPolicy, VisuomotorPolicy
from visuomotor.runs import Run
from visuomotor.runs.lock import RunLock
from visuomotor.tasks import make_task


def test_resume_continues_with_the_runs_own_config(made):
    main(["train", "toy", "lifting", "--iterations", "5", "--interrupted-at", "3", "--seed", "3", "--name", "mine"])
    for command in (["toy", "--resume", "runs/mine"], ["toy", "lifting", "--resume", "runs/mine"]):
        assert main(["train", *command]) == 130
    assert [(toy.config, toy.seed, toy.started_at) for toy in made] == [
        (Config(5, interrupted_at=3), 3, s) for s in (0, 2, 2)
    ]


def test_a_resumed_run_ends_like_one_that_was_never_interrupted(made, capsys):
    main(["train", "toy", "lifting", "--iterations", "4", "--fails-at", "3", "--name", "mine"])
    config = json.loads(Path("runs/mine/config.json").read_text())
    config["config"]["fails_at"] = None  # whatever went wrong does so no longer
    Path("runs/mine/config.json").write_text(json.dumps(config))
    assert main(["train", "toy", "--resume", "runs/mine"]) == 0
    run = Run.open("runs/mine")
    assert [row["iteration"] for row in run.metrics()] == [1, 2, 3, 4]
    assert (made[-1].started_at, made[-1].count) == (2, 4)


def test_own_task_and_algorithm_from_files_resume_from_any_folder(made, tmp_path, monkeypatch):
    (tmp_path / "tasks.py").write_text(OWN_TASK)
    (tmp_path / "learn.py").write_text("from toy import Toy\n\nclass Other(Toy):\n    name = 'other'\n")
    (tmp_path / "five.hdf5").touch()
    command = ["train", "learn.py:Other", "tasks.py:Mine", "--demos", "five.hdf5", "--name", "a"]
    assert main([*command, "--interrupted-at", "2"]) == 130
    run = Run.open("runs/a")
    assert run.algorithm == f"{tmp_path / 'learn.py'}:Other"
    assert (run.task, run.task_name) == (f"{tmp_path / 'tasks.py'}:Mine", "mine")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert main(["train", "../learn.py:Other", "../tasks.py:Mine", "--resume", "../runs/a"]) == 130
    first, second = made
    assert (first.task.name, second.task.name, second.started_at) == ("mine", "mine", 1)
    assert second.task_reference == first.task_reference == run.task
    assert second.config.demos == tmp_path / "five.hdf5"


def test_a_task_that_has_moved_is_found_again(made, tmp_path, monkeypatch, capsys):
    """By itself where the run's folder has moved with it, such as to another machine; else where the user says."""
    (tmp_path / "tasks.py").write_text(OWN_TASK)
    (tmp_path / "learn.py").write_text("from toy import Toy\n\nclass Other(Toy):\n    name = 'other'\n")
    main(["train", "learn.py:Other", "tasks.py:Mine", "--name", "a", "--interrupted-at", "2"])
    together = tmp_path.rename(tmp_path.with_name("all_of_it"))
    monkeypatch.chdir(together)
    assert main(["train", "learn.py:Other", "--resume", "runs/a"]) == 130
    assert made[-1].started_at == 1
    assert made[-1].task_reference == f"{together / 'tasks.py'}:Mine"
    (together / "tasks.py").rename("moved.py")
    (together / "other.py").write_text(OWN_TASK.replace('"mine"', '"another"'))
    assert main(["train", "learn.py:Other", "--resume", "runs/a"]) == 2
    assert "if the task of runs/a has moved: --task" in capsys.readouterr().err
    assert main(["train", "learn.py:Other", "other.py:Mine", "--resume", "runs/a"]) == 2
    assert "runs/a is a run of the task 'mine', and " in capsys.readouterr().err
    assert main(["train", "learn.py:Other", "moved.py:Mine", "--resume", "runs/a"]) == 130
    assert Run.open("runs/a").task == f"{together / 'moved.py'}:Mine"
    assert main(["train", "learn.py:Other", "--resume", "runs/a"]) == 130


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["toy", "hanger", "--resume", "runs/mine"],
            "keeps its task (lifting), preset, seed and folder: leave out hang",
        ),
        (["toy", "--resume", "runs/mine", "--seed", "3", "--name", "a"], "leave out --seed --name"),
        (["toy", "--resume", "runs/mine", "--from", "runs/mine"], "leave out --from"),
        (["toy", "--resume", "runs/mine", "--preset", "paper"], "leave out --preset"),
        (["gps", "--resume", "runs/mine"], "is a run of toy; use visuomotor train toy"),
        (["toy", "lifting", "--name", "mine"], "is there already"),
    ],
)
def test_mistakes_beside_a_run_are_told(made, capsys, arguments, message):
    before = make_run().metadata
    assert main(["train", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert made == []
    assert Run.open("runs/mine").metadata == before


def test_runs_of_an_older_version_are_refused(made, capsys):
    Path("old").mkdir()
    Path("old/config.json").write_text(
        '{"method": "gps", "task": "hanger", "preset": "laptop", "seed": 0, "config": {}}'
    )
    assert main(["train", "gps", "--resume", "old"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_moved_demonstrations_can_be_told_to_a_resumed_run(made, tmp_path, capsys):
    make_run(name="shown", config=Config(demos=Path("lifting.hdf5")))
    assert main(["train", "toy", "--resume", "runs/shown"]) == 2
    assert "demonstrations of runs/shown are no longer at lifting.hdf5; say where with" in capsys.readouterr().err
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "lifting.hdf5").touch()
    assert main(["train", "toy", "--resume", "runs/shown", "--demos", "elsewhere/lifting.hdf5"]) == 0
    assert made[-1].config == Config(demos=tmp_path / "elsewhere/lifting.hdf5")


@pytest.mark.parametrize("fails_at", [0, 1])
def test_a_resumed_run_keeps_its_folder_whatever_goes_wrong(made, capsys, fails_at):
    make_run(config=Config(fails_at=fails_at))
    assert main(["train", "toy", "--resume", "runs/mine"]) == 2
    beginning = "it has no checkpoint yet: training starts from the beginning"
    assert (beginning in capsys.readouterr().out) == (fails_at == 1)
    assert Run.open("runs/mine").config(Config) == Config(fails_at=fails_at)


def test_interrupt_tells_how_to_continue(made, capsys):
    assert main(["train", "toy", "lifting", "--interrupted-at", "0", "--name", "a"]) == 130
    assert capsys.readouterr() == ("", "visuomotor: interrupted\n")
    assert main(["train", "toy", "lifting", "--interrupted-at", "1", "--name", "a"]) == 130
    assert "no checkpoint yet; runs/a can be deleted" in capsys.readouterr().err
    assert main(["train", "toy", "lifting", "--interrupted-at", "2", "--name", "b"]) == 130
    assert "continue with: visuomotor train toy --resume runs/b" in capsys.readouterr().err


def test_a_job_that_torchrun_restarted_continues_its_own_run_only(made, capsys, monkeypatch):
    command = ["train", "toy", "lifting", "--name", "mine"]
    assert main([*command, "--iterations", "5"]) == 0
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    assert main([*command, "--iterations", "5"]) == 0
    for other in (["--iterations", "6"], ["--iterations", "5", "--seed", "1"]):
        assert main([*command, *other]) == 2
        assert "mine is there already" in capsys.readouterr().err
    assert [toy.started_at for toy in made] == [0, 5]


def test_a_finished_run_is_prolonged_from_any_folder(made, tmp_path, monkeypatch, capsys):
    assert main(["train", "toy", "lifting", "--seed", "3", "--name", "mine"]) == 0
    monkeypatch.chdir(tmp_path / "runs/mine/..")
    assert main(["train", "toy", "--resume", "mine", "--iterations", "5"]) == 0
    assert (made[-1].started_at, made[-1].count, made[-1].weights) == (3, 5, 3)
    run = Run.open("mine")
    assert run.config(Config) == Config(5)
    assert run.metadata["changes"] == [{"row": 3, "before": {"iterations": 3}}]
    assert [row["iteration"] for row in run.metrics()] == [1, 2, 3, 4, 5]
    # and now that is its length, which cannot be less than what has been trained
    assert main(["train", "toy", "--resume", "mine"]) == 0
    assert made[-1].started_at == 5
    capsys.readouterr()
    assert main(["train", "toy", "--resume", "mine", "--iterations", "4"]) == 2
    told = "mine has 5 iterations already, more than iterations 4; give 5 or more, or train a new run"
    assert told in capsys.readouterr().err
    assert Run.open("mine").metadata == run.metadata
    assert len(run.metrics()) == 5


@pytest.mark.parametrize("by_hand", [False, True])
def test_other_settings_are_refused_by_name(made, capsys, by_hand):
    """Also where somebody has edited config.json: the checkpoint knows what it was trained with."""
    assert main(["train", "toy", "lifting", "--interrupted-at", "3", "--name", "mine"]) == 130
    config = Path("runs/mine/config.json")
    options = ["--inner.rate", "0.5"]
    if by_hand:
        values, options = json.loads(config.read_text()), []
        values["config"]["inner"]["rate"] = 0.5
        config.write_text(json.dumps(values))
    before = config.read_text(), Run.open("runs/mine").latest_checkpoint.read_bytes()
    assert main(["train", "toy", "--resume", "runs/mine", *options]) == 2
    message = capsys.readouterr().err
    assert "was trained with inner.rate 0.1 (now 0.5); what may change is demos, fails_at" in message
    assert "--from runs/mine" in message
    assert before == (config.read_text(), Run.open("runs/mine").latest_checkpoint.read_bytes())
    assert len(Run.open("runs/mine").metrics()) == 2


def test_a_checkpoint_of_another_seed_is_refused(made, capsys):
    assert main(["train", "toy", "lifting", "--name", "mine"]) == 0
    config = Path("runs/mine/config.json")
    config.write_text(config.read_text().replace('"seed": 0', '"seed": 4'))
    assert main(["train", "toy", "--resume", "runs/mine"]) == 2
    assert "written for seed 0, expected seed 4" in capsys.readouterr().err


def test_a_run_whose_checkpoint_is_lost_is_not_begun_anew_in_silence(made, capsys):
    assert main(["train", "toy", "lifting", "--name", "mine"]) == 0
    run = Run.open("runs/mine")
    run.latest_checkpoint.unlink()
    assert main(["train", "toy", "--resume", "runs/mine"]) == 2
    assert "has 3 rows of metrics and no checkpoint" in capsys.readouterr().err
    run.latest_checkpoint.mkdir()  # there is something, only no checkpoint
    assert main(["train", "toy", "--resume", "runs/mine"]) == 2
    printed = capsys.readouterr()
    assert "latest.pt is a folder, a pipe or a device, no checkpoint" in printed.err
    assert "starts from the beginning" not in printed.out
    assert len(run.metrics()) == 3


def test_a_run_killed_before_its_first_checkpoint_was_written_begins_anew(made):
    assert main(["train", "toy", "lifting", "--iterations", "1", "--name", "mine"]) == 0
    run = Run.open("runs/mine")
    run.latest_checkpoint.unlink()
    assert main(["train", "toy", "--resume", "runs/mine"]) == 0
    assert (made[-1].started_at, len(run.metrics())) == (0, 1)


def test_a_new_run_begins_with_the_weights_of_another(made, capsys):
    assert main(["train", "toy", "lifting", "--seed", "7", "--name", "old"]) == 0
    command = ["train", "toy", "hanger", "--from", "runs/old", "--iterations", "2", "--name", "new"]
    assert main([*command, "--interrupted-at", "1"]) == 130
    run = Run.open("runs/new")
    assert (run.metadata["source"], run.seed, run.task) == (str(Path("runs/old").absolute()), 0, "hanger")
    # killed in its first step it still has them, wherever the other run is by then
    Path("runs/old").rename("runs/moved")
    assert main(["train", "toy", "--resume", "runs/new", "--interrupted-at", "9"]) == 0
    assert (made[-1].started_at, made[-1].count, made[-1].weights) == (0, 2, 7)


def test_weights_that_do_not_fit_leave_no_folder(made, capsys):
    assert main(["train", "toy", "lifting", "--seed", "13", "--name", "old"]) == 0
    assert main(["train", "toy", "lifting", "--from", "runs/old", "--name", "new"]) == 2
    message = "cannot begin with the weights of runs/old: policy has the shape (13,), expected (12,)"
    assert message in capsys.readouterr().err
    make_run(algorithm="gps", name="other")
    assert main(["train", "toy", "lifting", "--from", "runs/other", "--name", "new"]) == 2
    assert "runs/other is a run of gps; its weights are of no use to toy" in capsys.readouterr().err
    assert not Path("runs/new").exists()


def test_a_policy_file_that_is_of_no_use_leaves_no_folder(made, tmp_path, capsys):
    task = make_task("lifting")
    network = VisuomotorPolicy(task.size("proprioception"), task.action_size)
    policy = Toy(task, Config(), 0).trained_policy(network, 24, 1, {"iterations": 1})
    policy.save("toy.safetensors")
    TrainedPolicy(network, replace(policy.spec, algorithm="gps")).save("gps.safetensors")
    (tmp_path / "broken.safetensors").write_bytes(b"no")
    for name, told in (
        ("none", "there is no policy file none.safetensors"),
        ("broken", "broken.safetensors is no policy file of visuomotor, or damaged"),
        ("gps", "gps.safetensors is a policy of gps; its weights are of no use to toy"),
        ("toy", "cannot begin with the weights of toy.safetensors: toy cannot begin with the weights of a policy file"),
    ):
        assert main(["train", "toy", "lifting", "--from", f"{name}.safetensors", "--name", "new"]) == 2
        assert told in capsys.readouterr().err
        assert not Path("runs/new").exists()


def test_training_stops_before_its_time_is_up_and_goes_on_later(made, capsys, monkeypatch):
    """Steps last 10 s, and the longest one decides: after three of them a fourth would end after 39 s."""
    now = [100.0]
    monkeypatch.setattr("visuomotor.algorithms.training.time.monotonic", lambda: now[0])
    steps = Toy.steps

    def slow(self):
        for row in steps(self):
            now[0] += 10
            yield row

    monkeypatch.setattr(Toy, "steps", slow)
    command = ["train", "toy", "lifting", "--iterations", "9", "--name", "mine", "--time-limit", "39s"]
    assert main(command) == 0
    assert (
        "saved when the time was up; continue with: visuomotor train toy --resume runs/mine" in capsys.readouterr().out
    )
    assert made[-1].count == 3
    for count in (4, 9):  # one step is always made
        assert main(["train", "toy", "--resume", "runs/mine", "--time-limit", "1s" if count == 4 else "2m"]) == 0
        assert made[-1].count == count
    assert "next: visuomotor report" in capsys.readouterr().out
    assert [row["iteration"] for row in Run.open("runs/mine").metrics()] == list(range(1, 10))


def test_a_time_limit_that_is_over_before_training_begins(made, monkeypatch, capsys):
    now = [100.0]
    monkeypatch.setattr("visuomotor.algorithms.training.time.monotonic", lambda: now[0])
    init, steps = Toy.__init__, Toy.steps

    def slow(self):
        for row in steps(self):
            now[0] += 1
            yield row

    monkeypatch.setattr(Toy, "steps", slow)

    def late(self, *arguments, **named):
        init(self, *arguments, **named)
        now[0] += 5

    monkeypatch.setattr(Toy, "__init__", late)
    assert main(["train", "toy", "lifting", "--iterations", "9", "--name", "mine", "--time-limit", "2s"]) == 0
    assert made[-1].count == 1  # one step is always made
    assert main(["train", "toy", "--resume", "runs/mine", "--time-limit", "2s"]) == 0
    assert made[-1].count == 2
    assert "saved when the time was up" in capsys.readouterr().out


def test_two_processes_do_not_train_one_run(made, capsys):
    run = make_run()
    with RunLock(run.path):
        assert main(["train", "toy", "--resume", "runs/mine"]) == 2
    assert "another process is training into runs/mine" in capsys.readouterr().err
    assert main(["train", "toy", "--resume", "runs/mine"]) == 0
