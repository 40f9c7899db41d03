"""The command: the page between its marks, checks, commands in their order, bad input."""

from pathlib import Path

import pytest
from matplotlib.figure import Figure

from visuomotor.cli import main
from visuomotor.figures.png import write_png
from visuomotor.reproduction.levine2015 import PARTS


@pytest.fixture
def page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = tmp_path / "docs" / "levine2015.md"
    page.parent.mkdir()
    (tmp_path / "results").mkdir()
    page.write_text("Before.\n<!-- table 2:begin -->\nold\n<!-- table 2:end -->\nAfter.\n")
    return page


def test_the_page_is_written_between_its_marks(page, capsys):
    assert main(["reproduce", "levine2015", "--table", "2", "--no-measure"]) == 0
    text = page.read_text()
    assert text.startswith("Before.\n<!-- table 2:begin -->\n\n| network |")
    assert text.endswith("|\n\n<!-- table 2:end -->\nAfter.\n")


def test_a_page_is_checked_and_nothing_is_written(page, capsys):
    checked = ["reproduce", "levine2015", "--table", "2", "--check"]
    before = page.read_text()
    assert main(checked) == 1
    assert "levine2015.md is stale: table 2" in capsys.readouterr().out
    assert page.read_text() == before
    main(["reproduce", "levine2015", "--table", "2", "--no-measure"])
    assert main(checked) == 0
    page.write_text(page.read_text().replace("missing", "100", 1))
    assert main(checked) == 1
    assert not (page.parent / "figures").exists()


def test_figures_are_checked_too(page, capsys, monkeypatch):
    class Drawn:
        def write(self, where, page):
            figure = Figure(figsize=(1, 1))
            figure.add_subplot().plot([0, 1], [0, heights[0]])
            write_png(figure, where.figures / "drawn.png")
            return "![drawn](figures/levine2015/drawn.png)"

    heights = [1]
    monkeypatch.setattr("visuomotor.reproduction.levine2015.PARTS", {"table 2": Drawn()})
    assert main(["reproduce", "levine2015", "--no-measure"]) == 0
    checked = ["reproduce", "levine2015", "--check"]
    assert main(checked) == 0
    drawn = page.parent / "figures" / "levine2015" / "drawn.png"
    kept = drawn.read_bytes()
    for other in (b"junk", kept[:200], None):
        drawn.write_bytes(other) if other else drawn.unlink()
        assert main(checked) == 1
        assert "is stale: table 2" in capsys.readouterr().out
    drawn.write_bytes(kept)
    assert main(checked) == 0
    figure = Figure(figsize=(1, 1), facecolor="gray")
    write_png(figure, drawn)
    assert main(checked) == 1


def test_commands_are_run_one_after_the_other_until_one_fails(page, capsys, monkeypatch):
    asked, codes = [], [0, 3]

    class Table:
        def missing(self, where):
            assert where.seeds == 2
            yield ["train", "a task"]
            yield ["evaluate"]
            yield ["never"]

        def write(self, where, page):
            raise AssertionError

    monkeypatch.setattr("visuomotor.reproduction.levine2015.PARTS", {"table 2": Table()})
    monkeypatch.setattr("visuomotor.cli.reproduce.main", lambda command: asked.append(command) or codes.pop(0))
    before = page.read_text()
    assert main(["reproduce", "levine2015", "--seeds", "2"]) == 3
    assert asked == [["train", "a task"], ["evaluate"]]
    assert "visuomotor train 'a task'" in capsys.readouterr().out
    assert page.read_text() == before


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--table", "7"], "has no table 7; there are: table 1"),
        (["--seeds", "0"], "--seeds must be between 1"),
        (["--table"], "--table and --figure take numbers; levine2015 has table 1, table 2"),
        (["--table", "2", "--figure"], "--table and --figure take numbers"),
        (["--page", "other.md"], "there is no other.md"),
        (["--table", "2", "1"], "table 1"),  # a page without its marks
        (["--table", "2", "--results", "none"], "there is no folder none; name the folder of the results"),
    ],
)
def test_bad_input(page, capsys, words, told):
    assert main(["reproduce", "levine2015", "--no-measure", *words]) == 2
    assert told in capsys.readouterr().err


def test_the_repository_s_page_has_a_place_for_every_part():
    text = (Path(__file__).parents[2] / "docs" / "levine2015.md").read_text()
    for name in PARTS:
        assert text.count(f"<!-- {name}:begin -->") == text.count(f"<!-- {name}:end -->") == 1
