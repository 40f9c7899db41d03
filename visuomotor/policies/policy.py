"""What every policy is to those who run it: images and joint readings in, actions out."""

import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol, Self

import torch
from torch import Tensor, nn

from visuomotor import registry
from visuomotor.camera import LARGEST_SIDE, LARGEST_SUPERSAMPLING
from visuomotor.errors import VisuomotorError, describe_error, one_line, whole_number
from visuomotor.runs.atomic import write_atomically
from visuomotor.runs.config import Range, check_range, check_settings, config_from_dict
from visuomotor.runs.restore import ListOf, check_like, restore_module

ActionUnit = Literal["N m", "rad/s"]
_CAMERA = {
    "renderer": "",
    **dict.fromkeys(("size", "supersampling"), 0),
    "position": [0.0] * 3,
    "quaternion": [0.0] * 4,
    "field_of_view": 0.0,
}
"""What `camera_spec` gives."""
_CAMERA_RANGES = {
    "size": (1, LARGEST_SIDE),
    "supersampling": (1, LARGEST_SUPERSAMPLING),
    "field_of_view": (1e-4, 180 - 1e-4),
}
_TRAINING = {"control_steps": 0, "iterations": 0, "notes": ListOf(""), "algorithm_version": 0}


@dataclass(frozen=True)
class PolicySpec:
    """What a policy was trained for: everything that must be the same where it acts."""

    algorithm: str
    task: str
    """As given to `visuomotor train`; a file's path is absolute."""
    task_name: str
    """Short name of the task."""
    camera: dict[str, Any]
    """Pose, field of view and image size, see `camera_spec`."""
    proprioception_size: Annotated[int, Range(0, 10_000)]
    """Readings of `Task.proprioception`, in its order and units."""
    action_limits: Annotated[tuple[float, ...], Range(1e-9, 1e9)]
    """The largest magnitude of each action, in `action_unit`."""
    action_unit: ActionUnit
    control_dt: Annotated[float, Range(1e-6, 1e3)]
    """s between two actions."""
    training: dict[str, Any]
    """How far training had come: `control_steps` or `iterations`, and what its config does not contain (`notes`)."""
    proprioception: tuple[tuple[str, str], ...] = ()
    """Name and unit of each reading, see `Task.proprioception_names`; none in older files."""

    def __post_init__(self) -> None:
        """Raise a VisuomotorError where a value cannot be."""
        check_settings(self)
        check_like(self.camera, _CAMERA, "camera", finite=True)
        for name, (low, high) in _CAMERA_RANGES.items():
            check_range(f"camera.{name}", self.camera[name], low, high)
        check_range("length of camera.quaternion", math.hypot(*self.camera["quaternion"]), 0.99, 1.01)
        if len(self.proprioception) not in (0, self.proprioception_size):
            raise VisuomotorError(
                f"proprioception has {len(self.proprioception)} entries, and proprioception_size is "
                f"{self.proprioception_size}"
            )
        if not {"control_steps", "iterations"} & self.training.keys():
            raise VisuomotorError("training has neither control_steps nor iterations")
        for name in _TRAINING.keys() & self.training.keys():
            check_like(self.training[name], _TRAINING[name], f"training.{name}")

    @property
    def image_size(self) -> int:
        """Side of the square images in pixels."""
        return self.camera["size"]

    @property
    def supersampling(self) -> int:
        """Rays along each side of a pixel, where images are rendered."""
        return self.camera["supersampling"]


class Policy(Protocol):
    """Acts in n worlds at once."""

    @property
    def spec(self) -> PolicySpec: ...

    def reset(self, n: int) -> None:
        """Begin episodes in n worlds."""
        ...

    def act(self, images: Tensor, proprioception: Tensor) -> Tensor:
        """Actions `(n, A)` in SI units, for images `(n, height, width, rgb)` uint8 and readings `(n, P)`."""
        ...


class Network(Protocol):
    """What a policy's network must be: a `torch.nn.Module` with these members, and at least one parameter."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """The constructor's arguments, of JSON's types: a policy file holds them."""
        ...

    def initial_hidden_state(self, n: int) -> Tensor:
        """What it remembers where an episode begins, `(n, S)`, on the parameters' device; S is 0 for nothing."""
        ...

    def act(self, images: Tensor, proprioception: Tensor, hidden_state: Tensor) -> tuple[Tensor, Tensor]:
        """Mean actions `(n, A)`, fractions of the limits (`TrainedPolicy` clips them), and the hidden state `(n, S)`
        for the next step, for images `(n, height, width, rgb)` uint8 and readings `(n, P)`. Without gradients, and in
        evaluation mode."""
        ...

    def eval(self) -> Self: ...
    def parameters(self) -> Iterator[nn.Parameter]: ...
    def state_dict(self) -> dict[str, Any]: ...


_NETWORK: dict[str, str] = {
    "settings": "settings: a dict of its constructor's arguments, of JSON's types",
    "initial_hidden_state": "initial_hidden_state(self, n) -> tensor (n, S), S 0 or more",
    "act": "act(self, images, proprioception, hidden_state) -> actions (n, A), hidden_state (n, S)",
}

