"""Training state to plain containers of tensors and back, and what a checkpoint must look like."""

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, Final, TypeVar, get_args, get_type_hints

import torch

from visuomotor.algorithms.gps.badmm import SampleBatch, Transitions, Update, initial_state
from visuomotor.algorithms.gps.config import GpsConfig
from visuomotor.algorithms.gps.linear_gaussian import Controller
from visuomotor.algorithms.gps.rollout import Samples
from visuomotor.errors import VisuomotorError
from visuomotor.runs.restore import Finite, ListOf, OrNone, Within, check_covariance

PHASES: Final = ("vision_pretraining", "trajectories", "policy")
"""Phases of training, in their order; after the last one the phase is "done"."""

_STORED: Final[Mapping[type, Mapping[str, torch.dtype]]] = {
    Controller: {"gain": torch.float16, "offset": torch.float32, "covariance": torch.float32},
    Samples: dict.fromkeys(("states", "actions", "positions"), torch.float32),
    Transitions: dict.fromkeys(("states", "actions"), torch.float32),
}
"""Tensors whose numbers a smaller type holds."""

Casts = dict[Any, tuple[torch.Tensor, torch.Tensor]]
"""By address and shape: tensors and what they were cast to."""

State = TypeVar("State")


def to_plain(value: Any, cast: Casts | None = None) -> Any:
    """Nested dataclasses and tuples of them to dicts and lists; tensors, numbers and None stay. Tensors whose numbers
    a smaller type holds become of that type.

    Args:
        cast: those already made, so that what shares memory still does.
    """
    cast = {} if cast is None else cast
    if is_dataclass(value) and not isinstance(value, type):
        plain = {f.name: to_plain(getattr(value, f.name), cast) for f in fields(value)}
        return plain | {name: _cast(plain[name], dtype, cast) for name, dtype in _STORED.get(type(value), {}).items()}
    if isinstance(value, tuple | list):
        return [to_plain(item, cast) for item in value]
    if isinstance(value, torch.Tensor):
        return value.detach().cpu().contiguous()
    return value


def from_plain(kind: type[State], plain: Any, doubles: Casts | None = None) -> State:
    """The dataclass `kind` that `to_plain` took apart.

    Args:
        doubles: the float64 tensors already made.
    """
    doubles = {} if doubles is None else doubles
    hints = get_type_hints(kind)
    values = {name: _value(hints[name], item, doubles) for name, item in plain.items()}
    return kind(**values | {name: _cast(values[name], torch.float64, doubles) for name in _STORED.get(kind, {})})


def _cast(tensor: torch.Tensor | None, dtype: torch.dtype, done: Casts) -> torch.Tensor | None:
    if tensor is None:
        return None
    key = tensor.data_ptr(), tensor.shape
    if key not in done:
        done[key] = tensor, tensor.to(dtype)  # the first stays alive: no other one gets its address
    return done[key][1]


def _value(hint: Any, plain: Any, doubles: Casts) -> Any:
    if plain is None or isinstance(plain, torch.Tensor | int | float | str):
        return plain
    choices = [hint, *get_args(hint)]
    if isinstance(plain, dict):
        kind = next(c for c in choices if is_dataclass(c))
        return from_plain(kind, plain, doubles)  # pyright: ignore[reportArgumentType]
    inner = next((c for c in choices if is_dataclass(c)), None)
    sequence = next((c for c in choices if get_args(c) and get_args(c)[0] is not type(None)), None)
    if inner is None and sequence is not None:
        inner = next((c for c in get_args(sequence) if is_dataclass(c)), None)
    return tuple(item if inner is None else from_plain(inner, item, doubles) for item in plain)  # pyright: ignore


