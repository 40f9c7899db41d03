"""Episodes of a staged task in many worlds, each started anew as it ends."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from visuomotor.camera import Camera
from visuomotor.engine import Engine
from visuomotor.errors import VisuomotorError
from visuomotor.tasks.staged_task import StagedTask, Variation


@dataclass(frozen=True)
class Readings:
    """What is known of every world's state, `(n, ...)`, float32 but for the stage.

    proprioception: the robot's own; privileged: for a critic; features: for a discriminator; objects: `(n, K, 3)` m;
    stage: `(n,)` int64.
    """

    proprioception: Tensor
    privileged: Tensor
    features: Tensor
    objects: Tensor
    stage: Tensor


def read(task: StagedTask, engine: Engine) -> Readings:
    """Of every world."""
    return Readings(
        task.proprioception(engine),
        task.privileged(engine),
        task.features(engine),
        task.object_positions(engine),
        task.stage(engine),
    )


@dataclass(frozen=True)
class Transition:
    """What one control step led to, before any world is started anew.

    readings: of the states reached, the last of an episode included; reward: `(n,)`; ended: `(n,)` bool, the episode
    is over, by time or divergence; diverged: `(n,)` bool, the physics blew up: nothing may be learned from the step.
    """

    readings: Readings
    reward: Tensor
    ended: Tensor
    diverged: Tensor


@dataclass(frozen=True)
class Start:
    """States to start in.

    states: `(n, state)` of the engine; physics: the rows of `Variation.physics` that they belong to; steps: control
    steps until the time limit; patience: control steps in other stages than the first one after which an episode is
    over too, None for no such limit; numbers: `(n,)` int64, what `StartStates.note` shall call them.
    """

    states: Tensor
    physics: Mapping[str, Tensor]
    steps: int
    patience: int | None
    numbers: Tensor


class StartStates(Protocol):
    """Where episodes may start besides the task's own random starts."""

    def choose(self, count: int, generator: torch.Generator) -> tuple[Tensor, Start]:
        """`(count,)` bool, which of `count` episodes start in given states, and these, in that order."""
        ...

    def note(self, numbers: Tensor, best: Tensor, successes: Tensor, steps: Tensor) -> None:
        """Learn what became of episodes from the starts `numbers` `(n,)`: the latest stage each was in, `(n,)` int;
        the share of its steps, had it lasted to its time limit, in the task's last stage, `(n,)` float; how many steps
        it lasted, `(n,)` int."""
        ...


