"""`visuomotor reproduce PAPER`: measure what is missing of a paper's tables and figures, and write its page."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import copytree
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal

import tyro
from tyro.conf import Positional

from visuomotor.cli import main
from visuomotor.errors import VisuomotorError

if TYPE_CHECKING:
    from visuomotor.reproduction import Where


@dataclass(frozen=True)
class Reproduce:
    """Run or resume what is missing, then write the tables and figures of the page. Each command is printed before it
    runs; Ctrl-C stops, and the next call goes on from there."""

    paper: Positional[Literal["levine2015"]]
    """Which paper."""
    table: tuple[int, ...] | None = None
    """Numbers of tables; without --table and --figure all tables and figures."""
    figure: tuple[int, ...] | None = None
    """Numbers of figures."""
    seeds: int = 3
    """How many trainings, from seed 0 on (tables 1 to 3, figure 8). The other tables have seed 0, figure 9 has five."""
    trials: int = 100
    """How many trials of each policy and split."""
    measure: bool = True
    """Whether to measure what is missing; with --no-measure the page says what is missing."""
    check: bool = False
    """Measure and write nothing; exit with 1 if the page is not what the results give."""
    root: Path = Path("runs")
    """Folder that run folders go into."""
    results: Path = Path("results")
    """Folder of the results, one JSON each."""
    page: Path | None = None
    """Markdown file to write; by default docs/PAPER.md. Figures go into figures/PAPER beside it."""


def run(arguments: list[str]) -> int:
    options = tyro.cli(Reproduce, prog="visuomotor reproduce", args=arguments)

    from visuomotor.cli.tables import replace_between_marks
    from visuomotor.reproduction import Where
    from visuomotor.reproduction.levine2015 import PARTS
    from visuomotor.runs.atomic import write_atomically
    from visuomotor.runs.config import check_range

    check_range("--seeds", options.seeds, 1, 1000)
    check_range("--trials", options.trials, 1, 1_000_000)
    page = options.page or Path(f"docs/{options.paper}.md")
    if () in (options.table, options.figure):
        raise VisuomotorError(f"--table and --figure take numbers; {options.paper} has {', '.join(PARTS)}")
    chosen = [f"table {n}" for n in options.table or ()] + [f"figure {n}" for n in options.figure or ()] or list(PARTS)
    for name in chosen:
        if name not in PARTS:
            raise VisuomotorError(f"{options.paper} has no {name}; there are: {', '.join(PARTS)}")
    figures = page.parent / "figures" / options.paper
    where = Where(options.seeds, options.trials, options.root, options.results, figures, keep=options.measure)
    if (options.check or not options.measure) and not options.results.is_dir():
        raise VisuomotorError(f"there is no folder {options.results}; name the folder of the results with --results")
    if not page.is_file():
        raise VisuomotorError(f"there is no {page}; name another --page, or take that of the repository")
    for name in chosen:  # before hours of measuring
        replace_between_marks(page.read_text(encoding="utf-8"), "", page, name)
    if options.check:
        return _check(page, chosen, where)
    for name in chosen:
        if options.measure:
            for command in PARTS[name].missing(where):
                print(f"{name}: visuomotor {shlex.join(command)}", flush=True)
                code = main(command)
                if code:
                    return code
        written = PARTS[name].write(where, page)
        write_atomically(page, replace_between_marks(page.read_text(encoding="utf-8"), written, page, name))
        print(f"{name}: written to {page}", flush=True)
    return 0


def _check(page: Path, names: Sequence[str], where: "Where") -> int:
    """Write the page's parts into a folder that is thrown away, from a copy of the results alone, and compare."""
    from visuomotor.cli.tables import replace_between_marks
    from visuomotor.figures.png import same_picture
    from visuomotor.reproduction.levine2015 import PARTS

    old = page.read_text(encoding="utf-8")
    stale: list[str] = []
    compared: set[str] = set()
    with TemporaryDirectory() as folder:
        elsewhere = Path(folder) / page.name
        figures = elsewhere.parent / where.figures.relative_to(page.parent)
        results = copytree(where.results, Path(folder) / "results")
        there = replace(where, root=Path(folder) / "runs", results=results, figures=figures)
        for name in names:
            written = PARTS[name].write(there, elsewhere)
            same = replace_between_marks(old, written, page, name) == old
            drawn = [path for path in figures.rglob("*.png") if path.name not in compared]
            compared |= {path.name for path in drawn}
            if not same or not all(same_picture(path, where.figures / path.relative_to(figures)) for path in drawn):
                stale.append(name)
    print(f"{page} is stale: {', '.join(stale)}" if stale else f"{page} is up to date")
    return int(bool(stale))
