"""Guided policy search: vision pretraining, trajectory optimisation, then both end to end (Levine et al. 2015, V-B)."""

import time
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar

import torch

from visuomotor.algorithms.algorithm import Algorithm
from visuomotor.algorithms.gps.badmm import BadmmState, assess_last_update, initial_state, iterate
from visuomotor.algorithms.gps.checkpointing import (
    PHASES,
    badmm_pattern,
    check_badmm,
    check_phase,
    from_plain,
    to_plain,
)
from visuomotor.algorithms.gps.config import PRESETS, GpsConfig
from visuomotor.algorithms.gps.exploration import (
    check_pd_controller,
    init_pd_controller,
    noisy_controller,
    smooth_noise,
)
from visuomotor.algorithms.gps.policy_opt import StatePolicyOptimizer, VisuomotorPolicyOptimizer, policy_fn
from visuomotor.algorithms.gps.pose_regression import PoseTraining, collect_pose_dataset
from visuomotor.algorithms.gps.rollout import Samples, add_images, engine_positions, rollout
from visuomotor.errors import VisuomotorError
from visuomotor.policies import PoseNetwork, StatePolicy, TrainedPolicy, VisuomotorPolicy
from visuomotor.runs import config_to_dict, generator_states, restore_generators
from visuomotor.runs.devices import choose_device
from visuomotor.runs.distributed import Distributed
from visuomotor.runs.restore import Finite, OrNone, check_like, restore_fitting, restore_module, restore_optimizer
from visuomotor.tasks import EpisodeOutcome, Task, VecEnv

_TRIES = 3  # how often a condition whose physics diverged is sampled again