class Episodes:
    """`worlds` copies of a task, their episodes, and their images.

    Call `advance` with actions, `restart` with the worlds whose episodes ended, and `images` for what is to be seen.

    Args:
        task: what is to be done.
        worlds: how many.
        generator: of all randomness: starts, variations.
        image_size, supersampling: of the task's camera.
        starts: other places to start in; None for the task's random starts only.
        vary: whether worlds differ in looks and physics.
        stagger: begin in the middle of the first episodes, each world elsewhere, so that they do not all end at once.
    """

    def __init__(
        self,
        task: StagedTask,
        worlds: int,
        generator: torch.Generator,
        *,
        image_size: int = 64,
        supersampling: int = 1,
        starts: StartStates | None = None,
        vary: bool = True,
        stagger: bool = False,
        threads: int = 0,
    ):
        self.task, self.worlds, self.generator = task, worlds, generator
        self.engine = task.make_engine(worlds, threads)
        self.variation = task.plain(worlds)
        task.vary(self.engine, torch.arange(worlds), self.variation)  # makes the fields per world before the camera
        self._camera = Camera(self.engine, task.camera, image_size, image_size, supersampling, threads)
        self._starts, self._vary = starts, vary
        self.elapsed = torch.zeros(worlds, dtype=torch.int64)
        self.start = torch.full((worlds,), -1)
        """`(worlds,)`: the number of the given start at which the episode under way began; -1 for a random one."""
        # Of the episodes under way: steps made, the latest stage reached, steps in the last one; the first stage, steps
        # in others, and how many of these there may be.
        self._steps, self._best, self._successes = (torch.zeros_like(self.elapsed) for _ in range(3))
        self._first, self._away, self._patience = (torch.zeros_like(self.elapsed) for _ in range(3))
        self._limits = task.action_limits
        self.restart(torch.ones(worlds, dtype=torch.bool))
        if stagger:
            self.elapsed = torch.randint(task.steps, (worlds,), generator=generator)

    @property
    def random_start(self) -> Tensor:
        """`(worlds,)` bool: whether the episode under way began at one of the task's random starts."""
        return self.start < 0

    def images(self, worlds: Tensor | None = None) -> Tensor:
        """`(n, height, width, 3)` uint8, fresh; `worlds` is `(n,)` int, None for all."""
        return self._camera.rgb(worlds)

    def images_in_other_looks(self) -> Tensor:
        """`(worlds, height, width, 3)` uint8: what there is, in looks that are drawn for these images alone."""
        if not self._vary:
            return self.images()
        self._set_looks(self.task.draw(self.worlds, self.generator).looks)
        images = self.images()
        self._set_looks(self.variation.looks)
        return images

    def _set_looks(self, looks: dict[str, Tensor]) -> None:
        self.task.vary_looks(self.engine, torch.arange(self.worlds), looks)
        self.engine.forward()  # else cameras and lamps stay where they are

    def read(self) -> Readings:
        return read(self.task, self.engine)

    def advance(self, actions: Tensor) -> Transition:
        """One control period. actions: `(worlds, action)` in [-1, 1], the fraction of each limit; clipped to it.

        Raises:
            VisuomotorError: an action is not finite.
        """
        if not actions.isfinite().all():
            worlds = (~actions.isfinite().all(-1)).nonzero()[:, 0].tolist()
            raise VisuomotorError(f"actions of worlds {worlds[:8]} are not finite; the policy has diverged")
        self.task.act(self.engine, actions.double().clamp(-1, 1) * self._limits)
        diverged = self.engine.diverged.clone()
        readings = self.read()
        self.elapsed += 1
        self._steps += 1
        self._best = torch.maximum(self._best, readings.stage)
        self._successes += self.task.success(readings.stage)
        self._away += readings.stage != self._first
        reward = self.task.reward(readings.stage)
        reward[diverged] = 0.0
        ended = (self.elapsed >= self.task.steps) | (self._away >= self._patience) | diverged
        return Transition(readings, reward, ended, diverged)

    def restart(self, ended: Tensor) -> None:
        """Start new episodes where `ended` `(worlds,)` bool."""
        worlds = ended.nonzero()[:, 0]
        if not len(worlds):
            return
        if self._starts is not None:
            known = worlds[(self.start[worlds] >= 0) & ~self.engine.diverged[worlds]]
            whole = self._steps + self.task.steps - self.elapsed
            successes = (self._successes / whole)[known]
            self._starts.note(self.start[known], self._best[known], successes, self._steps[known])
        for counter in (self.elapsed, self._best, self._successes, self._steps, self._away):
            counter[worlds] = 0
        self._patience[worlds] = self.task.steps
        given, start = torch.zeros(len(worlds), dtype=torch.bool), None
        if self._starts is not None:
            given, start = self._starts.choose(len(worlds), self.generator)
        variation = self.task.draw(len(worlds), self.generator) if self._vary else self.task.plain(len(worlds))
        if start is not None:
            for name, value in start.physics.items():
                variation.physics[name][given] = value
        self.variation.put(worlds, variation)
        self.task.vary(self.engine, worlds, variation)
        self.start[worlds] = -1
        self.task.start(self.engine, worlds, self.generator)
        if start is not None and given.any():
            self.engine.set_state(start.states, worlds[given])
            self.elapsed[worlds[given]] = max(0, self.task.steps - start.steps)
            if start.patience is not None:
                self._patience[worlds[given]] = start.patience
            self.start[worlds[given]] = start.numbers
        self._first[worlds] = self.task.stage(self.engine)[worlds]

    def content(self) -> dict[str, Any]:
        """Everything that the episodes' future depends on but the generator, in plain containers."""
        variation = self.variation.clone()
        return {
            "state": self.engine.state(),
            "physics": variation.physics,
            "looks": variation.looks,
            "elapsed": self.elapsed.clone(),
            "start": self.start.clone(),
            "so_far": torch.stack([self._steps, self._best, self._successes, self._first, self._away, self._patience]),
        }

    def restore(self, content: dict[str, Any]) -> None:
        """Go back to where `content` was taken."""
        if len(content["elapsed"]) != self.worlds:
            raise VisuomotorError(
                f"the checkpoint holds {len(content['elapsed'])} worlds, not {self.worlds}; resume with as many"
            )
        self.variation = Variation(content["physics"], content["looks"]).clone()  # restarts write into it
        self.task.vary(self.engine, torch.arange(self.worlds), self.variation)
        self.engine.set_state(content["state"])
        self.elapsed, self.start = content["elapsed"].clone(), content["start"].clone()
        so_far = content["so_far"].clone()
        self._steps, self._best, self._successes, self._first, self._away, self._patience = so_far.unbind()
