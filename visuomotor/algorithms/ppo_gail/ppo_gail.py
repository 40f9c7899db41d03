"""Reinforcement and imitation: act, reward, value, improve (Zhu et al. 2018, III-B)."""

import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import mujoco
import torch

from visuomotor.algorithms.algorithm import Algorithm
from visuomotor.algorithms.ppo_gail.adaptive_kl import AdaptiveKl
from visuomotor.algorithms.ppo_gail.auxiliary_task import AuxiliaryTask, PretrainingBatches
from visuomotor.algorithms.ppo_gail.behavior_cloning import BehaviorCloning
from visuomotor.algorithms.ppo_gail.config import PRESETS, PpoGailConfig
from visuomotor.algorithms.ppo_gail.critic import Critic
from visuomotor.algorithms.ppo_gail.curriculum import Curriculum
from visuomotor.algorithms.ppo_gail.episode_statistics import EpisodeStatistics
from visuomotor.algorithms.ppo_gail.expert_data import fingerprint, load_demonstrations
from visuomotor.algorithms.ppo_gail.exploration import exploration_noise
from visuomotor.algorithms.ppo_gail.gail_reward import GailReward
from visuomotor.algorithms.ppo_gail.ppo import update_critic, update_policy
from visuomotor.algorithms.ppo_gail.returns import compute_returns
from visuomotor.algorithms.ppo_gail.rollout import OBSERVATIONS, Collector
from visuomotor.demos import Episode, mean_return
from visuomotor.errors import VisuomotorError
from visuomotor.policies import TrainedPolicy
from visuomotor.policies.recurrent_policy import RecurrentPolicy
from visuomotor.runs import generator_states, restore_generators
from visuomotor.runs.devices import choose_device
from visuomotor.runs.distributed import Distributed
from visuomotor.runs.restore import ListOf, Within, check_like, restore_fitting, restore_module, restore_optimizer
from visuomotor.tasks import Task, VecEnv
from visuomotor.tasks.reset_params import dynamics_bounds

_BC_ROW = 100  # updates of behaviour cloning in a row of metrics
_PRETRAINING_ROW = 500  # updates of vision pretraining, likewise


