"""Give each world of an engine its own blocks, drives, colours, light and camera."""

from collections.abc import Sequence

import mujoco
import numpy as np
import torch
from torch import Tensor

from visuomotor.engine import Engine
from visuomotor.props.blocks import Block, block_fields, block_rows
from visuomotor.props.table import Table
from visuomotor.robots.jaco import Jaco
from visuomotor.tasks.quaternions import from_rotation_vector, multiply, rotate


class BlockWorld:
    """Where in a model the values of a `Variation` go, and the model's own values that its factors multiply."""

    def __init__(self, model: mujoco.MjModel, robot: Jaco, blocks: Sequence[Block], table: Table):
        self._blocks = [block_rows(model, block) for block in blocks]
        self._dofs = torch.tensor([int(model.joint(name).dofadr[0]) for name in (*robot.joints, *robot.fingers)])
        self._motors = torch.tensor([model.actuator(name).id for name in robot.motors])
        self._arm = torch.tensor([model.geom(name).id for name in robot.shell_geoms])
        self._table = model.geom(table.top).id
        self._walls = torch.tensor([model.geom(name).id for name in table.background])
        self._camera = model.camera(table.camera).id
        names = ["dof_frictionloss", "dof_armature", "dof_damping", "actuator_gainprm", "actuator_biasprm"]
        names += ["geom_rgba", "light_diffuse", "light_dir", "cam_pos", "cam_quat", "cam_fovy"]
        self._own = {name: torch.from_numpy(np.array(getattr(model, name))) for name in names}

    def set_physics(self, engine: Engine, worlds: Tensor, physics: dict[str, Tensor]) -> None:
        """Sizes, masses, friction and drives of worlds `(n,)` int."""
        for index in range(len(self._blocks)):
            self._set_block(engine, worlds, index, physics)
        rows = worlds[:, None]
        for field, factor in (
            ("dof_frictionloss", "joint_friction"),
            ("dof_armature", "joint_armature"),
            ("dof_damping", "joint_damping"),
        ):
            engine.model_field(field)[rows, self._dofs] = self._own[field][self._dofs] * physics[factor]
        gain = self._own["actuator_gainprm"][self._motors, 0] * physics["motor_gain"]
        engine.model_field("actuator_gainprm")[rows, self._motors, 0] = gain
        engine.model_field("actuator_biasprm")[rows, self._motors, 2] = -gain  # force = gain * (command - velocity)

    def set_looks(self, engine: Engine, worlds: Tensor, looks: dict[str, Tensor]) -> None:
        """Colours, light and camera of worlds `(n,)` int."""
        self._set_colors(engine, worlds, looks)
        self._set_lamps(engine, worlds, looks)
        self._set_camera(engine, worlds, looks)

    def _set_block(self, engine: Engine, worlds: Tensor, index: int, physics: dict[str, Tensor]) -> None:
        rows = self._blocks[index]
        for field, value in block_fields(physics["block_half"][:, index], physics["block_mass"][:, index]).items():
            target = engine.model_field(field)
            target[worlds, rows[field]] = value.to(target.dtype)
        engine.model_field("geom_friction")[worlds, rows["geom_size"], 0] = physics["block_friction"][:, index]

    def _set_colors(self, engine: Engine, worlds: Tensor, looks: dict[str, Tensor]) -> None:
        color, own = engine.model_field("geom_rgba"), self._own["geom_rgba"]
        shades = own[self._arm, :3] - own[self._arm, :3].mean()  # lighter rings stay lighter than their links
        arm = (looks["arm_grey"].float()[:, None, None] + shades).clamp(0, 1)
        color[worlds[:, None, None], self._arm[:, None], torch.arange(3)] = arm
        color[worlds, self._table, :3] = looks["table_color"].float()
        color[worlds[:, None, None], self._walls[:, None], torch.arange(3)] = looks["wall_color"].float()[:, None]
        for index, rows in enumerate(self._blocks):
            geom = rows["geom_size"]
            color[worlds, geom, :3] = (own[geom, :3] + looks["block_color"][:, index].float()).clamp(0, 1)

    def _set_lamps(self, engine: Engine, worlds: Tensor, looks: dict[str, Tensor]) -> None:
        diffuse, direction = self._own["light_diffuse"], self._own["light_dir"]
        engine.model_field("light_diffuse")[worlds] = diffuse * looks["lamp_brightness"].float()[..., None]
        about_x, about_y = looks["lamp_tilt"].unbind(-1)
        nothing = torch.zeros_like(about_x)
        tilted = rotate(
            from_rotation_vector(torch.stack([about_x, about_y, nothing], -1)), direction.expand(len(worlds), -1, -1)
        )
        target = engine.model_field("light_dir")
        target[worlds] = tilted.to(target.dtype)

    def _set_camera(self, engine: Engine, worlds: Tensor, looks: dict[str, Tensor]) -> None:
        engine.model_field("cam_pos")[worlds, self._camera] = self._own["cam_pos"][self._camera] + looks["camera_shift"]
        own = self._own["cam_quat"][self._camera].expand(len(worlds), 4)
        engine.model_field("cam_quat")[worlds, self._camera] = multiply(own, from_rotation_vector(looks["camera_turn"]))
        fovy = self._own["cam_fovy"][self._camera] * looks["camera_zoom"]
        engine.model_field("cam_fovy")[worlds, self._camera] = fovy
