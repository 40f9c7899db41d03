"""Clothes on the rack and colourful things around it: distractors that are seen and never felt."""

from dataclasses import dataclass

import mujoco

from visuomotor.props.rack import BAR_HALF_LENGTH, HEIGHT, Rack
from visuomotor.robots.shapes import box, cylinder, ellipsoid


@dataclass(frozen=True)
class Clutter:
    """Geom names; show or hide each per world by the alpha of `geom_rgba`."""

    clothes: tuple[str, ...]
    """On the rack: they move with it, and leave the bar's middle free."""
    things: tuple[str, ...]
    """Fixed in the world behind the work volume."""

    @property
    def geoms(self) -> tuple[str, ...]:
        return self.clothes + self.things


def add_clothes(spec: mujoco.MjSpec, rack: Rack, visible: bool = True) -> Clutter:
    """Hang shirts at the ends of `rack`'s bar, put a heap on its rail, and stand things behind it; all intangible."""
    alpha = 1.0 if visible else 0.0
    body, edge = spec.body(rack.body), BAR_HALF_LENGTH
    green = (0.20, 0.50, 0.25, alpha)
    clothes = [
        box(body, "cloth_red_shirt", (0.0, edge - 0.022, -0.15), (0.13, 0.012, 0.13), (0.72, 0.14, 0.20, alpha)),
        ellipsoid(body, "cloth_green_shirt", (0.0, -edge + 0.025, -0.13), (0.12, 0.02, 0.12), green),
        box(body, "cloth_yellow_towel", (0.0, -edge - 0.025, -0.12), (0.10, 0.014, 0.11), (0.85, 0.72, 0.25, alpha)),
        ellipsoid(body, "cloth_purple_heap", (0.0, 0.0, -HEIGHT + 0.03), (0.08, 0.08, 0.04), (0.42, 0.22, 0.52, alpha)),
    ]
    world = spec.worldbody
    things = [
        box(world, "thing_crate", (1.25, -0.45, 0.55), (0.16, 0.20, 0.14), (0.55, 0.38, 0.22, alpha)),
        cylinder(world, "thing_bin", (1.2, 0.35, 0.25), (1.2, 0.35, 0.72), 0.13, (0.16, 0.52, 0.55, alpha)),
        ellipsoid(world, "thing_cushion", (1.15, -0.05, 0.62), (0.14, 0.18, 0.10), (0.82, 0.45, 0.55, alpha)),
    ]
    return Clutter(tuple(geom.name for geom in clothes), tuple(geom.name for geom in things))
