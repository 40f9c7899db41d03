"""What every policy is to those who run it: images and joint readings in, actions out."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from visuomotor.errors import VisuomotorError, one_line
from visuomotor.policies.recurrent_policy import RecurrentPolicy
from visuomotor.policies.visuomotor_policy import VisuomotorPolicy


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
    proprioception_size: int
    """Readings of `Task.proprioception`, in its order and units."""
    action_limits: tuple[float, ...]
    """The largest magnitude of each action, in `action_unit`."""
    action_unit: str
    """"N m" or "rad/s"."""
    control_dt: float
    """s between two actions."""
    training: dict[str, Any]
    """How far training had come: `control_steps` or `iterations`, and what its config does not tell (`notes`)."""

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

Network = VisuomotorPolicy | RecurrentPolicy
_NETWORKS: dict[str, type[Network]] = {kind.__name__: kind for kind in (VisuomotorPolicy, RecurrentPolicy)}


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
        """Begin episodes in n worlds."""
        self._hidden = self.network.initial_hidden_state(n)

    @torch.inference_mode()
    def act(self, images: Tensor, proprioception: Tensor) -> Tensor:
        """See `Policy`.

        Raises:
            VisuomotorError: `reset` was not called for that many worlds, or inputs have other sizes.
        """
        images, proprioception = torch.as_tensor(images), torch.as_tensor(proprioception)
        if self._hidden is None or len(self._hidden) != len(images) or len(images) != len(proprioception):
            raise VisuomotorError(
                f"call policy.reset({len(images)}) before policy.act with images and readings of {len(images)} worlds"
            )
        actions, self._hidden = self.network.act(images.to(self._device), proprioception.to(self._device), self._hidden)
        return actions.cpu().double().clamp(-1, 1) * self._limits

    def save(self, path: Path | str) -> None:
        """Write weights and spec into one file (safetensors), whole or not at all."""
        from safetensors.torch import save

        from visuomotor.runs.atomic import write_atomically

        tensors = {name: value.detach().cpu().contiguous() for name, value in self.network.state_dict().items()}
        kind = type(self.network).__name__
        told = {"spec": asdict(self._spec), "network": kind, "settings": self.network.settings, "format": _FORMAT}
        write_atomically(Path(path), save(tensors, metadata={"visuomotor": json.dumps(told)}))


def load_policy(path: Path | str) -> TrainedPolicy:
    """The policy of a run folder or a policy file, on the CPU.

    Raises:
        VisuomotorError: there is none, or the file is damaged or of another version.
    """
    path = Path(path)
    file = path / FILE_NAME if path.is_dir() else path
    if not file.is_file():
        raise VisuomotorError(
            f"there is no policy file {file}; training writes it when the policy has learned for the first time"
        )
    try:
        from safetensors import safe_open
        from safetensors.torch import load_file

        with safe_open(str(file), framework="pt") as opened:
            told = json.loads(opened.metadata()["visuomotor"])
        if told["format"] != _FORMAT:
            raise VisuomotorError(f"{file} has policy format {told['format']}, expected {_FORMAT}; train again")
        network = _NETWORKS[told["network"]](**told["settings"])
        network.load_state_dict(load_file(str(file)))
        limits = tuple(told["spec"].pop("action_limits"))
        return TrainedPolicy(network, PolicySpec(action_limits=limits, **told["spec"]))
    except VisuomotorError:
        raise
    except Exception as error:  # safetensors, json and torch raise many types for a file that is not ours
        raise VisuomotorError(
            f"{file} is no policy file of visuomotor, or damaged ({one_line(error)}); train again"
        ) from error
