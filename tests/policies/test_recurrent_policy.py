"""The recurrent policy: its function, its memory, its distribution, and what it refuses."""

import pytest
import torch
from torch import nn
from torch.nn.functional import conv2d

from visuomotor.errors import VisuomotorError
from visuomotor.policies.mlp import mlp
from visuomotor.policies.recurrent_policy import RecurrentPolicy

READINGS, ACTIONS, OBJECTS = 24, 9, 2


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def rollout(steps, worlds, side=64, start_rate=0.2):
    images = torch.randint(256, (steps, worlds, side, side, 3), dtype=torch.uint8)
    return images, torch.randn(steps, worlds, READINGS), torch.rand(steps, worlds) < start_rate


def make(**options):
    policy = RecurrentPolicy(READINGS, ACTIONS, OBJECTS, **options)
    nn.init.orthogonal_(policy.action_mean[0].weight)  # the small first one would hide differences
    return policy


def image_features(policy, images):
    """The vision layers as the paper's figure has them, in float64."""
    x = (images.double() / 255 - 0.5).permute(0, 3, 1, 2)
    for layer, stride in ((policy.conv1, 4), (policy.conv2, 2)):
        x = conv2d(x, layer.weight.double(), layer.bias.double(), stride=stride).clamp(min=0)
    layer = policy.image_proj[0]
    return (x.flatten(1) @ layer.weight.double().T + layer.bias.double()).clamp(min=0)


def test_parameters_are_those_of_the_layers_in_the_docs():
    policy = RecurrentPolicy(READINGS, ACTIONS, OBJECTS)
    count = {name: sum(p.numel() for p in part.parameters()) for name, part in policy.named_children()}
    assert count == {
        "conv1": 3_088,
        "conv2": 8_224,
        "image_proj": 147_584,
        "proprio_proj": 25 * 64,
        "lstm": 4 * 100 * (128 + 64 + 100 + 2),
        "action_mean": 101 * 9,
        "keypoint_head": 129 * 6,
    }


@pytest.mark.parametrize("recurrent", [True, False])
def test_an_unrolled_rollout_is_the_same_as_its_steps(recurrent):
    policy = make(recurrent=recurrent)
    images, readings, starts = rollout(7, 3)
    starts[0, 1] = True
    first = torch.randn_like(policy.initial_hidden_state(3))
    with torch.no_grad():
        sequence = policy.forward_sequence(policy.encode_images(images), readings, first, starts)
        state = first
        for t in range(len(images)):
            state = torch.where(starts[t][:, None], policy.initial_hidden_state(3), state)
            mean, state = policy.step(policy.encode_images(images[t]), readings[t], state)
            torch.testing.assert_close(sequence.mean[t], mean, rtol=0, atol=1e-5)
    torch.testing.assert_close(sequence.hidden_state, state, rtol=0, atol=1e-5)
    assert sequence.mean.shape == (7, 3, ACTIONS)
    assert state.shape == (3, 200 if recurrent else 0)


def test_features_and_objects_are_those_of_plain_convolutions():
    policy = make()
    images, _, _ = rollout(50, 4)  # more images than go through the convolutions at a time
    objects = policy.predict_keypoints(policy.encode_images(images))
    head = policy.keypoint_head[0]
    expected = image_features(policy, images.flatten(0, 1)) @ head.weight.double().T + head.bias.double()
    torch.testing.assert_close(objects.double(), expected.view(50, 4, OBJECTS, 3), rtol=1e-4, atol=1e-5)


def test_gradients_of_the_vision_layers_are_those_of_plain_convolutions():
    policy = make()
    images, _, _ = rollout(50, 4)
    layers = [policy.conv1.weight, policy.conv1.bias, policy.conv2.weight, policy.image_proj[0].weight]
    policy.predict_keypoints(policy.encode_images(images)).square().sum().backward()
    gradients = [parameter.grad.double() for parameter in layers]
    head = policy.keypoint_head[0]
    plain = image_features(policy, images.flatten(0, 1)) @ head.weight.double().T + head.bias.double()
    for gradient, expected in zip(gradients, torch.autograd.grad(plain.square().sum(), layers), strict=True):
        torch.testing.assert_close(gradient, expected.double(), rtol=1e-3, atol=1e-4 * expected.abs().max().item())


