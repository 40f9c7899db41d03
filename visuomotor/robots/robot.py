"""A robot as tasks see it: which joints it has, what its actions do, where its gripper is."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import mujoco
import torch
from torch import Tensor

from visuomotor.engine import Engine
from visuomotor.errors import VisuomotorError, unknown
from visuomotor.robots.mjcf import (
    Control,
    Part,
    actuator_of_joint,
    compile_scene,
    control_of_actuator,
    geoms_below,
    load_mjcf,
    named,
    per_control,
)

_HINGE, _SLIDE = int(mujoco.mjtJoint.mjJNT_HINGE), int(mujoco.mjtJoint.mjJNT_SLIDE)


@dataclass(frozen=True)
class Robot:
    """A robot's parts by their names in the model that it is part of.

    `robot.bind(model)` finds them in a compiled model. `Robot.from_mjcf` reads most of it from a model file.
    """

    joints: tuple[str, ...]
    """Joints of the arm, base first (rad, or m for slides)."""
    gripper: tuple[str, ...]
    """Joints of the gripper; empty where the policy does not move it."""
    actuators: tuple[str, ...]
    """One for each action: those of `joints`, then those of `gripper`."""
    control: Control
    """What an action is. torque: N m. velocity: rad/s, obeyed by velocity actuators. position: rad/s too, by which the
    targets of position actuators move; see `max_lead`."""
    action_limits: tuple[float, ...]
    """The largest magnitude of each action, in its unit: actions in [-1, 1] are multiplied by it."""
    end_effector: str
    """Site: where the gripper holds things; +z points out of the gripper, +x along the fingers' way of closing."""
    home: tuple[float, ...]
    """Positions of `joints`, then of `gripper`, at which episodes start."""
    gripper_travel: float = 0.0
    """From open (`home`) to closed, rad or m; negative where the gripper's joints turn that way. Experts close the
    gripper by actions of this sign."""
    geoms: tuple[str, ...] = ()
    """All that is seen of the robot; domain randomization varies their shade."""
    max_lead: float = 0.2
    """How far the targets of position actuators may be from their joints (rad, or m for slides). Without a bound the
    target of a blocked joint goes on, and has to come all the way back before the joint turns (wind-up). A joint can
    carry no more than its actuator's stiffness times this."""
    hold_gains: tuple[tuple[float, ...], tuple[float, ...]] | None = None
    """Proportional (N m/rad) and derivative gains (N m s/rad) of the joints that hold a pose by torques. None for
    robots that hold still by themselves."""

    @classmethod
    def from_mjcf(
        cls,
        source: Path | str | mujoco.MjSpec,
        *,
        end_effector: str,
        joints: Sequence[str] | None = None,
        gripper: Sequence[str] = (),
        max_speed: float | Sequence[float] | None = None,
        home: Sequence[float] | None = None,
        gripper_travel: float | None = None,
    ) -> "Robot":
        """The robot in an MJCF file (or a spec), which may also hold the scene around it.

        Args:
            source: path of an MJCF file, or what `load_mjcf` made of it.
            end_effector: site between the fingers, see `Robot.end_effector`.
            joints: joints of the arm, base first; by default all joints with an actuator that are not the gripper's.
            gripper: joints of the gripper.
            max_speed: rad/s (or m/s) of each joint at action 1, arm then gripper. Position actuators need it;
                velocity actuators have it in their ctrlrange by default.
            home: positions of joints and gripper at which episodes start; by default the model's keyframe "home", else
                its first keyframe, else its zero pose.
            gripper_travel: from open (at home) to closed, rad or m; by default to the far end of the first gripper
                joint's range.

        Raises:
            VisuomotorError: the file is missing or broken; a name is not in it, or is given twice; a joint has no
                actuator; the actuators are of several kinds, have no limits, or a servo's control is not its target.
        """
        spec = load_mjcf(source) if isinstance(source, Path | str) else source
        model = compile_scene(spec, "the robot's spec")
        if joints is None:
            moved = [name for name in named(model, "joint") if actuator_of_joint(model, name) is not None]
            joints = [name for name in moved if name not in gripper]
        if not joints:
            raise VisuomotorError("the model moves no joint of an arm; add actuators to it, or name the joints")
        twice = [name for name, count in Counter((*joints, *gripper)).items() if count > 1]
        if twice:
            raise VisuomotorError(f"joint {twice[0]!r} is named twice; each joint belongs to the arm or to the gripper")
        found = tuple(_actuator(model, name) for name in (*joints, *gripper))
        if end_effector not in named(model, "site"):
            raise unknown("site", end_effector, named(model, "site"))
        control = _one_control(model, found)
        start = _home(model, (*joints, *gripper)) if home is None else tuple(map(float, home))
        if len(start) != len(found) or not all(map(isfinite, start)):
            raise VisuomotorError(f"home must be {len(found)} finite numbers, one for each joint, not {start}")
        if gripper_travel is None:
            gripper_travel = _far_end(model, gripper[0], start[len(joints)]) if gripper else 0.0
        robot = cls(
            joints=tuple(joints),
            gripper=tuple(gripper),
            actuators=found,
            control=control,
            action_limits=_action_limits(model, found, control, max_speed),
            end_effector=end_effector,
            home=start,
            gripper_travel=gripper_travel,
            geoms=geoms_below(model, model.joint(joints[0]).bodyid[0]),
        )
        robot.bind(model)  # checks what is left
        return robot

    def bind(self, model: mujoco.MjModel) -> "BoundRobot":
        """This robot in a compiled model.

        Raises:
            VisuomotorError: a name is not in the model, numbers do not match, or a servo's control is not its target.
        """
        return BoundRobot(self, model)


