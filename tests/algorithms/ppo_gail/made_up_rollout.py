"""A rollout of eight worlds that nobody acted in: made up for what learns from it."""

import torch

from visuomotor.algorithms.ppo_gail.rollout import Rollout

STEPS, WORLDS, ACTIONS, READINGS = 5, 8, 3, 4


def made_up_rollout(worlds: torch.Tensor) -> tuple[Rollout, torch.Tensor]:
    """The rollout, of which only some worlds are kept; its advantages."""
    generator = torch.Generator().manual_seed(3)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(STEPS, WORLDS, *shape, generator=generator)

    values = {
        "images": torch.randint(256, (STEPS, WORLDS, 20, 20, 3), generator=generator, dtype=torch.uint8),
        "image_features": normal(128),
        "proprioception": normal(READINGS),
        "keypoints": normal(1, 3),
        "actions": normal(ACTIONS),
        "carried": normal(ACTIONS) / 20,
        "means": normal(ACTIONS) / 10,
        "episode_starts": normal() > 1,
        "diverged": normal() > 1.2,
    }
    unread = ("privileged", "object_features", "stage", "task_reward", "next_privileged", "next_stage", "dones")
    unused = dict.fromkeys((*unread, "random_starts", "noise"), normal())
    rows = {name: value[:, worlds] for name, value in (values | unused).items()}
    advantages = normal()[:, worlds]
    rest = {
        "std": torch.full((ACTIONS,), 0.4),
        "initial_hidden_state": torch.randn(WORLDS, 200, generator=generator)[worlds],
        "bootstrap_privileged": torch.zeros(1),
        "bootstrap_carried": torch.zeros(1),
        "rerandomized_images": None,
    }
    return Rollout(**rows, **rest), advantages  # pyright: ignore[reportArgumentType]
