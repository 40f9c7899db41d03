"""What a run holds: the policy, and how it sees."""

from dataclasses import dataclass

import torch

from visuomotor.errors import VisuomotorError
from visuomotor.policies.recurrent_policy import RecurrentPolicy
from visuomotor.ppo_gail.config import PolicyConfig, PpoGailConfig
from visuomotor.runs import Run, load_checkpoint
from visuomotor.tasks import Episodes, StagedTask, make_task


@dataclass(frozen=True)
class Trained:
    """The policy on the CPU, in evaluation."""

    task: StagedTask
    policy: RecurrentPolicy
    image_size: int
    supersampling: int
    vary: bool

    def episodes(self, worlds: int, generator: torch.Generator) -> Episodes:
        """Episodes from random starts, with the images that the policy was trained on."""
        return Episodes(
            self.task,
            worlds,
            generator,
            image_size=self.image_size,
            supersampling=self.supersampling,
            vary=self.vary,
        )


def new_policy(task: StagedTask, settings: PolicyConfig) -> RecurrentPolicy:
    """An untrained policy for a task, its weights drawn from torch's global generator."""
    return RecurrentPolicy(
        task.proprioception_size,
        task.action_size,
        len(task.objects),
        settings.image_size,
        settings.recurrent,
        settings.initial_log_std,
        settings.auxiliary_hidden,
    )


def load_trained(run: Run) -> Trained:
    """The policy of a run, finished or not.

    Raises:
        VisuomotorError: no checkpoint, another method's or task's, or one whose images differ from the run's config.
    """
    content = load_checkpoint(run.latest_checkpoint, expect={"method": "ppo-gail", "task": run.task})
    config = run.config(PpoGailConfig)
    settings = config.policy
    if content["image_size"] != settings.image_size:
        raise VisuomotorError(
            f"the policy of {run.path} was trained on {content['image_size']}x{content['image_size']} images, "
            f"but its config.json says {settings.image_size}; restore config.json or train again"
        )
    task = make_task(run.task, StagedTask)
    policy = new_policy(task, settings)
    policy.load_state_dict(content["policy"])
    return Trained(task, policy.eval(), settings.image_size, settings.supersampling, config.vary)