FILE_NAME = "policy.safetensors"
"""Name of the policy's file in a run folder."""
_FORMAT = 1

_LARGEST_SIZE = 10_000  # nobody's network is larger; a damaged file must not fill the memory


@dataclass(frozen=True)
class _Header:
    """What a policy file says of itself."""

    spec: PolicySpec
    network: str
    """A name of the registry: short for those of this package, else `module:Class` or `/path/to/file.py:Class`."""
    settings: dict[str, Any]
    format: int
    relative: str | None = None
    """`network` with the path of its file relative to the folder of the policy file."""


class _NetworkError(VisuomotorError):
    """A policy file is as it should be, but its network, which is not of this package, cannot be made."""


class TrainedPolicy:
    """A network that acts by its mean, on the device where its parameters are.

    A network that is not of this package acts once, on black images and readings of zero, and is checked.

    Raises:
        VisuomotorError: the network is not what `Network` says; the message names the member. Or images of that size
            are too small for it.
    """

    def __init__(self, network: Network, spec: PolicySpec):
        if registry.name_of("network", type(network)) not in registry.BUILT_IN["network"]:
            check_network(network, spec)
        smallest = getattr(network, "smallest_image_size", 1)
        if spec.image_size < smallest:
            raise VisuomotorError(
                f"camera.size is {spec.image_size}, and the network takes images of {smallest}x{smallest} or more"
            )
        self.network, self._spec = network.eval(), spec
        self._limits = torch.tensor(spec.action_limits, dtype=torch.float64)
        self._device = next(network.parameters()).device
        self._hidden: Tensor | None = None

    @property
    def spec(self) -> PolicySpec:
        return self._spec

    def reset(self, n: int) -> None:
        """Begin episodes in n worlds.

        Raises:
            VisuomotorError: n is no whole number from 1 to 1,000,000.
        """
        worlds = whole_number("the number of worlds of policy.reset", n, 1, 1_000_000)
        self._hidden = self.network.initial_hidden_state(worlds)

    @torch.inference_mode()
    def act(self, images: Tensor, proprioception: Tensor) -> Tensor:
        """See `Policy`.

        Raises:
            VisuomotorError: inputs are no arrays of numbers, or of other sizes; `reset` was not called for that many
                worlds; or readings, or what the network makes of them, are not finite.
        """
        try:
            images, proprioception = torch.as_tensor(images), torch.as_tensor(proprioception)
        except (TypeError, ValueError, RuntimeError) as error:
            raise VisuomotorError(
                f"policy.act takes images and readings as tensors or arrays of numbers ({one_line(error)})"
            ) from error
        size = self._spec.image_size
        if images.shape[1:] != (size, size, 3) or proprioception.ndim != 2:
            raise VisuomotorError(
                f"this policy takes images (n, {size}, {size}, 3) and readings (n, {self._spec.proprioception_size}), "
                f"not {tuple(images.shape)} and {tuple(proprioception.shape)}"
            )
        if self._hidden is None or len(self._hidden) != len(images) or len(images) != len(proprioception):
            raise VisuomotorError(
                f"call policy.reset({len(images)}) before policy.act with images and readings of {len(images)} worlds"
            )
        if not bool(proprioception.isfinite().all()):
            raise VisuomotorError("the joint readings hold NaN or infinity; a policy cannot act on them")
        actions, self._hidden = self.network.act(images.to(self._device), proprioception.to(self._device), self._hidden)
        actions = actions.cpu().double()
        if not bool(actions.isfinite().all()):
            raise VisuomotorError("the network's actions hold NaN or infinity: its weights are not what was trained")
        return actions.clamp(-1, 1) * self._limits

    def save(self, path: Path | str) -> None:
        """Write weights and spec into one file (safetensors), whole or not at all. A network that is not of this
        package is stored by the name of its class, and by the place of its file: keep that.

        Raises:
            VisuomotorError: the network's class has no name by which it can be found again.
        """
        from safetensors.torch import save

        path, kind = Path(path), type(self.network)
        name = registry.name_of("network", kind)
        if kind.__qualname__ != kind.__name__ or kind.__module__ == "__main__":
            raise VisuomotorError(
                f"network {kind.__qualname__} is defined inside a function, a class or a script; define it at the top "
                "of a module of its own, so that a policy file can name it"
            )
        # Cloned, as safetensors refuses tensors that share memory.
        tensors = {name: value.detach().cpu().contiguous().clone() for name, value in self.network.state_dict().items()}
        header = {
            "spec": asdict(self._spec),
            "network": name,
            "settings": dict(self.network.settings),
            "format": _FORMAT,
        }
        relative = registry.relative_name("network", name, path.parent)
        header |= {"relative": relative} if relative != name else {}
        write_atomically(path, save(tensors, metadata={"visuomotor": json.dumps(header)}))


