"""Pose networks without feature points, for comparison (Levine et al. 2015, table II)."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from visuomotor.policies.pose_network import PoseNetwork
from visuomotor.policies.vision_encoder import FEATURE_POINTS, VisionEncoder


class MaxPoolingEncoder(VisionEncoder):
    """Maxima over 3x3 at stride 2 after the first two convolutions. The smallest image has 88 pixels a side."""

    def _convolve(self, pixels: Tensor) -> Tensor:
        maps = functional.max_pool2d(self.conv1(pixels).relu_(), 3, 2)
        return self.conv3(functional.max_pool2d(self.conv2(maps).relu_(), 3, 2)).relu_()


class FullyConnectedPoseNetwork(PoseNetwork):
    """All response maps go into one learned layer, 64 rectified units, in place of the 32 feature points.

    Args:
        image_size: side of the images in pixels, which decides how many weights that layer has.
        softmax: whether it reads the maps' softmax over pixels.
        max_pooling: whether the convolutions are those of `MaxPoolingEncoder`.
    """

    def __init__(self, coordinates: int, image_size: int, softmax: bool = False, max_pooling: bool = False) -> None:
        super().__init__(coordinates)
        if max_pooling:
            self.vision = MaxPoolingEncoder()
        self.softmax = softmax
        maps = self.vision.responses(torch.zeros(1, image_size, image_size, 3, dtype=torch.uint8))
        self.layer = nn.Linear(maps.numel(), 2 * FEATURE_POINTS)
        if softmax:  # a map's softmax weighs its pixels: the layer's inputs are as strong as one of each map
            bound = FEATURE_POINTS**-0.5
            nn.init.uniform_(self.layer.weight, -bound, bound)

    def features(self, images: Tensor) -> Tensor:
        maps = self.vision.responses(images).flatten(2)
        if self.softmax:
            maps = maps.softmax(-1)
        return self.layer(maps.flatten(1)).relu()


POSE_ARCHITECTURES: Mapping[str, Callable[[int, int], PoseNetwork]] = {
    "feature-points": lambda coordinates, _size: PoseNetwork(coordinates),
    "softmax-fully-connected": lambda coordinates, size: FullyConnectedPoseNetwork(coordinates, size, softmax=True),
    "fully-connected": FullyConnectedPoseNetwork,
    "max-pooling": lambda coordinates, size: FullyConnectedPoseNetwork(coordinates, size, max_pooling=True),
}
"""Networks for a number of coordinates and a side of the images."""