def test_a_start_forgets_and_nothing_else_does():
    policy = make()
    images, readings, starts = rollout(6, 2, start_rate=0)
    starts[3, 0] = True
    with torch.no_grad():
        state = torch.randn_like(policy.initial_hidden_state(2))
        before = policy.forward_sequence(policy.encode_images(images), readings, state, starts).mean
        readings[2] += 1
        after = policy.forward_sequence(policy.encode_images(images), readings, state, starts).mean
    changed = ((after - before).abs() > 1e-6).any(-1)
    assert changed.tolist() == [[False, False]] * 2 + [[True, True]] + [[False, True]] * 3


def test_a_start_also_forgets_what_is_not_a_number():
    policy = make()
    images, readings, starts = rollout(2, 1)
    starts[0] = True
    assert (
        policy.forward_sequence(policy.encode_images(images), readings, policy.initial_hidden_state(1) / 0, starts)
        .mean.isfinite()
        .all()
    )


def test_gradients_reach_every_parameter():
    policy = make()
    images, readings, starts = rollout(4, 3)
    features = policy.encode_images(images)
    sequence = policy.forward_sequence(features, readings, policy.initial_hidden_state(3), starts)
    (sequence.mean.square().sum() + policy.predict_keypoints(features).square().sum()).backward()
    for name, parameter in policy.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_first_actions_are_small():
    policy = RecurrentPolicy(READINGS, ACTIONS, OBJECTS)
    images, readings, _ = rollout(1, 8)
    mean, _ = policy.step(policy.encode_images(images[0]), readings[0], policy.initial_hidden_state(8))
    assert mean.abs().max() < 0.05


@pytest.mark.parametrize("side", [20, 48, 84])
def test_other_image_sizes(side):
    images, readings, _ = rollout(1, 2, side)
    policy = make(image_size=side)
    assert policy.step(policy.encode_images(images[0]), readings[0], policy.initial_hidden_state(2))[0].shape == (
        2,
        ACTIONS,
    )


@pytest.mark.parametrize("side", [16, 66])
def test_image_sizes_that_cannot_work_are_refused(side):
    with pytest.raises(VisuomotorError, match="multiple of 4 and at least 20"):
        make(image_size=side)


def test_bad_observations_are_refused():
    policy = make()
    images, readings, starts = rollout(1, 2)
    state = policy.initial_hidden_state(2)
    for wrong in (images[0].float(), images[0, :, :32, :32], images[0].permute(0, 3, 1, 2)):
        with pytest.raises(VisuomotorError, match="trained on 64x64 images"):
            policy.encode_images(wrong)
    with pytest.raises(VisuomotorError, match="24 joint readings, not 23"):
        policy.step(policy.encode_images(images[0]), readings[0, :, 1:], state)
    for bad in (torch.nan, torch.inf):
        readings[0, 1, 3] = bad
        with pytest.raises(VisuomotorError, match="not finite"):
            policy.forward_sequence(policy.encode_images(images), readings, state, starts)


def test_an_mlp_starts_orthogonal():
    layers = mlp((6, 20, 4), output_gain=0.5)
    assert [type(layer) for layer in layers] == [nn.Linear, nn.Tanh, nn.Linear]
    torch.testing.assert_close(layers[0].weight.T @ layers[0].weight, 2 * torch.eye(6), rtol=0, atol=1e-5)
    torch.testing.assert_close(layers[2].weight @ layers[2].weight.T, 0.25 * torch.eye(4), rtol=0, atol=1e-5)
    assert all((layer.bias == 0).all() for layer in (layers[0], layers[2]))
