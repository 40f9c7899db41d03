"""Distractors and backgrounds of the hanger: seen in their own splits only, and never felt."""

import pytest
import torch
from hanger_scenes import seeded, some, started, starts

from visuomotor.camera import Camera
from visuomotor.tasks import make_task
from visuomotor.tasks.pr2.hanger import Hanger

BACKGROUND = ("crate", "cushion", "bin")


@pytest.fixture(scope="module")
def task() -> Hanger:
    return make_task("hanger")


def test_each_split_shows_its_clutter_only(task):
    for split in task.splits:
        appearance = starts(task, split, 4, randomize=True).appearance
        assert {name: value.tolist() for name, value in appearance.items()} == {
            "visual": [float(split == "visual")] * 4,
            "background": [float(split == "background")] * 4,
        }


@pytest.mark.parametrize("split", ["visual", "background"])
def test_distractors_are_seen_but_not_felt(task, split):
    params = some(starts(task), 4, 4)
    for name, value in starts(task, split).appearance.items():
        params.appearance[name][1] = value[4]
    engine = started(task, params)
    camera = Camera(engine, task.camera, 64, 64)
    images = [camera.rgb().clone()]
    for step in range(task.max_episode_steps):
        task.step(engine, torch.randn(7, generator=seeded(step)).expand(2, -1))
        assert torch.equal(*engine.state())
        if step % 20 == 0:
            images.append(camera.rgb().clone())
    for image in images:
        assert (image[0] != image[1]).any(-1).float().mean() > 0.01
    distance = task.finish_episode(engine).distance
    assert distance[0] == distance[1]
    # and the same pictures without them
    task.reset(engine, torch.arange(2), some(starts(task), 4, 4))
    bare = camera.rgb()
    assert torch.equal(bare[0], bare[1])
    assert torch.equal(bare[0], images[0][0])


def test_clutter_is_appearance_that_can_change_under_any_state(task):
    engine = started(task, some(starts(task), 4))
    camera = Camera(engine, task.camera, 64, 64)
    state, plain = engine.state(), camera.rgb().clone()
    seen = []
    for split in ("visual", "background", "training"):
        task.apply_appearance(engine, torch.arange(1), starts(task, split, 1).appearance)
        seen.append(camera.rgb().clone())
    assert torch.equal(engine.state(), state)
    assert torch.equal(seen[2], plain)
    assert not torch.equal(seen[0], plain)
    assert not torch.equal(seen[0], seen[1])


def test_the_background_shows_in_its_own_split_only(task):
    things = torch.tensor([task.model.geom(f"background_{name}").id for name in BACKGROUND])
    room = torch.tensor([task.model.geom(name).id for name in ("floor", "wall")])
    frames = {}
    for split in ("training", "spatial", "visual", "background"):
        engine = started(task, starts(task, split))
        frames[split] = Camera(engine, task.camera, 64, 64).render()
        seen = torch.isin(frames[split].segmentation, things)
        assert seen.flatten(1).any(1).all() == seen.any() == (split == "background")
    seen, plain = (frames[split].segmentation for split in ("background", "training"))
    for thing in things:  # a sixtieth of the image at least, for every position of the rack
        assert (seen == thing).flatten(1).float().mean(1).min() > 1 / 60
    # Rack, hand and all else are seen as before: the things cover nothing but floor and wall.
    covered = torch.isin(seen, things)
    assert torch.isin(plain[covered], room).all()
    assert torch.equal(seen[~covered], plain[~covered])
    assert torch.equal(frames["background"].rgb[~covered], frames["training"].rgb[~covered])


def test_nothing_touches_the_background(task):
    for name in BACKGROUND:
        geom = task.model.geom(f"background_{name}")
        assert geom.contype == geom.conaffinity == 0
        assert geom.bodyid == 0  # fixed in the world
