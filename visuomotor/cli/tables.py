"""`visuomotor tables`: every measured number of the pages comes from results/ through this command."""

from dataclasses import dataclass
from pathlib import Path

import tyro

from visuomotor.errors import VisuomotorError, one_line


@dataclass(frozen=True)
class Tables:
    """Rewrite the tables of pages from measured results: a short one between `<!-- success:begin -->` and
    `<!-- success:end -->`, all of them between `<!-- results:begin -->` and `<!-- results:end -->`."""

    results: Path = Path("results")
    """Folder of the results, one JSON each."""
    page: tuple[Path, ...] = (Path("README.md"), Path("docs/results.md"))
    """Markdown files to rewrite."""
    check: bool = False
    """Change nothing; exit with 1 if a page is not up to date."""


def run(arguments: list[str]) -> int:
    options = tyro.cli(Tables, prog="visuomotor tables", args=arguments)

    from visuomotor.evaluation import markdown_table, read_results
    from visuomotor.evaluation.bench_table import bench_table
    from visuomotor.evaluation.table import success_table
    from visuomotor.runs.atomic import write_atomically

    old = {page: _read(page) for page in options.page}
    if not options.results.is_dir():
        raise VisuomotorError(f"there is no folder {options.results}; name the folder of the results with --results")
    results = read_results(options.results)
    tables = {
        "success": success_table(results),
        "results": "\n".join(filter(None, (markdown_table(results), bench_table(options.results)))),
    }
    new = dict(old)
    for page, text in old.items():
        there = [what for what in tables if f"<!-- {what}:" in text] or ["results"]
        for what in there:
            new[page] = replace_between_marks(new[page], tables[what], page, what)
    stale = [page for page in old if new[page] != old[page]]
    for page in old:
        if options.check:
            print(f"{page} is {'stale: run visuomotor tables' if page in stale else 'up to date'}")
        elif page in stale:
            write_atomically(page, new[page])
    if not options.check:
        print(f"{', '.join(map(str, old))}: {len(results)} results of {options.results}")
    return int(options.check and bool(stale))


def _read(page: Path) -> str:
    try:
        return page.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise VisuomotorError(f"cannot read {page} ({one_line(error)}); name other pages with --page") from error


def replace_between_marks(page: str, text: str, name: Path, what: str = "results") -> str:
    """`page` with `text` between the two marks of `what`, which stay."""
    begin, end = f"<!-- {what}:begin -->", f"<!-- {what}:end -->"
    if page.count(begin) != 1 or page.count(end) != 1 or page.index(begin) > page.index(end):
        raise VisuomotorError(f"{name} needs one line {begin} and after it one line {end}, to write the {what} between")
    before, after = page[: page.index(begin)], page[page.index(end) :]
    return f"{before}{begin}\n\n{text.strip()}\n\n{after}"
