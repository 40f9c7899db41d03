"""Errors of pose networks with and without feature points (Levine et al. 2015, table II)."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from visuomotor.policies.pose_architectures import POSE_ARCHITECTURES
from visuomotor.reproduction.part import Command, Where

_TASK, _SIZE = "hanger", 128

# Training and test error in cm, mean and deviation.
_PAPER = {
    "softmax, feature points": ("1.14 +- 1.67", "1.30 +- 0.73"),
    "softmax, fully connected": ("2.27 +- 1.70", "2.59 +- 1.19"),
    "fully connected": ("4.65 +- 2.90", "4.75 +- 2.29"),
    "max-pooling, fully connected": ("2.89 +- 2.08", "3.71 +- 1.73"),
}


class PoseTable:
    """Table II: what `visuomotor bench pose` measures."""

    def missing(self, where: Where) -> Iterator[Command]:
        if len(_measured(where).get("seeds", ())) < where.seeds:
            yield [
                *("bench", "pose", "--task", _TASK, "--size", str(_SIZE), "--seeds", str(where.seeds)),
                *("--results", str(where.results)),
            ]

    def write(self, where: Where, page: Path) -> str:
        measured = _measured(where)
        networks: dict[str, dict[str, Any]] = measured.get("networks", {})
        lines = [
            "| network | parameters | learning rate | training error (cm) | paper | test error (cm) | paper |",
            "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        ]
        for name in POSE_ARCHITECTURES:
            training, test = _PAPER[name]
            found = networks.get(name)
            if found is None:
                lines.append(f"| {name} | missing | missing | missing | {training} | missing | {test} |")
                continue
            ours = [_error(found, "training"), _error(found, "test")]
            facts = f"{found['parameters']:,} | {found['learning_rate']:g}"
            lines.append(f"| {name} | {facts} | {ours[0]} | {training} | {ours[1]} | {test} |")
        if measured:
            lines += [
                "",
                f"{measured['task']}, {measured['size']}x{measured['size']} pixels, {measured['images']:,} images to "
                f"train on and {measured['test_images']:,} to test on, {len(measured['seeds'])} seeds, mean and "
                "deviation over images. Each network has the learning rate that was best on another seed's images.",
            ]
        return "\n".join(lines)


def _error(found: dict[str, Any], what: str) -> str:
    return f"{found[f'{what}_cm']:.2f} +- {found[f'{what}_deviation_cm']:.2f}"


def _measured(where: Where) -> dict[str, Any]:
    path = where.results / f"bench-pose-{_TASK}-{_SIZE}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
