"""Where a policy attends: its feature points over the images of an episode."""

from pathlib import Path

import torch
from torch import Tensor

from visuomotor.evaluation.trials import run_trials
from visuomotor.figures.feature_points import draw_feature_points, draw_policy_against_pose
from visuomotor.policies import Policy, PolicySpec, VisionEncoder, VisuomotorPolicy, load_policy
from visuomotor.runs import Run, load_checkpoint
from visuomotor.runs.restore import check_like, restore_module
from visuomotor.tasks import Task

_MOMENTS = (0.0, 0.3, 0.6, 0.99)  # of the episode
_SPLITS = ("training", "visual", "background")  # those that look different
_TRIAL = 4  # of several: in the middle of the hanger's positions


def draw_feature_point_figures(run: Run) -> list[Path]:
    """Four moments of an episode with the policy's points, and the policy's points against the pose network's.

    Returns:
        `figures/feature_points_<split>.png` and `figures/policy_against_pose.png`; nothing for a policy without
        feature points.
    """
    policy = load_policy(run.path)
    if not isinstance(policy.network, VisuomotorPolicy):
        return []
    task = run.make_task()
    pretrained = pose_vision(run)
    drawn: list[Path] = []
    for split in [split for split in _SPLITS if split in task.splits] or ["random"]:
        images = images_of_an_episode(task, policy, split)
        points = _points(policy.network.vision, images)
        drawn.append(draw_feature_points(run.figures / f"feature_points_{split}.png", images, points))
        if pretrained is not None:
            path = run.figures / "policy_against_pose.png"
            drawn.append(draw_policy_against_pose(path, images, points, _points(pretrained, images)))
            pretrained = None  # one such figure will do
    return drawn


def images_of_an_episode(task: Task, policy: Policy, split: str) -> Tensor:
    """What a policy sees at four moments of a trial, `(moment, height, width, rgb)` uint8."""
    watched = _Watched(policy)
    run_trials(task, watched, split, _TRIAL + 1, torch.Generator().manual_seed(0))
    return torch.stack([watched.images[int(moment * len(watched.images))] for moment in _MOMENTS])


class _Watched:
    """A policy that keeps the images of its last world."""

    def __init__(self, policy: Policy):
        self._policy = policy
        self.images: list[Tensor] = []

    @property
    def spec(self) -> PolicySpec:
        return self._policy.spec

    def reset(self, n: int) -> None:
        self._policy.reset(n)

    def act(self, images: Tensor, proprioception: Tensor) -> Tensor:
        self.images.append(images[-1])
        return self._policy.act(images, proprioception)


def pose_vision(run: Run) -> VisionEncoder | None:
    """The vision layers as pose regression left them, where the run's checkpoint has them."""
    if not run.latest_checkpoint.is_file():
        return None
    weights = load_checkpoint(run.latest_checkpoint, types={"state": dict})["state"].get("pose_network")
    if weights is None:
        return None
    check_like(weights, dict, f"{run.latest_checkpoint}: state.pose_network")
    vision, prefix = VisionEncoder(), "vision."
    own = {str(key).removeprefix(prefix): w for key, w in weights.items() if str(key).startswith(prefix)}
    restore_module(vision, own, f"{run.latest_checkpoint}: state.pose_network.vision")
    return vision


@torch.inference_mode()
def _points(vision: VisionEncoder, images: Tensor) -> Tensor:
    """`(image, point, xy)`."""
    return vision(images).unflatten(-1, (-1, 2))
