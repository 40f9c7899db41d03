"""Act in all worlds for a while, and keep what the update needs."""

import time
from dataclasses import dataclass

import torch
from torch import Tensor

from visuomotor.policies.recurrent_policy import RecurrentPolicy
from visuomotor.algorithms.ppo_gail.exploration import WhiteNoise
from visuomotor.tasks.env import VecEnv, Observations


@dataclass(frozen=True)
class Rollout:
    """K control steps of W worlds: tensors `(K, W, ...)`.

    What was seen: images uint8; rerandomized_images, the same states in other looks (None where nobody learns from them);
    seen, the policy's features of the images; proprioception, privileged, features, objects, stage; starts: bool, the
    step is the first of an episode; random_starts: bool, that episode began at random.

    What was done: actions (unclipped), means and noise, of which they are the sum; carried, the noise of the step
    before, zero where an episode starts; std `(A,)`, of the noise.

    What came of it: task_reward; next_privileged and next_stage, of the state that the step led to, before a new
    episode; ended, diverged: bool. first_state `(W, S)`: the policy's before the first step; bootstrap_privileged `(W, P)`
    and bootstrap_carried `(W, A)`: of the step after the last one.
    """

    images: Tensor
    rerandomized_images: Tensor | None
    seen: Tensor
    proprioception: Tensor
    privileged: Tensor
    features: Tensor
    objects: Tensor
    stage: Tensor
    starts: Tensor
    random_starts: Tensor
    actions: Tensor
    means: Tensor
    noise: Tensor
    carried: Tensor
    std: Tensor
    task_reward: Tensor
    next_privileged: Tensor
    next_stage: Tensor
    ended: Tensor
    diverged: Tensor
    first_state: Tensor
    bootstrap_privileged: Tensor
    bootstrap_carried: Tensor


@dataclass
class Timings:
    """Where the time of a rollout went."""

    physics: float = 0.0
    pixels: float = 0.0
    policy: float = 0.0


class Collector:
    """Runs a policy with exploration noise, in episodes that go on from rollout to rollout.

    Args:
        rerandomize: whether to render every state once more, in other looks.

    Attributes:
        state: the policy's recurrent state `(W, S)`; starts: `(W,)` bool, whether a new episode has just begun;
            unit_noise: `(W, A)`, the last step's noise in units of its std.
    """

    def __init__(
        self,
        episodes: VecEnv,
        policy: RecurrentPolicy,
        noise: WhiteNoise,
        steps: int,
        generator: torch.Generator,
        rerandomize: bool = False,
    ):
        self.episodes, self.policy, self.noise, self.steps, self.generator = episodes, policy, noise, steps, generator
        self.unit_noise = torch.zeros(episodes.worlds, episodes.task.action_size)
        worlds = episodes.worlds
        self.device = policy.device
        self.state = policy.initial_hidden_state(worlds)
        self.starts = torch.ones(worlds, dtype=torch.bool)
        self._readings = episodes.read()
        size = policy.image_size
        # One buffer for all rollouts: fresh memory of this size is slow. Who keeps a rollout must copy its images.
        self._images = torch.empty(steps, worlds, size, size, 3, dtype=torch.uint8)
        self._other_images = torch.empty_like(self._images) if rerandomize else None

    @torch.no_grad()
    def collect(self) -> tuple[Rollout, Timings]:
        """K steps. The images are valid until the next call."""
        rows: list[dict[str, Tensor]] = []
        seconds = Timings()
        first_state = self.state.clone()
        std = self.noise.std.cpu()
        for step in range(self.steps):
            readings = self._readings
            began = time.perf_counter()
            self._images[step] = self.episodes.images()
            if self._other_images is not None:
                self._other_images[step] = self.episodes.render_rerandomized()
            rendered = time.perf_counter()
            seen = self.policy.encode_images(self._images[step].to(self.device))
            mean, state = self.policy.step(
                seen,
                readings.proprioception.to(self.device),
                self.state * ~self.starts[:, None].to(self.device),
            )
            self.state, mean = state, mean.cpu()
            carried = std * self.unit_noise * ~self.starts[:, None]
            self.unit_noise = self.noise.sample(self.unit_noise, self.starts, self.generator)
            noise = std * self.unit_noise
            actions = mean + noise
            decided = time.perf_counter()
            transition = self.episodes.step(actions)
            rows.append(
                {
                    **{name: getattr(readings, name) for name in Observations.__dataclass_fields__},
                    "seen": seen,
                    "starts": self.starts,
                    "random_starts": self.episodes.random_start,
                    "actions": actions,
                    "means": mean,
                    "noise": noise,
                    "carried": carried,
                    "task_reward": transition.reward,
                    "next_privileged": transition.readings.privileged,
                    "next_stage": transition.readings.stage,
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
            rerandomized_images=self._other_images,
            std=std,
            first_state=first_state,
            bootstrap_privileged=self._readings.privileged,
            bootstrap_carried=std * self.unit_noise * ~self.starts[:, None],
            **stacked,
        )
        return rollout, seconds

    def content(self) -> dict[str, object]:
        """Everything that the next rollout depends on but policy and generators, in plain containers."""
        return {
            "episodes": self.episodes.content(),
            "state": self.state.cpu().clone(),
            "starts": self.starts.clone(),
            "unit_noise": self.unit_noise.clone(),
        }

    def restore(self, content: dict[str, object]) -> None:
        """Go back to where `content` was taken."""
        self.episodes.restore(content["episodes"])  # pyright: ignore[reportArgumentType]
        tensors = {name: value for name, value in content.items() if isinstance(value, Tensor)}
        self.state = tensors["state"].to(self.device)
        self.starts, self.unit_noise = tensors["starts"], tensors["unit_noise"]
        self._readings = self.episodes.read()
