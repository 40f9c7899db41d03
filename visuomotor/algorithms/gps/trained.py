"""What a finished run holds: the policy, the pose network it began with, and how they see."""

from dataclasses import dataclass
from typing import Final

from visuomotor.camera import Camera, check_camera_spec, camera_spec
from visuomotor.engine import Engine
from visuomotor.errors import VisuomotorError
from visuomotor.algorithms.gps.config import GpsConfig, ImageConfig
from visuomotor.policies import PoseNetwork, VisuomotorPolicy
from visuomotor.runs import Run, load_checkpoint
from visuomotor.tasks import ConditionedTask, make_task

CHECKPOINT: Final = {"method": "gps", "method_version": 2}
"""What every checkpoint of this method says; the version changes with what else is in it."""


@dataclass(frozen=True)
class Trained:
    """Networks on the CPU, in evaluation."""

    task: ConditionedTask
    policy: VisuomotorPolicy
    pose_network: PoseNetwork
    image: ImageConfig

    def camera(self, engine: Engine) -> Camera:
        """A camera that gives the policy the images it was trained on."""
        return Camera(engine, self.task.camera, self.image.size, self.image.size, self.image.supersampling)


def load_trained(run: Run) -> Trained:
    """The policy of a run, finished or not.

    Raises:
        VisuomotorError: no checkpoint, another method's or task's, one from before the policy was trained at all, or
            one that was trained with another camera.
    """
    content = load_checkpoint(run.latest_checkpoint, expect={**CHECKPOINT, "task": run.task})
    image = run.config(GpsConfig).image
    task = make_task(run.task, ConditionedTask)
    check_camera_spec(content["view"], camera_spec(task.model, task.camera, image.size, image.supersampling), str(run.path))
    if content["phase"] not in ("policy", "done") or (content["phase"], content["iteration"]) == ("policy", 0):
        raise VisuomotorError(
            f"the policy of {run.path} has not been trained yet (phase {content['phase']}); "
            f"go on with visuomotor train gps --resume {run.path}"
        )
    policy = VisuomotorPolicy(task.proprioception_size, task.action_size)
    policy.load_state_dict(content["policy"])
    pose_network = PoseNetwork()
    pose_network.load_state_dict(content["pose_network"])
    return Trained(task, policy.eval(), pose_network.eval(), image)
