"""What the policy looks at: feature points over the images of an episode."""

from pathlib import Path

import torch

from visuomotor.figures.feature_points import draw_feature_points, draw_policy_against_pose
from visuomotor.algorithms.gps.policy_opt import policy_fn
from visuomotor.algorithms.gps.trained import load_trained
from visuomotor.policies import VisionEncoder
from visuomotor.runs import Run
from visuomotor.tasks import rollout

_MOMENTS = (0.0, 0.3, 0.6, 0.99)  # of the episode
_PROTOCOLS = ("training", "visual", "background")


def draw_feature_pictures(run: Run) -> list[Path]:
    """Four moments of an episode with the policy's points, and the policy's points against the pose network's.

    Returns:
        `figures/feature_points_<protocol>.png` and `figures/policy_against_pose.png`.
    """
    trained = load_trained(run)
    drawn: list[Path] = []
    for protocol in _PROTOCOLS:
        everything = trained.task.conditions(protocol)
        conditions = everything[torch.tensor([len(everything) // 4])]
        engine = trained.task.make_engine(1)
        samples = rollout(trained.task, engine, conditions, policy_fn(trained.policy), trained.camera(engine))
        assert samples.images is not None
        images = samples.images[0, [int(m * trained.task.steps) for m in _MOMENTS]]
        points = _points(trained.policy.vision, images)
        drawn.append(draw_feature_points(run.figures / f"feature_points_{protocol}.png", images, points))
        if protocol == "training":
            path = run.figures / "policy_against_pose.png"
            drawn.append(draw_policy_against_pose(path, images, points, _points(trained.pose_network.vision, images)))
    return drawn


@torch.inference_mode()
def _points(vision: VisionEncoder, images: torch.Tensor) -> torch.Tensor:
    """`(image, point, xy)`."""
    return vision(images).unflatten(-1, (-1, 2))
