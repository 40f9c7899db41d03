"""What every policy is to those who run it: images and joint readings in, actions out."""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol

import torch
from torch import Tensor

from visuomotor.camera import LARGEST_SIDE, LARGEST_SUPERSAMPLING
from visuomotor.errors import VisuomotorError, check_whole, one_line
from visuomotor.policies.recurrent_policy import RecurrentPolicy
from visuomotor.policies.visuomotor_policy import VisuomotorPolicy
from visuomotor.runs.atomic import write_atomically
from visuomotor.runs.config import Range, check_range, check_ranges, config_from_dict
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
_TRAINING = {"control_steps": 0, "iterations": 0, "notes": ListOf("")}


@dataclass(frozen=True)
class PolicySpec:
    """What a policy was trained for: everything that must be the same where it acts."""

    algorithm: str
    task: str
    """As `visuomotor train` was told; a file's path is absolute."""
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
    """How far training had come: `control_steps` or `iterations`, and what its config does not tell (`notes`)."""

    def __post_init__(self) -> None:
        """Raise a VisuomotorError where a value cannot be."""
        check_ranges(self)
        check_like(self.camera, _CAMERA, "camera", finite=True)
        for name, (low, high) in _CAMERA_RANGES.items():
            check_range(f"camera.{name}", self.camera[name], low, high)
        check_range("length of camera.quaternion", math.hypot(*self.camera["quaternion"]), 0.99, 1.01)
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


FILE_NAME = "policy.safetensors"
"""Of the policy in a run folder."""
_FORMAT = 1

_LARGEST_SIZE = 10_000  # nobody's network is larger; a damaged file must not fill the memory

Network = VisuomotorPolicy | RecurrentPolicy
_NETWORKS: dict[str, type[Network]] = {kind.__name__: kind for kind in (VisuomotorPolicy, RecurrentPolicy)}


@dataclass(frozen=True)
class _Header:
    """What a policy file says of itself."""

    spec: PolicySpec
    network: Literal["VisuomotorPolicy", "RecurrentPolicy"]
    settings: dict[str, Any]
    format: int


class TrainedPolicy:
    """A network that acts by its mean, on the device where its parameters are."""

    def __init__(self, network: Network, spec: PolicySpec):
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
        check_whole("the number of worlds of policy.reset", n, 1, 1_000_000)
        self._hidden = self.network.initial_hidden_state(n)

    @torch.inference_mode()
    def act(self, images: Tensor, proprioception: Tensor) -> Tensor:
        """See `Policy`.

        Raises:
            VisuomotorError: inputs are no arrays of numbers, or of other sizes; `reset` was not called for that many
                worlds; or readings are not finite.
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
        return actions.cpu().double().clamp(-1, 1) * self._limits

    def save(self, path: Path | str) -> None:
        """Write weights and spec into one file (safetensors), whole or not at all."""
        from safetensors.torch import save

        tensors = {name: value.detach().cpu().contiguous() for name, value in self.network.state_dict().items()}
        kind = type(self.network).__name__
        told = {"spec": asdict(self._spec), "network": kind, "settings": self.network.settings, "format": _FORMAT}
        write_atomically(Path(path), save(tensors, metadata={"visuomotor": json.dumps(told)}))


def load_policy(path: Path | str) -> TrainedPolicy:
    """The policy of a run folder or a policy file, on the CPU.

    Raises:
        VisuomotorError: there is none, or the file is damaged or of another version.
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
    try:
        return _read(file)
    except Exception as error:  # safetensors, json and torch raise many types for a file that is not ours
        raise VisuomotorError(
            f"{file} is no policy file of visuomotor, or damaged ({one_line(error)}); train again"
        ) from error


def _read(file: Path) -> TrainedPolicy:
    from safetensors import safe_open
    from safetensors.torch import load_file

    with safe_open(str(file), framework="pt") as opened:
        told = json.loads(opened.metadata()["visuomotor"])
    if told["format"] != _FORMAT:
        raise VisuomotorError(f"policy format {told['format']}, expected {_FORMAT}")
    header = config_from_dict(_Header, told, where="header")
    spec = header.spec
    for name, size in header.settings.items():
        check_like(size, int | bool, f"header.settings.{name}")
        check_range(f"header.settings.{name}", size, 0, _LARGEST_SIZE)
    sizes = {"proprioception_size": spec.proprioception_size, "action_size": len(spec.action_limits)}
    sizes |= {"image_size": spec.image_size} if "image_size" in header.settings else {}  # some take images of any size
    for name, size in sizes.items():
        if header.settings.get(name) != size:
            raise VisuomotorError(f"header.settings.{name} is {header.settings.get(name)}, and {size} by header.spec")
    network = _NETWORKS[header.network](**header.settings)
    restore_module(network, load_file(str(file)), "weights")
    return TrainedPolicy(network, spec)