def check_network(network: Any, spec: PolicySpec) -> None:
    """Whether a network is what `Network` says: it acts once in two worlds.

    Raises:
        VisuomotorError: it is not; the message names the member.
    """
    kind = type(network)
    what = f"the network {kind.__name__}"
    if not isinstance(network, nn.Module):
        raise VisuomotorError(f"{what} is no torch.nn.Module; derive its class from that")
    for member, holds in (
        ("settings", _is_json(getattr(network, "settings", None))),
        ("initial_hidden_state", callable(getattr(network, "initial_hidden_state", None))),
        ("act", callable(getattr(network, "act", None))),
    ):
        if not holds:
            raise VisuomotorError(f"{what} has no {_NETWORK[member]}")
    first = next(network.parameters(), None)
    if first is None:
        raise VisuomotorError(f"{what} has no parameters; there is nothing to train or to store")
    size = spec.image_size
    images = torch.zeros(2, size, size, 3, dtype=torch.uint8, device=first.device)
    readings = torch.zeros(2, spec.proprioception_size, device=first.device)
    acting: Any = network.eval()
    try:
        with torch.inference_mode():
            found = acting.act(images, readings, acting.initial_hidden_state(2))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a user's code may raise anything
        raise VisuomotorError(
            f"{what} act raises {describe_error(error, kind)}; expected {_NETWORK['act']}, and "
            f"{_NETWORK['initial_hidden_state']}"
        ) from error
    if not (isinstance(found, tuple) and len(found) == 2):
        raise VisuomotorError(f"{what} act gives {_kind_of(found)}; expected a pair, actions and hidden state")
    actions, hidden = found
    count = len(spec.action_limits)
    if not isinstance(actions, Tensor) or actions.shape != (2, count) or not actions.is_floating_point():
        raise VisuomotorError(f"{what} act gives actions {_kind_of(actions)}; expected (2, {count}) of a float type")
    if not isinstance(hidden, Tensor) or hidden.ndim == 0 or len(hidden) != 2:
        raise VisuomotorError(
            f"{what} act gives a hidden state {_kind_of(hidden)}; expected a tensor (n, S) for n worlds, here 2"
        )


def _is_json(settings: Any) -> bool:
    try:
        return isinstance(settings, Mapping) and bool(json.dumps(dict(settings)))
    except (TypeError, ValueError, RecursionError):
        return False


def _kind_of(value: Any) -> str:
    return f"{tuple(value.shape)} {value.dtype}" if isinstance(value, Tensor) else f"of type {type(value).__name__}"


def load_policy(path: Path | str) -> TrainedPolicy:
    """The policy of a run folder or a policy file, on the CPU.

    A file holds numbers, and the name of its network's class. Where that is none of this package, its module is
    imported: a file of another person runs that person's code only if the module is installed here, or its file is
    at the place that the policy file names, here or relative to it. Nothing else of a policy file is ever executed.

    Raises:
        VisuomotorError: there is none, or the file is damaged or of another version; or its network cannot be found,
            or has changed.
    """
    try:
        path = Path(path)
    except TypeError as error:
        raise VisuomotorError(f"load_policy takes the path of a run folder or policy file, not {path!r:.50}") from error
    file = path / FILE_NAME if path.is_dir() else path
    if not file.is_file():
        raise VisuomotorError(
            f"there is no policy file {file}; training writes it when the policy has learned for the first time"
        )
    if not os.access(file, os.R_OK):
        raise VisuomotorError(f"{file} may not be read; check its permissions")
    try:
        return _read(file)
    except _NetworkError:
        raise
    except Exception as error:  # safetensors, json and torch raise many types for a file that is not ours
        raise VisuomotorError(
            f"{file} is no policy file of visuomotor, or damaged ({one_line(error)}); train again"
        ) from error


def _read(file: Path) -> TrainedPolicy:
    from safetensors import safe_open
    from safetensors.torch import load_file

    with safe_open(str(file), framework="pt") as opened:
        content = json.loads(opened.metadata()["visuomotor"])
    if content["format"] != _FORMAT:
        raise VisuomotorError(f"policy format {content['format']}, expected {_FORMAT}")
    header = config_from_dict(_Header, content, where="header")
    spec = header.spec
    own = ":" in header.network
    if not own:
        for name, size in header.settings.items():
            check_like(size, int | bool, f"header.settings.{name}")
            check_range(f"header.settings.{name}", size, 0, _LARGEST_SIZE)
    sizes = {"proprioception_size": spec.proprioception_size, "action_size": len(spec.action_limits)}
    sizes |= {"image_size": spec.image_size}
    optional = sizes if own else ("image_size",)  # some take images of any size
    for name, size in sizes.items():
        if header.settings.get(name, size if name in optional else None) != size:
            raise VisuomotorError(f"header.settings.{name} is {header.settings.get(name)}, and {size} by header.spec")
    weights, kind = load_file(str(file)), None
    place = registry.moved_name("network", header.network, header.relative, file.parent)
    try:
        kind = registry.load("network", place, nn.Module)
        network = kind(**header.settings)
        restore_module(network, weights, "weights")
        return TrainedPolicy(network, spec)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a user's code may raise anything
        if not own:
            raise
        text = one_line(error) if isinstance(error, VisuomotorError) else describe_error(error, kind)
        raise _NetworkError(f"the network {place} of {file} cannot be made: {text}") from error
