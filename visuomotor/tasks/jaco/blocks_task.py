"""What the tasks with blocks share: the scene, how worlds differ, what is read of a state."""

from math import pi
from typing import ClassVar

import mujoco
import torch
from torch import Tensor

from visuomotor.engine import Engine
from visuomotor.props.blocks import add_block
from visuomotor.props.table import add_table, set_physics
from visuomotor.robots.jaco import ABOVE_TABLE, add_jaco
from visuomotor.robots.jaco_facts import FINGER_LIMITS
from visuomotor.tasks.jaco.block_world import BlockWorld
from visuomotor.tasks.jaco.randomisation import Randomisation
from visuomotor.tasks.staged_task import StagedTask, Variation

SPAWN = 0.10  # m, blocks start that far from the table's middle at most, along x and y
_APART = 0.09  # m, between the centres of two blocks at least
_ARM_SPREAD = 0.15  # rad, each joint of the arm starts that far from its middle at most
_REACH = 0.05  # m, from pinch point to a block's centre
_HELD = 0.06  # m, likewise, for a block in the air
_LIFT = 0.05  # m, of a block's lowest corner above the table
# m, around the table. A block that has left falls for seconds and is read as at rest where it left: a few in free fall
# would outweigh all others in whatever is normalised, and centimetres on the table would be nothing to the networks.
_LOWEST, _HIGHEST = (-0.5, -0.5, -0.1), (0.5, 0.5, 1.0)
_COLORS = ((0.85, 0.15, 0.12, 1.0), (0.15, 0.35, 0.85, 1.0))