def badmm_pattern(
    shape: tuple[int, int], sizes: Mapping[str, int], actions: int, positions: int, config: GpsConfig
) -> dict[str, Any]:
    """What a `BadmmState` looks like in plain containers, for `check_like`.

    Args:
        shape: conditions and time steps. sizes: of "state" and "proprioception". positions: of `Samples.positions`.
    """

    def zeros(*more: int) -> torch.Tensor:
        return torch.zeros(1, dtype=torch.float64).expand(*shape, *more)

    controller = Controller(zeros(actions, sizes["state"]), zeros(actions), zeros(actions, actions))
    readings = zeros(sizes["proprioception"]).float()
    samples = Samples(zeros(sizes["state"]), readings, zeros(actions), None, torch.zeros(shape[0], dtype=torch.bool))
    number = torch.zeros((), dtype=torch.float64)
    state = replace(
        initial_state(controller, config),
        sample_history=(SampleBatch(samples, zeros()),),
        transition_history=(Transitions(samples.states, samples.actions, samples.diverged),),
        last_update=Update(controller, samples, number),
        first_cost=zeros()[:, 0],
    )
    pattern = to_plain(state)
    seen = OrNone(zeros(positions).float())
    batch, last = pattern["sample_history"][0], pattern["last_update"]
    batch["samples"]["positions"] = last["samples"]["positions"] = seen
    last["controller"], last["predicted"] = Finite(last["controller"]), Finite(last["predicted"])
    return pattern | {
        **{name: Within(Finite(pattern[name]), 0) for name in ("kl_weight", "kl_step_mult", "eta")},
        **{name: Finite(pattern[name]) for name in ("controller", "lagrange_multiplier")},
        "sample_history": ListOf(batch, config.badmm.reuse_iterations),
        "transition_history": ListOf(pattern["transition_history"][0], config.dynamics.prior_iterations),
        "last_update": OrNone(last),
        "first_cost": OrNone(Finite(pattern["first_cost"])),
    }


def check_badmm(badmm: Mapping[str, Any], where: str) -> None:
    """Raise a VisuomotorError where a `BadmmState` in plain containers, of the right shapes, cannot be one."""
    check_covariance(badmm["controller"]["covariance"], f"{where}.controller.covariance")
    if badmm["first_cost"] is None and (badmm["last_update"] is not None or badmm["transition_history"]):
        raise VisuomotorError(f"{where}.first_cost is missing, and there are episodes")
    for number, batch in enumerate(badmm["sample_history"]):
        samples = batch["samples"]
        for name in ("states", "proprioception", "actions", "positions"):
            value = samples[name]
            if value is not None and not bool(value[~samples["diverged"]].isfinite().all()):
                raise VisuomotorError(f"{where}.sample_history[{number}].samples.{name} holds NaN or infinity")


def check_phase(content: Mapping[str, Any], length: Callable[[str], int]) -> None:
    """Raise a VisuomotorError where a checkpoint, whose entries have the right shapes, is of no phase of training.

    Args:
        length: of each phase, in iterations.
    """
    phase, iteration, badmm = content["phase"], content["iteration"], content["badmm"]
    if phase not in (*PHASES, "done"):
        raise VisuomotorError(f"state.phase is {phase!r}, expected one of: {', '.join((*PHASES, 'done'))}")
    if phase in PHASES[:-1] and iteration > length(phase):  # the last phase's length may have been changed
        raise VisuomotorError(f"state.iteration is {iteration}, and the phase {phase!r} has {length(phase)}")
    begun = phase in ("policy", "done") or (phase == "trajectories" and iteration > 0)
    if begun != (badmm is not None):
        raise VisuomotorError(f"state.badmm is {'missing' if begun else 'there'} in iteration {iteration} of {phase!r}")
    if (phase == "vision_pretraining" and iteration > 0) != (content["pose_optimizer"] is not None):
        raise VisuomotorError(f"state.pose_optimizer does not belong to iteration {iteration} of {phase!r}")
    if badmm is None:
        return
    if (badmm["last_update"] is None) != (not badmm["sample_history"]):
        raise VisuomotorError("state.badmm.last_update and state.badmm.sample_history belong together: one is missing")
    with_images = phase in ("policy", "done") and iteration > 0
    for number, batch in enumerate(badmm["sample_history"]):
        if (batch["samples"]["positions"] is not None) != with_images:
            raise VisuomotorError(f"state.badmm.sample_history[{number}].samples.positions do not belong to {phase!r}")