class BoundRobot:
    """A robot in a compiled model: reads its state from an engine, and applies actions. Tensors have the world first.

    Attributes:
        robot: the description. action_limits: `(A,)` float64, in the actions' unit.
        qpos, dofs, actuator_ids: where joints (arm, then gripper) are in `qpos`, `qvel` and `ctrl`.
    """

    def __init__(self, robot: Robot, model: mujoco.MjModel):
        parts: dict[Part, tuple[str, ...]] = {
            "joint": (*robot.joints, *robot.gripper),
            "actuator": robot.actuators,
            "site": (robot.end_effector,),
            "geom": robot.geoms,
        }
        for kind, wanted in parts.items():
            for name in wanted:
                if name not in named(model, kind):
                    raise unknown(f"{kind} of the robot", name, named(model, kind))
        count = len(robot.joints) + len(robot.gripper)
        if len(robot.action_limits) != len(robot.actuators) or len(robot.home) != count:
            raise VisuomotorError(
                f"the robot has {len(robot.actuators)} actuators and {count} joints, so action_limits needs "
                f"{len(robot.actuators)} numbers and home {count}, not {len(robot.action_limits)} and {len(robot.home)}"
            )
        if robot.control == "position" and len(robot.actuators) != count:
            raise VisuomotorError(f"a robot of {count} joints with position actuators needs one for each joint")
        self.robot, self.model = robot, model
        joints = [model.joint(name) for name in (*robot.joints, *robot.gripper)]
        self.qpos = torch.tensor([int(joint.qposadr[0]) for joint in joints])
        self.dofs = torch.tensor([int(joint.dofadr[0]) for joint in joints])
        self.actuator_ids = torch.tensor([int(model.actuator(name).id) for name in robot.actuators])
        self._per_control = torch.tensor([per_control(model, name) for name in robot.actuators], dtype=torch.float64)
        self.action_limits = torch.tensor(robot.action_limits, dtype=torch.float64)
        self.home = torch.tensor(robot.home, dtype=torch.float64)
        self.arm_size = len(robot.joints)
        self.gripper_travel = robot.gripper_travel
        for joint in joints:
            if int(joint.type[0]) not in (_HINGE, _SLIDE):
                raise VisuomotorError(f"joint {joint.name!r} is neither hinge nor slide; leave it out")
        site = model.site(robot.end_effector)
        self.end_effector_id = int(site.id)
        self._hinges = torch.tensor([int(joint.type[0]) == _HINGE for joint in joints])
        ids = self.actuator_ids.numpy()  # numpy takes a tensor of one number for that number
        self._range = torch.from_numpy(model.actuator_ctrlrange[ids])
        self._limited = torch.from_numpy(model.actuator_ctrllimited[ids].astype(bool))

    def apply(self, engine: Engine, actions: Tensor, control_dt: float) -> None:
        """Set the controls for one control period.

        Args:
            actions: `(n, A)` in [-1, 1]; clipped to it.
            control_dt: s, how long they will be held.
        """
        commands = actions.double().clamp(-1, 1) * self.action_limits
        controls = engine.field("ctrl")
        if self.robot.control == "position":
            joints, max_lead = self.joint_positions(engine), self.robot.max_lead
            commands = controls[:, self.actuator_ids] + control_dt * commands
            commands = commands.clamp(joints - max_lead, joints + max_lead)
            clipped = commands.clamp(self._range[:, 0], self._range[:, 1])
            commands = torch.where(self._limited, clipped, commands)
        controls[:, self.actuator_ids] = commands / self._per_control

    def set_joints(self, engine: Engine, env_ids: Tensor, positions: Tensor) -> None:
        """Put the joints of worlds `env_ids` `(n,)` at `positions` `(n, joints + gripper)`; position actuators hold
        them there. Other fields follow with the next `engine.forward`."""
        rows = env_ids[:, None]
        engine.field("qpos")[rows, self.qpos] = positions
        if self.robot.control == "position":
            engine.field("ctrl")[rows, self.actuator_ids] = positions

    def joint_positions(self, engine: Engine) -> Tensor:
        """`(n, joints + gripper)` rad or m, float64."""
        return engine.field("qpos")[:, self.qpos]

    def joint_velocities(self, engine: Engine) -> Tensor:
        """`(n, joints + gripper)` rad/s or m/s, float64."""
        return engine.field("qvel")[:, self.dofs]

    def lead(self, engine: Engine) -> Tensor:
        """`(n, joints + gripper)` rad or m, float64: targets of position actuators less the joints' positions; of other
        actuators `(n, 0)`."""
        if self.robot.control != "position":
            return engine.field("ctrl")[:, :0]
        return engine.field("ctrl")[:, self.actuator_ids] - self.joint_positions(engine)

    def proprioception(self, engine: Engine) -> Tensor:
        """`(n, P)` float32: sine and cosine of hinges and the positions of slides, then the arm's velocities, then
        `lead`: how far an action moves a joint depends on where its target is, and the gripper's lead tells its force.

        Velocities of the gripper are left out: most real grippers do not report them.
        """
        positions = self.joint_positions(engine)
        parts = [positions[:, self._hinges].sin(), positions[:, self._hinges].cos(), positions[:, ~self._hinges]]
        parts += [self.joint_velocities(engine)[:, : self.arm_size], self.lead(engine)]
        return torch.cat(parts, 1).float()

    def end_effector_position(self, engine: Engine) -> Tensor:
        """`(n, 3)` m float64, world."""
        return engine.field("site_xpos")[:, self.end_effector_id]

    def end_effector_axes(self, engine: Engine) -> Tensor:
        """`(n, 3, 3)` float64: the columns are the end effector's x, y and z axis in the world."""
        return engine.field("site_xmat")[:, self.end_effector_id].unflatten(-1, (3, 3))


