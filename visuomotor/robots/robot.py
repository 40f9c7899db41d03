"""A robot as tasks see it: which joints it has, what its actions do, where its gripper is."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import mujoco
import torch
from torch import Tensor

from visuomotor.engine import Engine
from visuomotor.errors import VisuomotorError, unknown
from visuomotor.robots.mjcf import (
    Control,
    Part,
    compile_scene,
    geoms_below,
    load_mjcf,
    named,
    per_control,
)
from visuomotor.robots.mjcf_robot import (
    DEFAULT_LEAD,
    action_limits_of,
    actuators_of,
    check_pd_gains,
    control_of,
    home_of,
    joints_of,
    lead_of,
    travel_of,
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
    geoms: tuple[str, ...] | None = ()
    """All that is seen of the robot; domain randomization varies their shade. None: all that the first joint moves,
    also geoms without a name."""
    max_lead: float = DEFAULT_LEAD
    """How far the targets of position actuators may be from their joints (rad, or m for slides). Without a bound the
    target of a blocked joint goes on, and has to come all the way back before the joint turns (wind-up). A joint can
    carry no more than its actuator's stiffness times this."""
    pd_gains: tuple[tuple[float, ...], tuple[float, ...]] | None = None
    """Proportional (N m/rad) and derivative gains (N m s/rad) of the joints, arm then gripper, by which torques hold a
    pose. None for robots that hold still by themselves. Guided policy search begins with them, and scripted experts
    follow their paths by them."""

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
        max_lead: float | None = None,
        pd_gains: tuple[Sequence[float], Sequence[float]] | None = None,
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
            max_lead: of position actuators, see `Robot.max_lead`; by default 0.2.
            pd_gains: of motors, see `Robot.pd_gains`.

        Raises:
            VisuomotorError: the file is missing or broken; a name is not in it, or is given twice; a joint has no
                actuator; the actuators are of several kinds, have no limits or a state of their own, or a servo's
                control is not its target; a number is none, or home is outside a joint's range.
        """
        spec = source if isinstance(source, mujoco.MjSpec) else load_mjcf(source)
        model = compile_scene(spec, "the robot's spec")
        arm, moved = joints_of(model, joints, gripper)
        actuators = actuators_of(model, moved)
        if end_effector not in named(model, "site"):
            raise unknown("site", end_effector, named(model, "site"))
        control = control_of(model, actuators)
        start = home_of(model, moved, home)
        robot = cls(
            joints=arm,
            gripper=moved[len(arm) :],
            actuators=actuators,
            control=control,
            action_limits=action_limits_of(model, actuators, control, max_speed),
            end_effector=end_effector,
            home=start,
            gripper_travel=travel_of(model, moved[len(arm) :], start[len(arm) :], gripper_travel),
            geoms=None,
            max_lead=lead_of(max_lead, control),
            pd_gains=check_pd_gains(pd_gains, control, len(moved)),
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
        geom_ids: of all that is seen of it.
    """

    def __init__(self, robot: Robot, model: mujoco.MjModel):
        parts: dict[Part, tuple[str, ...]] = {
            "joint": (*robot.joints, *robot.gripper),
            "actuator": robot.actuators,
            "site": (robot.end_effector,),
            "geom": robot.geoms or (),
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
        if robot.pd_gains is not None and [len(row) for row in robot.pd_gains] != 2 * [len(robot.actuators)]:
            raise VisuomotorError(f"pd_gains must be two rows of {len(robot.actuators)} numbers, one for each actuator")
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
        geoms = geoms_below(model, int(joints[0].bodyid[0])) if robot.geoms is None else robot.geoms
        self.geom_ids = torch.tensor([int(model.geom(geom).id) for geom in geoms], dtype=torch.int64)
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
        `lead`: how far an action moves a joint depends on where its target is, and the gripper's lead gives its force.

        Velocities of the gripper are left out: most real grippers do not report them.
        """
        positions = self.joint_positions(engine)
        parts = [positions[:, self._hinges].sin(), positions[:, self._hinges].cos(), positions[:, ~self._hinges]]
        parts += [self.joint_velocities(engine)[:, : self.arm_size], self.lead(engine)]
        return torch.cat(parts, 1).float()

    @property
    def proprioception_names(self) -> tuple[tuple[str, str], ...]:
        """Name and unit of each number of `proprioception`, in its order."""
        names = (*self.robot.joints, *self.robot.gripper)
        hinges: list[bool] = self._hinges.tolist()
        units = ["rad" if hinge else "m" for hinge in hinges]
        turned = [name for name, hinge in zip(names, hinges, strict=True) if hinge]
        found = [(f"{function} {name}", "1") for function in ("sin", "cos") for name in turned]
        found += [(name, "m") for name, hinge in zip(names, hinges, strict=True) if not hinge]
        joints = list(zip(names, units, strict=True))
        found += [(f"{name} velocity", f"{unit}/s") for name, unit in joints[: self.arm_size]]
        if self.robot.control == "position":
            found += [(f"{name} lead", unit) for name, unit in joints]
        return tuple(found)

    def end_effector_position(self, engine: Engine) -> Tensor:
        """`(n, 3)` m float64, world."""
        return engine.field("site_xpos")[:, self.end_effector_id]

    def end_effector_axes(self, engine: Engine) -> Tensor:
        """`(n, 3, 3)` float64: the columns are the end effector's x, y and z axis in the world."""
        return engine.field("site_xmat")[:, self.end_effector_id].unflatten(-1, (3, 3))
