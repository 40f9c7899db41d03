"""The loss of predicted points and the course of the learning rate."""

import pytest
import torch

from visuomotor.policies import keypoint_loss, learning_rate_factor


def test_the_loss_is_the_mean_distance_smooth_at_zero():
    error = torch.tensor([[3.0, 0.0, 4.0], [0.0, 0.0, 0.0]], requires_grad=True)
    loss = keypoint_loss(error, 0.1)
    assert loss.item() == pytest.approx(((25 + 0.01) ** 0.5 + 0.1) / 2)
    loss.backward()
    assert error.grad is not None
    # half a unit vector each: how far off an object is does not change its weight
    torch.testing.assert_close(error.grad[0], torch.tensor([0.3, 0.0, 0.4]), rtol=1e-3, atol=0)
    assert torch.equal(error.grad[1], torch.zeros(3))


def test_the_learning_rate_rises_and_falls_along_a_cosine():
    fractions, factors = (0.0, 0.025, 0.05, 0.25, 0.5, 0.75), (0.0, 0.5, 0.994, 0.854, 0.5, 0.146)
    assert [learning_rate_factor(f) for f in fractions] == pytest.approx(factors, abs=0.002)
    assert learning_rate_factor(1.0) == 0.02
