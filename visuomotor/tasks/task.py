"""What every task is: a scene with a robot, how episodes start, what is observed, when it is done."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Final

import mujoco
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from visuomotor.engine import CpuEngine, Engine
from visuomotor.errors import VisuomotorError, unknown
from visuomotor.robots.mjcf import compile_scene, named
from visuomotor.robots.robot import BoundRobot, Robot
from visuomotor.tasks.cost import Cost
from visuomotor.tasks.keypoint_cost import keypoint_cost
from visuomotor.tasks.randomization import SceneRandomizer
from visuomotor.tasks.reset_params import ResetParams

OBSERVATIONS: Final = ("proprioception", "state", "privileged", "object_features", "keypoints", "stage")
"""Groups of observations; each is a method of `Task`."""

_POSE_DATA_NOISE = 0.1  # rad (or m): how far joints are from their start in images for pose regression


@dataclass(frozen=True)
class EpisodeOutcome:
    """How n episodes ended: success `(n,)` bool; distance `(n,)` m, mean of `Task.errors` after the last action."""

    success: Tensor
    distance: Tensor


class Task(ABC):
    """One task for many worlds: all tensors have the world first; SI units, radians, quaternions wxyz.

    A task holds nothing that changes: that is all in the engine. A subclass builds a scene, hands it to `__init__`, and
    says how episodes start (`sample_reset`, `reset`), where the objects are (`keypoints`) and how far the task has come
    (`stage`). All other members have defaults that follow from these.

    Args:
        spec: the scene, robot included; compiled here.
        robot: the robot in it.
        camera: name of the camera that the policy sees through.

    Raises:
        VisuomotorError: the scene does not compile, or lacks a part of the robot, the camera or one of `objects`; an
            argument is of another type.
    """

    name: ClassVar[str]
    """Short, such as "lifting"; demonstrations and results carry it."""
    description: ClassVar[str] = ""
    """One line, printed by `visuomotor tasks`: what the robot must do, and by what actions."""
    max_episode_steps: ClassVar[int]
    """Control steps of an episode."""
    control_dt: ClassVar[float] = 0.05
    """s; actions are held that long."""
    splits: ClassVar[tuple[str, ...]] = ("random",)
    """Distributions of starts in which policies are evaluated. "random" is always there: any start, anywhere in the
    training range. Others are a task's own: "training" (the conditions that guided policy search trains on),
    "spatial" (new positions), "visual" (distractors), "background"."""
    num_conditions: ClassVar[int] = 18
    """How many starts guided policy search trains from. Where "training" has fewer, each comes several times."""
    num_policy_iterations: ClassVar[int] = 3
    """Iterations of guided policy search with the policy from pixels."""
    stages: ClassVar[tuple[str, ...]]
    """How far the task has come, by name; the first is where random starts are, the last is success."""
    stage_rewards: ClassVar[tuple[float, ...]]
    """The reward of a step that ends in each stage."""
    objects: ClassVar[tuple[str, ...]] = ()
    """Bodies that the scripted expert handles, by their names in the model."""
    expert: ClassVar[Any] = None
    """A scripted expert that demonstrates the task: a function of `visuomotor.demos.ScriptedExpert`, or its
    `module:function`."""
    randomizer: SceneRandomizer
    """Draws dynamics and appearance, and writes them into an engine. A task that varies nothing has none; one that
    varies other things overrides `apply_randomization` and `apply_appearance`."""

    def __init__(self, spec: mujoco.MjSpec, robot: Robot, camera: str):
        if not isinstance(spec, mujoco.MjSpec) or not isinstance(robot, Robot):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise VisuomotorError(
                f"Task.__init__ takes a mujoco.MjSpec, a Robot and the name of a camera, in this order, not "
                f"{', '.join(type(given).__name__ for given in (spec, robot, camera))}: write "
                "super().__init__(spec, robot, camera)"
            )
        self.model = compile_scene(spec, f"the scene of task {self.name!r}")
        if camera not in named(self.model, "camera"):
            raise unknown(f"camera in the scene of task {self.name!r} named", camera, named(self.model, "camera"))
        if isinstance(self.objects, str):
            raise VisuomotorError(
                f'objects of task {self.name!r} is {self.objects!r}; give a tuple, ("{self.objects}",)'
            )
        for body in self.objects:
            if body not in named(self.model, "body"):
                raise unknown("body", body, named(self.model, "body"), f"objects of task {self.name!r}: the scene")
        self.camera = camera
        self.robot: BoundRobot = robot.bind(self.model)

    # -- how episodes start

    @abstractmethod
    def sample_reset(
        self, count: int, generator: torch.Generator, split: str = "random", randomize: bool = True
    ) -> ResetParams:
        """Draw the starts of `count` episodes.

        Args:
            split: one of `splits`. A split with a fixed list of conditions goes through them in turn.
            randomize: whether dynamics and appearance are drawn too, and the starts of listed conditions deviate a
                little; else they are the nominal ones.
        """

    @abstractmethod
    def reset(self, engine: Engine, env_ids: Tensor, params: ResetParams) -> None:
        """Put worlds `env_ids` `(n,)` int, ascending, at the start of the n rows of `params`; all fields of the engine
        are then those of the start. It depends on nothing but `params`."""

    def apply_randomization(self, engine: Engine, env_ids: Tensor, params: ResetParams) -> None:
        """Give worlds `env_ids` the dynamics and appearance of the n rows of `params`. The engine's model itself stays
        as it is. Cameras and lights move with the engine's next `forward`."""
        self.apply_appearance(engine, env_ids, params.appearance)
        if hasattr(self, "randomizer"):
            self.randomizer.apply_dynamics(engine, env_ids, params.dynamics)

    def apply_appearance(self, engine: Engine, env_ids: Tensor, appearance: dict[str, Tensor]) -> None:
        """The part of `apply_randomization` that changes nothing but pixels."""
        if hasattr(self, "randomizer"):
            self.randomizer.apply_appearance(engine, env_ids, appearance)

    def randomize_appearance(self, engine: Engine, generator: torch.Generator, split: str = "random") -> None:
        """Give every world another appearance, for images to train on: by default, that of a reset. Nothing but pixels
        may change; `apply_appearance` brings the old one back."""
        appearance = self.sample_reset(engine.worlds, generator, split).appearance
        self.apply_appearance(engine, torch.arange(engine.worlds), appearance)

    def reset_for_pose_data(self, engine: Engine, generator: torch.Generator) -> None:
        """Put every world in a state that can occur in an episode: images for pose regression are taken there."""
        params = self.sample_reset(engine.worlds, generator, randomize=False)
        everyone = torch.arange(engine.worlds)
        self.reset(engine, everyone, params)
        positions = self.robot.joint_positions(engine)
        noise = torch.randn(positions.shape, generator=generator, dtype=torch.float64)
        self.robot.set_joints(engine, everyone, positions + _POSE_DATA_NOISE * noise)
        engine.forward()

    @property
    def condition_split(self) -> str:
        """The split that guided policy search draws its conditions from: `training`, where there is one."""
        return "training" if "training" in self.splits else "random"

    def check_split(self, split: str) -> None:
        """Raises a VisuomotorError where the task has no such split."""
        if split not in self.splits:
            raise unknown("split", split, self.splits, f"task {self.name!r}")

    def check_stage(self, stage: Tensor) -> None:
        """Raises a VisuomotorError where one of `stage` `(n,)` int64 is no index into `stages`."""
        last = len(self.stages) - 1
        if not bool(((stage >= 0) & (stage <= last)).all()):
            raise VisuomotorError(
                f"task {self.name!r}: stage(engine) gives {stage.unique().tolist()}; stages are 0 to {last}"
            )

    # -- what happens in them

    def step(self, engine: Engine, actions: Tensor) -> None:
        """Apply actions `(n, A)` in [-1, 1] and let one control period pass."""
        self.robot.apply(engine, actions, self.control_dt)
        engine.step(self.frame_skip)

    def finish_episode(self, engine: Engine, callback: Callable[[], None] | None = None) -> EpisodeOutcome:
        """What has become of episodes after their last action. By default success is the last stage; a task may first
        let go and wait.

        Args:
            callback: called every control period meanwhile.
        """
        return EpisodeOutcome(self.success(self.stage(engine)), self.errors(engine).norm(dim=-1).mean(-1))

    # -- groups of observations

    @abstractmethod
    def keypoints(self, engine: Engine) -> Tensor:
        """`(n, K, 3)` m float32, world: points on the objects that give their poses. Policies learn to see them."""

    @abstractmethod
    def stage(self, engine: Engine) -> Tensor:
        """`(n,)` int64: the index into `stages` of every world's state."""

    def proprioception(self, engine: Engine) -> Tensor:
        """`(n, P)` float32: the robot's own readings, without anything about the objects."""
        return self.robot.proprioception(engine)

    @property
    def proprioception_names(self) -> tuple[tuple[str, str], ...]:
        """Name and unit of each number of `proprioception`, which policy files hold: by default the robot's; none where
        a task overrides `proprioception` and not this."""
        return self.robot.proprioception_names if type(self).proprioception is Task.proprioception else ()

    def privileged(self, engine: Engine) -> Tensor:
        """`(n, S)` float32: the simulator's state, for a critic."""
        end_effector = self.robot.end_effector_position(engine).float()
        keypoints, stage = self.keypoints(engine), self.stage(engine)
        self.check_stage(stage)  # one_hot would not say whose numbers these are
        parts = [
            self.proprioception(engine),
            engine.field("qpos"),
            engine.field("qvel"),
            end_effector,
            keypoints.flatten(1),
            (keypoints - end_effector[:, None]).flatten(1),
            one_hot(stage, len(self.stages)),
        ]
        return torch.cat([part.float() for part in parts], 1)

    def object_features(self, engine: Engine) -> Tensor:
        """`(n, F)` float32, for a discriminator: where the objects are, in the world and relative to the end effector.
        They contain nothing else about the robot (Zhu et al. 2018, III-B2)."""
        keypoints = self.keypoints(engine)
        end_effector = self.robot.end_effector_position(engine).float()
        return torch.cat([(keypoints - end_effector[:, None]).flatten(1), keypoints.flatten(1)], 1)

    def errors(self, engine: Engine) -> Tensor:
        """`(n, E, 3)` m float64: what the default cost brings to zero, such as points on the gripper less their
        targets. By default the end effector less each keypoint."""
        return self.robot.end_effector_position(engine)[:, None] - self.keypoints(engine)

    def state(self, engine: Engine) -> Tensor:
        """`(n, X)` float64: the full state that guided policy search optimises trajectories on. By default joint
        positions and velocities, `errors`, the end effector's velocity, and the `lead` of position actuators.

        Where you override it, `pd_gains` need the positions and velocities of the joints with actuators first, in the
        order of the actions, and the default `cost` needs the first four parts.
        """
        parts = [
            self.robot.joint_positions(engine),
            self.robot.joint_velocities(engine),
            self.errors(engine).flatten(1),
            site_velocity(engine, [self.robot.end_effector_id]).flatten(1),
            self.robot.lead(engine),
        ]
        return torch.cat([part.double() for part in parts], 1)

    # -- what is wanted

    def reward(self, engine: Engine) -> Tensor:
        """`(n,)` float32: of a step that ends in every world's state."""
        stage = self.stage(engine)
        self.check_stage(stage)
        return torch.tensor(self.stage_rewards, dtype=torch.float32)[stage]

    def success(self, stage: Tensor) -> Tensor:
        """`(n,)` bool: whether that stage is the last."""
        return stage == len(self.stages) - 1

    @cached_property
    def cost(self) -> Cost:
        """On `state` and actions in [-1, 1]: what guided policy search minimises. By default `keypoint_cost` of
        `errors`.

        Raises:
            VisuomotorError: `state` is too short to hold what the default cost reads.
        """
        first, count = 2 * len(self.robot.qpos), 3 * self.size("errors")
        if self.size("state") < first + count + 3:
            raise VisuomotorError(
                f"task {self.name!r}: state has {self.size('state')} numbers, and the default cost reads errors and a "
                f"velocity in its first {first + count + 3}; begin it as Task.state does, or write a cost of your own"
            )
        return keypoint_cost(slice(first, first + count), slice(first + count, first + count + 3))

    def pd_gains(self) -> tuple[Tensor, Tensor]:
        """Gains `(A,)` by which actions in [-1, 1] hold a pose: per rad, and per rad/s."""
        if self.robot.robot.pd_gains is None:
            return torch.zeros_like(self.robot.action_limits), torch.zeros_like(self.robot.action_limits)
        proportional, derivative = torch.tensor(self.robot.robot.pd_gains, dtype=torch.float64)
        return proportional / self.robot.action_limits, derivative / self.robot.action_limits

    # -- sizes

    @property
    def action_size(self) -> int:
        return len(self.robot.actuator_ids)

    @property
    def frame_skip(self) -> int:
        """Physics steps in a control period."""
        return round(self.control_dt / self.model.opt.timestep)

    def make_engine(self, worlds: int, threads: int = 0) -> CpuEngine:
        return CpuEngine(self.model, worlds, threads)

    def size(self, group: str) -> int:
        """How many numbers a group of observations has in a world; of keypoints and errors, how many points.

        Raises:
            VisuomotorError: there is no such group; a stage is one number.
        """
        if group not in self._sizes:
            raise unknown("group of observations", group, self._sizes, f"task {self.name!r}")
        return self._sizes[group]

    @cached_property
    def _sizes(self) -> dict[str, int]:
        engine = self.make_engine(1, 1)
        self.reset(engine, torch.arange(1), self.sample_reset(1, torch.Generator().manual_seed(0), randomize=False))
        return {group: getattr(self, group)(engine).shape[1] for group in (*OBSERVATIONS[:-1], "errors")}


def site_velocity(engine: Engine, sites: list[int]) -> Tensor:
    """`(n, len(sites), 3)` m/s float64, world: linear velocities of sites.

    MuJoCo keeps each body's velocity at the centre of mass of its kinematic tree: v = v_c + w x (p - c).
    """
    model = engine.model
    bodies = model.site_bodyid[sites]
    turning, moving = engine.field("cvel")[:, bodies].split(3, dim=-1)
    lever = engine.field("site_xpos")[:, sites] - engine.field("subtree_com")[:, model.body_rootid[bodies]]
    return moving + torch.linalg.cross(turning, lever)
