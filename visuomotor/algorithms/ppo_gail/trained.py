"""What a run holds: the policy, and how it sees."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import torch

from visuomotor.camera import check_camera_spec, camera_spec
from visuomotor.policies.recurrent_policy import RecurrentPolicy
from visuomotor.algorithms.ppo_gail.config import PolicyConfig, PpoGailConfig
from visuomotor.runs import Run, load_checkpoint
from visuomotor.tasks import VecEnv, StagedTask, make_task

CHECKPOINT: Final = {"method": "ppo-gail", "method_version": 3}
"""What every checkpoint of this method says; the version changes with what else is in it."""


@dataclass(frozen=True)
class Trained:
    """The policy on the CPU, in evaluation."""

    task: StagedTask
    policy: RecurrentPolicy
    image_size: int
    supersampling: int
    vary: bool
    control_steps: int
    """How long the policy has been trained."""
    circumstances: tuple[str, ...] = ()
    """What the config does not tell of the training: several processes, or an end before its time."""

    def episodes(self, worlds: int, generator: torch.Generator) -> VecEnv:
        """VecEnv from random starts, with the images that the policy was trained on."""
        return VecEnv(
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
        settings.auxiliary_hidden,
    )


def load_trained(run: Run) -> Trained:
    """The policy of a run, finished or not.

    Raises:
        VisuomotorError: no checkpoint, another method's or task's, or one that was trained with another camera.
    """
    content = load_checkpoint(run.latest_checkpoint, expect={**CHECKPOINT, "task": run.task})
    config = run.config(PpoGailConfig)
    settings = config.policy
    task = make_task(run.task, StagedTask)
    view = camera_spec(task.model, task.camera, settings.image_size, settings.supersampling)
    check_camera_spec(content["view"], view, str(run.path))
    policy = new_policy(task, settings)
    policy.load_state_dict(content["policy"])
    return Trained(
        task,
        policy.eval(),
        settings.image_size,
        settings.supersampling,
        config.vary,
        content["control_steps"],
        tuple(_circumstances(content, config)),
    )


def _circumstances(content: Mapping[str, Any], config: PpoGailConfig) -> Iterator[str]:
    if len(content["processes"]) > 1:
        yield f"processes {len(content['processes'])}"
    for unit, done, planned in (
        ("updates of cloning", content["cloned"], config.cloning.updates),
        ("control steps", content["control_steps"], config.control_steps),
    ):
        if done < planned:
            yield f"stopped after {done} {unit}"
            return
