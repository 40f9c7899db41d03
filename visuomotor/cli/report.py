"""`visuomotor report RUN`: write a run's report.html."""

from dataclasses import dataclass
from pathlib import Path

import tyro
from tyro.conf import Positional


@dataclass(frozen=True)
class Report:
    """Write report.html into the folder of a run: success, curves, pictures, videos, config, in one file."""

    run: Positional[Path]
    """Folder of the run."""


def run(arguments: list[str]) -> None:
    options = tyro.cli(Report, prog="visuomotor report", args=arguments)

    from visuomotor.evaluation.report import write_report
    from visuomotor.runs import Run

    print(write_report(Run.open(options.run)))
