import json

import pytest

from visuomotor.cli import bench, bench_camera, main


def test_last_line_is_one_json_object(monkeypatch, capsys):
    monkeypatch.setattr(bench, "_measure", lambda options: {"frames_per_second": 1.5, "size": options.size})
    assert main(["bench", "camera", "--json", "--size", "32"]) == 0
    measured = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert measured["frames_per_second"] == 1.5
    assert measured["size"] == 32
    assert {"bench", "cores", "versions"} <= measured.keys()


def test_table_for_people(monkeypatch, capsys):
    monkeypatch.setattr(bench, "_measure", lambda options: {"frames_per_second": 12345.6})
    assert main(["bench", "camera"]) == 0
    printed = capsys.readouterr().out
    assert "frames_per_second" in printed
    assert "1.235e+04" in printed
    assert "versions.mujoco" in printed


def test_usage_names_the_part(capsys):
    with pytest.raises(SystemExit):
        main(["bench", "trajectories", "--help"])
    assert capsys.readouterr().out.startswith("usage: visuomotor bench trajectories ")


def test_a_model_of_ones_own(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(bench_camera, "bench_camera", lambda model, camera, *rest: {"seen": [model.nbody, camera]})
    (tmp_path / "arm.xml").write_text('<mujoco><worldbody><camera name="eye"/><body/></worldbody></mujoco>')
    assert main(["bench", "camera", "--json", "--model", str(tmp_path / "arm.xml")]) == 0
    measured = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (measured["task"], measured["seen"]) == ("arm", [2, "eye"])
    (tmp_path / "blind.xml").write_text("<mujoco/>")
    assert main(["bench", "camera", "--model", str(tmp_path / "blind.xml")]) == 2
    assert "no camera" in capsys.readouterr().err
    assert main(["bench", "engine", "--model", str(tmp_path / "arm.xml")]) == 2
    assert "--model is for" in capsys.readouterr().err


def test_options_of_one_part_are_refused_for_the_others(capsys):
    assert main(["bench", "policy", "--tune"]) == 2
    assert "--tuned are for visuomotor bench policy-search" in capsys.readouterr().err


def test_the_device_belongs_to_parts_that_learn(capsys):
    assert main(["bench", "camera", "--device", "cpu"]) == 2
    assert "--device is for visuomotor bench ppo-gail and bench pose" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "device", "file"),
    [
        ([], "cpu", "bench-ppo-gail-lifting.json"),
        (["--num-envs", "512", "--device", "cuda"], "cuda", "bench-ppo-gail-lifting-512-cuda.json"),
    ],
)
def test_a_measurement_on_cuda_has_a_file_of_its_own(monkeypatch, tmp_path, options, device, file):
    """And the GPU's name in it."""
    measured = {"task": "lifting", "device": device}
    monkeypatch.setattr(bench, "_measure", lambda options: measured)
    monkeypatch.setattr("visuomotor.runs.provenance.hardware", lambda device: f"a machine with {device}")
    assert main(["bench", "ppo-gail", "--results", str(tmp_path), *options]) == 0
    (written,) = tmp_path.iterdir()
    assert written.name == file
    assert json.loads(written.read_text())["hardware"] == f"a machine with {device}"
