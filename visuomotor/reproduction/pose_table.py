"""Errors of pose networks with and without feature points (Levine et al. 2015, table II)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from visuomotor.algorithms.gps import Gps
from visuomotor.reproduction.part import Command, Where, check_measured, read_measured

_TASK, _SIZE = "hanger", 96
_MEASURED: Final = {"task": _TASK, "size": _SIZE, "images": 1000, "test_images": 500, "algorithm_version": Gps.version}

# What the paper calls each network; training and test error in cm, mean and deviation.
_PAPER = {
    "feature-points": ("softmax, feature points", "1.14 +- 1.67", "1.30 +- 0.73"),
    "softmax-fully-connected": ("softmax, fully connected", "2.27 +- 1.70", "2.59 +- 1.19"),
    "fully-connected": ("fully connected", "4.65 +- 2.90", "4.75 +- 2.29"),
    "max-pooling": ("max-pooling, fully connected", "2.89 +- 2.08", "3.71 +- 1.73"),
}


class PoseTable:
    """Table II: what `visuomotor bench pose` measures, one network at a time."""

    def missing(self, where: Where) -> Iterator[Command]:
        for name in _PAPER:
            if (_measured(where, name) or {"seeds": 0})["seeds"] < where.seeds:
                yield [
                    *("bench", "pose", "--task", _TASK, "--size", str(_SIZE), "--methods", name),
                    *("--seeds", str(where.seeds), "--results", str(where.results)),
                ]

    def write(self, where: Where, page: Path) -> str:
        lines = [
            "| network | parameters | learning rate | training error (cm) | paper | test error (cm) | paper |",
            "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        ]
        captions = []
        for name, (label, training, test) in _PAPER.items():
            measured = _measured(where, name)
            row = measured and measured["row"]
            facts, *errors = row or ("missing | missing", "missing", "missing")
            lines.append(f"| {label} | {facts} | {errors[0]} | {training} | {errors[1]} | {test} |")
            captions.append(measured and measured["caption"])
        return "\n".join([*lines, *(f"\n{caption}" for caption in dict.fromkeys(captions) if caption)])


def _measured(where: Where, name: str) -> dict[str, Any] | None:
    """How many `seeds`, the `row` and the `caption` of a network."""
    path = _path(where, name)

    def read(content: dict[str, Any]) -> dict[str, Any]:
        check_measured(path, content, _MEASURED)
        seeds, row, caption = len(content["seeds"]), _row(content["networks"][name]), _caption(content)
        return {"seeds": seeds, "row": row, "caption": caption}

    return read_measured(path, read)


def _row(found: dict[str, Any]) -> tuple[str, str, str]:
    facts = f"{found['parameters']:,} | {found['learning_rate']:g}"
    return facts, _error(found, "training"), _error(found, "test")


def _caption(measured: dict[str, Any]) -> str:
    return (
        f"{measured['task']}, {measured['size']}x{measured['size']} pixels, {measured['images']:,} images to train on "
        f"and {measured['test_images']:,} to test on, {len(measured['seeds'])} seeds, mean and deviation over images. "
        "Each network has the learning rate that was best on another seed's images."
    )


def _error(found: dict[str, Any], what: str) -> str:
    return f"{found[f'{what}_cm']:.2f} +- {found[f'{what}_deviation_cm']:.2f}"


def _path(where: Where, network: str) -> Path:
    return where.results / f"bench-pose-{_TASK}-{_SIZE}-{network}.json"
