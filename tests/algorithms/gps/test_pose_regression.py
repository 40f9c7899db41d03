"""Pose regression on images whose points are known."""

import pytest
import torch

from visuomotor.algorithms.gps.config import ImageConfig, PoseConfig
from visuomotor.algorithms.gps.pose_regression import PoseData, PoseTraining, collect_pose_dataset
from visuomotor.policies import AugmentationConfig, PoseNetwork, learning_rate_factor
from visuomotor.tasks import make_task

SETTINGS = PoseConfig(epochs=30, batch=10, learning_rate=3e-3)


def squares(count, generator):
    """Images of a bright square, and nine numbers that say where it is; the last third is held out."""
    row, column = 4 + 10 * torch.randint(3, (2, count), generator=generator)
    images = torch.zeros(count, 40, 40, 3, dtype=torch.uint8)
    for n in range(count):
        images[n, row[n] : row[n] + 9, column[n] : column[n] + 9] = 255
    points = torch.stack([row / 100, column / 100, 0.5 + row / 50], -1).repeat(1, 3)
    return PoseData(images, points, held_out=count // 3)


def test_the_network_learns_to_see_held_out_images():
    generator = torch.Generator().manual_seed(0)
    data = squares(45, generator)
    torch.manual_seed(0)
    training = PoseTraining(PoseNetwork(9), data, SETTINGS, AugmentationConfig())
    rows = [training.run_epoch(generator) for _ in range(30)]
    spread = (data.points - data.points.mean(0)).unflatten(-1, (3, 3)).norm(dim=-1).mean().item()
    assert rows[0]["pose_error_m"] > 0.5 * spread
    assert rows[-1]["pose_error_m"] < 0.1 * spread
    assert rows[-1]["pose_loss"] < 0.15  # in deviations of a coordinate


def test_held_out_images_are_not_learnt():
    """They are the training images once more, with points 0.2 m off: seen in training, these would pull."""
    generator = torch.Generator().manual_seed(0)
    data = squares(30, generator)
    points = torch.cat([data.points[:20], data.points[:10] + 0.2])
    data = PoseData(torch.cat([data.images[:20], data.images[:10]]), points, held_out=10)
    torch.manual_seed(0)
    training = PoseTraining(PoseNetwork(9), data, SETTINGS, AugmentationConfig())
    rows = [training.run_epoch(generator) for _ in range(30)]
    assert rows[-1]["pose_error_m"] == pytest.approx(0.2 * 3**0.5, rel=0.05)


def test_the_error_is_the_mean_distance_of_three_points_in_metres():
    data = squares(12, torch.Generator().manual_seed(1))
    network = PoseNetwork(9)
    training = PoseTraining(network, data, PoseConfig(), AugmentationConfig())
    torch.nn.init.zeros_(network.head.weight)
    torch.nn.init.zeros_(network.head.bias)
    # such a network answers with the mean of the training points
    gap = (data.points - data.points[:8].mean(0)).unflatten(-1, (3, 3))
    expected = gap.square().sum(-1).sqrt().mean(-1)
    assert training.errors(8, 12).tolist() == pytest.approx(expected[8:].tolist(), rel=1e-4)
    assert training.errors(0, 8).tolist() == pytest.approx(expected[:8].tolist(), rel=1e-4)


def test_recorded_points_are_those_of_the_image():
    """Of the hanger task: what the pixels show says where the rack is (ridge regression; by chance R^2 is negative)."""
    data = collect_pose_dataset(make_task("hanger"), 100, ImageConfig(size=24), torch.Generator().manual_seed(0))
    assert len(data.images) == len(data.points) == 100
    assert data.held_out == 10
    pixels, places = data.images.flatten(1).double() / 255, data.points[:, :2].double()
    pixels, places = pixels - pixels[:70].mean(0), places - places[:70].mean(0)
    kernel = pixels @ pixels[:70].T
    predicted = kernel[70:] @ torch.linalg.solve(kernel[:70] + torch.eye(70), places[:70])
    unexplained = (predicted - places[70:]).square().sum(0) / places[70:].square().sum(0)
    assert (unexplained < 0.5).all()


def test_random_appearances_change_images_and_nothing_else():
    sets = [
        collect_pose_dataset(make_task("cube"), 4, ImageConfig(size=24), torch.Generator().manual_seed(0), 1, randomize)
        for randomize in (False, True)
    ]
    assert torch.equal(sets[0].points, sets[1].points)  # with up to 50 images they are drawn before any appearance
    assert all((a != b).any(-1).float().mean() > 0.5 for a, b in zip(sets[0].images, sets[1].images, strict=True))


def test_the_learning_rate_rises_from_nothing_and_falls_with_every_step():
    """A fifth of the way through the first of two epochs it is at its height; Adam's last rate is that of the end."""
    training = PoseTraining(
        PoseNetwork(9),
        squares(30, torch.Generator()),
        PoseConfig(epochs=2, batch=1, learning_rate=0.5),
        AugmentationConfig(),
    )
    found = []
    step = training.optimizer.step
    training.optimizer.step = lambda *_: (found.append(training.optimizer.param_groups[0]["lr"]), step())[1]
    for _ in range(2):
        training.run_epoch(torch.Generator().manual_seed(0))
    assert found == pytest.approx([0.5 * learning_rate_factor(number / 40) for number in range(40)])
    assert found[0] == 0
