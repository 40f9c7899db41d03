"""Act in all worlds for a while, and keep what the update needs."""

import time
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from visuomotor.algorithms.ppo_gail.exploration import WhiteNoise
from visuomotor.policies.recurrent_policy import RecurrentPolicy
from visuomotor.tasks import VecEnv

OBSERVATIONS = ("proprioception", "privileged", "object_features", "keypoints", "stage")
"""The groups that a rollout stores, each under its name."""


@dataclass(frozen=True)
class Rollout:
    """K control steps of W worlds: tensors `(K, W, ...)`.

    Observed: images uint8; rerandomized_images, the same states with another appearance (None where nobody learns from
    them); image_features, the policy's; proprioception, privileged, object_features, keypoints, stage; episode_starts:
    bool, the step is the first of an episode; random_starts: bool, that episode began at a start of the task's own.

    Done: actions (unclipped), means and noise, of which they are the sum; carried, the noise of the step before, zero
    where an episode starts; std `(A,)`, of the noise.

    What followed: task_reward; next_privileged and next_stage, of the state that the step led to, before a reset;
    dones, diverged: bool. initial_hidden_state `(W, S)`: the policy's before the first step; bootstrap_privileged
    `(W, P)` and bootstrap_carried `(W, A)`: of the step after the last one.
    """

    images: Tensor
    rerandomized_images: Tensor | None
    image_features: Tensor
    proprioception: Tensor
    privileged: Tensor
    object_features: Tensor
    keypoints: Tensor
    stage: Tensor
    episode_starts: Tensor
    random_starts: Tensor
    actions: Tensor
    means: Tensor
    noise: Tensor
    carried: Tensor
    std: Tensor
    task_reward: Tensor
    next_privileged: Tensor
    next_stage: Tensor
    dones: Tensor
    diverged: Tensor
    initial_hidden_state: Tensor
    bootstrap_privileged: Tensor
    bootstrap_carried: Tensor


@dataclass
class Timings:
    """Seconds of a rollout, by part."""

    env_step: float = 0.0
    render: float = 0.0
    inference: float = 0.0


class Collector:
    """Runs a policy with exploration noise, in episodes that go on from rollout to rollout.

    Args:
        rerandomize: whether to render every state once more, with another appearance.

    Attributes:
        hidden_state: of the policy, `(W, S)`; episode_starts: `(W,)` bool, whether a new episode has just begun;
        unit_noise: `(W, A)`, the last step's noise in units of its std.
    """

    def __init__(
        self,
        env: VecEnv,
        policy: RecurrentPolicy,
        noise: WhiteNoise,
        num_steps: int,
        generator: torch.Generator,
        rerandomize: bool = False,
    ):
        self.env, self.policy, self.noise, self.num_steps, self.generator = env, policy, noise, num_steps, generator
        self.unit_noise = torch.zeros(env.num_envs, env.task.action_size)
        self.device = policy.device
        self.hidden_state = policy.initial_hidden_state(env.num_envs)
        self.episode_starts = torch.ones(env.num_envs, dtype=torch.bool)
        self._observations = env.observe()
        size = policy.image_size
        # One buffer for all rollouts: to allocate this much memory is slow. A caller that keeps images must copy them.
        self._images = torch.empty(num_steps, env.num_envs, size, size, 3, dtype=torch.uint8)
        self._rerandomized_images = torch.empty_like(self._images) if rerandomize else None

    @torch.no_grad()
    def collect(self) -> tuple[Rollout, Timings]:
        """K steps. The images are valid until the next call."""
        rows: list[dict[str, Tensor]] = []
        timings = Timings()
        initial_hidden_state = self.hidden_state.clone()
        std = self.noise.std.cpu()
        for step in range(self.num_steps):
            observations = self._observations
            began = time.perf_counter()
            self._images[step] = self.env.render()
            if self._rerandomized_images is not None:
                self._rerandomized_images[step] = self.env.render_rerandomized()
            rendered = time.perf_counter()
            image_features = self.policy.encode_images(self._images[step].to(self.device))
            mean, self.hidden_state = self.policy.step(
                image_features,
                observations["proprioception"].to(self.device),
                self.hidden_state * ~self.episode_starts[:, None].to(self.device),
            )
            mean = mean.cpu()
            carried = std * self.unit_noise * ~self.episode_starts[:, None]
            self.unit_noise = self.noise.sample(self.unit_noise, self.episode_starts, self.generator)
            noise = std * self.unit_noise
            actions = mean + noise
            decided = time.perf_counter()
            transition = self.env.step(actions)
            rows.append(
                {
                    **{group: observations[group] for group in OBSERVATIONS},
                    "image_features": image_features,
                    "episode_starts": self.episode_starts,
                    "random_starts": self.env.random_start,
                    "actions": actions,
                    "means": mean,
                    "noise": noise,
                    "carried": carried,
                    "task_reward": transition.reward,
                    "next_privileged": transition.observations["privileged"],
                    "next_stage": transition.observations["stage"],
                    "dones": transition.done,
                    "diverged": transition.diverged,
                }
            )
            done = transition.done.nonzero()[:, 0]
            self.env.reset(done)
            self.episode_starts = transition.done
            self._observations = self.env.observe() if len(done) else transition.observations
            timings.render += rendered - began
            timings.inference += decided - rendered
            timings.env_step += time.perf_counter() - decided
        stacked = {name: torch.stack([row[name] for row in rows]) for name in rows[0]}
        rollout = Rollout(
            images=self._images,
            rerandomized_images=self._rerandomized_images,
            std=std,
            initial_hidden_state=initial_hidden_state,
            bootstrap_privileged=self._observations["privileged"],
            bootstrap_carried=std * self.unit_noise * ~self.episode_starts[:, None],
            **stacked,
        )
        return rollout, timings

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next rollout depends on but policy and generators, in plain containers."""
        return {
            "env": self.env.state_dict(),
            "hidden_state": self.hidden_state.cpu().clone(),
            "episode_starts": self.episode_starts.clone(),
            "unit_noise": self.unit_noise.clone(),
        }

    def load_state_dict(self, content: dict[str, Any]) -> None:
        """Go back to where `state_dict` was taken."""
        self.env.load_state_dict(content["env"])
        self.hidden_state = content["hidden_state"].to(self.device)
        self.episode_starts, self.unit_noise = content["episode_starts"], content["unit_noise"]
        self._observations = self.env.observe()
