"""The networks: sizes, feature points, and what they refuse."""

import numpy as np
import pytest
import torch

from visuomotor.errors import VisuomotorError
from visuomotor.policies import (
    PoseNetwork,
    StatePolicy,
    VisionEncoder,
    VisuomotorPolicy,
    spatial_softmax,
    vision_encoder,
)
from visuomotor.policies.vision_encoder import receptive_centers


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def pictures(generator_seed, *shape):
    generator = torch.Generator().manual_seed(generator_seed)
    return torch.randint(256, (*shape, 3), generator=generator, dtype=torch.uint8)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def test_as_many_parameters_as_the_paper():
    assert count(VisuomotorPolicy(32, 7)) == 92_143
    assert count(VisionEncoder()) == 86_336
    assert count(PoseNetwork()) == 86_336 + 64 * 9 + 9


def test_response_maps_of_a_240_pixel_image():
    with torch.inference_mode():
        responses = VisionEncoder().responses(pictures(0, 1, 240, 240))
    assert responses.shape == (1, 32, 109, 109)
    assert (responses >= 0).all()
    assert (responses > 0).any()


@pytest.mark.parametrize(("height", "width"), [(24, 24), (64, 64), (65, 48), (128, 128)])
def test_any_image_size(height, width):
    with torch.inference_mode():
        images = pictures(1, 2, height, width)
        policy = VisuomotorPolicy(5, 3)
        assert policy(images, torch.zeros(2, 5)).shape == (2, 3)
        points = policy.vision(images)
        assert points.shape == (2, 64)
        assert points.abs().max() <= 1
        torch.testing.assert_close(points[1:], policy.vision(images[1:]), rtol=1e-4, atol=1e-5)


def test_a_planted_peak_is_found_where_it_is():
    responses = torch.zeros(2, 3, 11, 21)
    responses[0, 1, 2, 15] = 60.0  # row 2, column 15
    responses[1, 2, 10, 0] = 60.0
    points = spatial_softmax(responses)
    assert points.shape == (2, 3, 2)
    assert points[0, 1].tolist() == pytest.approx([-1 + 2 * 15 / 20, -1 + 2 * 2 / 10], abs=1e-6)  # x along columns
    assert points[1, 2].tolist() == pytest.approx([-1.0, 1.0], abs=1e-6)
    torch.testing.assert_close(points[0, 0], torch.zeros(2), rtol=0, atol=1e-6)  # no peak: the middle


def test_spatial_softmax_as_a_loop():
    responses = 3 * torch.randn(2, 4, 6, 9, dtype=torch.float64)
    points = spatial_softmax(responses)
    for b in range(2):
        for c in range(4):
            weight = np.exp(responses[b, c].numpy())
            weight /= weight.sum()
            x = sum(weight[i, j] * (-1 + 2 * j / 8) for i in range(6) for j in range(9))
            y = sum(weight[i, j] * (-1 + 2 * i / 5) for i in range(6) for j in range(9))
            assert points[b, c].tolist() == pytest.approx([x, y], abs=1e-12)
    assert spatial_softmax(responses + 1e4).isfinite().all()


def test_bfloat16_is_for_training_only_and_about_the_same(monkeypatch):
    vision, images = VisionEncoder().eval(), pictures(4, 2, 40, 40)
    exact = vision.responses(images)
    for native in (False, True):
        monkeypatch.setattr(vision_encoder, "multiplies_bfloat16", lambda native=native: native)
        assert torch.equal(vision.eval().responses(images), exact)
        trained = vision.train().responses(images)
        assert trained.dtype == torch.float32
        assert torch.equal(trained, exact) != native
        torch.testing.assert_close(trained, exact, rtol=0.02, atol=0.02 * exact.max().item())
    gradients = torch.autograd.grad(trained.square().sum(), vision.conv1.weight)[0]
    expected = torch.autograd.grad(exact.square().sum(), vision.conv1.weight)[0]
    assert (gradients - expected).norm() < 0.1 * expected.norm()


def test_feature_points_are_in_the_order_that_the_docs_say():
    vision = VisionEncoder()
    images = pictures(2, 1, 40, 40)
    with torch.inference_mode():
        expected = spatial_softmax(vision.responses(images))[0]
        flat = vision(images)[0]
    assert torch.equal(flat[0::2], expected[:, 0])
    assert torch.equal(flat[1::2], expected[:, 1])


def test_responses_are_three_rectified_convolutions_of_scaled_pixels():
    vision = VisionEncoder().eval()
    vision.pixel_mean.copy_(torch.tensor([0.1, 0.5, 0.9]))
    image = pictures(3, 1, 33, 30)
    x = (image[0].double() / 255 - torch.tensor([0.1, 0.5, 0.9]).double()).permute(2, 0, 1)[None]
    for layer, stride in ((vision.conv1, 2), (vision.conv2, 1), (vision.conv3, 1)):
        x = torch.nn.functional.conv2d(x, layer.weight.double(), layer.bias.double(), stride=stride).clamp(min=0)
    torch.testing.assert_close(vision.responses(image).double(), x, rtol=1e-4, atol=1e-4)


