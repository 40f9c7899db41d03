"""Hang a coat hanger on a clothes rack."""

from collections.abc import Callable
from typing import ClassVar

import mujoco
import numpy as np
import torch
from torch import Tensor

from visuomotor.engine import Engine
from visuomotor.props.clutter import add_background, add_clothes
from visuomotor.props.hanger import add_hanger, hook_inside_height
from visuomotor.props.rack import BAR_HALF_LENGTH, BAR_RADIUS, HEIGHT, add_rack, tool_pose
from visuomotor.props.room import add_room
from visuomotor.robots.arm_pose import arm_pose
from visuomotor.robots.pr2 import END_EFFECTOR_POINTS, add_pr2
from visuomotor.tasks.conditioned_task import ConditionedTask, Conditions, Outcome
from visuomotor.tasks.pr2.point_cost import point_cost
from visuomotor.tasks.quaternions import multiply, rotate

_CENTER = (0.68, -0.10, 1.0)  # m, middle of the bar positions
_TORSO = 0.25  # m, the torso lift that puts the work in the middle of both arms' reach
_REACH = 0.10  # m, how far they lie from it in x and y
_START = (0.53, -0.10, 1.20)  # m, where the right hand starts: above and behind every bar
_CLEARANCE = 0.004  # m between bar and hook at the target: the hanger drops by it when released
_GRIP_OPENING = 0.004  # m, each finger on the wire
_OPEN = 0.045  # m, each finger
_RELEASE_SECONDS = 1.5
_WANDER = 0.1  # rad, how far the arm strays from its way in the images for pose regression
# How the hand holds the hanger, one row a grasp: shift along the neck (m) and tilt about the fingers' axis (rad)
_GRASPS = ((0.0, 0.0), (0.015, 0.2))
_KP = (30.0, 30.0, 8.0, 8.0, 4.0, 3.0, 3.0)  # N m/rad
_KD = (5.0, 5.0, 1.0, 1.0, 0.4, 0.3, 0.3)  # N m s/rad