def _actuator(model: mujoco.MjModel, joint: str) -> str:
    """The name of a joint's actuator."""
    if joint not in named(model, "joint"):
        raise unknown("joint", joint, named(model, "joint"))
    found = actuator_of_joint(model, joint)
    if found is None:
        raise VisuomotorError(f"joint {joint!r} has no actuator; add one to the model, or leave the joint out")
    if not found:
        raise VisuomotorError(f"the actuator of joint {joint!r} has no name; give it one in the model")
    return found


def _one_control(model: mujoco.MjModel, actuators: Sequence[str]) -> Control:
    kinds: dict[str, Control] = {name: control_of_actuator(model, name) for name in actuators}
    if len(set(kinds.values())) > 1:
        told = ", ".join(f"{name} {kind}" for name, kind in kinds.items())
        raise VisuomotorError(
            f"a robot's actuators must all be of one kind (motor, velocity or position), not {told}; "
            "change the model, or name fewer joints"
        )
    return next(iter(kinds.values()))


def _action_limits(
    model: mujoco.MjModel, actuators: Sequence[str], control: Control, max_speed: float | Sequence[float] | None
) -> tuple[float, ...]:
    count = len(actuators)
    if max_speed is not None and control != "torque":
        speeds = (float(max_speed),) * count if isinstance(max_speed, int | float) else tuple(map(float, max_speed))
        if len(speeds) != count or not all(0 < speed < 1e3 for speed in speeds):
            raise VisuomotorError(f"max_speed must be one positive number (rad/s), or {count} of them, not {max_speed}")
        return speeds
    if control == "position":
        raise VisuomotorError("position actuators do not tell how fast they are; give max_speed in rad/s")
    limits: list[float] = []
    for name in actuators:
        actuator = model.actuator(name)
        by_range = float(abs(actuator.ctrlrange).max()) if actuator.ctrllimited[0] else 0.0
        if by_range == 0.0:
            raise VisuomotorError(f"actuator {name!r} has no ctrlrange; set it in the model: it limits the actions")
        limits.append(by_range * abs(per_control(model, name)))
    return tuple(limits)


def _home(model: mujoco.MjModel, joints: Sequence[str]) -> tuple[float, ...]:
    keys = [str(model.key(index).name) for index in range(model.nkey)]
    qpos = model.key_qpos[keys.index("home") if "home" in keys else 0] if keys else model.qpos0
    return tuple(float(qpos[int(model.joint(name).qposadr[0])]) for name in joints)


def _far_end(model: mujoco.MjModel, joint: str, at: float) -> float:
    """The way to the end of a joint's range that is farther from `at`."""
    low, high = (float(end) for end in model.joint(joint).range)
    if low == high:
        raise VisuomotorError(f"gripper joint {joint!r} has no range; set it in the model, or give gripper_travel")
    return high - at if high - at > at - low else low - at
