"""Networks that turn images and joint readings into actions."""

from visuomotor.policies.augmentation import AugmentationConfig, augment
from visuomotor.policies.keypoint_regression import keypoint_loss, learning_rate_factor
from visuomotor.policies.policy import Network, Policy, PolicySpec, TrainedPolicy, load_policy
from visuomotor.policies.pose_network import PoseNetwork
from visuomotor.policies.spatial_softmax import spatial_softmax
from visuomotor.policies.state_policy import StatePolicy
from visuomotor.policies.vision_encoder import VisionEncoder
from visuomotor.policies.visuomotor_policy import VisuomotorPolicy

__all__ = [
    "AugmentationConfig",
    "Network",
    "Policy",
    "PolicySpec",
    "PoseNetwork",
    "StatePolicy",
    "TrainedPolicy",
    "VisionEncoder",
    "VisuomotorPolicy",
    "augment",
    "keypoint_loss",
    "learning_rate_factor",
    "load_policy",
    "spatial_softmax",
]