class Hanger(ConditionedTask):
    """A PR2 brings the hook of a coat hanger over the bar of a rack that its left hand holds (Levine et al. 2015).

    State (32): 7 joint angles, 7 velocities, the three end-effector points less their targets (9), their velocities
    (9). Readings (32): the same, but the points in the world, so that the target must be seen. Success: the hook lies
    over the bar and the hanger stays on it when the gripper opens.
    """

    name: ClassVar[str] = "hanger"
    steps: ClassVar[int] = 100
    summary: ClassVar[str] = "hang a coat hanger on a clothes rack (PR2, 7 torques at 20 Hz)"
    state_size = 32
    proprioception_size = 32

    def __init__(self) -> None:
        spec = mujoco.MjSpec()
        robot = add_pr2(spec, torso_height=_TORSO, camera_target=(_CENTER[0] - 0.05, _CENTER[1], _CENTER[2]))
        hanger = add_hanger(spec, robot.right_tool)
        rack = add_rack(spec, robot.left_tool)
        clothes = add_clothes(spec, rack)
        add_room(spec)
        background = add_background(spec)
        for site in robot.points:
            spec.add_sensor(
                name=f"{site}_velocity",
                type=mujoco.mjtSensor.mjSENS_FRAMELINVEL,
                objtype=mujoco.mjtObj.mjOBJ_SITE,
                objname=site,
            )
        self.model = model = spec.compile()
        self.camera = robot.camera
        self.action_limits = torch.tensor(robot.effort_limits, dtype=torch.float64)
        self.cost = point_cost(points=slice(14, 23))
        self._joint_positions = [int(model.joint(name).qposadr[0]) for name in robot.right_joints]
        self._joint_velocities = [int(model.joint(name).dofadr[0]) for name in robot.right_joints]
        self._motors = [model.actuator(name).id for name in robot.right_motors]
        self._left_positions = [int(model.joint(name).qposadr[0]) for name in robot.left_joints]
        self._servos = [model.actuator(name).id for name in robot.left_servos]
        self._fingers = [model.actuator(name).id for name in robot.right_fingers]
        self._finger_positions = [int(model.joint(name).qposadr[0]) for name in robot.right_fingers]
        self._left_fingers = [model.actuator(name).id for name in robot.left_fingers]
        self._left_finger_positions = [int(model.joint(name).qposadr[0]) for name in robot.left_fingers]
        self._rack_opening = rack.finger_opening
        self._hanger_position = int(model.joint(hanger.joint).qposadr[0])
        self._tool = model.body(robot.right_tool).id
        self._points = [model.site(name).id for name in robot.points]
        self._grasp = model.equality(hanger.grasp).id
        self._hook, self._bar = model.site(hanger.hook_inside).id, model.site(rack.bar_center).id
        self._clothes = [model.geom(name).id for name in clothes]
        self._background = [model.geom(name).id for name in background]
        self._start_angles = torch.from_numpy(arm_pose(model, "r", _START, (1.0, 0.0, 0.0, 0.0)))
        self._left_angles: dict[tuple[float, ...], Tensor] = {}

    def conditions_of(self, protocol: str) -> Conditions:
        if protocol == "spatial":  # twelve positions between the nine of training
            offsets = [(x, y) for x in (-0.75, -0.25, 0.25, 0.75) for y in (-0.5, 0.0, 0.5)]
        else:
            offsets = [(x, y) for x in (-1.0, 0.0, 1.0) for y in (-1.0, 0.0, 1.0)]
        target = torch.tensor([(_CENTER[0] + _REACH * x, _CENTER[1] + _REACH * y, _CENTER[2]) for x, y in offsets])
        count = len(target)
        return Conditions(
            target=target.double().repeat(len(_GRASPS), 1),
            grasp=torch.arange(len(_GRASPS)).repeat_interleave(count),
            distractors=torch.full((count * len(_GRASPS),), protocol == "visual"),
            background=torch.full((count * len(_GRASPS),), protocol == "background"),
        )

    def random_conditions(self, count: int, generator: torch.Generator) -> Conditions:
        offsets = _REACH * (2 * torch.rand(count, 2, generator=generator, dtype=torch.float64) - 1)
        target = torch.tensor(_CENTER, dtype=torch.float64) + torch.nn.functional.pad(offsets, (0, 1))
        grasp = torch.randint(len(_GRASPS), (count,), generator=generator)
        nothing = torch.zeros(count, dtype=torch.bool)
        return Conditions(target, grasp, distractors=nothing, background=nothing)

    def target_points(self, conditions: Conditions) -> Tensor:
        """Both ends of the bar and the middle of the base rail."""
        corners = [(0.0, BAR_HALF_LENGTH, 0.0), (0.0, -BAR_HALF_LENGTH, 0.0), (0.0, 0.0, -HEIGHT)]
        return (conditions.target[:, None] + torch.tensor(corners, dtype=torch.float64)).flatten(1)

    def start(self, engine: Engine, conditions: Conditions, generator: torch.Generator | None, spread: float) -> None:
        angles = self._start_angles.expand(len(conditions), -1)
        if generator is not None:
            angles = angles + spread * torch.randn(angles.shape, generator=generator, dtype=torch.float64)
        self._place(engine, conditions, angles)

    def scatter(self, engine: Engine, conditions: Conditions, generator: torch.Generator) -> None:
        position, quat = self._hand_targets(conditions)
        reached = torch.stack([self._right_arm(p, q) for p, q in zip(position, quat, strict=True)])
        way = torch.rand(len(conditions), 1, generator=generator, dtype=torch.float64)
        angles = self._start_angles + way * (reached - self._start_angles)
        wander = _WANDER * torch.randn(angles.shape, generator=generator, dtype=torch.float64)
        self._place(engine, conditions, angles + wander)

    def _place(self, engine: Engine, conditions: Conditions, angles: Tensor) -> None:
        """Right arm at angles `(n, 7)`, hanger in hand, rack in the left hand at its target, its distractors shown."""
        engine.reset()
        qpos, ctrl = engine.field("qpos"), engine.field("ctrl")
        left = torch.stack([self._left_arm(target) for target in conditions.target])
        qpos[:, self._joint_positions] = angles
        qpos[:, self._left_positions] = ctrl[:, self._servos] = left
        qpos[:, self._finger_positions] = ctrl[:, self._fingers] = _GRIP_OPENING
        qpos[:, self._left_finger_positions] = ctrl[:, self._left_fingers] = self._rack_opening
        engine.field("eq_active")[:, self._grasp] = 1
        held_position, held_quat = _grasp_poses(conditions.grasp)
        weld = engine.model_field("eq_data")
        weld[:, self._grasp, 3:6], weld[:, self._grasp, 6:10] = held_position, held_quat
        alpha = engine.model_field("geom_rgba")[..., 3]
        alpha[:, self._clothes] = conditions.distractors[:, None].to(alpha.dtype)
        alpha[:, self._background] = conditions.background[:, None].to(alpha.dtype)
        engine.forward()
        hand_position, hand_quat = engine.field("xpos")[:, self._tool], engine.field("xquat")[:, self._tool]
        position = hand_position + rotate(hand_quat, held_position)
        hanger = torch.cat([position, multiply(hand_quat, held_quat)], dim=-1)
        qpos[:, self._hanger_position : self._hanger_position + 7] = hanger
        engine.forward()

    def state(self, engine: Engine, conditions: Conditions) -> Tensor:
        readings = self.proprioception(engine)
        readings[:, 14:23] -= self._point_targets(conditions)
        return readings

    def proprioception(self, engine: Engine) -> Tensor:
        return torch.cat(
            [
                engine.field("qpos")[:, self._joint_positions],
                engine.field("qvel")[:, self._joint_velocities],
                engine.field("site_xpos")[:, self._points].flatten(1),
                engine.field("sensordata"),
            ],
            dim=-1,
        )

    def act(self, engine: Engine, actions: Tensor) -> None:
        engine.field("ctrl")[:, self._motors] = actions.clamp(-self.action_limits, self.action_limits)
        engine.step(self.substeps)

    def holding_gains(self) -> tuple[Tensor, Tensor]:
        return torch.tensor(_KP, dtype=torch.float64), torch.tensor(_KD, dtype=torch.float64)

    def judge(self, engine: Engine, conditions: Conditions, watch: Callable[[], None] | None = None) -> Outcome:
        gap = self.state(engine, conditions)[:, 14:23].unflatten(-1, (3, 3))
        distance = gap.norm(dim=-1).mean(-1)
        engine.field("ctrl")[:, self._motors] = 0.0
        engine.field("ctrl")[:, self._fingers] = _OPEN
        engine.field("eq_active")[:, self._grasp] = 0
        blown_up = torch.zeros(len(conditions), dtype=torch.bool)
        for _ in range(round(_RELEASE_SECONDS / self.control_period)):
            engine.step(self.substeps)
            blown_up |= engine.diverged
            if watch is not None:
                watch()
        sites = engine.field("site_xpos")
        offset = sites[:, self._hook] - sites[:, self._bar]
        on_bar = (offset[:, [0, 2]].norm(dim=-1) < 0.03) & (offset[:, 1].abs() < BAR_HALF_LENGTH)
        return Outcome(on_bar & ~blown_up, distance)

    def _hand_targets(self, conditions: Conditions) -> tuple[Tensor, Tensor]:
        """Position `(n, 3)` and quaternion `(n, 4)` of the hand when the hanger hangs upright over the bar's middle."""
        hook = torch.tensor([0.0, 0.0, BAR_RADIUS + _CLEARANCE - hook_inside_height()], dtype=torch.float64)
        held_position, held_quat = _grasp_poses(conditions.grasp)
        quat = held_quat * torch.tensor([1.0, -1.0, -1.0, -1.0], dtype=torch.float64)
        return conditions.target + hook - rotate(quat, held_position), quat

    def _point_targets(self, conditions: Conditions) -> Tensor:
        """`(n, 9)` m: where the end-effector points are then."""
        position, quat = self._hand_targets(conditions)
        points = torch.tensor(END_EFFECTOR_POINTS, dtype=torch.float64)
        return torch.cat([position + rotate(quat, point.expand(len(quat), 3)) for point in points], dim=-1)

    def _right_arm(self, position: Tensor, quat: Tensor) -> Tensor:
        """`(7,)` rad: the right arm's angles that put the hand there, near the start pose."""
        angles = arm_pose(self.model, "r", position.numpy(), quat.numpy(), start=self._start_angles.numpy())
        return torch.from_numpy(angles)

    def _left_arm(self, target: Tensor) -> Tensor:
        """`(7,)` rad: the left arm's angles that put the rack at a target; solved once for each."""
        key = tuple(target.tolist())
        if key not in self._left_angles:
            self._left_angles[key] = torch.from_numpy(arm_pose(self.model, "l", *tool_pose(np.array(key))))
        return self._left_angles[key]


def _grasp_poses(grasp: Tensor) -> tuple[Tensor, Tensor]:
    """The hanger's position `(n, 3)` and quaternion `(n, 4)` in the hand."""
    shift, tilt = torch.tensor(_GRASPS, dtype=torch.float64)[grasp].unbind(-1)
    nothing = torch.zeros_like(shift)
    quat = torch.stack([(tilt / 2).cos(), nothing, (tilt / 2).sin(), nothing], dim=-1)
    return torch.stack([nothing, nothing, shift], dim=-1), quat
