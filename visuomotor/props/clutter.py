"""Clothes on the rack and things behind it: distractors that are seen and never felt."""

from typing import Final

import mujoco

from visuomotor.props.rack import BAR_HALF_LENGTH, HEIGHT, Rack
from visuomotor.robots.geoms import box, cylinder, ellipsoid

NARROW_BIN: Final = (1.45, -0.42)
"""m, x and y of the bin for cameras of a narrow view."""


def add_clothes(spec: mujoco.MjSpec, rack: Rack) -> tuple[str, ...]:
    """Hang shirts and a towel at the ends of `rack`'s bar and put a heap on its rail; nothing touches them.

    Returns:
        Their geoms; show or hide each per world by the alpha of `geom_rgba`.
    """
    body, edge = spec.body(rack.body), BAR_HALF_LENGTH
    green = (0.20, 0.50, 0.25, 1.0)
    clothes = [
        box(body, "cloth_red_shirt", (0.0, edge - 0.022, -0.15), (0.13, 0.012, 0.13), (0.72, 0.14, 0.20, 1.0)),
        ellipsoid(body, "cloth_green_shirt", (0.0, -edge + 0.025, -0.13), (0.12, 0.02, 0.12), green),
        box(body, "cloth_yellow_towel", (0.0, -edge - 0.025, -0.12), (0.10, 0.014, 0.11), (0.85, 0.72, 0.25, 1.0)),
        ellipsoid(body, "cloth_purple_heap", (0.0, 0.0, -HEIGHT + 0.03), (0.08, 0.08, 0.04), (0.42, 0.22, 0.52, 1.0)),
    ]
    return tuple(geom.name for geom in clothes)


def add_background(spec: mujoco.MjSpec, bin_at: tuple[float, float] = (1.75, -0.75)) -> tuple[str, ...]:
    """Put a crate, a cushion and a bin on the floor behind and beside the work volume; nothing touches them.

    Args:
        bin_at: x and y of the bin, m.

    Returns:
        Their geoms; show or hide each per world by the alpha of `geom_rgba`.
    """
    world = spec.worldbody
    bin_color = (0.28, 0.50, 0.22, 1.0)
    things = [
        box(world, "background_crate", (1.62, 0.38, 0.16), (0.16, 0.22, 0.16), (0.74, 0.62, 0.44, 1.0)),
        ellipsoid(world, "background_cushion", (1.35, -0.10, 0.10), (0.22, 0.24, 0.10), (0.80, 0.45, 0.58, 1.0)),
        cylinder(world, "background_bin", (*bin_at, 0.0), (*bin_at, 0.62), 0.16, bin_color),
    ]
    return tuple(geom.name for geom in things)
