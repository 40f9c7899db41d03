"""What every algorithm is to the training loop, to evaluation and to the command line."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from visuomotor.camera import camera_spec, check_camera_spec
from visuomotor.errors import VisuomotorError, brief, whole_number
from visuomotor.policies.policy import ActionUnit, Network, PolicySpec, TrainedPolicy
from visuomotor.robots.robot import Robot
from visuomotor.runs.distributed import Distributed
from visuomotor.runs.metadata import LARGEST_SEED
from visuomotor.tasks import Task


class Algorithm(ABC):
    """Trains a policy on a task, step by step; everything that the rest of training depends on is in `state_dict`.

    Args:
        task: what to learn. task_reference: the name it was made from.
        config: of the algorithm's own type, such as one of `presets`.
        seed: of every random draw.
        distributed: the processes of the job; this one alone by default.

    Raises:
        VisuomotorError: there is no such task or seed, or the config is of another type than the presets.
    """

    name: ClassVar[str]
    """Short name, such as "gps"."""
    version: ClassVar[int]
    """It changes with what is in `state_dict`, and with what training makes of the same settings."""
    presets: ClassVar[Mapping[str, Any]]
    """Configs by name; "laptop" is the default."""
    adjustable: ClassVar[frozenset[str]] = frozenset()
    """Settings that a resumed run may change, by the names of the command line, such as "total_steps"."""
    first_iteration: ClassVar[int] = 1
    """`iteration` in the first row of a phase: 1 where it counts what is done, 0 where it is the step's index."""
    trains_policy: ClassVar[bool] = True
    """Whether `policy` gives one at last."""

    def __init__(
        self, task: Task, config: Any, seed: int, distributed: Distributed | None = None, task_reference: str = ""
    ):
        if not isinstance(task, Task):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise VisuomotorError(f"an algorithm is made for a task, such as make_task('hanger'), not {brief(task)}")
        names = {type(preset).__name__ for preset in self.presets.values()}
        if names and not names & {kind.__name__ for kind in type(config).__mro__}:  # a file may be imported twice
            raise VisuomotorError(f"the config of {self.name} is one like its presets, not {brief(config)}")
        self.task, self.config, self.seed = task, config, whole_number("seed", seed, 0, LARGEST_SEED)
        self.distributed = distributed or Distributed()
        self.task_reference = task_reference or task.name
        self.elapsed_seconds = 0.0

    @abstractmethod
    def steps(self) -> Iterator[dict[str, Any]]:
        """Go on until training is done; yields a row of metrics after every step."""

    @property
    @abstractmethod
    def done(self) -> bool: ...

    @property
    def save_interval(self) -> int:
        """Steps between two checkpoints."""
        return 1

    @property
    def trained(self) -> dict[str, int]:
        """How far training is, by those of the `adjustable` settings that say how far it goes, such as "total_steps":
        a resumed run must not make these smaller."""
        return {}

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Everything that the rest of training depends on, in plain containers; to be called in every process."""

    @abstractmethod
    def load_state_dict(self, content: dict[str, Any]) -> None:
        """Go back to where `state_dict` was taken.

        Raises:
            VisuomotorError: it is of another camera or of other demonstrations, or damaged; the message says which.
        """

    def load_weights(self, content: dict[str, Any]) -> None:
        """Begin with the networks of another run's `state_dict`, and with nothing else of it: optimizers, counters and
        random draws are those of a new run.

        Raises:
            VisuomotorError: its networks are not of the same sizes; the message names the first that is not.
        """
        raise VisuomotorError(f"{self.name} cannot begin with the weights of another run")

    def load_policy_weights(self, weights: dict[str, Any]) -> None:
        """Likewise with those of a policy file's network, which are all that there is.

        Raises:
            VisuomotorError: none of its tensors has the size of one here.
        """
        raise VisuomotorError(f"{self.name} cannot begin with the weights of a policy file; give a run's folder")

    @property
    def pretraining_settings(self) -> dict[str, Any] | None:
        """The settings that training depends on until `is_pretrained`, where runs that differ in others can share it;
        None where there is nothing to share."""
        return None

    @property
    def is_pretrained(self) -> bool:
        """Whether the last step was the last of pretraining."""
        return False

    def load_pretraining(self, content: dict[str, Any]) -> None:
        """Begin after the pretraining of a run whose `state_dict` was taken when it was `is_pretrained`."""
        raise NotImplementedError(f"{self.name} has pretraining_settings, and no load_pretraining")

    @abstractmethod
    def policy(self) -> TrainedPolicy | None:
        """The policy as it is now; None while it has learned nothing yet."""

    def camera_spec(self, image_size: int, supersampling: int) -> dict[str, Any]:
        """The camera that images come from, for checkpoint and policy."""
        return camera_spec(self.task.model, self.task.camera, image_size, supersampling)

    def check_camera(self, trained: Mapping[str, Any], image_size: int, supersampling: int) -> None:
        """Raise a VisuomotorError where a checkpoint was taken with another camera."""
        check_camera_spec(trained, self.camera_spec(image_size, supersampling), "this checkpoint")

    def header(self) -> dict[str, Any]:
        """What a checkpoint says of itself, and must say to be loaded again."""
        return {
            "algorithm": self.name,
            "algorithm_version": self.version,
            "task": self.task.name,
            "seed": self.seed,
        }

    def trained_policy(
        self, network: Network, image_size: int, supersampling: int, training: dict[str, Any]
    ) -> TrainedPolicy:
        """`network` with the spec of this task, and of the camera that it was trained with."""
        robot = self.task.robot
        spec = PolicySpec(
            algorithm=self.name,
            task=self.task_reference,
            task_name=self.task.name,
            camera=self.camera_spec(image_size, supersampling),
            proprioception_size=self.task.size("proprioception"),
            action_limits=robot.robot.action_limits,
            action_unit=action_unit(robot.robot),
            control_dt=self.task.control_dt,
            training={**training, "algorithm_version": self.version},
            proprioception=tuple((name, unit) for name, unit in self.task.proprioception_names),
        )
        return TrainedPolicy(network, spec)


def check_policy_fits(spec: PolicySpec, task: Task, algorithm: str, whose: str) -> None:
    """Raise a VisuomotorError where a policy is of another task or algorithm, or the task is not what it was in
    training: camera, readings, actions, rate.

    Args:
        algorithm: short name of the one that must have trained it.
        whose: policy, in words, such as a run's path.
    """
    robot = task.robot.robot
    for what, trained, now in (
        ("task", spec.task_name, task.name),
        ("algorithm", spec.algorithm, algorithm),
        ("proprioception size", spec.proprioception_size, task.size("proprioception")),
        *_readings(spec.proprioception, task.proprioception_names),
        ("number of actions", len(spec.action_limits), task.action_size),
        ("unit of actions", spec.action_unit, action_unit(robot)),
        ("action_limits", list(spec.action_limits), list(robot.action_limits)),
        ("control_dt (s)", spec.control_dt, task.control_dt),
    ):
        if trained != now:
            raise VisuomotorError(
                f"the policy of {whose} does not fit task {task.name!r}: {what} was {trained} in training, is {now} "
                "now; put back the run's own policy, use the task as it was, or train again"
            )
    now = camera_spec(task.model, task.camera, spec.image_size, spec.supersampling)
    check_camera_spec(spec.camera, now, whose)


def _readings(trained: Sequence[Sequence[str]], now: Sequence[Sequence[str]]) -> Iterator[tuple[str, str, str]]:
    """What each reading was and is now, where both are known."""
    for index, (before, after) in enumerate(zip(trained, now, strict=False)):
        yield f"reading {index}", "{} ({})".format(*before), "{} ({})".format(*after)


def action_unit(robot: Robot) -> ActionUnit:
    """Unit of a robot's actions times their limits."""
    return "N m" if robot.control == "torque" else "rad/s"
