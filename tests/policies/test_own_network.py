"""A user's own network: what it must be, and how a policy file finds it again."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from test_policy_file import ACTIONS, READINGS, SPEC, episode, make
from torch import nn

from visuomotor import registry
from visuomotor.errors import VisuomotorError
from visuomotor.policies import TrainedPolicy, load_policy
from visuomotor.policies.policy import FILE_NAME

NETWORK = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, widths, activation="tanh"):
        super().__init__()
        self.settings = {"widths": widths, "activation": activation}
        self.first = nn.Linear(5 + 1, widths[0])
        self.last = nn.Linear(widths[0], 2)
        self.copy = self.last

    def initial_hidden_state(self, n):
        return torch.zeros(n, 1)

    def act(self, images, proprioception, hidden_state):
        joined = torch.cat([images.float().mean((1, 2, 3))[:, None] / 255 + hidden_state, proprioception], 1)
        return self.last(self.first(joined).tanh()), hidden_state + 0.1
"""


def header_of(path: Path) -> dict[str, object]:
    whole = path.read_bytes()
    return json.loads(json.loads(whole[8 : 8 + int.from_bytes(whole[:8], "little")])["__metadata__"]["visuomotor"])


def network_class(path: Path) -> type[nn.Module]:
    return registry.load("network", f"{path}:Net", nn.Module)


@pytest.fixture
def saved(tmp_path: Path) -> TrainedPolicy:
    """A policy with a network of the file code/net.py, in runs/one."""
    (tmp_path / "code").mkdir()
    (tmp_path / "runs" / "one").mkdir(parents=True)
    (tmp_path / "code" / "net.py").write_text(NETWORK)
    policy = TrainedPolicy(network_class(tmp_path / "code" / "net.py")([7]), SPEC)
    policy.save(tmp_path / "runs" / "one" / FILE_NAME)
    return policy


def test_a_policy_file_finds_the_network_of_a_file(saved: TrainedPolicy, tmp_path: Path):
    run = tmp_path / "runs" / "one"
    header = header_of(run / FILE_NAME)
    assert header["network"] == f"{tmp_path}/code/net.py:Net"
    assert header["relative"] == "../../code/net.py:Net"
    assert torch.equal(episode(load_policy(run)), episode(saved))


def test_files_that_have_moved_together_are_found_in_another_process(saved: TrainedPolicy, tmp_path: Path):
    moved = tmp_path / "moved"
    moved.mkdir()
    for name in ("code", "runs"):
        shutil.move(tmp_path / name, moved / name)
    program = (
        "import sys, torch; from visuomotor.policies import load_policy; policy = load_policy(sys.argv[1]); "
        "policy.reset(1); policy.act(torch.zeros(1, 24, 24, 3, dtype=torch.uint8), torch.zeros(1, 5)); "
        "print(sys.modules[type(policy.network).__module__].__file__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(moved / "runs" / "one")],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.stdout.strip() == str(moved / "code" / "net.py")


def test_a_network_of_an_installed_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "own_network_package.py").write_text(NETWORK)
    with monkeypatch.context() as installed:
        installed.syspath_prepend(tmp_path / "site")
        kind = registry.load("network", "own_network_package:Net", nn.Module)
        policy = TrainedPolicy(kind([3]), SPEC)
        policy.save(tmp_path / FILE_NAME)
        header = header_of(tmp_path / FILE_NAME)
        assert header["network"] == "own_network_package:Net"
        assert "relative" not in header
        assert torch.equal(episode(load_policy(tmp_path)), episode(policy))
    # beside a file that imported it, and nowhere else: by its file
    policy.save(tmp_path / FILE_NAME)
    assert header_of(tmp_path / FILE_NAME)["network"] == f"{tmp_path}/site/own_network_package.py:Net"
    assert torch.equal(episode(load_policy(tmp_path)), episode(policy))
    del sys.modules["own_network_package"]


def test_networks_of_this_package_keep_their_short_names(tmp_path: Path):
    for kind, name in (("visuomotor", "VisuomotorPolicy"), ("recurrent", "RecurrentPolicy")):
        make(kind).save(tmp_path / FILE_NAME)
        header = header_of(tmp_path / FILE_NAME)
        assert header["network"] == name
        assert "relative" not in header


def rewrite(path: Path, **changes: object) -> None:
    save_file(load_file(path), path, metadata={"visuomotor": json.dumps(header_of(path) | changes)})


def changed(old: str, new: str) -> str:
    assert NETWORK.count(old) == 1
    return NETWORK.replace(old, new)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, r"there is no file .*net2?\.py; write path/to/file.py:Class"),
        ("class Other: pass", "net2.py has no class 'Net'; its network classes are: none"),
        ("Net = 5", "is not a network: it must be a subclass of torch.nn"),
        ("exit(3)", "net2.py cannot be imported: SystemExit: 3"),
        (changed("def __init__(self, widths,", "def __init__(self, width,"), "TypeError: .*'widths'"),
        (changed("widths[0], 2)", "widths[0], 3)"), r"weights.last.weight has the shape \(2, 7\), expected \(3, 7\)"),
        (changed("self.copy = self.last", "1 / 0"), "ZeroDivisionError in line 12: "),
        (changed("self.copy = self.last", "exit(3)"), "SystemExit in line 12: 3"),
        (changed("hidden_state + 0.1\n", "None\n"), "a hidden state of type NoneType"),
    ],
)
def test_a_network_that_cannot_be_made_again_is_told_by_its_name(saved: TrainedPolicy, tmp_path: Path, text, told):
    file, path = tmp_path / "code" / "net2.py", tmp_path / "runs" / "one" / FILE_NAME
    if text is not None:
        file.write_text(text)
    rewrite(path, network=f"{file}:Net", relative="../../code/net2.py:Net")
    with pytest.raises(
        VisuomotorError, match=f"^the network .*net2.py:Net of {path} cannot be made: .*{told}"
    ) as caught:
        load_policy(path)
    assert "\n" not in str(caught.value)


