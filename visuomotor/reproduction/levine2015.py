"""End-to-End Training of Deep Visuomotor Policies (Levine et al. 2015), part by part."""

from collections.abc import Mapping

from visuomotor.reproduction.feature_figures import FeatureFigure
from visuomotor.reproduction.learning_figures import LearningFigure
from visuomotor.reproduction.part import Part
from visuomotor.reproduction.policy_search_figure import PolicySearchFigure
from visuomotor.reproduction.pose_table import PoseTable
from visuomotor.reproduction.scene_figures import SceneFigure
from visuomotor.reproduction.success_table import SuccessTable
from visuomotor.reproduction.target_shift_table import TargetShiftTable
from visuomotor.reproduction.training_tables import augmentation, paper_size, rough_pose

PARTS: Mapping[str, Part] = {
    "table 1": SuccessTable(),
    "table 2": PoseTable(),
    "table 3": TargetShiftTable(),
    "table 4": paper_size(),
    "table 5": augmentation(),
    "table 6": rough_pose(),
    "figure 3": SceneFigure("training"),
    "figure 4": SceneFigure("visual"),
    "figure 5": FeatureFigure(("cube",)),
    "figure 6": FeatureFigure(("hanger", "hammer")),
    "figure 7": FeatureFigure(("bottle",)),
    "figure 8": LearningFigure(),
    "figure 9": PolicySearchFigure(),
}
"""By what the page's marks call them. The paper's tables end with 2, its figures with 7."""
