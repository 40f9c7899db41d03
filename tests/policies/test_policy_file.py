"""Policies as files, and how those who run them call them."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from visuomotor.errors import VisuomotorError
from visuomotor.policies import PolicySpec, TrainedPolicy, VisuomotorPolicy, load_policy
from visuomotor.policies.policy import FILE_NAME
from visuomotor.policies.recurrent_policy import RecurrentPolicy

READINGS, ACTIONS, SIDE = 5, 2, 24
LIMITS = (2.0, 0.5)
SPEC = PolicySpec(
    algorithm="ppo-gail",
    task="/home/a/tasks.py:Lift",
    task_name="lift",
    camera={
        "renderer": "cpu",
        "size": SIDE,
        "supersampling": 2,
        "position": [0.1, 0.2, 0.3],
        "quaternion": [0.6, 0.8, 0.0, 0.0],
        "field_of_view": 45.0,
    },
    proprioception_size=READINGS,
    action_limits=LIMITS,
    action_unit="rad/s",
    control_dt=0.05,
    training={"control_steps": 3, "notes": ["stopped after 3 control steps"]},
)


def make(kind: str) -> TrainedPolicy:
    """Random weights; the recurrent one's last layer is as large as the others, so that its memory shows."""
    torch.manual_seed(0)
    if kind == "visuomotor":
        network = VisuomotorPolicy(READINGS, ACTIONS)
        network.proprioception_mean.normal_()
        network.action_scale.fill_(0.3)
    else:
        network = RecurrentPolicy(READINGS, ACTIONS, 1, image_size=SIDE, recurrent=kind == "recurrent")
        torch.nn.init.orthogonal_(network.action_mean[0].weight)
    return TrainedPolicy(network, SPEC)


KINDS = pytest.mark.parametrize("kind", ["visuomotor", "recurrent", "feedforward"])


