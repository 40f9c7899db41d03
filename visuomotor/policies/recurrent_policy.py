"""The recurrent visuomotor policy of Zhu et al. 2018: pixels and joint readings through an LSTM to joint velocities."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx
from torch.nn.functional import conv2d
from torch.nn.grad import conv2d_weight

from visuomotor.errors import VisuomotorError
from visuomotor.policies.mlp import mlp

_IMAGE_FEATURES, _READING_FEATURES, _HIDDEN = 128, 64, 100
_STRIDE = 4  # of the first convolution
_SMALLEST_SIDE = 20  # leaves one pixel after both convolutions
_PIECE = 128  # images the convolutions take at a time: what they work on then stays in the processor's cache


@dataclass(frozen=True)
class SequenceOutput:
    """Output of a policy on a rollout: mean actions `(T, W, A)`, and the hidden state after the last step `(W, S)`."""

    mean: Tensor
    hidden_state: Tensor


class _Filters(nn.Module):
    """Weight `(outputs, inputs, side, side)` and bias of a convolution."""

    def __init__(self, inputs: int, outputs: int, side: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(nn.init.orthogonal_(torch.empty(outputs, inputs, side, side), math.sqrt(2)))
        self.bias = nn.Parameter(torch.zeros(outputs))


class _PixelConvolution(torch.autograd.Function):
    """Images uint8, as -127.5 .. 127.5, through filters at stride 4.

    It keeps the bytes for the way back and not four times as much of floats: a third faster on large batches, which
    wait for fresh memory. Images have no gradient.
    """

    @staticmethod
    def forward(ctx: FunctionCtx, images: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(images, weight)
        return conv2d(_pixels(images), weight, bias, stride=_STRIDE)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor, Tensor]:
        images, weight = ctx.saved_tensors
        (gradient,) = gradients
        by_weight = conv2d_weight(_pixels(images), weight.shape, gradient, stride=_STRIDE)
        return None, by_weight, gradient.sum((0, 2, 3))


def _pixels(images: Tensor) -> Tensor:
    return images.float().sub_(127.5).permute(0, 3, 1, 2)  # channels stay last in memory, as convolutions like it


class RecurrentPolicy(nn.Module):
    """The mean action, from images and readings so far.

    16 filters of 8x8 at stride 4, 32 of 4x4 at stride 2, 128 features, all rectified; 64 tanh features of the robot's
    readings; both into an LSTM of 100, and from there to the mean. An auxiliary head reads the objects' positions off
    the image features; its loss trains the vision layers (Zhu et al. 2018, section III-B and figure 2).

    Args:
        proprioception_size: P. action_size: A. keypoints: K, how many 3-D positions the auxiliary head predicts.
        image_size: side of the square images, a multiple of 4.
        recurrent: False replaces the LSTM by a tanh layer of 100; the hidden state then has size 0.
    """

    def __init__(
        self,
        proprioception_size: int,
        action_size: int,
        keypoints: int,
        image_size: int = 64,
        recurrent: bool = True,
    ) -> None:
        super().__init__()
        if image_size % _STRIDE or image_size < _SMALLEST_SIDE:
            raise VisuomotorError(
                f"the image size must be a multiple of {_STRIDE} and at least {_SMALLEST_SIDE}, not {image_size}"
            )
        self.settings = {
            "proprioception_size": proprioception_size,
            "action_size": action_size,
            "keypoints": keypoints,
            "image_size": image_size,
            "recurrent": recurrent,
        }
        """The constructor's arguments."""
        self.image_size, self.proprioception_size, self.keypoints = image_size, proprioception_size, keypoints
        side = (image_size // _STRIDE - 5) // 2 + 1
        self.conv1 = _Filters(3, 16, 8)
        self.conv2 = _Filters(16, 32, 4)
        self.image_proj = mlp((32 * side * side, _IMAGE_FEATURES), math.sqrt(2))
        self.proprio_proj = mlp((proprioception_size, _READING_FEATURES), math.sqrt(2))
        joined = _IMAGE_FEATURES + _READING_FEATURES
        self.lstm = nn.LSTM(joined, _HIDDEN) if recurrent else None
        self.feedforward = None if recurrent else mlp((joined, _HIDDEN), math.sqrt(2))
        self.action_mean = mlp((_HIDDEN, action_size), 0.01)
        self.keypoint_head = mlp((_IMAGE_FEATURES, 3 * keypoints))

    def initial_hidden_state(self, n: int) -> Tensor:
        """Zeros `(n, S)`: output and cell of the LSTM; S is 0 without recurrence."""
        return torch.zeros(n, 2 * _HIDDEN if self.lstm else 0, device=self.device)

    def encode_images(self, images: Tensor) -> Tensor:
        """Image features `(..., 128)` of images `(..., height, width, rgb)` uint8."""
        size = self.image_size
        if images.dtype != torch.uint8 or images.shape[-3:] != (size, size, 3):
            raise VisuomotorError(
                f"this policy was trained on {size}x{size} images, uint8 (world, height, width, rgb), "
                f"not {images.dtype} {tuple(images.shape)}; render them at that size"
            )
        flat = images.flatten(0, -4)
        pieces = flat.split(_PIECE) if images.device.type == "cpu" else [flat]
        maps = [self._response_maps(piece) for piece in pieces]
        return self.image_proj(torch.cat(maps)).relu().unflatten(0, images.shape[:-3])

    def predict_keypoints(self, features: Tensor) -> Tensor:
        """Where the objects are, `(..., K, 3)` m, by the auxiliary head; features: `(..., 128)`."""
        return self.keypoint_head(features).unflatten(-1, (self.keypoints, 3))

    def act(self, images: Tensor, proprioception: Tensor, hidden_state: Tensor) -> tuple[Tensor, Tensor]:
        """Mean actions `(n, A)`, and the hidden state for the next step."""
        return self.step(self.encode_images(images), proprioception.float(), hidden_state)

    def step(self, features: Tensor, proprioception: Tensor, hidden_state: Tensor) -> tuple[Tensor, Tensor]:
        """One step of every world.

        Args:
            features: `(world, 128)` of `encode_images`. proprioception: `(world, P)`. hidden_state: `(world, S)`.

        Returns:
            Mean actions `(world, A)` and the state for the next step.
        """
        starts = torch.zeros(1, len(features), dtype=torch.bool, device=features.device)
        sequence = self.forward_sequence(features[None], proprioception[None], hidden_state, starts)
        return sequence.mean[0], sequence.hidden_state

    def forward_sequence(
        self, features: Tensor, proprioception: Tensor, hidden_state: Tensor, starts: Tensor
    ) -> SequenceOutput:
        """Every step of stored rollouts, with gradients through time.

        Args:
            features: `(T, W, 128)` of `encode_images`. proprioception: `(T, W, P)`.
            hidden_state: `(W, S)` before the first step.
            starts: `(T, W)` bool, true where a step is the first of an episode: the state is zeroed before it.
        """
        hidden, hidden_state = self._recur(self._joined(features, proprioception), hidden_state, starts)
        return SequenceOutput(self.action_mean(hidden), hidden_state)

    @property
    def device(self) -> torch.device:
        """Where the network lives."""
        return self.conv1.weight.device

    @property
    def vision_parameters(self) -> list[nn.Parameter]:
        """The parameters of `encode_images`."""
        return [p for layer in (self.conv1, self.conv2, self.image_proj) for p in layer.parameters()]

    def _response_maps(self, images: Tensor) -> Tensor:
        """What the convolutions make of a piece of the batch, `(batch, 32 * side * side)`."""
        maps: Tensor = _PixelConvolution.apply(images, self.conv1.weight / 255, self.conv1.bias)
        maps = conv2d(maps.relu_(), self.conv2.weight, self.conv2.bias, stride=2)  # in place: fresh memory is slow
        return maps.relu_().flatten(1)

    def _joined(self, image_features: Tensor, proprioception: Tensor) -> Tensor:
        if proprioception.shape[-1] != self.proprioception_size:
            raise VisuomotorError(
                f"this policy reads {self.proprioception_size} joint readings, not {proprioception.shape[-1]}"
            )
        if not proprioception.isfinite().all():
            raise VisuomotorError("joint readings are not finite: reset worlds whose physics diverged before they act")
        return torch.cat([image_features, self.proprio_proj(proprioception).tanh()], dim=-1)

    def _recur(self, joined: Tensor, hidden_state: Tensor, starts: Tensor) -> tuple[Tensor, Tensor]:
        """Features `(T, W, 192)` to what the recurrent layer puts out `(T, W, 100)`, and the last state."""
        if self.lstm is None:
            assert self.feedforward is not None
            return self.feedforward(joined).tanh(), hidden_state
        state = tuple(part.contiguous()[None] for part in hidden_state.chunk(2, dim=-1))
        fresh = starts.any(1)
        fresh[0] = True
        lengths = fresh.nonzero()[:, 0].diff(append=torch.tensor([len(fresh)], device=fresh.device)).tolist()
        outputs: list[Tensor] = []
        # torch's LSTM runs over many steps in one call, about three times as fast as cells; only starts interrupt it
        for inputs, start in zip(joined.split(lengths), starts[fresh], strict=True):
            state = tuple(part.masked_fill(start[:, None], 0) for part in state)
            output, state = self.lstm(inputs, state)
            outputs.append(output)
        return torch.cat(outputs), torch.cat(state, dim=-1)[0]