class BlocksTask(StagedTask):
    """A Jaco arm and blocks on a table; nine joint velocities at 20 Hz.

    Readings (24): sine and cosine of the six joint angles, the six velocities, sine and cosine of the fingers' angles.
    The fingers' velocities are left out: the real hand does not report them.
    """

    steps: ClassVar[int]
    objects: ClassVar[tuple[str, ...]]
    proprioception_size = 24

    def __init__(self, randomisation: Randomisation | None = None) -> None:
        self.randomisation = randomisation or Randomisation()
        spec = mujoco.MjSpec()
        set_physics(spec)
        table = add_table(spec)
        robot = add_jaco(spec)
        blocks = [add_block(spec, name, color) for name, color in zip(self.objects, _COLORS, strict=False)]
        self._add_sensors(spec)
        self.model = model = spec.compile()
        self.camera = table.camera
        self.action_limits = torch.tensor(robot.velocity_limits, dtype=torch.float64)
        joints = [model.joint(name) for name in (*robot.joints, *robot.fingers)]
        self._positions = [int(joint.qposadr[0]) for joint in joints]
        self._velocities = [int(joint.dofadr[0]) for joint in joints]
        self._motors = [model.actuator(name).id for name in robot.motors]
        self._pinch, self._hand = model.site(robot.pinch).id, model.body(robot.hand).id
        self._bodies = [model.body(block.body).id for block in blocks]
        self._block_positions = [int(model.joint(block.joint).qposadr[0]) for block in blocks]
        self._block_velocities = [int(model.joint(block.joint).dofadr[0]) for block in blocks]
        self._block_geoms = [model.geom(block.geom).id for block in blocks]
        self._world = BlockWorld(model, robot, blocks, table)
        count = len(blocks)
        pairs = count * (count - 1) // 2
        self.privileged_size = 24 + 3 + 3 + 6 + count * 19 + pairs * 3 + len(self.stages)

    def _add_sensors(self, spec: mujoco.MjSpec) -> None:
        """Sensors that the stages need."""

    def draw(self, count: int, generator: torch.Generator) -> Variation:
        return self.randomisation.draw(count, len(self.objects), len(self._motors), self.model.nlight, generator)

    def plain(self, count: int) -> Variation:
        return self.randomisation.middle(count, len(self.objects), len(self._motors), self.model.nlight)

    def vary(self, engine: Engine, worlds: Tensor, variation: Variation) -> None:
        self._world.set_physics(engine, worlds, variation.physics)
        self._world.set_looks(engine, worlds, variation.looks)

    def vary_looks(self, engine: Engine, worlds: Tensor, looks: dict[str, Tensor]) -> None:
        self._world.set_looks(engine, worlds, looks)

    def start(self, engine: Engine, worlds: Tensor, generator: torch.Generator) -> None:
        count, blocks = len(worlds), len(self.objects)

        def uniform(*shape: int) -> Tensor:
            return 2 * torch.rand(count, *shape, generator=generator, dtype=torch.float64) - 1

        engine.reset(worlds)
        angles = torch.tensor(ABOVE_TABLE, dtype=torch.float64) + _ARM_SPREAD * uniform(6)
        low, high = FINGER_LIMITS
        opening = low + (high - low) * 0.25 * (uniform(1) + 1)  # from open to half closed
        qpos = engine.field("qpos")
        rows = worlds[:, None]
        qpos[rows, torch.tensor(self._positions)] = torch.cat([angles, opening.expand(-1, 3)], 1)
        places = SPAWN * uniform(2, blocks)
        if blocks == 2:  # the second keeps its distance from the first, in any direction that stays on the spot
            places[:, :, 1] = _away(places[:, :, 0], places[:, :, 1])
        half = engine.model_field("geom_size")[:, self._block_geoms, 2][worlds]
        yaw = pi * uniform(blocks) / 2
        nothing = torch.zeros_like(yaw)
        poses = torch.stack(
            [places[:, 0], places[:, 1], half, (yaw / 2).cos(), nothing, nothing, (yaw / 2).sin()], dim=-1
        )
        for block, address in enumerate(self._block_positions):
            qpos[rows, address + torch.arange(7)] = poses[:, block]
        engine.forward(worlds)

    def act(self, engine: Engine, actions: Tensor) -> None:
        engine.field("ctrl")[:, self._motors] = actions.clamp(-self.action_limits, self.action_limits)
        engine.step(self.substeps)

    def proprioception(self, engine: Engine) -> Tensor:
        angles = engine.field("qpos")[:, self._positions]
        velocities = engine.field("qvel")[:, self._velocities[:6]]
        return torch.cat([angles.sin(), angles.cos(), velocities], 1).float()

    def object_positions(self, engine: Engine) -> Tensor:
        return self._where(engine)[0]

    def privileged(self, engine: Engine) -> Tensor:
        pinch = self.pinch_position(engine)
        hand = engine.field("xmat")[:, self._hand].reshape(-1, 3, 3)[:, :, :2]
        blocks, here = self._where(engine)
        turned = engine.field("xmat")[:, self._bodies].reshape(len(blocks), -1, 3, 3)[..., :2]
        qvel = engine.field("qvel")
        parts = [
            self.proprioception(engine),
            qvel[:, self._velocities[6:]],
            pinch,
            hand.flatten(1),
            blocks.flatten(1),
            turned.flatten(1),
            *(qvel[:, address : address + 6] * here[:, i, None] for i, address in enumerate(self._block_velocities)),
            (blocks - pinch[:, None]).flatten(1),
            self.half_sizes(engine),
            *(blocks[:, a] - blocks[:, b] for a in range(blocks.shape[1]) for b in range(a)),
            torch.nn.functional.one_hot(self.stage(engine), len(self.stages)),
        ]
        return torch.cat([part.float() for part in parts], 1)

    def pinch_position(self, engine: Engine) -> Tensor:
        """`(n, 3)` m float32, world: where the finger tips meet."""
        return engine.field("site_xpos")[:, self._pinch].float()

    def half_sizes(self, engine: Engine) -> Tensor:
        """`(n, blocks)` m float32."""
        return engine.model_field("geom_size")[:, self._block_geoms, 0].float()

    def reached(self, engine: Engine, block: int) -> Tensor:
        """`(n,)` bool: the pinch point is within 5 cm of the block's centre."""
        return self._distance(engine, block) < _REACH

    def lifted(self, engine: Engine, block: int) -> Tensor:
        """`(n,)` bool: the block's lowest corner is over 5 cm above the table, and the hand is there."""
        up = engine.field("xmat")[:, self._bodies[block]].reshape(-1, 3, 3)[:, 2].abs().sum(-1).float()
        lowest = self.object_positions(engine)[:, block, 2] - self.half_sizes(engine)[:, block] * up
        return (lowest > _LIFT) & (self._distance(engine, block) < _HELD)

    def _where(self, engine: Engine) -> tuple[Tensor, Tensor]:
        """Block positions `(n, blocks, 3)` m float32, none farther away than is worth knowing, and which of the blocks
        `(n, blocks)` bool are no farther."""
        positions = engine.field("xpos")[:, self._bodies]
        near = positions.clamp(positions.new_tensor(_LOWEST), positions.new_tensor(_HIGHEST))
        return near.float(), (near == positions).all(-1)

    def _distance(self, engine: Engine, block: int) -> Tensor:
        return (self.object_positions(engine)[:, block] - self.pinch_position(engine)).norm(dim=-1)


def _away(fixed: Tensor, drawn: Tensor) -> Tensor:
    """Places `(n, 2)` at or near those drawn, within the spawn area and far enough from `fixed`."""
    gap = drawn - fixed
    distance = gap.norm(dim=-1, keepdim=True).clamp_min(1e-6)
    pushed = fixed + gap / distance * distance.clamp_min(_APART)
    outside = (pushed.abs() > SPAWN).any(-1, keepdim=True)
    # On the other side of the fixed block there is room: the area is more than twice as wide as the distance.
    inward = fixed - fixed / fixed.norm(dim=-1, keepdim=True).clamp_min(1e-6) * _APART
    return torch.where(outside, inward, pushed)
