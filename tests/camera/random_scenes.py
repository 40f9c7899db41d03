"""Scenes with every shape at random places, for comparison with another renderer."""

import mujoco
import numpy as np

KINDS = ("sphere", "capsule", "ellipsoid", "cylinder", "box", "mesh")
WORLDS = 4


def random_scene(seed: int, per_kind: int = 4) -> mujoco.MjModel:
    """A floor, a finite plane, and `per_kind` geoms of each kind around the origin, in view of the camera "eye"."""
    draw = np.random.default_rng(seed)
    spec = mujoco.MjSpec()
    spec.option.jacobian = mujoco.mjtJacobian.mjJAC_DENSE
    spec.visual.headlight.ambient = [0.15, 0.1, 0.12]
    spec.visual.headlight.specular = [0.3, 0.2, 0.4]
    spec.add_material(name="shiny", rgba=[0.7, 0.4, 0.2, 1], specular=0.9, shininess=0.3, emission=0.1)
    spec.add_material(name="dull", rgba=[0.2, 0.4, 0.7, 1], specular=0.0, shininess=0.8, emission=0.0)
    points = draw.normal(size=(300, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    spec.add_mesh(name="hull", uservert=(0.15 * points).ravel(), inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_CONVEX)
    corners = [(*x, y) for x in ((-0.1, -0.1), (0.2, -0.1), (0, 0.2)) for y in (0.0, 0.12)]
    spec.add_mesh(name="prism", uservert=np.ravel(corners), inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_CONVEX)
    world = spec.worldbody
    world.add_camera(name="eye", pos=[0, -2.2, 0.9], xyaxes=[1, 0, 0, 0, 0.3, 1], fovy=50)
    world.add_light(pos=[1, -1, 2], dir=[-0.4, 0.4, -0.8], type=mujoco.mjtLightType.mjLIGHT_SPOT, cutoff=40, exponent=4)
    world.add_light(
        pos=[0, 0, 3], dir=[0.3, 0.3, -0.9], type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL, ambient=[0, 0.1, 0]
    )
    world.add_light(pos=[-1, 0, 1.5], type=mujoco.mjtLightType.mjLIGHT_POINT, attenuation=[0.5, 0.2, 0.3])
    world.add_geom(type=mujoco.mjtGeom.mjGEOM_PLANE, size=[0, 0, 1], pos=[0, 0, -0.6], rgba=[0.4, 0.5, 0.4, 1])
    world.add_geom(
        type=mujoco.mjtGeom.mjGEOM_PLANE,
        size=[0.5, 0.3, 1],
        pos=[0, 0.9, 0.4],
        euler=[70, 0, 0],
        rgba=[0.5, 0.3, 0.3, 1],
    )
    for index in range(per_kind):
        for kind in KINDS:
            quaternion = draw.normal(size=4)
            appearance: dict[str, object] = {"rgba": [*draw.uniform(0.1, 1.0, 3), 1.0]}
            if index % 2:
                appearance["material"] = draw.choice(["shiny", "dull"])
            if index == 3:
                del appearance["rgba"]  # the material's own colour
            if kind == "mesh":
                appearance["meshname"] = "prism" if index % 2 else "hull"
            body = world.add_body(pos=draw.uniform([-1.1, -0.8, -0.5], [1.1, 1.0, 1.0]), quat=quaternion)
            body.add_geom(
                type=getattr(mujoco.mjtGeom, f"mjGEOM_{kind.upper()}"),
                size=draw.uniform(0.04, 0.22, 3),
                contype=0,
                conaffinity=0,
                **appearance,
            )
    world.add_geom(
        type=mujoco.mjtGeom.mjGEOM_SPHERE, size=[0.2] * 3, pos=[0.1, -1, 0.5], rgba=[1, 0, 0, 0]
    )  # invisible
    world.add_geom(type=mujoco.mjtGeom.mjGEOM_SPHERE, size=[0.2] * 3, pos=[-0.1, -1, 0.5], group=3)  # hidden group
    return spec.compile()


def random_engine(seed: int):
    """An engine whose worlds differ in poses, colours, materials, sizes, lights, camera pose and field of view."""
    import torch

    from visuomotor.engine import CpuEngine

    engine = CpuEngine(random_scene(seed), WORLDS)
    generator = torch.Generator().manual_seed(seed)

    def noise(name: str, amount: float, low: float = -np.inf, high: float = np.inf) -> None:
        field = engine.model_field(name)
        change = 1.0 + amount * (2.0 * torch.rand(field.shape, generator=generator, dtype=torch.float64) - 1.0)
        field[:] = (field * change).clamp(low, high).to(field.dtype)

    for name in ("geom_rgba", "mat_rgba"):
        alpha = engine.model_field(name)[..., 3].clone()
        noise(name, 0.5, 0.0, 1.0)
        engine.model_field(name)[..., 3] = alpha
    unset = torch.as_tensor((engine.model.geom_rgba == [0.5, 0.5, 0.5, 1.0]).all(axis=1))
    engine.model_field("geom_rgba")[:, unset] = torch.tensor([0.5, 0.5, 0.5, 1.0])
    for name in ("geom_size", "mat_specular", "mat_shininess", "light_diffuse", "light_specular", "cam_fovy"):
        noise(name, 0.2)
    for name in ("cam_pos", "cam_quat", "light_pos", "light_dir"):
        noise(name, 0.05)
    quaternions = engine.model_field("cam_quat")
    quaternions /= quaternions.norm(dim=-1, keepdim=True)
    directions = engine.model_field("light_dir")
    directions /= directions.norm(dim=-1, keepdim=True)
    places, turns = engine.model_field("body_pos")[:, 1:], engine.model_field("body_quat")[:, 1:]
    places += 0.1 * torch.randn(places.shape, generator=generator, dtype=torch.float64)
    turns += torch.randn(turns.shape, generator=generator, dtype=torch.float64)
    turns /= turns.norm(dim=-1, keepdim=True)
    engine.forward()
    return engine