class Gps(Algorithm):
    """The state of training between two steps: an epoch of pose regression or an iteration of guided policy search."""

    name: ClassVar[str] = "gps"
    version: ClassVar[int] = 7
    first_iteration: ClassVar[int] = 0
    presets: ClassVar[Mapping[str, Any]] = PRESETS
    adjustable: ClassVar[frozenset[str]] = frozenset({"end_to_end.iterations", "device", "image.first_layer"})
    """Nothing depends on how many iterations are still to come: a prolonged run is the longer one, bit for bit. What
    the first layer began with is in the checkpoint."""

    def __init__(
        self,
        task: Task,
        config: GpsConfig,
        seed: int,
        distributed: Distributed | None = None,
        task_reference: str = "",
    ):
        super().__init__(task, config, seed, distributed, task_reference)
        if self.distributed.world_size > 1:
            raise VisuomotorError("gps trains in one process: start it without torchrun")
        self.config: GpsConfig = config
        self.device = choose_device(config.device)
        self.generator = torch.Generator().manual_seed(self.seed)
        keypoints, proprioception = task.size("keypoints"), task.size("proprioception")
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            self.pose_network = PoseNetwork(3 * keypoints).to(self.device)
            self.state_policy = StatePolicy(task.size("state"), task.action_size)
            predicted = 3 * keypoints if config.vision == "pose-prediction" else 0
            policy = VisuomotorPolicy(proprioception, task.action_size, predicted)
            self.visuomotor_policy = policy.to(self.device).eval()
        if config.image.first_layer is not None:
            self.pose_network.vision.load_first_layer(config.image.first_layer)
        drawing = torch.Generator().manual_seed(self.seed)
        count = config.num_conditions or task.num_conditions
        split = task.condition_split
        self.conditions = task.sample_reset(count, drawing, split)  # starts deviate as those of trials do
        if not config.randomize:
            nominal = task.sample_reset(count, torch.Generator().manual_seed(self.seed), split, randomize=False)
            self.conditions = replace(self.conditions, dynamics=nominal.dynamics, appearance=nominal.appearance)
        self.env = self._make_env(count)
        check_pd_controller(self.env)
        self.badmm: BadmmState | None = None
        self.pose_training: PoseTraining | None = None
        self.phase, self.iteration = PHASES[0], 0

    def _make_env(self, worlds: int) -> VecEnv:
        image = self.config.image
        return VecEnv(
            self.task,
            worlds,
            torch.Generator().manual_seed(self.seed),
            observations=("state", "proprioception"),
            image_size=image.size,
            supersampling=image.supersampling,
            randomize=self.config.randomize,
        )

    @property
    def done(self) -> bool:
        return self.phase == "done"

    @property
    def trained(self) -> dict[str, int]:
        return {"end_to_end.iterations": self.iteration if self.phase in ("policy", "done") else 0}

    def steps(self) -> Iterator[dict[str, Any]]:
        self._leave_finished_phases()
        while not self.done:
            started = time.monotonic()
            row = {"phase": self.phase, "iteration": self.iteration, "iterations": self._length(self.phase)}
            step = (self._pretrain_vision, self._optimize_trajectories, self._train_end_to_end)
            row |= step[PHASES.index(self.phase)]()
            self.iteration += 1
            self._leave_finished_phases()
            self.elapsed_seconds += time.monotonic() - started
            yield row | {"elapsed_seconds": self.elapsed_seconds}

    def _length(self, phase: str) -> int:
        config, last = self.config, self.config.end_to_end.iterations
        last = self.task.num_policy_iterations if last is None else last
        lengths = (config.pose.epochs, config.trajectory.iterations, last)
        return lengths[PHASES.index(phase)]

    def _leave_finished_phases(self) -> None:
        phases = (*PHASES, "done")
        while self.phase != "done" and self.iteration >= self._length(self.phase):
            if self.phase == "vision_pretraining":
                self._take_vision()
                self.pose_training = None
            self.phase = phases[phases.index(self.phase) + 1]
            if self.phase != "done":  # else the count of the last phase stays, for a run that is prolonged
                self.iteration = 0

    def _take_vision(self) -> None:
        """The policy begins with what the pose network has learned."""
        policy, network = self.visuomotor_policy, self.pose_network
        policy.vision.load_state_dict(network.vision.state_dict())
        if policy.pose_head is not None:
            policy.pose_head.load_state_dict(network.head.state_dict())

    def _pretrain_vision(self) -> dict[str, float]:
        return self._pose_training().run_epoch(self.generator)

    def _pose_training(self) -> PoseTraining:
        if self.pose_training is None:  # drawn again after a resume: same seed, same images
            drawing = torch.Generator().manual_seed(self.seed + 1)
            config = self.config
            data = collect_pose_dataset(
                self.task, config.pose.images, config.image, drawing, randomize=config.randomize
            )
            self.pose_training = PoseTraining(self.pose_network, data, self.config.pose, self.config.augmentation)
        return self.pose_training

    def _optimize_trajectories(self) -> dict[str, Any]:
        optimizer = StatePolicyOptimizer(self.state_policy, self.config.state_policy, self.generator)
        return self._iterate(optimizer, self.config, render=False)

    def _train_end_to_end(self) -> dict[str, Any]:
        config = self.config.in_policy_phase()
        optimizer = VisuomotorPolicyOptimizer(
            self.visuomotor_policy,
            config.end_to_end,
            config.augmentation,
            self.generator,
            end_to_end=config.vision == "end-to-end",
        )
        if self.iteration == 0 and self.badmm is not None:
            self._release_trajectories(self.badmm, config)
        row = self._iterate(optimizer, config, render=True)
        _, outcome = rollout(self.env, self.conditions, policy_fn(self.visuomotor_policy), render=True)
        return row | {
            "policy_success": outcome.success.double().mean().item(),
            "policy_distance_m": outcome.distance.mean().item(),
        }

    def _release_trajectories(self, badmm: BadmmState, config: GpsConfig) -> None:
        """When the policy changes, multipliers and KL weights are reset. The last controllers are tried first, so that
        the new policy begins with controllers that succeed."""
        samples, _ = self._sample(badmm, render=False)
        assessed, _ = assess_last_update(badmm, samples, self.task.cost, config)
        fresh = initial_state(assessed.controller, config)
        self.badmm = replace(
            fresh,
            eta=assessed.eta,
            transition_history=assessed.transition_history,
            first_cost=assessed.first_cost,
        )

    def _iterate(
        self, optimizer: StatePolicyOptimizer | VisuomotorPolicyOptimizer, config: GpsConfig, render: bool
    ) -> dict[str, Any]:
        if self.badmm is None:
            self.env.reset(params=self.conditions)
            start = self.env.observe()["state"]
            noise = config.trajectory.initial_noise_std
            self.badmm = initial_state(init_pd_controller(self.task, start, noise), config)
        diverged_before = self.env.engine.num_diverged
        samples, outcome = self._sample(self.badmm, render)
        numbers: dict[str, Any] = {}
        self.badmm = iterate(
            self.badmm,
            samples,
            optimizer,
            self.task.cost,
            config,
            self.generator,
            callback=numbers.update,
        )
        return numbers | {
            "success": outcome.success.double().mean().item(),
            "success_by_condition": outcome.success.tolist(),
            "final_distance_m": outcome.distance.mean().item(),
            "num_diverged": float(self.env.engine.num_diverged - diverged_before),
        }

    def _sample(self, badmm: BadmmState, render: bool) -> tuple[Samples, EpisodeOutcome]:
        """One episode a condition. Conditions whose physics diverged are sampled again, with other noise.

        Raises:
            VisuomotorError: controllers diverge with any noise, and there are none before them.
        """
        samples, outcome = self._sample_once(badmm, render)
        for _ in range(_TRIES):
            if not samples.diverged.any():
                break
            again, outcome_again = self._sample_once(badmm, render)
            chosen = samples.diverged & ~again.diverged
            samples = Samples.where(chosen, again, samples)
            outcome = EpisodeOutcome(
                torch.where(chosen, outcome_again.success, outcome.success),
                torch.where(chosen, outcome_again.distance, outcome.distance),
            )
        if samples.diverged.any() and badmm.last_update is None:
            worlds = samples.diverged.nonzero()[:, 0].tolist()
            which, fix = "first", "lower trajectory.initial_noise_std"
            if badmm.first_cost is not None:  # the visuomotor policy comes in
                which, fix = "last", "lower trajectory.kl_step"
            raise VisuomotorError(
                f"the physics of task {self.task.name!r} diverges in conditions {worlds} with the {which} controllers; "
                f"{fix}, or give the joints more armature"
            )
        return samples, outcome

    def _sample_once(self, badmm: BadmmState, render: bool) -> tuple[Samples, EpisodeOutcome]:
        shape = tuple(badmm.controller.offset.shape)
        noise = smooth_noise(shape, self.generator, self.config.trajectory.noise_smoothing_steps)
        controller = noisy_controller(badmm.controller, noise)
        samples, outcome = rollout(self.env, self.conditions, controller, record_positions=render)
        return (add_images(self.env, self.conditions, samples) if render else samples), outcome

    def policy(self) -> TrainedPolicy | None:
        if not (self.phase == "done" or (self.phase == "policy" and self.iteration > 0)):
            return None
        image = self.config.image
        notes = [] if self.done else [f"stopped after {self.iteration} iterations"]
        training = {"iterations": self.iteration, "notes": notes}
        return self.trained_policy(self.visuomotor_policy, image.size, image.supersampling, training)

    def state_dict(self) -> dict[str, Any]:
        training = self.pose_training
        return {
            "seed": self.seed,
            "phase": self.phase,
            "iteration": self.iteration,
            "elapsed_seconds": self.elapsed_seconds,
            "camera": self.camera_spec(self.config.image.size, self.config.image.supersampling),
            "generators": generator_states({"training": self.generator}),
            "pose_network": dict(self.pose_network.state_dict()),
            "pose_optimizer": None if training is None else training.optimizer.state_dict(),
            "state_policy": dict(self.state_policy.state_dict()),
            "policy": dict(self.visuomotor_policy.state_dict()),
            "badmm": None if self.badmm is None else to_plain(self.badmm.map_samples(_without_images)),
        }

    def load_state_dict(self, content: dict[str, Any]) -> None:
        check_like(content, self._pattern(), "state")
        check_phase(content, self._length)
        self.check_camera(content["camera"], self.config.image.size, self.config.image.supersampling)
        self.phase, self.iteration = content["phase"], content["iteration"]
        if self.phase == "done" and self.iteration < self._length("policy"):
            self.phase = "policy"  # the run is prolonged
        self.elapsed_seconds = content["elapsed_seconds"]
        restore_generators({"training": self.generator}, content["generators"])
        restore_module(self.pose_network, content["pose_network"], "state.pose_network")
        restore_module(self.state_policy, content["state_policy"], "state.state_policy")
        restore_module(self.visuomotor_policy, content["policy"], "state.policy")
        if content["pose_optimizer"] is not None:
            training = self._pose_training()
            restore_optimizer(training.optimizer, content["pose_optimizer"], "state.pose_optimizer")
            training.epoch = self.iteration
        if content["badmm"] is not None:
            check_badmm(content["badmm"], "state.badmm")
            self.badmm = from_plain(BadmmState, content["badmm"]).map_samples(self._with_images)

    def _pattern(self) -> dict[str, Any]:
        """What a checkpoint holds; networks and optimizers are checked where they are restored."""
        task, config = self.task, self.config
        sizes = {name: task.size(name) for name in ("state", "proprioception")}
        positions = engine_positions(self.env.engine).shape[1]
        shape = len(self.conditions), task.max_episode_steps
        return {
            **dict.fromkeys(("generators", "pose_network", "state_policy", "policy"), dict),
            "camera": self.camera_spec(config.image.size, config.image.supersampling),
            **dict.fromkeys(("seed", "iteration"), 0),
            "phase": "",
            "elapsed_seconds": Finite(0.0),
            "pose_optimizer": OrNone(dict),
            "badmm": OrNone(badmm_pattern(shape, sizes, task.action_size, positions, config)),
        }

    @property
    def pretraining_settings(self) -> dict[str, Any] | None:
        """See `Algorithm`: the three kinds of vision have the same pose network and trajectories."""
        if self.config.image.first_layer is not None:
            return None  # settings have that file's name, not its content
        settings = config_to_dict(self.config)
        return {name: value for name, value in settings.items() if name not in ("vision", "end_to_end")}

    @property
    def is_pretrained(self) -> bool:
        return self.phase == "policy" and self.iteration == 0

    def load_pretraining(self, content: dict[str, Any]) -> None:
        self.load_state_dict(content | {"policy": dict(self.visuomotor_policy.state_dict())})
        self._take_vision()

    def load_weights(self, content: dict[str, Any]) -> None:
        """See `Algorithm`: pose network and policy, but for parts of other sizes. The vision layers are the policy's,
        where it was trained; pretraining goes on from them."""
        fresh: list[str] = []
        for network, name in (
            (self.pose_network, "pose_network"),
            (self.visuomotor_policy, "policy"),
        ):
            fresh += [f"{name}.{one}" for one in restore_fitting(network, content.get(name), f"state.{name}")]
        if content.get("phase") in ("policy", "done"):
            self.pose_network.vision.load_state_dict(self.visuomotor_policy.vision.state_dict())
        if fresh:
            warnings.warn(f"of other sizes in that run, so trained from scratch: {', '.join(fresh)}", stacklevel=2)

    def load_policy_weights(self, weights: dict[str, Any]) -> None:
        """See `Algorithm`. The pose network begins with the policy's vision layers, and a new head."""
        fresh = restore_fitting(self.visuomotor_policy, weights, "policy")
        self.pose_network.vision.load_state_dict(self.visuomotor_policy.vision.state_dict())
        if fresh:
            warnings.warn(f"of other sizes in that policy, so trained from scratch: {', '.join(fresh)}", stacklevel=2)

    def _with_images(self, samples: Samples) -> Samples:
        return samples if samples.positions is None else add_images(self.env, self.conditions, samples)


def _without_images(samples: Samples) -> Samples:
    """Images are nine tenths of what a checkpoint would hold; they are rendered again after a resume."""
    return replace(samples, images=None)
