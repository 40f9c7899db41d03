"""Act in all worlds for a while, and keep what the update needs."""

import math
import time
from dataclasses import dataclass

import torch
from torch import Tensor

from visuomotor.policies.recurrent_policy import RecurrentPolicy
from visuomotor.tasks.episodes import Episodes, Readings


@dataclass(frozen=True)
class Rollout:
    """K control steps of W worlds: tensors `(K, W, ...)`.

    What was seen: images uint8; other_images, the same states in other looks (None where nobody learns from them);
    seen, the policy's features of the images; proprioception, privileged, features, objects, stage; starts: bool, the
    step is the first of an episode; random_starts: bool, that episode began at random.

    What was done: actions (unclipped); offsets, what the noise of earlier steps added to the policy's means; means,
    offsets included; log_std `(A,)`, of what was added to these.

    What came of it: task_reward; reached_privileged and reached_stage, of the state that the step led to, before a new
    episode; ended, diverged: bool. first_state `(W, S)`: the policy's before the first step; last_privileged `(W, P)`:
    what is seen after the last one.
    """

    images: Tensor
    other_images: Tensor | None
    seen: Tensor
    proprioception: Tensor
    privileged: Tensor
    features: Tensor
    objects: Tensor
    stage: Tensor
    starts: Tensor
    random_starts: Tensor
    actions: Tensor
    offsets: Tensor
    means: Tensor
    log_std: Tensor
    task_reward: Tensor
    reached_privileged: Tensor
    reached_stage: Tensor
    ended: Tensor
    diverged: Tensor
    first_state: Tensor
    last_privileged: Tensor


@dataclass
class Seconds:
    """Where the time of a rollout went."""

    physics: float = 0.0
    pixels: float = 0.0
    policy: float = 0.0


def innovation_log_std(log_std: Tensor, correlation: float) -> Tensor:
    """Of what is new in each step's noise, whose stationary deviation is exp(log_std)."""
    return log_std + math.log(1 - correlation**2) / 2


class Collector:
    """Runs a policy in episodes that go on from rollout to rollout.

    Exploration noise is a first-order autoregression whose stationary deviation is the policy's:

        a_t = mean_t + n_t,      n_t = c n_{t-1} + sqrt(1 - c^2) exp(log_std) e_t,      e_t ~ N(0, 1)

    c n_{t-1} is known when a_t is drawn, so a_t is Gaussian around mean_t + c n_{t-1}, and probabilities are exact.

    Args:
        correlation: c. An episode begins without noise of earlier steps.
        other_looks: whether to render every state once more, in other looks.

    Attributes:
        state: the policy's recurrent state `(W, S)`; starts: `(W,)` bool, whether a new episode has just begun.
    """

    def __init__(
        self,
        episodes: Episodes,
        policy: RecurrentPolicy,
        steps: int,
        generator: torch.Generator,
        correlation: float = 0.0,
        other_looks: bool = False,
    ):
        self.episodes, self.policy, self.steps, self.generator = episodes, policy, steps, generator
        self.correlation = correlation
        self.noise = torch.zeros(episodes.worlds, episodes.task.action_size)
        worlds = episodes.worlds
        self.device = policy.log_std.device
        self.state = policy.initial_state(worlds)
        self.starts = torch.ones(worlds, dtype=torch.bool)
        self._readings = episodes.read()
        size = policy.image_size
        # One buffer for all rollouts: fresh memory of this size is slow. Who keeps a rollout must copy its images.
        self._images = torch.empty(steps, worlds, size, size, 3, dtype=torch.uint8)
        self._other_images = torch.empty_like(self._images) if other_looks else None

    @torch.no_grad()
    def collect(self) -> tuple[Rollout, Seconds]:
        """K steps. The images are valid until the next call."""
        rows: list[dict[str, Tensor]] = []
        seconds = Seconds()
        first_state = self.state.clone()
        log_std = innovation_log_std(self.policy.log_std.detach().cpu(), self.correlation)
        deviation = log_std.exp()
        for step in range(self.steps):
            readings = self._readings
            began = time.perf_counter()
            self._images[step] = self.episodes.images()
            if self._other_images is not None:
                self._other_images[step] = self.episodes.images_in_other_looks()
            rendered = time.perf_counter()
            seen = self.policy.see(self._images[step].to(self.device))
            mean, state = self.policy.step(
                seen,
                readings.proprioception.to(self.device),
                self.state * ~self.starts[:, None].to(self.device),
            )
            self.state, mean = state, mean.cpu()
            offsets = self.correlation * self.noise * ~self.starts[:, None]
            self.noise = offsets + deviation * torch.randn(mean.shape, generator=self.generator)
            actions = mean + self.noise
            decided = time.perf_counter()
            transition = self.episodes.advance(actions)
            rows.append(
                {
                    **{name: getattr(readings, name) for name in Readings.__dataclass_fields__},
                    "seen": seen,
                    "starts": self.starts,
                    "random_starts": self.episodes.random_start,
                    "actions": actions,
                    "offsets": offsets,
                    "means": mean + offsets,
                    "task_reward": transition.reward,
                    "reached_privileged": transition.readings.privileged,
                    "reached_stage": transition.readings.stage,
                    "ended": transition.ended,
                    "diverged": transition.diverged,
                }
            )
            self.episodes.restart(transition.ended)
            self.starts = transition.ended
            self._readings = self.episodes.read() if transition.ended.any() else transition.readings
            seconds.pixels += rendered - began
            seconds.policy += decided - rendered
            seconds.physics += time.perf_counter() - decided
        stacked = {name: torch.stack([row[name] for row in rows]) for name in rows[0]}
        rollout = Rollout(
            images=self._images,
            other_images=self._other_images,
            log_std=log_std,
            first_state=first_state,
            last_privileged=self._readings.privileged,
            **stacked,
        )
        return rollout, seconds

    def content(self) -> dict[str, object]:
        """Everything that the next rollout depends on but policy and generators, in plain containers."""
        return {
            "episodes": self.episodes.content(),
            "state": self.state.cpu().clone(),
            "starts": self.starts.clone(),
            "noise": self.noise.clone(),
        }

    def restore(self, content: dict[str, object]) -> None:
        """Go back to where `content` was taken."""
        self.episodes.restore(content["episodes"])  # pyright: ignore[reportArgumentType]
        tensors = {name: value for name, value in content.items() if isinstance(value, Tensor)}
        self.state = tensors["state"].to(self.device)
        self.starts, self.noise = tensors["starts"], tensors["noise"]
        self._readings = self.episodes.read()