class PpoGail(Algorithm):
    """The state of training between two iterations."""

    name: ClassVar[str] = "ppo-gail"
    version: ClassVar[int] = 4
    presets: ClassVar[Mapping[str, Any]] = PRESETS
    adjustable: ClassVar[frozenset[str]] = frozenset({"total_steps", "save_interval", "device", "demos"})
    """Learning rates and the weight of entropy follow the fraction of `total_steps` that is spent: with more of them
    they go back up to where they would be in a run of that length."""

    def __init__(
        self,
        task: Task,
        config: PpoGailConfig,
        seed: int,
        distributed: Distributed | None = None,
        task_reference: str = "",
    ):
        super().__init__(task, config, seed, distributed, task_reference)
        self.config: PpoGailConfig = config
        self.device = choose_device(config.device)
        self.most_processes = self.distributed.world_size
        """At any time of this training: its worlds are as many times those of the config."""
        self.demos = demos = load_demonstrations(task, config)
        self.demo_return = {"demo_return": mean_return(demos, task.max_episode_steps)} if demos else {}
        exploration = config.exploration
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            self.recurrent_policy = RecurrentPolicy(
                task.size("proprioception"),
                task.action_size,
                task.size("keypoints"),
                config.policy.image_size,
                config.policy.recurrent,
            ).to(self.device)
            self.noise = exploration_noise(task.action_size, exploration).to(self.device)
            noise_seen = task.action_size if exploration.critic_sees_noise else 0
            self.critic = Critic(task.size("privileged") + noise_seen, config.critic.hidden).to(self.device)
            self.gail = GailReward(task, demos, config.imitation, self.distributed)
        policy = self.recurrent_policy
        vision = policy.vision_parameters
        rest = [parameter for parameter in policy.parameters() if all(parameter is not one for one in vision)]
        groups = [{"params": rest}, {"params": vision}, {"params": list(self.noise.parameters())}]
        cloning_rate = config.behavior_cloning.learning_rate
        self.optimizers = {
            "policy": torch.optim.Adam(groups, eps=1e-5, fused=True),
            "critic": torch.optim.Adam(self.critic.parameters(), config.critic.learning_rate, eps=1e-5, fused=True),
            "behavior_cloning": torch.optim.Adam(policy.parameters(), cloning_rate, fused=True),
        }
        self.auxiliary = AuxiliaryTask(policy, config.auxiliary, self.distributed)
        self.kl = AdaptiveKl(config.ppo.target_kl)
        # `own` draws what differs between processes (worlds). `shared` draws what must be equal in all (minibatches).
        self.generators = {
            "shared": torch.Generator().manual_seed(self.seed),
            "own": torch.Generator().manual_seed(_own_seed(self.seed, self.distributed.rank)),
        }
        self.curriculum = _make_curriculum(task, demos, config)
        self.env = VecEnv(
            task,
            config.num_envs,
            self.generators["own"],
            observations=OBSERVATIONS,
            image_size=config.policy.image_size,
            supersampling=config.policy.supersampling,
            randomize=config.randomize,
            initial_states=self.curriculum,
            init_at_random_ep_len=True,
            threads=self.distributed.threads,
        )
        self.episode_statistics = EpisodeStatistics(task, self.env.episode_length_buf == 0, self.distributed)
        self.collector = Collector(
            self.env,
            policy,
            self.noise,
            config.ppo.num_steps,
            self.generators["own"],
            rerandomize=config.auxiliary.updates_per_iteration > 0,
        )
        self.bc_updates, self.iteration, self.control_steps = 0, 0, 0

    @property
    def done(self) -> bool:
        config = self.config
        pretrained = self.auxiliary.pretrained and self.bc_updates >= config.behavior_cloning.num_updates
        return pretrained and self.control_steps >= config.total_steps

    @property
    def trained(self) -> dict[str, int]:
        return {"total_steps": self.control_steps}

    @property
    def save_interval(self) -> int:
        return self.config.save_interval

    @property
    def _fraction(self) -> float:
        """Fraction of the budget of control steps that is spent."""
        return min(1.0, self.control_steps / self.config.total_steps)

    @property
    def _lr_scale(self) -> float:
        return self.config.ppo.final_lr_fraction**self._fraction

    def steps(self) -> Iterator[dict[str, Any]]:
        yield from self._pretrain_vision()
        yield from self._behavior_cloning()
        while not self.done:
            started = time.perf_counter()
            row = self._iterate()
            self.iteration += 1
            taken = self.config.num_envs * self.config.ppo.num_steps * self.distributed.world_size
            self.control_steps += taken
            spent = time.perf_counter() - started
            self.elapsed_seconds += spent
            yield {
                "phase": "ppo",
                "iteration": self.iteration,
                "control_steps": self.control_steps,
                "fraction": self._fraction,
                "sps": taken / spent,
                **row,
                "elapsed_seconds": self.elapsed_seconds,
            }

    def _pretrain_vision(self) -> Iterator[dict[str, Any]]:
        settings, policy = self.config.auxiliary, self.config.policy
        if self.auxiliary.pretrained:
            return
        seed = (1000 * self.seed + self.distributed.rank + 1) * 10_000_019 % 2**62  # torch's seeds have 64 bits
        batches = PretrainingBatches(
            self.task,
            self.demos,
            settings,
            policy.image_size,
            policy.supersampling,
            self.config.randomize,
            seed,
            self.distributed.threads,
        )
        while not self.auxiliary.pretrained:
            started = time.perf_counter()
            error = self.auxiliary.pretrain(batches, _PRETRAINING_ROW)
            self.elapsed_seconds += time.perf_counter() - started
            yield {
                "phase": "vision_pretraining",
                "iteration": self.auxiliary.num_updates,
                "iterations": settings.pretraining_updates,
                "object_position_error_m": error,
                "elapsed_seconds": self.elapsed_seconds,
            }

    def _behavior_cloning(self) -> Iterator[dict[str, Any]]:
        settings, policy = self.config.behavior_cloning, self.config.policy
        if self.bc_updates >= settings.num_updates:
            return
        # After a resume the same images again; in every process others.
        drawing = torch.Generator().manual_seed(self.seed + 1 + 7919 * self.distributed.rank)
        cloning = BehaviorCloning(
            self.task, self.demos, settings, policy.image_size, policy.supersampling, self.config.randomize, drawing
        )
        optimizer, own = self.optimizers["behavior_cloning"], self.generators["own"]
        while self.bc_updates < settings.num_updates:
            started = time.perf_counter()
            error = 0.0
            for _ in range(min(_BC_ROW, settings.num_updates - self.bc_updates)):
                error = cloning.update(self.recurrent_policy, optimizer, own, self.distributed)
                self.bc_updates += 1
            self.elapsed_seconds += time.perf_counter() - started
            yield {
                "phase": "behavior_cloning",
                "iteration": self.bc_updates,
                "iterations": settings.num_updates,
                "action_error": error,
                "elapsed_seconds": self.elapsed_seconds,
            }

    def _iterate(self) -> dict[str, Any]:
        config, ppo = self.config, self.config.ppo
        shared, own = self.generators["shared"], self.generators["own"]
        rollout, timings = self.collector.collect()
        began = time.perf_counter()
        reward, imitation, discriminator_stats = self.gail.reward(rollout, own)
        advantages, returns, states = compute_returns(
            self.critic, rollout, reward, ppo, self.distributed, config.exploration.critic_sees_noise
        )
        value_loss = update_critic(
            self.critic, self.optimizers["critic"], states, returns, config.critic, self.distributed, own
        )
        rates = ppo.learning_rate, ppo.vision_learning_rate, config.exploration.log_std_learning_rate
        for group, rate in zip(self.optimizers["policy"].param_groups, rates, strict=True):
            group["lr"] = rate * self._lr_scale
        statistics = update_policy(
            self.recurrent_policy,
            self.noise,
            self.optimizers["policy"],
            rollout,
            advantages,
            replace(ppo, entropy_coef=ppo.entropy_coef * (1 - self._fraction)),
            self.kl,
            self.distributed,
            shared,
        )
        error = self.auxiliary.update_on_rollout(
            rollout, config.auxiliary.update_learning_rate * self._lr_scale, shared
        )
        return {
            **self.episode_statistics.update(rollout, imitation),
            **self._curriculum_metrics(),
            **discriminator_stats,
            **vars(statistics),
            "object_position_error_m": error,
            "kl_coefficient": self.kl.coefficient,
            "value_loss": value_loss,
            "num_diverged": float(self.distributed.sum(rollout.diverged.sum())),
            **{f"time/{part}": seconds for part, seconds in vars(timings).items()},
            "time/learn": time.perf_counter() - began,
        }

    def _curriculum_metrics(self) -> dict[str, float]:
        """How often starts in demonstration states advance, by stage, in this process; the demonstrations' return."""
        numbers: dict[str, float] = {}
        if self.curriculum is not None and self.curriculum.strategy == "intermediate-difficulty":
            for stage, rate in self.curriculum.advance_rate_by_stage().items():
                numbers[f"advance_rate/{self.task.stages[stage]}"] = rate
        return numbers | self.demo_return

    def policy(self) -> TrainedPolicy | None:
        config = self.config
        notes = []
        if self.most_processes > 1:
            notes.append(f"processes {self.most_processes}")
        for unit, done, planned in (
            ("updates of behaviour cloning", self.bc_updates, config.behavior_cloning.num_updates),
            ("control steps", self.control_steps, config.total_steps),
        ):
            if done < planned:
                notes.append(f"stopped after {done} {unit}")
                break
        training = {"control_steps": self.control_steps, "notes": notes}
        return self.trained_policy(
            self.recurrent_policy, config.policy.image_size, config.policy.supersampling, training
        )

    def state_dict(self) -> dict[str, Any]:
        policy = self.config.policy
        return {
            "seed": self.seed,
            "camera": self.camera_spec(policy.image_size, policy.supersampling),
            "demonstrations": fingerprint(self.demos),
            "bc_updates": self.bc_updates,
            "iteration": self.iteration,
            "control_steps": self.control_steps,
            "elapsed_seconds": self.elapsed_seconds,
            "policy": dict(self.recurrent_policy.state_dict()),
            "noise": dict(self.noise.state_dict()),
            "critic": dict(self.critic.state_dict()),
            "gail": self.gail.state_dict(),
            "optimizers": {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()},
            "auxiliary": self.auxiliary.state_dict(),
            "kl_coefficient": self.kl.coefficient,
            "generators": generator_states({"shared": self.generators["shared"]}),
            "processes": self.distributed.gather(self._own_state()),
            "most_processes": self.most_processes,
        }

    def _own_state(self) -> dict[str, Any]:
        """What differs from process to process."""
        return {
            "collector": self.collector.state_dict(),
            "generator": self.generators["own"].get_state(),
            "curriculum": None if self.curriculum is None else self.curriculum.state_dict(),
            "episode_statistics": self.episode_statistics.state_dict(),
        }

    def load_state_dict(self, content: dict[str, Any]) -> None:
        """See `Algorithm`: another camera or other demonstrations.

        With another number of processes than before, each takes up the worlds of one of those, as long as there are
        some; the others begin new episodes.
        """
        content = {"most_processes": 1, **content}  # earlier checkpoints lack it
        self._check(content)
        policy = self.config.policy
        self.check_camera(content["camera"], policy.image_size, policy.supersampling)
        if content["demonstrations"] != fingerprint(self.demos):
            raise VisuomotorError(
                f"{self.config.demos} does not hold the demonstrations that this run began with; say where they "
                "are with --demos FILE, or train a new run"
            )
        states = 0 if self.curriculum is None else self.curriculum.num_states
        for number, process in enumerate(content["processes"]):
            ids = process["collector"]["env"]["initial_state_id"]
            place = f"state.processes[{number}].collector.env.initial_state_id"
            check_like(ids, Within(ids, -1, states - 1), place)
        self.bc_updates, self.iteration = content["bc_updates"], content["iteration"]
        self.control_steps, self.elapsed_seconds = content["control_steps"], content["elapsed_seconds"]
        restore_module(self.recurrent_policy, content["policy"], "state.policy")
        restore_module(self.noise, content["noise"], "state.noise")
        restore_module(self.critic, content["critic"], "state.critic")
        self.gail.load_state_dict(content["gail"])
        for name, optimizer in self.optimizers.items():
            restore_optimizer(optimizer, content["optimizers"][name], f"state.optimizers.{name}")
        self.auxiliary.load_state_dict(content["auxiliary"])
        self.kl.coefficient = content["kl_coefficient"]
        restore_generators({"shared": self.generators["shared"]}, content["generators"])
        rank, processes = self.distributed.rank, content["processes"]
        self.most_processes = max(self.distributed.world_size, len(processes), content["most_processes"])
        own = processes[rank % len(processes)]
        if rank < len(processes):
            restore_generators({"own": self.generators["own"]}, {"own": own["generator"]})
            self.collector.load_state_dict(own["collector"])
            self.episode_statistics.load_state_dict(own["episode_statistics"])
        else:
            self.generators["own"].manual_seed(_own_seed(self.seed, rank) + self.control_steps)
            self.episode_statistics.recent.extend(own["episode_statistics"]["recent"])
        if self.curriculum is not None:
            self.curriculum.load_state_dict(own["curriculum"])

    def _check(self, content: dict[str, Any]) -> None:
        """Raise a VisuomotorError where a checkpoint's content is not what `state_dict` gives; networks and optimizers
        are checked where they are restored."""
        pattern = {
            **dict.fromkeys(("policy", "noise", "critic", "generators"), dict),
            **dict.fromkeys(("seed", "bc_updates", "iteration", "control_steps", "most_processes"), 0),
            "elapsed_seconds": Within(0.0, 0),
            "kl_coefficient": Within(0.0, self.kl.min, self.kl.max),
            "camera": self.camera_spec(self.config.policy.image_size, self.config.policy.supersampling),
            "demonstrations": str | None,
            "gail": {"discriminator": dict, "optimizer": dict},
            "optimizers": dict.fromkeys(self.optimizers, dict),
            "auxiliary": {"num_updates": 0, "optimizer": dict},
            "processes": ListOf(self._own_pattern()),
        }
        check_like(content, pattern, "state", finite=True)
        if not content["processes"]:
            raise VisuomotorError("state.processes is empty, expected one entry a process")

    def _own_pattern(self) -> dict[str, Any]:
        """What `_own_state` looks like, with bounds."""
        own = self._own_state()
        own["episode_statistics"]["recent"] = ListOf([0.0] * 3)
        env = own["collector"]["env"]
        env["state"] = Within(env["state"], -mujoco.mjMAXVAL, mujoco.mjMAXVAL)
        dynamics = env["params"]["dynamics"]
        env["params"]["dynamics"] = {name: Within(rows, *dynamics_bounds(name)) for name, rows in dynamics.items()}
        env["episode_length"] = Within(env["episode_length"], 0, self.env.max_episode_steps)
        env["episodes"] = Within(env["episodes"], 0)
        if self.curriculum is not None:
            rates, lengths = self.curriculum.advance_rate, self.curriculum.mean_lengths
            own["curriculum"] = {"advance_rate": Within(rates, 0, 1), "mean_lengths": Within(lengths, 0)}
        return own

    def load_weights(self, content: dict[str, Any]) -> None:
        """See `Algorithm`: the policy, but for parts of other sizes, such as the keypoint head of another task; critic
        and discriminator where they are of the same sizes. Exploration noise is that of the config."""
        check_like(content.get("gail"), {"discriminator": dict, "optimizer": dict}, "state.gail")
        fresh = restore_fitting(self.recurrent_policy, content.get("policy"), "state.policy")
        for network, weights, name in (
            (self.critic, content.get("critic"), "critic"),
            (self.gail.discriminator, content["gail"]["discriminator"], "discriminator"),
        ):
            try:
                restore_module(network, weights, name)
            except VisuomotorError:
                fresh.append(f"the {name}")
        if fresh:
            warnings.warn(f"of other sizes in that run, so trained from scratch: {', '.join(fresh)}", stacklevel=2)

    def load_policy_weights(self, weights: dict[str, Any]) -> None:
        """See `Algorithm`. Critic and discriminator are new."""
        fresh = restore_fitting(self.recurrent_policy, weights, "policy")
        if fresh:
            warnings.warn(f"of other sizes in that policy, so trained from scratch: {', '.join(fresh)}", stacklevel=2)


def _own_seed(seed: int, rank: int) -> int:
    return seed + 7919 * (rank + 1)


def _make_curriculum(task: Task, demos: Sequence[Episode], config: PpoGailConfig) -> Curriculum | None:
    settings = config.curriculum
    if settings.random_start_fraction == 1:
        return None
    return Curriculum(
        demos,
        len(task.stages),
        settings.random_start_fraction,
        min(settings.max_episode_steps, task.max_episode_steps),
        task.max_episode_steps,
        settings.strategy,
        settings.early_termination_steps,
    )
