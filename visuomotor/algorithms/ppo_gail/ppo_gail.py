"""Reinforcement and imitation: act, judge, reward, improve (Zhu et al. 2018, III-B)."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch

from visuomotor.camera import check_camera_spec, camera_spec
from visuomotor.demos import Episode
from visuomotor.demos.episode import mean_return
from visuomotor.errors import VisuomotorError
from visuomotor.algorithms.ppo_gail.adaptive_kl import AdaptiveKl
from visuomotor.algorithms.ppo_gail.advantages import judge
from visuomotor.algorithms.ppo_gail.behavior_cloning import BehaviorCloning
from visuomotor.algorithms.ppo_gail.config import PpoGailConfig
from visuomotor.algorithms.ppo_gail.critic import Critic
from visuomotor.algorithms.ppo_gail.curriculum import Curriculum
from visuomotor.algorithms.ppo_gail.expert_data import demonstrations, fingerprint
from visuomotor.algorithms.ppo_gail.exploration import exploration_noise
from visuomotor.algorithms.ppo_gail.gail_reward import GailReward
from visuomotor.algorithms.ppo_gail.ppo import update_critic, update_policy
from visuomotor.algorithms.ppo_gail.rollout import Collector
from visuomotor.algorithms.ppo_gail.auxiliary_task import PretrainingBatches, AuxiliaryTask
from visuomotor.algorithms.ppo_gail.episode_statistics import EpisodeStatistics
from visuomotor.algorithms.ppo_gail.trained import CHECKPOINT, new_policy
from visuomotor.runs import Run, generator_states, load_checkpoint, restore_generators, save_checkpoint
from visuomotor.runs.devices import choose_device
from visuomotor.runs.graceful_shutdown import GracefulShutdown
from visuomotor.runs.distributed import Distributed
from visuomotor.tasks import VecEnv, StagedTask, make_task

Report = Callable[[dict[str, Any]], None]
_ROW = 100  # updates of behaviour cloning in a row of metrics
_LESSONS_ROW = 500  # lessons, likewise


def train(
    task_name: str, preset: str, config: PpoGailConfig, run: Run, resume: bool = False, report: Report | None = None
) -> None:
    """Train a recurrent visuomotor policy on a task; the run's `checkpoints/latest.pt` holds it in the end.

    Training that was stopped anywhere and resumed gives the same policy, bit for bit, on the same kind of CPU with as
    many threads and processes. Under torchrun every process simulates its own worlds, and the first one writes.

    Raises:
        KeyboardInterrupt: on SIGINT or SIGTERM, after the iteration under way has been saved.
    """
    distributed = Distributed()
    trainer = Trainer(task_name, config, run.seed, distributed)
    if resume:
        if run.latest_checkpoint.exists():
            trainer.restore(load_checkpoint(run.latest_checkpoint, expect={**CHECKPOINT, "task": task_name}))
        if distributed.is_main:
            run.truncate_metrics(trainer.logged)
    # Of several processes torchrun is the master, and stops them itself.
    with GracefulShutdown(used_reward=distributed.world_size == 1) as interrupts:
        for row in trainer.steps():
            if distributed.is_main:
                run.log(row)
                trainer.logged = run.metrics_lines
                if report is not None:
                    report(row)
            if trainer.rows % config.checkpoint_every == 0 or trainer.done or interrupts.asked:
                content = trainer.content()
                if distributed.is_main:
                    save_checkpoint(run.latest_checkpoint, content)
                distributed.barrier()
            if interrupts.asked and not trainer.done:
                raise KeyboardInterrupt
    run.close()


class Trainer:
    """The state of training between two iterations."""

    def __init__(self, task_name: str, config: PpoGailConfig, seed: int, distributed: Distributed | None = None):
        self.config, self.seed, self.distributed = config, seed, distributed or Distributed()
        self.task = task = make_task(task_name, StagedTask)
        self.device = choose_device(config.device)
        self.shown = shown = demonstrations(task, config)
        self.demo_return = {"demo_return": mean_return(shown, task.steps)} if shown else {}
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.policy = new_policy(task, config.policy).to(self.device)
            self.noise = exploration_noise(task.action_size, config.exploration).to(self.device)
            noise_seen = task.action_size if config.exploration.critic_sees_noise else 0
            self.critic = Critic(task.privileged_size + noise_seen, config.critic.hidden).to(self.device)
            self.imitation = GailReward(task, shown, config.imitation, self.distributed)
        vision = self.policy.vision_parameters
        rest = [parameter for parameter in self.policy.parameters() if all(parameter is not seen for seen in vision)]
        self.optimisers = {
            "policy": torch.optim.Adam(
                [{"params": rest}, {"params": vision}, {"params": list(self.noise.parameters())}], eps=1e-5, fused=True
            ),
            "critic": torch.optim.Adam(self.critic.parameters(), config.critic.learning_rate, eps=1e-5, fused=True),
            "cloning": torch.optim.Adam(self.policy.parameters(), config.cloning.learning_rate, fused=True),
        }
        self.sight = AuxiliaryTask(self.policy, config.sight, self.distributed)
        self.kl = AdaptiveKl(config.ppo.kl_target)
        # Worlds differ from process to process; what all must draw alike (weights, minibatches) has the other one.
        self.generators = {
            "shared": torch.Generator().manual_seed(seed),
            "own": torch.Generator().manual_seed(seed + 7919 * (self.distributed.rank + 1)),
        }
        self.curriculum = _curriculum(task, shown, config)
        self.episodes = VecEnv(
            task,
            config.worlds,
            self.generators["own"],
            image_size=config.policy.image_size,
            supersampling=config.policy.supersampling,
            starts=self.curriculum,
            vary=config.vary,
            stagger=True,
            threads=self.distributed.threads,
        )
        self.episode_statistics = EpisodeStatistics(task, self.episodes.elapsed == 0, self.distributed)
        self.collector = Collector(
            self.episodes,
            self.policy,
            self.noise,
            config.ppo.rollout,
            self.generators["own"],
            rerandomize=config.sight.updates > 0,
        )
        self.cloned, self.iteration, self.control_steps, self.elapsed, self.logged = 0, 0, 0, 0.0, 0

    @property
    def done(self) -> bool:
        config = self.config
        learnt = self.sight.done and self.cloned >= config.cloning.updates
        return learnt and self.control_steps >= config.control_steps

    @property
    def rows(self) -> int:
        """How many rows of metrics there have been."""
        return self.sight.targets // _LESSONS_ROW + self.cloned // _ROW + self.iteration

    @property
    def _fraction(self) -> float:
        """Of the budget of control steps, spent."""
        return min(1.0, self.control_steps / self.config.control_steps)

    @property
    def _left(self) -> float:
        """Of the learning rates."""
        return self.config.ppo.last_learning_rate**self._fraction

    def steps(self) -> Iterator[dict[str, Any]]:
        """Go on until the budget of control steps is spent; yields a row of metrics after every iteration."""
        yield from self._learn_to_see()
        yield from self._clone()
        while not self.done:
            started = time.perf_counter()
            row = self._iterate()
            self.iteration += 1
            taken = self.config.worlds * self.config.ppo.rollout * self.distributed.world_size
            self.control_steps += taken
            spent = time.perf_counter() - started
            self.elapsed += spent
            yield {
                "phase": "ppo",
                "iteration": self.iteration,
                "control_steps": self.control_steps,
                "fraction": self._fraction,
                "steps_per_second": taken / spent,
                **row,
                "elapsed_seconds": self.elapsed,
            }

    def _learn_to_see(self) -> Iterator[dict[str, Any]]:
        settings, images = self.config.sight, self.config.policy
        if self.sight.done:
            return
        seed = (1000 * self.seed + self.distributed.rank + 1) * 10_000_019 % 2**62  # torch's seeds have 64 bits
        lessons = PretrainingBatches(
            self.task,
            self.shown,
            settings,
            images.image_size,
            images.supersampling,
            self.config.vary,
            seed,
            self.distributed.threads,
        )
        while not self.sight.done:
            started = time.perf_counter()
            distance = self.sight.fit(lessons, _LESSONS_ROW)
            self.elapsed += time.perf_counter() - started
            yield {
                "phase": "sight",
                "iteration": self.sight.targets,
                "iterations": settings.lessons,
                "auxiliary_error": distance,
                "elapsed_seconds": self.elapsed,
            }

    def _clone(self) -> Iterator[dict[str, Any]]:
        settings, seen = self.config.cloning, self.config.policy
        if self.cloned >= settings.updates:
            return
        # After a resume the same images again; in every process others.
        looks = torch.Generator().manual_seed(self.seed + 1 + 7919 * self.distributed.rank)
        cloning = BehaviorCloning(self.task, self.shown, settings, seen.image_size, seen.supersampling, self.config.vary, looks)
        while self.cloned < settings.updates:
            started = time.perf_counter()
            error = 0.0
            for _ in range(min(_ROW, settings.updates - self.cloned)):
                error = cloning.update(self.policy, self.optimisers["cloning"], self.generators["own"], self.distributed)
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
        ppo, exploration = self.config.ppo, self.config.exploration
        shared, own = self.generators["shared"], self.generators["own"]
        self.noise.schedule(self._fraction)
        rollout, seconds = self.collector.collect()
        began = time.perf_counter()
        reward, imitation, discriminator_stats = self.imitation.reward(rollout, own)
        advantages, returns, states = judge(
            self.critic, rollout, reward, ppo, self.distributed, exploration.critic_sees_noise
        )
        value_loss = update_critic(
            self.critic, self.optimisers["critic"], states, returns, self.config.critic, self.distributed, own
        )
        rates = ppo.learning_rate, ppo.vision_learning_rate, exploration.log_std_learning_rate
        for group, rate in zip(self.optimisers["policy"].param_groups, rates, strict=True):
            group["lr"] = rate * self._left
        statistics = update_policy(
            self.policy,
            self.noise,
            self.optimisers["policy"],
            rollout,
            advantages,
            replace(ppo, entropy=ppo.entropy * (1 - self._fraction)),
            self.kl,
            self.distributed,
            shared,
        )
        distance = self.sight.update_on_rollout(rollout, self.config.sight.update_learning_rate * self._left, shared)
        return {
            **self.episode_statistics.take(rollout, imitation),
            **self._practice(),
            **discriminator_stats,
            **vars(statistics),
            "auxiliary_error": distance,
            "kl_coefficient": self.kl.coefficient,
            "value_loss": value_loss,
            "divergences": float(self.distributed.sum(rollout.diverged.sum())),
            "seconds_physics": seconds.physics,
            "seconds_pixels": seconds.pixels,
            "seconds_policy": seconds.policy,
            "seconds_update": time.perf_counter() - began,
        }

    def _practice(self) -> dict[str, float]:
        """How often demonstrated starts of each stage get on, in this process; the mean return of demonstrations."""
        numbers: dict[str, float] = {}
        if self.curriculum is not None and self.curriculum.choice == "frontier":
            for stage, progress in self.curriculum.progress().items():
                numbers[f"curriculum_{self.task.stages[stage]}"] = progress
        return numbers | self.demo_return

    def content(self) -> dict[str, Any]:
        """Everything that the rest of training depends on, in plain containers; to be called in every process."""
        own = {
            "collector": self.collector.content(),
            "generator": self.generators["own"].get_state(),
            "curriculum": None if self.curriculum is None else self.curriculum.content(),
            "episode_statistics": self.episode_statistics.content(),
        }
        return {
            **CHECKPOINT,
            "task": self.task.name,
            "seed": self.seed,
            "view": self._view,
            "demonstrations": fingerprint(self.shown),
            "cloned": self.cloned,
            "iteration": self.iteration,
            "control_steps": self.control_steps,
            "elapsed": self.elapsed,
            "logged": self.logged,
            "policy": dict(self.policy.state_dict()),
            "noise": dict(self.noise.state_dict()),
            "critic": dict(self.critic.state_dict()),
            "imitation": self.imitation.content(),
            "optimisers": {name: optimiser.state_dict() for name, optimiser in self.optimisers.items()},
            "sight": self.sight.content(),
            "kl_coefficient": self.kl.coefficient,
            "generators": generator_states({"shared": self.generators["shared"]}),
            "processes": self.distributed.gather(own),
        }

    def restore(self, content: dict[str, Any]) -> None:
        """Go back to where `content` was taken.

        Raises:
            VisuomotorError: another camera, other demonstrations, or another number of processes or worlds.
        """
        check_camera_spec(content["view"], self._view, "this checkpoint")
        if content["demonstrations"] != fingerprint(self.shown):
            raise VisuomotorError(
                f"{self.config.demos} does not hold the demonstrations that this run began with; say where they "
                "are with --demos FILE, or train a new run"
            )
        if len(content["processes"]) != self.distributed.world_size:
            raise VisuomotorError(
                f"the checkpoint was written by {len(content['processes'])} processes, this job has "
                f"{self.distributed.world_size}; start as many"
            )
        self.cloned, self.iteration = content["cloned"], content["iteration"]
        self.control_steps = content["control_steps"]
        self.elapsed, self.logged = content["elapsed"], content["logged"]
        self.policy.load_state_dict(content["policy"])
        self.noise.load_state_dict(content["noise"])
        self.critic.load_state_dict(content["critic"])
        self.imitation.restore(content["imitation"])
        for name, optimiser in self.optimisers.items():
            optimiser.load_state_dict(content["optimisers"][name])
        self.sight.restore(content["sight"])
        self.kl.coefficient = content["kl_coefficient"]
        restore_generators({"shared": self.generators["shared"]}, content["generators"])
        own = content["processes"][self.distributed.rank]
        self.generators["own"].set_state(own["generator"])
        self.collector.restore(own["collector"])
        self.episode_statistics.restore(own["episode_statistics"])
        if self.curriculum is not None:
            self.curriculum.restore(own["curriculum"])

    @property
    def _view(self) -> dict[str, Any]:
        seen = self.config.policy
        return camera_spec(self.task.model, self.task.camera, seen.image_size, seen.supersampling)


def _curriculum(task: StagedTask, shown: Sequence[Episode], config: PpoGailConfig) -> Curriculum | None:
    starts = config.curriculum
    if starts.random_starts == 1:
        return None
    steps = min(starts.steps, task.steps)
    return Curriculum(shown, len(task.stages), starts.random_starts, steps, task.steps, starts.choice, starts.patience)
