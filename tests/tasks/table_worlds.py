"""Worlds of the tasks with blocks on a table, put where tests want them."""

import torch

from visuomotor.engine import CpuEngine
from visuomotor.tasks import ResetParams
from visuomotor.tasks.table_task import TableTask

FOLLOWING = {"body_invweight0", "dof_invweight0", "dof_M0"}  # the engine's set_const computes them
FIELDS = {  # of the model, by what is drawn
    "block_half": {"geom_size", "geom_rbound", "geom_aabb", "bvh_aabb", "body_inertia", "dof_length", *FOLLOWING},
    "block_mass": {"body_mass", "body_subtreemass", "body_inertia", *FOLLOWING},
    "block_friction": {"geom_friction"},
    "joint_friction": {"dof_frictionloss"},
    "joint_armature": {"dof_armature", "actuator_acc0", *FOLLOWING},
    "joint_damping": {"dof_damping"},
    "actuator_gain": {"actuator_gainprm", "actuator_biasprm"},
    "block_color": {"geom_rgba"},
    "robot_grey": {"geom_rgba"},
    "table_color": {"geom_rgba"},
    "wall_color": {"geom_rgba"},
    "light_brightness": {"light_diffuse"},
    "light_tilt": {"light_dir"},
    "camera_shift": {"cam_pos"},
    "camera_turn": {"cam_quat"},
    "camera_zoom": {"cam_fovy"},
}
TRACKING = {"cam_pos0", "cam_mat0", "cam_poscom0", "light_pos0", "light_dir0", "light_poscom0"}
MODEL_FIELDS = sorted(set.union(*FIELDS.values()) | TRACKING)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def started_engine(
    task: TableTask, worlds: int, seed: int = 0, randomize: bool = True
) -> tuple[CpuEngine, ResetParams]:
    engine, params = task.make_engine(worlds), task.sample_reset(worlds, seeded(seed), randomize=randomize)
    task.reset(engine, torch.arange(worlds), params)
    return engine, params


def nominal_engine(task: TableTask, worlds: int) -> CpuEngine:
    return started_engine(task, worlds, randomize=False)[0]


def alike(engine: CpuEngine) -> None:
    """Put all worlds in the state of the first."""
    engine.set_state(engine.state()[:1].expand(engine.worlds, -1).contiguous())


def fields(engine: CpuEngine) -> dict[str, torch.Tensor]:
    return {name: engine.model_field(name).clone() for name in MODEL_FIELDS}


def place(task: TableTask, engine: CpuEngine, name: str, places: torch.Tensor, tilt: torch.Tensor | float = 0.0):
    """Put a block at `(n, 3)` m in the n worlds, turned by `tilt` rad about x."""
    half = torch.as_tensor(tilt, dtype=torch.float64).expand(engine.worlds) / 2
    nothing = torch.zeros_like(half)
    address = int(task.model.joint(name).qposadr[0])
    pose = torch.cat([places.double(), torch.stack([half.cos(), half.sin(), nothing, nothing], -1)], 1)
    engine.field("qpos")[:, address : address + 7] = pose
    engine.forward()


def put_pinch(task: TableTask, engine: CpuEngine, places: torch.Tensor):
    """Move the arm's base so that the pinch point is at `(n, 3)` m."""
    pinch = engine.field("site_xpos")[:, task.model.site("jaco_pinch").id]
    engine.model_field("body_pos")[:, task.model.body("jaco_base").id] += places - pinch
    engine.forward()


def places(*rows: tuple[float, float, float]) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.float64)
