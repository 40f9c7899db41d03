"""The training pipeline: see, move, then see and move together (Levine et al. 2015, V-B)."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch

from visuomotor.camera import Camera, check_camera_spec, camera_spec
from visuomotor.errors import VisuomotorError
from visuomotor.algorithms.gps.badmm import BadmmState, initial_state, iterate
from visuomotor.algorithms.gps.checkpointing import from_plain, to_plain
from visuomotor.algorithms.gps.config import GpsConfig
from visuomotor.algorithms.gps.policy_opt import StatePolicyOptimizer, VisuomotorPolicyOptimizer, policy_fn
from visuomotor.algorithms.gps.pose_regression import PoseTraining, collect_pose_dataset
from visuomotor.algorithms.gps.exploration import noisy_controller, init_pd_controller, smooth_noise
from visuomotor.algorithms.gps.trained import CHECKPOINT
from visuomotor.policies import PoseNetwork, StatePolicy, VisuomotorPolicy
from visuomotor.runs import Run, generator_states, load_checkpoint, restore_generators, save_checkpoint
from visuomotor.runs.devices import choose_device
from visuomotor.runs.distributed import Distributed
from visuomotor.tasks import ConditionedTask, EpisodeOutcome, Samples, make_task, rollout

Report = Callable[[dict[str, Any]], None]
_PHASES = ("pose", "trajectories", "policy")


def train(
    task_name: str, preset: str, config: GpsConfig, run: Run, resume: bool = False, report: Report | None = None
) -> None:
    """Train a visuomotor policy on a task; the run's `checkpoints/latest.pt` holds it in the end.

    A checkpoint is written after every epoch and iteration. Training that was stopped anywhere and resumed gives the
    same policy, bit for bit, on the same kind of CPU with as many threads.

    Raises:
        VisuomotorError: under torchrun with several processes, which would all write the same run.
    """
    if Distributed().count > 1:
        raise VisuomotorError("gps trains in one process: start it without torchrun")
    trainer = Trainer(task_name, config, run.seed)
    if resume:
        if run.latest_checkpoint.exists():
            trainer.restore(load_checkpoint(run.latest_checkpoint, expect={**CHECKPOINT, "task": task_name}))
        run.truncate_metrics(trainer.logged)
    for row in trainer.steps():
        run.log(row)
        trainer.logged = run.metrics_lines
        save_checkpoint(run.latest_checkpoint, trainer.content())
        if report is not None:
            report(row)
    run.close()


class Trainer:
    """The pipeline's state between two steps: an epoch of pose regression or an iteration of guided policy search."""

    def __init__(self, task_name: str, config: GpsConfig, seed: int):
        self.task, self.config, self.seed = make_task(task_name, ConditionedTask), config, seed
        self.device = choose_device(config.device)
        self.generator = torch.Generator().manual_seed(seed)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.pose_network = PoseNetwork().to(self.device)
            self.state_policy = StatePolicy(self.task.state_size, self.task.action_size)
            self.policy = VisuomotorPolicy(self.task.proprioception_size, self.task.action_size).to(self.device)
        if config.image.first_layer is not None:
            self.pose_network.vision.load_first_layer(config.image.first_layer)
        self.conditions = self.task.conditions("training")
        self.engine = self.task.make_engine(len(self.conditions))
        self.state: BadmmState | None = None
        self.pose_training: PoseTraining | None = None
        self.phase, self.iteration = "pose", 0
        self.solved = torch.zeros(len(self.conditions), dtype=torch.bool)
        self.elapsed = 0.0
        self.logged = 0

    def steps(self) -> Iterator[dict[str, Any]]:
        """Go on until training is done; yields a row of metrics after every step."""
        self._leave_finished_phases()
        while self.phase != "done":
            started = time.monotonic()
            row = {"phase": self.phase, "iteration": self.iteration, "iterations": self._length(self.phase)}
            row |= {"pose": self._see, "trajectories": self._move, "policy": self._see_and_move}[self.phase]()
            self.iteration += 1
            self._leave_finished_phases()
            self.elapsed += time.monotonic() - started
            yield row | {"elapsed_seconds": self.elapsed}

    def _length(self, phase: str) -> int:
        config = self.config
        lengths = (config.pose.epochs, config.trajectory.iterations, config.end_to_end.iterations)
        return lengths[_PHASES.index(phase)]

    def _leave_finished_phases(self) -> None:
        phases = (*_PHASES, "done")
        while self.phase != "done" and self.iteration >= self._length(self.phase):
            if self.phase == "pose":
                self.policy.vision.load_state_dict(self.pose_network.vision.state_dict())
                self.pose_training = None
            self.phase, self.iteration = phases[phases.index(self.phase) + 1], 0

    def _see(self) -> dict[str, float]:
        return self._pose_training().run_epoch(self.generator)

    def _pose_training(self) -> PoseTraining:
        if self.pose_training is None:  # the images are drawn anew after a resume: same seed, same images
            drawing = torch.Generator().manual_seed(self.seed + 1)
            data = collect_pose_dataset(self.task, self.config.pose.images, self.config.image, drawing)
            self.pose_training = PoseTraining(self.pose_network, data, self.config.pose, self.config.image.distractors)
        return self.pose_training

    def _move(self) -> dict[str, float]:
        return self._iterate(StatePolicyOptimizer(self.state_policy, self.config.state_policy, self.generator), camera=None)

    def _see_and_move(self) -> dict[str, float]:
        settings = self.config.end_to_end
        policy_optimizer = VisuomotorPolicyOptimizer(self.policy, settings, self.config.image.distractors, self.generator)
        camera = self._camera()
        if self.iteration == 0 and self.state is not None:  # another policy: what tied the trajectories to the old goes
            fresh = initial_state(self.state.controller, self.config)
            self.state = replace(fresh, eta=self.state.eta)
        row = self._iterate(policy_optimizer, camera)
        rollout(self.task, self.engine, self.conditions, policy_fn(self.policy), camera)
        outcome = self.task.judge(self.engine, self.conditions)
        return row | {
            "policy_success": outcome.success.double().mean().item(),
            "policy_distance": outcome.distance.mean().item(),
        }

    def _camera(self) -> Camera:
        image = self.config.image
        return Camera(self.engine, self.task.camera, image.size, image.size, image.supersampling)

    def _iterate(self, policy_optimizer: StatePolicyOptimizer | VisuomotorPolicyOptimizer, camera: Camera | None) -> dict[str, float]:
        if self.state is None:
            self.task.start(self.engine, self.conditions, None, 0.0)
            start = self.task.state(self.engine, self.conditions)
            self.state = initial_state(init_pd_controller(self.task, start, self.config.trajectory.noise), self.config)
        samples, outcome = self._sample(self.state, camera)
        self.solved |= outcome.success
        numbers: dict[str, float] = {}
        self.state = iterate(
            self.state, samples, policy_optimizer, self.task.cost, self.config, self.generator, watch=numbers.update
        )
        return numbers | {
            "cost": self.task.cost(samples.states, samples.actions).sum(-1).mean().item(),
            "solved": self.solved.double().mean().item(),
            "success": outcome.success.double().mean().item(),
            "final_distance": outcome.distance.mean().item(),
            "divergences": float(self.engine.divergences),
        }

    def _sample(self, state: BadmmState, camera: Camera | None) -> tuple[Samples, EpisodeOutcome]:
        trajectory = self.config.trajectory
        noise = smooth_noise(tuple(state.controller.offset.shape), self.generator, trajectory.noise_smoothing_steps)
        samples = rollout(
            self.task,
            self.engine,
            self.conditions,
            noisy_controller(state.controller, noise),
            camera,
            self.generator,
            trajectory.start_spread,
        )
        return samples, self.task.judge(self.engine, self.conditions)

    def content(self) -> dict[str, Any]:
        """Everything that the rest of training depends on, in plain containers."""
        training = self.pose_training
        return {
            **CHECKPOINT,
            "task": self.task.name,
            "seed": self.seed,
            "phase": self.phase,
            "iteration": self.iteration,
            "solved": self.solved,
            "elapsed": self.elapsed,
            "logged": self.logged,
            "view": self._view,
            "generators": generator_states({"training": self.generator}),
            "pose_network": dict(self.pose_network.state_dict()),
            "pose_optimiser": None if training is None else training.optimiser.state_dict(),
            "state_policy": dict(self.state_policy.state_dict()),
            "policy": dict(self.policy.state_dict()),
            "badmm": None if self.state is None else to_plain(self.state),
        }

    def restore(self, content: dict[str, Any]) -> None:
        """Go back to where `content` was taken."""
        check_camera_spec(content["view"], self._view, "this checkpoint")
        self.phase, self.iteration = content["phase"], content["iteration"]
        self.solved = content["solved"]
        self.elapsed, self.logged = content["elapsed"], content["logged"]
        restore_generators({"training": self.generator}, content["generators"])
        self.pose_network.load_state_dict(content["pose_network"])
        self.state_policy.load_state_dict(content["state_policy"])
        self.policy.load_state_dict(content["policy"])
        if content["pose_optimiser"] is not None:
            training = self._pose_training()
            training.optimiser.load_state_dict(content["pose_optimiser"])
            training.epoch = self.iteration
        if content["badmm"] is not None:
            self.state = from_plain(BadmmState, content["badmm"])

    @property
    def _view(self) -> dict[str, Any]:
        image = self.config.image
        return camera_spec(self.task.model, self.task.camera, image.size, image.supersampling)
