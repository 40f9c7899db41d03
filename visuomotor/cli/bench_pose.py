"""Pose regression with and without feature points: errors of four networks (Levine et al. 2015, table II)."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import torch

from visuomotor.algorithms.gps import PRESETS, Gps
from visuomotor.algorithms.gps.config import ImageConfig, PoseConfig
from visuomotor.algorithms.gps.pose_regression import PoseData, PoseTraining, collect_pose_dataset
from visuomotor.errors import VisuomotorError
from visuomotor.policies import AugmentationConfig, PoseNetwork
from visuomotor.policies.pose_architectures import POSE_ARCHITECTURES
from visuomotor.runs.devices import choose_device
from visuomotor.tasks import Task

_LEARNING_RATES = (3e-4, 1e-3, 3e-3, 1e-2)
_SEARCH_SEED = 1000  # its images are in no table


def bench_pose(
    task: Task,
    seeds: Sequence[int],
    size: int,
    methods: Iterable[str] = POSE_ARCHITECTURES,
    images: int = 1000,
    test_images: int = 500,
    config: PoseConfig = PRESETS["paper"].pose,
    device: str = "auto",
) -> dict[str, Any]:
    """Each network's own learning rate is the one with the smallest test error on images of another seed.

    Args:
        size: side of the images in pixels. methods: names in `POSE_ARCHITECTURES`. images: to train on.
        config: its batch and epochs. device: `cpu`, `cuda` or `auto`.

    Returns:
        `task`, `algorithm_version`, `size`, `images`, `test_images`, `epochs`, `seeds`, `device` and `networks`: for
        each `parameters`, `learning_rate`, `search` (test error in cm by learning rate), and of training and test
        images the mean over seeds and images (`training_cm`, `test_cm`), the deviation over images
        (`training_deviation_cm`, `test_deviation_cm`), and the means of each seed (`training_cm_by_seed`,
        `test_cm_by_seed`).
    """
    image = ImageConfig(size=size, supersampling=1)
    where = choose_device(device)
    data = {
        seed: collect_pose_dataset(
            task, images + test_images, image, torch.Generator().manual_seed(seed + 1), held_out=test_images
        )
        for seed in (_SEARCH_SEED, *seeds)
    }
    networks: dict[str, dict[str, Any]] = {}
    for name in methods:
        search = {
            rate: _errors(name, data[_SEARCH_SEED], _SEARCH_SEED, config, rate, where)[1] for rate in _LEARNING_RATES
        }
        rate = min(search, key=lambda rate: search[rate].mean().item())
        found = [_errors(name, data[seed], seed, config, rate, where) for seed in seeds]
        networks[name] = {
            "parameters": sum(each.numel() for each in _network(name, data[_SEARCH_SEED], 0).parameters()),
            "learning_rate": rate,
            "search": {f"{each:g}": 100 * errors.mean().item() for each, errors in search.items()},
        }
        for what, errors in zip(("training", "test"), zip(*found, strict=True), strict=True):
            every = 100 * torch.cat(errors)
            networks[name][f"{what}_cm"] = every.mean().item()
            networks[name][f"{what}_deviation_cm"] = every.std().item()
            networks[name][f"{what}_cm_by_seed"] = [100 * one.mean().item() for one in errors]
    return {
        "task": task.name,
        "algorithm_version": Gps.version,
        "size": size,
        "images": images,
        "test_images": test_images,
        "epochs": config.epochs,
        "seeds": list(seeds),
        "device": where.type,
        "networks": networks,
    }


def _network(name: str, data: PoseData, seed: int) -> PoseNetwork:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return POSE_ARCHITECTURES[name](data.points.shape[1], data.images.shape[1])


def _errors(
    name: str, data: PoseData, seed: int, config: PoseConfig, learning_rate: float, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Errors (m) on each training image and on each test image after training; infinite where training diverged."""
    began = time.monotonic()
    network = _network(name, data, seed).to(device)
    training = PoseTraining(network, data, replace(config, learning_rate=learning_rate), AugmentationConfig())
    generator = torch.Generator().manual_seed(seed)
    train = len(data.images) - data.held_out
    try:
        for _ in range(config.epochs):
            training.run_epoch(generator)
    except VisuomotorError:
        return torch.full((train,), torch.inf), torch.full((data.held_out,), torch.inf)
    errors = training.errors(0, train), training.errors(train, len(data.images))
    training_cm, test_cm = (100 * each.mean().item() for each in errors)
    print(
        f"{name}, seed {seed}, learning rate {learning_rate:g}: {training_cm:.2f} cm in training, {test_cm:.2f} cm in "
        f"tests, {time.monotonic() - began:.0f} s",
        flush=True,
    )
    return errors
