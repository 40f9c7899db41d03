"""The report of a run: one HTML file that needs nothing beside it."""

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from visuomotor.evaluation.report_style import STYLE
from visuomotor.evaluation.result import Result, read_results
from visuomotor.evaluation.table import result_rows
from visuomotor.figures.curves import draw_curves
from visuomotor.runs.atomic import write_atomically
from visuomotor.runs.config import flatten
from visuomotor.runs.folder import Run

_LARGEST_VIDEO = 8_000_000  # bytes; beyond that the file gets slow to open


def write_report(run: Run) -> Path:
    """Write `report.html` of a run: success, curves, pictures, videos, config and versions; returns the file.

    Redraws `figures/curves.png`. Takes the evaluations from `results/`, every other PNG from `figures/` and every
    mp4 from `videos/`, embedded; a video of 8 MB or more is only named.
    """
    curves = draw_curves(run.figures / "curves.png", [run.metrics()])
    sections = [
        _section("Success", _success(read_results(run.results))),
        _section("Learning", [_picture(curves)] if curves else []),
        _section("Trials", map(_video, _files(run.videos, "*.mp4"))),
        _section("Pictures", (_picture(path) for path in _files(run.figures, "*.png") if path != curves)),
        _section("Command", [f"<pre>{escape(str(run.metadata.get('command') or 'unknown'))}</pre>"]),
        _section("Made with", [_table((), _origin(run.metadata))]),
        _section("Config", [_config(run.metadata["config"])]),
    ]
    write_atomically(run.report, _page(run, "".join(sections)))
    return run.report


def _page(run: Run, body: str) -> str:
    title = escape(f"{run.algorithm_name} on {run.task_name}")
    about = escape(f"preset {run.preset}, seed {run.seed}, {run.metadata.get('created', 'date unknown')}")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}: {escape(run.name)}</title>
<style>
{STYLE}</style>
</head>
<body><main>
<h1>{title}</h1>
<p class="soft">{escape(run.name)}<br>{about}</p>
{body}</main></body>
</html>
"""


def _section(title: str, parts: Iterable[str]) -> str:
    """A heading and its parts; nothing where there are none."""
    body = "\n".join(parts)
    return f"<h2>{escape(title)}</h2>\n{body}\n" if body else ""


def _success(results: list[Result]) -> Iterator[str]:
    if results:
        yield _table(*result_rows(results))
    else:
        yield '<p class="soft">Not evaluated yet: <code>visuomotor evaluate</code> does it.</p>'


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "<thead><tr>" + "".join(f"<th>{escape(cell)}</th>" for cell in header) + "</tr></thead>" if header else ""
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>\n" for row in rows)
    return f'<div class="scroll"><table>{head}<tbody>\n{body}</tbody></table></div>'


def _picture(path: Path) -> str:
    return (
        f'<figure><img alt="{escape(_caption(path))}" src="{_embedded(path, "image/png")}">{_figcaption(path)}</figure>'
    )


def _video(path: Path) -> str:
    if path.stat().st_size >= _LARGEST_VIDEO:
        return f'<p class="soft">{escape(_caption(path))}: videos/{escape(path.name)} is too large to embed.</p>'
    source = _embedded(path, "video/mp4")
    return f'<figure><video controls loop muted playsinline src="{source}"></video>{_figcaption(path)}</figure>'


def _figcaption(path: Path) -> str:
    return f"<figcaption>{escape(_caption(path))}</figcaption>"


def _caption(path: Path) -> str:
    return path.stem.replace("_", " ").replace("-", " ")


def _files(folder: Path, pattern: str) -> list[Path]:
    """Sorted. Links are left out: in a run from someone else they may lead to any file of this machine."""
    return [path for path in sorted(folder.glob(pattern)) if path.is_file() and not path.is_symlink()]


def _embedded(path: Path, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"


def _origin(metadata: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "hardware", str(metadata.get("hardware", "unknown"))
    yield "commit", str(metadata.get("commit") or "unknown")
    for name, version in metadata.get("versions", {}).items():
        yield name, str(version)


def _config(config: Mapping[str, Any]) -> str:
    rows = [(name, str(value)) for name, value in flatten(config).items()]
    return f"<details open><summary>every field</summary>{_table((), rows)}</details>"