def test_gradients_reach_every_layer():
    policy = VisuomotorPolicy(4, 2)
    policy(pictures(4, 3, 32, 32), torch.randn(3, 4)).square().sum().backward()
    for name, parameter in policy.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_readings_and_actions_are_scaled():
    policy = VisuomotorPolicy(3, 2)
    points, readings = torch.randn(4, 64), torch.randn(4, 3, dtype=torch.float64)
    plain = policy.act_from_features(points, readings)
    policy.proprioception_mean.copy_(torch.tensor([1.0, 2.0, 3.0]))
    policy.proprioception_scale.copy_(torch.tensor([2.0, 0.5, 4.0]))
    policy.action_scale.copy_(torch.tensor([10.0, 0.1]))
    moved = readings * policy.proprioception_scale + policy.proprioception_mean
    torch.testing.assert_close(
        policy.act_from_features(points, moved), plain * policy.action_scale, rtol=1e-4, atol=1e-5
    )
    state_policy = StatePolicy(3, 2)
    plain = state_policy(readings)
    state_policy.state_mean.copy_(policy.proprioception_mean)
    state_policy.state_scale.copy_(policy.proprioception_scale)
    state_policy.action_scale.copy_(policy.action_scale)
    torch.testing.assert_close(state_policy(moved), plain * policy.action_scale, rtol=1e-4, atol=1e-5)


def test_statistics_are_saved_but_not_trained():
    policy = VisuomotorPolicy(32, 7)
    buffers = {"proprioception_mean", "proprioception_scale", "action_scale", "covariance", "vision.pixel_mean"}
    assert buffers <= policy.state_dict().keys()
    assert not buffers & {name for name, _ in policy.named_parameters()}
    assert policy.covariance.dtype == torch.float64


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.zeros(1, 64, 64, 3), "uint8"),
        (torch.zeros(64, 64, 3, dtype=torch.uint8), "batch"),
        (torch.zeros(1, 3, 64, 64, dtype=torch.uint8), "height, width, 3"),
        (torch.zeros(1, 23, 64, 3, dtype=torch.uint8), "24x24"),
    ],
)
def test_bad_images_are_refused(images, message):
    with pytest.raises(VisuomotorError, match=message):
        VisionEncoder()(images)


def test_other_readings_are_refused():
    with pytest.raises(VisuomotorError, match="32 joint readings, not 31"):
        VisuomotorPolicy(32, 7)(pictures(5, 1, 32, 32), torch.zeros(1, 31))


@pytest.mark.parametrize("with_bias", [True, False])
def test_first_layer_filters_come_back_from_a_file(tmp_path, with_bias):
    donor, taker = VisionEncoder(), VisionEncoder()
    with torch.no_grad():
        donor.conv1.bias.normal_()
        taker.conv1.bias.normal_()
    saved = {"weight": donor.conv1.weight.detach()}
    if with_bias:
        saved["bias"] = donor.conv1.bias.detach()
    torch.save(saved, tmp_path / "filters.pt")
    taker.load_first_layer(tmp_path / "filters.pt")
    assert torch.equal(taker.conv1.weight, donor.conv1.weight)
    assert torch.equal(taker.conv1.bias, donor.conv1.bias if with_bias else torch.zeros(64))
    assert taker.conv1.weight.requires_grad
    assert not torch.equal(taker.conv2.weight, donor.conv2.weight)


def test_bad_filter_files_are_refused(tmp_path):
    vision = VisionEncoder()
    before = {name: value.clone() for name, value in vision.state_dict().items()}
    path = tmp_path / "filters.pt"
    with pytest.raises(VisuomotorError, match="no file"):
        vision.load_first_layer(path)
    right = torch.ones(64, 3, 7, 7)
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(VisuomotorError, match=r"torch\.save"):
        vision.load_first_layer(path)
    for content, message in (
        ({"filters": right}, r"torch\.save"),
        ([1, 2], r"torch\.save"),
        ({"weight": "seven"}, r"torch\.save"),
        ({"weight": torch.ones(64, 3, 5, 5)}, r"weight of shape \(64, 3, 5, 5\)"),
        ({"weight": right * torch.nan}, "finite"),
        ({"weight": right, "bias": torch.ones(63)}, r"bias of shape \(63,\)"),
        ({"weight": right, "bias": "none"}, "bias"),
        ({"weight": right, "bias": torch.full((64,), torch.inf)}, "bias"),
    ):
        torch.save(content, path)
        with pytest.raises(VisuomotorError, match=message):
            vision.load_first_layer(path)
        for name, value in vision.state_dict().items():  # nothing half taken
            assert torch.equal(value, before[name]), name


def test_response_maps_are_centred_where_it_is_said():
    """The gradient of a map's pixel by the image reaches 23x23 pixels around its centre."""
    encoder = VisionEncoder().eval()
    side = 40
    for corner, expected in ((0, receptive_centers(side)[0]), (-1, receptive_centers(side)[1])):
        pixels = torch.zeros(1, 3, side, side, requires_grad=True)
        with torch.no_grad():
            for layer in (encoder.conv1, encoder.conv2, encoder.conv3):
                layer.weight.abs_()
                layer.bias.fill_(1.0)  # nothing is cut off at zero
        encoder._convolve(pixels)[0, 0, corner, corner].backward()
        touched = pixels.grad[0].abs().sum((0, 1)).nonzero().flatten()
        assert len(touched) == 23
        assert touched.double().mean().item() == expected
