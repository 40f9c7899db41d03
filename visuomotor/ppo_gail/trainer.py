"""Reinforcement and imitation: act, judge, reward, improve (Zhu et al. 2018, III-B)."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from visuomotor.demos import Episode, read_demonstrations
from visuomotor.errors import VisuomotorError
from visuomotor.ppo_gail.adaptive_kl import AdaptiveKl
from visuomotor.ppo_gail.cloning import Cloning
from visuomotor.ppo_gail.config import PpoGailConfig
from visuomotor.ppo_gail.critic import Critic
from visuomotor.ppo_gail.curriculum import Curriculum
from visuomotor.ppo_gail.demonstrated import demonstrated_actions, demonstrated_features
from visuomotor.ppo_gail.discriminator import Discriminator
from visuomotor.ppo_gail.normaliser import moments
from visuomotor.ppo_gail.ppo import update_critic, update_policy
from visuomotor.ppo_gail.returns import gae, k_step_advantages
from visuomotor.ppo_gail.rewards import hybrid_reward, imitation_reward
from visuomotor.ppo_gail.rollout import Collector, Finished, Rollout
from visuomotor.ppo_gail.sight import Lessons, Sight
from visuomotor.ppo_gail.trained import new_policy
from visuomotor.runs import Run, generator_states, load_checkpoint, restore_generators, save_checkpoint
from visuomotor.runs.ranks import Ranks
from visuomotor.tasks import Episodes, StagedTask, make_task

Report = Callable[[dict[str, Any]], None]
_ROW = 100  # updates of behaviour cloning in a row of metrics
_LESSONS_ROW = 500  # lessons, likewise
_RECENT = 256  # episodes from random starts over which success is shown


def train(
    task_name: str, preset: str, config: PpoGailConfig, run: Run, resume: bool = False, report: Report | None = None
) -> None:
    """Train a recurrent visuomotor policy on a task; the run's `checkpoints/latest.pt` holds it in the end.

    Training that was stopped anywhere and resumed gives the same policy, bit for bit, on the same kind of CPU with as
    many threads and processes. Under torchrun every process simulates its own worlds, and the first one writes.
    """
    ranks = Ranks()
    trainer = Trainer(task_name, config, run.seed, ranks)
    if resume and run.latest_checkpoint.exists():
        trainer.restore(load_checkpoint(run.latest_checkpoint, expect={"method": "ppo-gail", "task": task_name}))
        if ranks.first:
            run.truncate_metrics(trainer.logged)
    for row in trainer.steps():
        if ranks.first:
            run.log(row)
            trainer.logged = run.metrics_lines
            if report is not None:
                report(row)
        if trainer.rows % config.checkpoint_every == 0 or trainer.done:
            content = trainer.content()
            if ranks.first:
                save_checkpoint(run.latest_checkpoint, content)
            ranks.wait()
    run.close()


class Trainer:
    """The state of training between two iterations."""

    def __init__(self, task_name: str, config: PpoGailConfig, seed: int, ranks: Ranks | None = None):
        self.config, self.seed, self.ranks = config, seed, ranks or Ranks()
        self.task = task = make_task(task_name, StagedTask)
        self.device = _device(config.device)
        self.shown = shown = _demonstrations(task, config)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.policy = new_policy(task, config.policy).to(self.device)
            self.critic = Critic(task.privileged_size, config.critic.hidden).to(self.device)
            self.sees_all = config.imitation.features == "privileged"
            self.discriminator = Discriminator(
                task.privileged_size if self.sees_all else task.feature_size,
                task.action_size if config.imitation.actions else 0,
            )
        self.discriminates = config.imitation.weight > 0 and config.imitation.source == "discriminator"
        if self.discriminates:
            self.shown_features = demonstrated_features(task, shown, self.sees_all)
            self.shown_actions = torch.cat(demonstrated_actions(shown)) if config.imitation.actions else None
        vision = self.policy.vision
        rest = [parameter for parameter in self.policy.parameters() if all(parameter is not seen for seen in vision)]
        self.optimisers = {
            "policy": torch.optim.Adam([{"params": rest}, {"params": vision}], eps=1e-5, fused=True),
            "critic": torch.optim.Adam(self.critic.parameters(), config.critic.learning_rate, eps=1e-5, fused=True),
            "cloning": torch.optim.Adam(self.policy.parameters(), config.cloning.learning_rate, fused=True),
            "discriminator": torch.optim.Adam(
                self.discriminator.parameters(), config.imitation.learning_rate, betas=(0.5, 0.999), fused=True
            ),
        }
        self.sight = Sight(self.policy, config.sight, self.ranks)
        self.kl = AdaptiveKl(config.ppo.kl_target)
        # Worlds differ from process to process; what all must draw alike (weights, minibatches) has the other one.
        self.generators = {
            "shared": torch.Generator().manual_seed(seed),
            "own": torch.Generator().manual_seed(seed + 7919 * (self.ranks.number + 1)),
        }
        starts = config.curriculum
        self.curriculum = (
            Curriculum(
                shown,
                starts.random_starts,
                min(starts.steps, task.steps),
                task.steps,
                starts.choice,
                starts.patience,
            )
            if starts.random_starts < 1
            else None
        )
        self.episodes = Episodes(
            task,
            config.worlds,
            self.generators["own"],
            image_size=config.policy.image_size,
            supersampling=config.policy.supersampling,
            starts=self.curriculum,
            vary=config.vary,
            stagger=True,
        )
        self.collector = Collector(
            self.episodes,
            self.policy,
            config.ppo.rollout,
            self.generators["own"],
            config.ppo.noise_correlation,
            other_looks=config.sight.updates > 0,
        )
        self.recent: deque[bool] = deque(maxlen=_RECENT)
        self.cloned, self.iteration, self.control_steps, self.elapsed, self.logged = 0, 0, 0, 0.0, 0

    @property
    def done(self) -> bool:
        config = self.config
        learnt = self.sight.done and self.cloned >= config.cloning.updates
        return learnt and self.control_steps >= config.control_steps

    @property
    def rows(self) -> int:
        """How many rows of metrics there have been."""
        return self.sight.taught // _LESSONS_ROW + self.cloned // _ROW + self.iteration

    @property
    def _left(self) -> float:
        """Of the learning rates."""
        return self.config.ppo.last_learning_rate ** (self.control_steps / self.config.control_steps)

    def steps(self) -> Iterator[dict[str, Any]]:
        """Go on until the budget of control steps is spent; yields a row of metrics after every iteration."""
        yield from self._learn_to_see()
        yield from self._clone()
        while not self.done:
            started = time.perf_counter()
            row = self._iterate()
            self.iteration += 1
            taken = self.config.worlds * self.config.ppo.rollout * self.ranks.count
            self.control_steps += taken
            spent = time.perf_counter() - started
            self.elapsed += spent
            yield {
                "phase": "ppo",
                "iteration": self.iteration,
                "control_steps": self.control_steps,
                "fraction": min(1.0, self.control_steps / self.config.control_steps),
                "steps_per_second": taken / spent,
                **row,
                "elapsed_seconds": self.elapsed,
            }

    def _learn_to_see(self) -> Iterator[dict[str, Any]]:
        settings, images = self.config.sight, self.config.policy
        if self.sight.done:
            return
        seed = (1000 * self.seed + self.ranks.number + 1) * 10_000_019
        lessons = Lessons(
            self.task, self.shown, settings, images.image_size, images.supersampling, self.config.vary, seed
        )
        while not self.sight.done:
            started = time.perf_counter()
            distance = self.sight.teach(lessons, _LESSONS_ROW)
            self.elapsed += time.perf_counter() - started
            yield {
                "phase": "sight",
                "iteration": self.sight.taught,
                "iterations": settings.lessons,
                "auxiliary_error": distance,
                "elapsed_seconds": self.elapsed,
            }

    def _clone(self) -> Iterator[dict[str, Any]]:
        settings, seen = self.config.cloning, self.config.policy
        if self.cloned >= settings.updates:
            return
        looks = torch.Generator().manual_seed(self.seed + 1)  # after a resume: the same images again
        cloning = Cloning(self.task, self.shown, settings, seen.image_size, seen.supersampling, looks)
        while self.cloned < settings.updates:
            started = time.perf_counter()
            error = 0.0
            for _ in range(min(_ROW, settings.updates - self.cloned)):
                error = cloning.update(self.policy, self.optimisers["cloning"], self.generators["shared"])
                self.cloned += 1
            self.elapsed += time.perf_counter() - started
            yield {
                "phase": "cloning",
                "iteration": self.cloned,
                "iterations": settings.updates,
                "action_error": error,
                "elapsed_seconds": self.elapsed,
            }

    def _iterate(self) -> dict[str, Any]:
        rollout, finished, seconds = self.collector.collect()
        began = time.perf_counter()
        imitation, judged = self._judge(rollout)
        centred = self.discriminates and self.config.imitation.centred
        centre = self._mean(imitation[~rollout.diverged]) if centred else 0.0
        reward = hybrid_reward(rollout.task_reward, imitation - centre, self.config.imitation.weight)
        advantages, returns, states = self._advantages(rollout, reward)
        value_loss = update_critic(
            self.critic,
            self.optimisers["critic"],
            states,
            returns,
            self.config.critic,
            self.ranks,
            self.generators["own"],  # processes may have different numbers of valid steps
        )
        ppo = self.config.ppo
        rates = (ppo.learning_rate * self._left, ppo.vision_learning_rate * self._left)
        for group, rate in zip(self.optimisers["policy"].param_groups, rates, strict=True):
            group["lr"] = rate
        statistics = update_policy(
            self.policy,
            self.optimisers["policy"],
            rollout,
            advantages,
            self.config.ppo,
            self.kl,
            self.ranks,
            self.generators["shared"],
        )
        distance = self.sight.look_again(
            rollout, self.config.sight.update_learning_rate * self._left, self.generators["shared"]
        )
        return {
            **self._episode_numbers(rollout, finished),
            "imitation_return": float(imitation.mean()) * self.task.steps,
            **judged,
            **vars(statistics),
            "auxiliary_error": distance,
            "kl_coefficient": self.kl.coefficient,
            "value_loss": value_loss,
            "divergences": float(self.episodes.engine.divergences),
            "seconds_physics": seconds.physics,
            "seconds_pixels": seconds.pixels,
            "seconds_policy": seconds.policy,
            "seconds_update": time.perf_counter() - began,
        }

    def _judge(self, rollout: Rollout) -> tuple[Tensor, dict[str, float]]:
        """Train the discriminator a little, and let it reward the rollout, `(K, W)`."""
        settings = self.config.imitation
        if not self.discriminates:  # the reward is the task's, or has no weight
            return rollout.task_reward, {}
        features = rollout.privileged if self.sees_all else rollout.features
        actions = rollout.actions.clamp(-1, 1) if settings.actions else None
        valid = ~rollout.diverged
        judged = self.discriminator.update(
            self.optimisers["discriminator"],
            self.shown_features,
            features[valid],
            self.shown_actions,
            None if actions is None else actions[valid],
            penalty=settings.gradient_penalty,
            penalty_on=settings.penalty_on,
            label_smoothing=settings.label_smoothing,
            generator=self.generators["own"],
            batch=settings.batch,
            steps=settings.updates,
            ranks=self.ranks,
        )
        with torch.no_grad():
            reward = imitation_reward(self.discriminator(features, actions), settings.form, settings.clip)
        return reward, {f"discriminator_{name}": value for name, value in vars(judged).items()}

    def _advantages(self, rollout: Rollout, reward: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Normalised advantages `(K, W)`; for the critic returns `(N,)` and states `(N, P)`, without diverged steps."""
        ppo, critic, device = self.config.ppo, self.critic, self.device
        valid = ~rollout.diverged
        states = rollout.privileged.to(device)
        for merged in self.ranks.everyones(moments(rollout.privileged[valid])):
            critic.inputs.update_from_moments(*(part.to(device) for part in merged))
        with torch.no_grad():
            values = critic(states).cpu()
            final = critic(rollout.reached_privileged.to(device)).cpu()
            last = critic(rollout.last_privileged.to(device)).cpu()
        arguments = (reward, values, final, rollout.ended, rollout.diverged, last, ppo.discount)
        if ppo.advantage == "gae":
            advantages, returns = gae(*arguments, ppo.gae_lambda)
        else:
            advantages, returns = k_step_advantages(*arguments)
        for merged in self.ranks.everyones(moments(returns[valid][:, None])):
            critic.returns.update_from_moments(*(part.to(device) for part in merged))
        kept = advantages[valid].double()
        count, total, squares = self.ranks.sum(
            torch.stack([torch.tensor(float(len(kept))).double(), kept.sum(), kept.square().sum()])
        ).tolist()
        mean = total / count
        deviation = max(squares / count - mean**2, 1e-12) ** 0.5
        return (advantages - mean) / deviation, returns[valid].to(device), states[valid.to(device)]

    def _mean(self, values: Tensor) -> float:
        """Over all processes."""
        total, count = self.ranks.sum(torch.tensor([float(values.sum()), float(len(values))]).double()).tolist()
        return total / count

    def _episode_numbers(self, rollout: Rollout, finished: Finished) -> dict[str, float]:
        """What became of episodes: success and return from random starts, the share of steps in every stage."""
        last = len(self.task.stages) - 1
        from_random = [i for i, random in enumerate(finished.random_start) if random]
        self.recent.extend(finished.stage[i] == last for i in from_random)
        share = rollout.stage.flatten().bincount(minlength=last + 1) / rollout.stage.numel()
        numbers = {f"stage_{name}": float(part) for name, part in zip(self.task.stages, share, strict=True)}
        numbers["task_reward"] = float(rollout.task_reward.mean())
        if self.curriculum is not None and self.curriculum.choice == "frontier":
            for stage, progress in self.curriculum.progress().items():
                numbers[f"curriculum_{self.task.stages[stage]}"] = progress
        if self.recent:
            numbers["success_random"] = sum(self.recent) / len(self.recent)
        if from_random:
            numbers["task_return"] = sum(finished.task_return[i] for i in from_random) / len(from_random)
        return numbers

    def content(self) -> dict[str, Any]:
        """Everything that the rest of training depends on, in plain containers; to be called in every process."""
        own = {
            "collector": self.collector.content(),
            "generator": self.generators["own"].get_state(),
            "curriculum": None if self.curriculum is None else self.curriculum.content(),
        }
        return {
            "method": "ppo-gail",
            "task": self.task.name,
            "seed": self.seed,
            "renderer": "cpu",
            "image_size": self.config.policy.image_size,
            "cloned": self.cloned,
            "iteration": self.iteration,
            "control_steps": self.control_steps,
            "elapsed": self.elapsed,
            "logged": self.logged,
            "recent": list(self.recent),
            "policy": dict(self.policy.state_dict()),
            "critic": dict(self.critic.state_dict()),
            "discriminator": dict(self.discriminator.state_dict()),
            "optimisers": {name: optimiser.state_dict() for name, optimiser in self.optimisers.items()},
            "sight": self.sight.content(),
            "kl_coefficient": self.kl.coefficient,
            "generators": generator_states({"shared": self.generators["shared"]}),
            "processes": self.ranks.gather(own),
        }

    def restore(self, content: dict[str, Any]) -> None:
        """Go back to where `content` was taken."""
        if content["image_size"] != self.config.policy.image_size:
            raise VisuomotorError(
                f"the checkpoint was trained on {content['image_size']} pixels, the config says "
                f"{self.config.policy.image_size}; resume with the run's own config"
            )
        if len(content["processes"]) != self.ranks.count:
            raise VisuomotorError(
                f"the checkpoint was written by {len(content['processes'])} processes, this job has "
                f"{self.ranks.count}; start as many"
            )
        self.cloned, self.iteration = content["cloned"], content["iteration"]
        self.control_steps = content["control_steps"]
        self.elapsed, self.logged = content["elapsed"], content["logged"]
        self.recent = deque(content["recent"], maxlen=_RECENT)
        self.policy.load_state_dict(content["policy"])
        self.critic.load_state_dict(content["critic"])
        self.discriminator.load_state_dict(content["discriminator"])
        for name, optimiser in self.optimisers.items():
            optimiser.load_state_dict(content["optimisers"][name])
        self.sight.restore(content["sight"])
        self.kl.coefficient = content["kl_coefficient"]
        restore_generators({"shared": self.generators["shared"]}, content["generators"])
        own = content["processes"][self.ranks.number]
        self.generators["own"].set_state(own["generator"])
        self.collector.restore(own["collector"])
        if self.curriculum is not None:
            self.curriculum.restore(own["curriculum"])


def _demonstrations(task: StagedTask, config: PpoGailConfig) -> list[Episode]:
    if not config.needs_demonstrations:
        return []
    if config.demos is None:
        raise VisuomotorError(
            f"this needs demonstrations: make them with `visuomotor demos script {task.name}` and give --demos FILE "
            "(or do without: --imitation.weight 0 --curriculum.random-starts 1)"
        )
    return read_demonstrations(config.demos, task).episodes


def _device(name: str) -> torch.device:
    if name == "cuda" and not torch.cuda.is_available():
        raise VisuomotorError("there is no CUDA device here; use --device cpu or auto")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")
