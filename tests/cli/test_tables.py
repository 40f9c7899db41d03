from pathlib import Path

import pytest

from visuomotor.cli import main
from visuomotor.evaluation import Result, write_result

BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"
SHORT_BEGIN, SHORT_END = "<!-- success:begin -->", "<!-- success:end -->"


@pytest.fixture
def page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_result(Result("hanger", "gps", "training", "laptop", 0, 18, 17, 3.0, "a laptop", None, "x"), "results")
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text(f"# Title\n\n{SHORT_BEGIN}\nold\n{SHORT_END}\n")
    page = tmp_path / "docs" / "results.md"
    page.write_text(f"# Title\n\n{BEGIN}\nold\n{END}\n\nThe end.\n")
    return page


def test_only_the_part_between_the_marks_is_rewritten(page):
    assert main(["tables"]) == 0
    text = page.read_text()
    assert text.startswith(f"# Title\n\n{BEGIN}\n\n| task |")
    assert "| 17 / 18 | 94.4% |" in text
    assert text.endswith(f"\n{END}\n\nThe end.\n")
    assert "old" not in text
    short = Path("README.md").read_text()
    assert short.startswith(f"# Title\n\n{SHORT_BEGIN}\n\n| task |")
    assert "| hanger | gps | laptop | 94.4% | 1 |" in short
    assert "old" not in short
    assert main(["tables"]) == 0
    assert page.read_text() == text


def test_check_tells_a_stale_page_and_changes_nothing(page):
    before = page.read_text()
    assert main(["tables", "--check"]) == 1
    assert page.read_text() == before
    main(["tables"])
    assert main(["tables", "--check"]) == 0
    readme = Path("README.md")
    readme.write_text(readme.read_text().replace("94.4%", "99%"))
    assert main(["tables", "--check"]) == 1
    assert main(["tables", "--check", "--page", "docs/results.md"]) == 0


@pytest.mark.parametrize("text", ["# Title\n", f"{END}\n{BEGIN}\n", f"{BEGIN}\n{END}\n{BEGIN}\n{END}\n"])
def test_page_without_a_place_for_the_table_is_left_alone(page, text, capsys):
    page.write_text(text)
    assert main(["tables"]) == 2
    assert "docs/results.md needs one line <!-- results:begin -->" in capsys.readouterr().err
    assert page.read_text() == text


@pytest.mark.parametrize("more", [[], ["--check"]])
def test_a_results_folder_that_is_not_there_leaves_the_page_alone(page, capsys, more):
    before = page.read_text()
    assert main(["tables", "--results", "/nonexistent", *more]) == 2
    assert "there is no folder /nonexistent" in capsys.readouterr().err
    assert page.read_text() == before


def test_missing_page(page, capsys):
    assert main(["tables", "--page", "absent.md"]) == 2
    assert "cannot read absent.md" in capsys.readouterr().err


def test_a_page_of_another_encoding(page, capsys):
    page.write_bytes(page.read_bytes() + b"caf\xe9")
    assert main(["tables", "--page", str(page)]) == 2
    assert "can't decode byte" in capsys.readouterr().err
