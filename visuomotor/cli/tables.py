"""`visuomotor tables`: every number of the README comes from results/ through this command."""

from dataclasses import dataclass
from pathlib import Path

import tyro

from visuomotor.errors import VisuomotorError


@dataclass(frozen=True)
class Tables:
    """Rewrite the part of a page between `<!-- results:begin -->` and `<!-- results:end -->` from measured results."""

    results: Path = Path("results")
    """Folder of the results, one JSON each."""
    page: Path = Path("README.md")
    """Markdown file to rewrite."""
    check: bool = False
    """Change nothing; exit with 1 if the page is not up to date."""


def run(arguments: list[str]) -> int:
    options = tyro.cli(Tables, prog="visuomotor tables", args=arguments)

    from visuomotor.evaluation import markdown_table, read_results
    from visuomotor.evaluation.bench_table import bench_table
    from visuomotor.runs.atomic import write_atomically

    try:
        old = options.page.read_text(encoding="utf-8")
    except OSError as error:
        raise VisuomotorError(f"cannot read {options.page}: {error.strerror}; name another --page") from error
    if not options.results.is_dir():
        raise VisuomotorError(f"there is no folder {options.results}; name the folder of the results with --results")
    results = read_results(options.results)
    tables = "\n".join(filter(None, (markdown_table(results), bench_table(options.results))))
    new = replace_between_marks(old, tables, options.page)
    if options.check:
        print(f"{options.page} is {'up to date' if new == old else 'stale: run visuomotor tables'}")
        return int(new != old)
    if new != old:
        write_atomically(options.page, new)
    print(f"{options.page}: {len(results)} results of {options.results}")
    return 0


def replace_between_marks(page: str, text: str, name: Path, what: str = "results") -> str:
    """`page` with `text` between the two marks of `what`, which stay."""
    begin, end = f"<!-- {what}:begin -->", f"<!-- {what}:end -->"
    if page.count(begin) != 1 or page.count(end) != 1 or page.index(begin) > page.index(end):
        raise VisuomotorError(f"{name} needs one line {begin} and after it one line {end}, to write the {what} between")
    before, after = page[: page.index(begin)], page[page.index(end) :]
    return f"{before}{begin}\n\n{text.strip()}\n\n{after}"
