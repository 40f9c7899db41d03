"""A rollout of eight worlds that nobody acted in: made up for what learns from it."""

import torch

from visuomotor.ppo_gail.rollout import Rollout

STEPS, WORLDS, ACTIONS, READINGS = 5, 8, 3, 4


def made_up_rollout(worlds: torch.Tensor) -> tuple[Rollout, torch.Tensor]:
    """The rollout, of which only some worlds are kept; its advantages."""
    generator = torch.Generator().manual_seed(3)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(STEPS, WORLDS, *shape, generator=generator)

    values = {
        "images": torch.randint(256, (STEPS, WORLDS, 20, 20, 3), generator=generator, dtype=torch.uint8),
        "seen": normal(128),
        "proprioception": normal(READINGS),
        "objects": normal(1, 3),
        "actions": normal(ACTIONS),
        "offsets": normal(ACTIONS) / 20,
        "means": normal(ACTIONS) / 10,
        "starts": normal() > 1,
        "diverged": normal() > 1.2,
    }
    unread = ("privileged", "features", "stage", "task_reward", "reached_privileged", "reached_stage", "ended")
    unused = dict.fromkeys((*unread, "random_starts"), normal())
    rows = {name: value[:, worlds] for name, value in (values | unused).items()}
    advantages = normal()[:, worlds]
    rest = {
        "log_std": torch.full((ACTIONS,), -0.9),
        "first_state": torch.randn(WORLDS, 200, generator=generator)[worlds],
        "last_privileged": torch.zeros(1),
        "other_images": None,
    }
    return Rollout(**rows, **rest), advantages  # pyright: ignore[reportArgumentType]
