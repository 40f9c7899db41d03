"""The convolutional layers of the visuomotor policy, 86,336 parameters."""

from pathlib import Path

import torch
from torch import Tensor, nn

from visuomotor.errors import VisuomotorError
from visuomotor.policies.spatial_softmax import spatial_softmax
from visuomotor.runs.devices import multiplies_bfloat16

FEATURE_POINTS = 32
SMALLEST_SIDE = 24
_STRIDE, _RECEPTIVE_FIELD = 2, 23  # pixels of the image, of a response map's pixels: 7 + 2 (4 + 4)


def receptive_centers(side: int) -> tuple[float, float]:
    """The pixels of an image that the first and the last pixel of a response map are centred on; 0 is the centre of the
    image's first pixel. They are -1 and 1 in feature points.

    Args:
        side: of the image, pixels.
    """
    first = (_RECEPTIVE_FIELD - 1) / 2
    return first, first + _STRIDE * ((side - _RECEPTIVE_FIELD) // _STRIDE)


class VisionEncoder(nn.Module):
    """Three rectified convolutions and a spatial softmax: 32 feature points from an image of any size.

    64 filters of 7x7 at stride 2, 32 of 5x5, 32 of 5x5, no padding, no pooling (Levine et al. 2015, figure 2): a
    240x240 image gives response maps of 109x109. Pixels are scaled to [0, 1] and centred on `pixel_mean`, which is no
    parameter.

    In training mode (`module.train()`) convolutions run in bfloat16 where the processor multiplies it natively, and are
    then three times as fast. In evaluation mode (`module.eval()`) they run in float32.
    """

    pixel_mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2)
        self.conv2 = nn.Conv2d(64, 32, 5)
        self.conv3 = nn.Conv2d(32, FEATURE_POINTS, 5)
        self.register_buffer("pixel_mean", torch.full((3,), 0.5))
        for layer in (self.conv1, self.conv2, self.conv3):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)  # pyright: ignore[reportArgumentType]

    def forward(self, images: Tensor) -> Tensor:
        """Images `(batch, height, width, rgb)` uint8 to feature points `(batch, 64)`: x0, y0, x1, y1, ..."""
        return spatial_softmax(self.responses(images)).flatten(1)

    def responses(self, images: Tensor) -> Tensor:
        """The rectified response maps before the softmax, `(batch, 32, height', width')`."""
        if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[-1] != 3:
            raise VisuomotorError(
                f"images must be uint8 (batch, height, width, 3), not {images.dtype} {tuple(images.shape)}"
            )
        if min(images.shape[1:3]) < SMALLEST_SIDE:
            raise VisuomotorError(
                f"images of {images.shape[1]}x{images.shape[2]} leave nothing after three convolutions; "
                f"use at least {SMALLEST_SIDE}x{SMALLEST_SIDE}"
            )
        pixels = (images.float() / 255 - self.pixel_mean).permute(0, 3, 1, 2)  # channels last, as convolutions like it
        fast = self.training and images.device.type == "cpu" and multiplies_bfloat16()
        with torch.autocast("cpu", torch.bfloat16, enabled=fast):
            maps = self._convolve(pixels)
        return maps.float()

    def _convolve(self, pixels: Tensor) -> Tensor:
        return self.conv3(self.conv2(self.conv1(pixels).relu_()).relu_()).relu_()  # in place: fresh memory is slow

    def load_first_layer(self, path: Path | str) -> None:
        """Take the first layer's filters from a file, for instance those of an ImageNet classifier.

        The file is written by `torch.save({"weight": (64, 3, 7, 7), "bias": (64,)}, path)`: float32, axes output,
        rgb, rows, columns, for pixels in [0, 1] less their mean. Without a bias it is zero.
        """
        try:
            filters = torch.load(path, weights_only=True, map_location="cpu")
            weight = filters["weight"].float()
            bias = filters.get("bias", torch.zeros(len(weight))).float()
        except FileNotFoundError as error:
            raise VisuomotorError(
                f"there is no file of first-layer filters at {path} (to resume a run: --image.first-layer None)"
            ) from error
        except Exception as error:
            raise VisuomotorError(
                f"{path} does not hold first-layer filters; write it with "
                'torch.save({"weight": tensor (64, 3, 7, 7), "bias": tensor (64,)}, path)'
            ) from error
        for name, value, layer in (("weight", weight, self.conv1.weight), ("bias", bias, self.conv1.bias)):
            if layer is None or value.shape != layer.shape or not value.isfinite().all():
                raise VisuomotorError(
                    f"{path} holds a {name} of shape {tuple(value.shape)}; "
                    "the weight must be (64, 3, 7, 7), the bias (64,), both finite"
                )
        self.conv1.load_state_dict({"weight": weight, "bias": bias})
