"""Pose regression: what the vision layers learn first."""

from torch import Tensor, nn

from visuomotor.policies.vision_layers import FEATURE_POINTS, VisionLayers


class PoseNetwork(nn.Module):
    """Feature points and one linear layer to the coordinates of three points on the target, nine numbers in metres.

    Trained on images of known target poses, its vision layers initialise the policy's (Levine et al. 2015, V-B).
    """

    def __init__(self, coordinates: int = 9) -> None:
        super().__init__()
        self.vision = VisionLayers()
        self.head = nn.Linear(2 * FEATURE_POINTS, coordinates)

    def forward(self, images: Tensor) -> Tensor:
        """Images `(batch, height, width, rgb)` uint8 to target points `(batch, 9)`."""
        return self.head(self.vision(images))
