"""Pose networks without feature points."""

import pytest
import torch
from torch.nn import functional

from visuomotor.policies import PoseNetwork
from visuomotor.policies.pose_architectures import POSE_ARCHITECTURES, FullyConnectedPoseNetwork

SIZE = 96


def pictures(count):
    shape = (count, SIZE, SIZE, 3)
    return torch.randint(256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", POSE_ARCHITECTURES)
def test_every_parameter_takes_part(name):
    torch.manual_seed(0)
    network = POSE_ARCHITECTURES[name](9, SIZE)
    found = network(pictures(2))
    assert found.shape == (2, 9)
    found.square().sum().backward()
    assert all(one.grad is not None and one.grad.any() for one in network.parameters())


def test_the_layer_reads_all_pixels_of_all_maps():
    """Sides 45, 41, 37; pooled 45, 22, 18, 8, 4 (the last of which is a quarter of 16 pixels)."""
    weights = {name: make(9, SIZE) for name, make in POSE_ARCHITECTURES.items()}
    ours = sum(one.numel() for one in PoseNetwork(9).parameters())
    extra = {name: sum(one.numel() for one in network.parameters()) - ours for name, network in weights.items()}
    assert extra == {
        "feature-points": 0,
        "softmax-fully-connected": 32 * 37**2 * 64 + 64,
        "fully-connected": 32 * 37**2 * 64 + 64,
        "max-pooling": 32 * 4**2 * 64 + 64,
    }


@pytest.mark.parametrize("max_pooling", [False, True])
def test_networks_are_what_they_are_called(max_pooling):
    torch.manual_seed(0)
    network = FullyConnectedPoseNetwork(9, SIZE, max_pooling=max_pooling).eval()
    images = pictures(2)
    maps = images.permute(0, 3, 1, 2).float() / 255 - 0.5
    for number, layer in enumerate((network.vision.conv1, network.vision.conv2, network.vision.conv3)):
        maps = layer(maps).clamp(min=0)
        if max_pooling and number < 2:
            maps = functional.max_pool2d(maps, kernel_size=3, stride=2)
    expected = network.head(network.layer(maps.flatten(1)).clamp(min=0))
    torch.testing.assert_close(network(images), expected, rtol=1e-4, atol=1e-5)


def test_a_softmax_with_the_right_weights_gives_feature_points():
    """The learned layer could learn what the fixed one computes."""
    torch.manual_seed(0)
    network = FullyConnectedPoseNetwork(9, SIZE, softmax=True).eval()
    images = pictures(2)
    maps = network.vision.responses(images)
    height, width = maps.shape[-2:]
    y, x = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
    with torch.no_grad():
        weight = torch.zeros(32, 2, 32, height, width)  # unit x or y of a point, of which map, pixel
        for channel in range(32):
            weight[channel, 0, channel], weight[channel, 1, channel] = x + 2, y + 2
        network.layer.weight.copy_(weight.reshape(64, -1))
        network.layer.bias.zero_()
    torch.testing.assert_close(network.features(images) - 2, network.vision(images), rtol=1e-3, atol=1e-3)