def test_an_interrupt_of_a_network_is_one(saved: TrainedPolicy, tmp_path: Path):
    file, path = tmp_path / "code" / "net3.py", tmp_path / "runs" / "one" / FILE_NAME
    file.write_text(changed("self.copy = self.last", "raise KeyboardInterrupt"))
    rewrite(path, network=f"{file}:Net")
    with pytest.raises(KeyboardInterrupt):
        load_policy(path)


class Whole(nn.Module):
    """All that a network must be."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(READINGS, ACTIONS)
        self.settings: dict[str, object] = {}

    def initial_hidden_state(self, n):
        return torch.zeros(n, 0)

    def act(self, images, proprioception, hidden_state):
        return self.layer(proprioception), hidden_state


def test_a_whole_network_acts():
    assert episode(TrainedPolicy(Whole(), SPEC)).shape == (3, 2, ACTIONS)


@pytest.mark.parametrize(
    ("members", "told"),
    [
        ({"act": None}, r"has no act\(self, images, proprioception, hidden_state\) -> actions \(n, A\), hidden_state"),
        ({"initial_hidden_state": None}, r"has no initial_hidden_state\(self, n\) -> tensor \(n, S\)"),
        ({"settings": 5}, "has no settings: a dict of its constructor's arguments, of JSON's types"),
        (
            {"settings": {"a": torch.zeros(2)}},
            "has no settings: a dict of its constructor's arguments, of JSON's types",
        ),
        ({"layer": lambda readings: torch.zeros(2, 2)}, "has no parameters"),
        ({"act": lambda images, readings: readings}, r"act raises TypeError.*; expected act\(self, images, propr"),
        ({"act": lambda *_: 1 / 0}, r"act raises ZeroDivisionError in line \d+: .*; expected act"),
        ({"act": lambda *_: torch.zeros(2, 2)}, r"act gives \(2, 2\) torch.float32; expected a pair"),
        (
            {"act": lambda *_: (torch.zeros(2, 3), torch.zeros(2, 0))},
            r"act gives actions \(2, 3\) torch.float32; expected \(2, 2\)",
        ),
        (
            {"act": lambda *_: (torch.zeros(2, 2).long(), torch.zeros(2, 0))},
            r"act gives actions .* torch.int64; expected \(2, 2\) of a float",
        ),
        ({"act": lambda *_: (torch.zeros(2, 2), None)}, "act gives a hidden state of type NoneType; expected a tensor"),
        (
            {"act": lambda *_: (torch.zeros(2, 2), torch.zeros(3, 1))},
            r"act gives a hidden state \(3, 1\) .*; expected a tensor",
        ),
    ],
)
def test_what_a_network_must_be(members, told):
    network = Whole()
    for name, value in members.items():
        if name == "layer":
            del network.layer
        setattr(network, name, value)
    with pytest.raises(VisuomotorError, match=f"^the network Whole {told}") as caught:
        TrainedPolicy(network, SPEC)
    assert "\n" not in str(caught.value)


def test_what_is_no_module_is_refused():
    with pytest.raises(VisuomotorError, match=r"^the network int is no torch\.nn\.Module"):
        TrainedPolicy(5, SPEC)  # pyright: ignore[reportArgumentType]


def test_layers_may_share_their_weights(tmp_path: Path):
    network = Whole()
    network.again = network.layer
    TrainedPolicy(network, SPEC).save(tmp_path / FILE_NAME)
    weights = load_file(tmp_path / FILE_NAME)
    assert torch.equal(weights["layer.weight"], weights["again.weight"])


def test_a_network_that_no_file_can_name_is_not_saved(tmp_path: Path):
    class Local(Whole):
        pass

    with pytest.raises(
        VisuomotorError, match=r"network .*Local is defined inside .*; define it at the top of a module"
    ):
        TrainedPolicy(Local(), SPEC).save(tmp_path / FILE_NAME)
    assert not (tmp_path / FILE_NAME).exists()


def test_sizes_in_the_settings_are_those_of_the_spec(saved: TrainedPolicy, tmp_path: Path):
    path = tmp_path / "runs" / "one" / FILE_NAME
    rewrite(path, settings={"widths": [7], "action_size": 3})
    with pytest.raises(VisuomotorError, match=r"header\.settings\.action_size is 3, and 2 by header\.spec"):
        load_policy(path)
    saved.network.settings["widths"] = [[["a", None]]]  # any JSON that its constructor takes
    later = TrainedPolicy(saved.network, replace(SPEC, training={"iterations": 9}))
    later.save(path)
    assert header_of(path)["settings"] == {"widths": [[["a", None]]], "activation": "tanh"}