def observations(seed: int, worlds: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(256, (worlds, SIDE, SIDE, 3), generator=generator, dtype=torch.uint8)
    return images, torch.randn(worlds, READINGS, generator=generator)


def episode(policy: TrainedPolicy, steps: int = 3, worlds: int = 2) -> torch.Tensor:
    policy.reset(worlds)
    return torch.stack([policy.act(*observations(step, worlds)) for step in range(steps)])


@KINDS
def test_a_file_holds_the_whole_policy(tmp_path: Path, kind: str):
    policy = make(kind)
    policy.save(tmp_path / FILE_NAME)
    for path in (tmp_path, tmp_path / FILE_NAME):  # a run's folder, or the file
        loaded = load_policy(path)
        assert loaded.spec == SPEC
        assert (loaded.spec.image_size, loaded.spec.supersampling) == (SIDE, 2)
        assert type(loaded.network) is type(policy.network)
        assert torch.equal(episode(loaded), episode(policy))


@KINDS
def test_actions_are_the_networks_means_in_si_units(kind: str):
    policy = make(kind)
    images, readings = observations(0, 4)
    policy.reset(4)
    actions = policy.act(images, readings)
    with torch.no_grad():
        means, _ = policy.network.act(images, readings, policy.network.initial_hidden_state(4))
    torch.testing.assert_close(actions, means.double() * torch.tensor(LIMITS, dtype=torch.float64))
    assert actions.dtype == torch.float64


@KINDS
def test_what_a_policy_cannot_act_on_is_refused(kind: str):
    policy = make(kind)
    images, readings = observations(0, 2)
    policy.reset(2)
    taken = r"takes images \(n, 24, 24, 3\) and readings \(n, 5\), not "
    for wrong, told in (
        ((images[:, :20], readings), r"\(2, 20, 24, 3\) and \(2, 5\)"),
        ((images[0], readings[0]), r"\(24, 24, 3\) and \(5,\)"),  # one world without its axis, not 24 worlds
        ((images, readings[0]), r"\(2, 24, 24, 3\) and \(5,\)"),
    ):
        with pytest.raises(VisuomotorError, match=taken + told):
            policy.act(*wrong)
    for nonsense in (None, "a", [[1], [1, 2]], {}):
        with pytest.raises(VisuomotorError, match="takes images and readings as tensors or arrays"):
            policy.act(nonsense, readings)  # pyright: ignore[reportArgumentType]
    readings[1, 2] = torch.nan
    with pytest.raises(VisuomotorError, match="NaN"):
        policy.act(images, readings)


def test_actions_stay_within_their_limits():
    policy = make("feedforward")
    assert isinstance(policy.network, RecurrentPolicy)
    with torch.no_grad():
        policy.network.action_mean[0].bias.copy_(torch.tensor([50.0, -50.0]))
    assert episode(policy)[0].tolist() == [[2.0, -0.5]] * 2


def test_numpy_is_taken_too():
    policy = make("recurrent")
    expected = episode(policy, steps=1)[0]
    policy.reset(2)
    images, readings = observations(0, 2)
    assert torch.equal(policy.act(images.numpy(), readings.double().numpy()), expected)  # pyright: ignore[reportArgumentType]


def test_memory_lasts_for_an_episode_and_reset_clears_it():
    policy = make("recurrent")
    images, readings = observations(0, 2)
    policy.reset(2)
    first, second = policy.act(images, readings), policy.act(images, readings)
    assert not torch.allclose(first, second)  # the same is seen, but not for the first time
    policy.reset(2)
    assert torch.equal(policy.act(images, readings), first)
    assert torch.equal(policy.act(images, readings), second)
    # It is the memory that the network has when it trains, over the whole sequence.
    assert isinstance(policy.network, RecurrentPolicy)
    with torch.no_grad():
        features = policy.network.encode_images(torch.stack([images, images]))
        sequence = policy.network.forward_sequence(
            features,
            torch.stack([readings, readings]),
            policy.network.initial_hidden_state(2),
            torch.zeros(2, 2, dtype=torch.bool),
        )
    expected = sequence.mean.double().clamp(-1, 1) * torch.tensor(LIMITS, dtype=torch.float64)
    torch.testing.assert_close(torch.stack([first, second]), expected, rtol=1e-4, atol=1e-5)


@KINDS
def test_worlds_do_not_depend_on_each_other(kind: str):
    policy = make(kind)
    together = episode(policy, worlds=2)
    policy.reset(1)
    alone = torch.stack([policy.act(*(part[:1] for part in observations(step, 2))) for step in range(3)])
    torch.testing.assert_close(together[:, :1], alone, rtol=1e-4, atol=1e-5)


def test_acting_without_a_reset_for_as_many_worlds_is_refused():
    policy = make("recurrent")
    images, readings = observations(0, 2)
    with pytest.raises(VisuomotorError, match=r"call policy\.reset\(2\)"):
        policy.act(images, readings)
    policy.reset(3)
    with pytest.raises(VisuomotorError, match=r"call policy\.reset\(2\)"):
        policy.act(images, readings)
    policy.reset(2)
    with pytest.raises(VisuomotorError, match="of 2 worlds"):
        policy.act(images, readings[:1])
    policy.act(images, readings)  # what was refused did no harm


@pytest.mark.parametrize("worlds", [0, -1, 1.5, "2", None, True, 10**12])
def test_a_reset_is_for_a_number_of_worlds(worlds):
    with pytest.raises(VisuomotorError, match=r"policy\.reset must be a whole number from 1 to 1000000, not"):
        make("recurrent").reset(worlds)


@pytest.mark.parametrize("path", [None, 5, [], b"run"])
def test_what_is_no_path_is_refused(path):
    with pytest.raises(VisuomotorError, match="takes the path of a run folder or policy file, not "):
        load_policy(path)


def test_a_missing_file_is_named(tmp_path: Path):
    for path in (tmp_path, tmp_path / "other.safetensors"):
        with pytest.raises(VisuomotorError, match=r"there is no policy file .*safetensors"):
            load_policy(path)


def test_every_truncation_is_noticed(tmp_path: Path):
    path = tmp_path / FILE_NAME
    make("recurrent").save(path)
    whole = path.read_bytes()
    for length in (0, 4, 8, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(VisuomotorError, match="no policy file of visuomotor, or damaged"):
            load_policy(path)


def rewrite(path: Path, kind: str = "recurrent", **changes: object) -> None:
    """Change what a policy file says of itself."""
    make(kind).save(path)
    header = path.read_bytes()
    size = int.from_bytes(header[:8], "little")
    told = json.loads(json.loads(header[8 : 8 + size])["__metadata__"]["visuomotor"])
    save_file(load_file(path), path, metadata={"visuomotor": json.dumps(told | changes)})


def test_files_that_are_not_ours_are_refused(tmp_path: Path):
    path = tmp_path / FILE_NAME
    rewrite(path)
    load_policy(path)
    rewrite(path, format=2)
    with pytest.raises(VisuomotorError, match=r"policy format 2, expected 1\); train again"):
        load_policy(path)
    rewrite(path, network="Linear")
    with pytest.raises(VisuomotorError, match="no policy file of visuomotor"):
        load_policy(path)
    rewrite(path, settings={**make("recurrent").network.settings, "keypoints": 7})
    with pytest.raises(VisuomotorError, match=r"no policy file of visuomotor.*keypoint_head") as told:
        load_policy(path)
    assert "\n" not in str(told.value)
    save_file({"weight": torch.zeros(2)}, path)
    with pytest.raises(VisuomotorError, match="no policy file of visuomotor"):
        load_policy(path)
    torch.save({"state_dict": {}}, path)
    with pytest.raises(VisuomotorError, match="no policy file of visuomotor"):
        load_policy(path)


@pytest.mark.parametrize(
    ("part", "changes", "told"),
    [
        ("camera", {"size": 28}, "header.settings.image_size is 24, and 28 by header.spec"),
        ("camera", {"position": None}, "camera lacks 'position'"),
        ("camera", {"focal": 1.0}, "camera has an unknown entry 'focal'"),
        ("camera", {"renderer": 5}, "camera.renderer is 5, expected str"),
        ("camera", {"field_of_view": 500.0}, "camera.field_of_view must be between 0.0001 and 179.9999, not 500.0"),
        ("camera", {"field_of_view": -5.0}, "camera.field_of_view must be between"),
        ("camera", {"quaternion": [0.0] * 4}, "length of camera.quaternion must be between 0.99 and 1.01, not 0.0"),
        ("camera", {"supersampling": 64}, "camera.supersampling must be between 1 and 8, not 64"),
        ("camera", {"supersampling": 0}, "camera.supersampling must be between 1 and 8, not 0"),
        ("camera", {"size": 0}, "camera.size must be between 1 and 4096, not 0"),
        ("training", {"control_steps": None}, "training has neither control_steps nor iterations"),
        ("training", {"control_steps": -3}, "training.control_steps is -3, expected a whole number of at least 0"),
        ("training", {"notes": [1]}, "training.notes.0. is 1, expected str"),
        (None, {"proprioception": [["a", "m"]] * 4}, "proprioception has 4 entries, and proprioception_size is 5"),
        (None, {"proprioception": [["a", "m"]] * 4 + [["a"]]}, r"proprioception\[4\] has 1 entries, expected 2"),
        (None, {"proprioception": [["a", 5]] * 5}, r"proprioception\[0\]\[1\] is 5, expected str"),
        (None, {"action_unit": "bananas"}, "header.spec.action_unit is 'bananas'; choose one of: N m, rad/s"),
        (None, {"control_dt": -1.0}, "control_dt must be between"),
        (None, {"action_limits": [2.0, -0.5]}, "action_limits must be between"),
        (None, {"action_limits": [2.0] * 3}, "header.settings.action_size is 2, and 3 by header.spec"),
        (None, {"proprioception_size": 6}, "header.settings.proprioception_size is 5, and 6 by header.spec"),
    ],
)
def test_what_a_policy_cannot_have_been_trained_for(tmp_path: Path, part, changes, told):
    """`changes` of the header's spec or of one of its parts; None takes an entry out."""
    spec = asdict(SPEC)
    changed = spec if part is None else spec[part]
    changed.update(changes)
    for name in [name for name, value in changes.items() if value is None]:
        del changed[name]
    rewrite(tmp_path / FILE_NAME, spec=spec)
    with pytest.raises(VisuomotorError, match=told):
        load_policy(tmp_path)


def test_images_too_small_for_the_convolutions(tmp_path: Path):
    spec = asdict(SPEC)
    for size in (23, 24):
        spec["camera"]["size"] = size
        rewrite(tmp_path / FILE_NAME, "visuomotor", spec=spec)
        if size == 24:
            assert load_policy(tmp_path).spec.image_size == size
            continue
        with pytest.raises(VisuomotorError, match=r"camera\.size is 23, and the network takes images of 24x24"):
            load_policy(tmp_path)


def test_older_files_do_not_name_their_readings(tmp_path: Path):
    older = asdict(SPEC)
    del older["proprioception"]
    rewrite(tmp_path / FILE_NAME, spec=older)
    assert load_policy(tmp_path).spec.proprioception == ()
    names = tuple((f"reading {index}", "rad") for index in range(READINGS))
    rewrite(tmp_path / FILE_NAME, spec=older | {"proprioception": names})
    assert load_policy(tmp_path).spec.proprioception == names


def test_a_new_file_takes_the_place_of_the_old_one(tmp_path: Path):
    policy = make("visuomotor")
    policy.save(tmp_path / FILE_NAME)
    later = TrainedPolicy(policy.network, replace(SPEC, training={"iterations": 9, "notes": []}))
    later.save(tmp_path / FILE_NAME)
    assert load_policy(tmp_path).spec.training["iterations"] == 9
    assert [file.name for file in tmp_path.iterdir()] == [FILE_NAME]


@KINDS
def test_weights_with_which_it_cannot_act(kind: str):
    policy = make(kind)
    with torch.no_grad():
        for parameter in policy.network.parameters():
            parameter.fill_(float("nan"))
    policy.reset(2)
    with pytest.raises(VisuomotorError, match="the network's actions hold NaN or infinity"):
        policy.act(*observations(0, 2))
