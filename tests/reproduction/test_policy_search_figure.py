"""The comparison of policy searches: tuned first, with the settings and versions of today."""

import json
from pathlib import Path

from visuomotor.algorithms.trajectory_search.search_spaces import SPACES, algorithm_of, points
from visuomotor.reproduction.policy_search_figure import EPISODES, PolicySearchFigure


def test_policy_searches_are_tuned_and_then_compared(where, tmp_path):
    assert set(EPISODES) == set(SPACES)
    figure, page = PolicySearchFigure(), tmp_path / "docs" / "page.md"
    commands = list(figure.missing(where))
    assert len(commands) == 2 * 3 * len(SPACES)
    tune, compare = commands[2 * list(EPISODES).index("cem")], commands[2 * list(EPISODES).index("cem") + 1]
    assert tune[2:6] == ["--task", "insertion2d", "--methods", "cem"]
    assert tune[-1] == "--tune"
    file = str(where.results / "tuning-policy-search-insertion2d-cem.json")
    assert compare[-4:] == ["--seeds", "5", "--tuned", file]
    assert figure.write(where, page).startswith("Missing.")
    where.results.mkdir()
    best, version = points("cem")[3], algorithm_of("cem")[0].version
    tuning = {
        "method_versions": {"cem": version},
        "episodes": 600,
        "best": {"cem": best},
        "points": {"cem": [{"settings": p} for p in points("cem")]},
    }
    Path(file).write_text(json.dumps(tuning))
    curves = {"episodes": [5, 10], "policy_cost": [3.0, 2.0], "policy_success": [0.0, 1.0]}
    curves |= {"policy_distance_m": [0.3, 0.1], "episodes_to_solve": 10, "seconds": 1.0}
    curves |= {"model_episodes": [0, 0]}
    unsolved = curves | {"episodes_to_solve": None}
    of_the_model = curves | {"model_episodes": [60, 120]}
    each = {"version": version, "settings": best, "by_seed": {"0": curves, "1": unsolved, "2": of_the_model}}
    content = {"task": "insertion2d", "episodes": 600, "median_episodes_to_solve": {"cem": None}}
    content |= {"methods": {"cem": each}}
    path = where.results / "bench-policy-search-insertion2d-cem-seeds0-4.json"
    path.write_text(json.dumps(content))
    assert list(figure.missing(where)) == [command for command in commands if command not in (tune, compare)]
    lines = figure.write(where, page).splitlines()
    assert lines[0].endswith("(figures/policy_search.png)")
    settings = ", ".join(f"{name} {value:g}" for name, value in best.items())
    assert f"| insertion2d | cem | not in 600 | 10, -, 10 (and 120 of the model) | {settings} |" in lines
    others = [content | {"methods": {"cem": each | other}} for other in ({"settings": {}}, {"version": version - 1})]
    for other in (content | {"episodes": 300}, *others):
        path.write_text(json.dumps(other))
        assert compare in list(figure.missing(where))
        assert figure.write(where, page).startswith("Missing.")
    path.write_text(json.dumps(content))
    for other in (
        tuning | {"episodes": 200},
        tuning | {"points": {"cem": tuning["points"]["cem"][1:]}},
        tuning | {"method_versions": {"cem": version - 1}},
    ):
        Path(file).write_text(json.dumps(other))
        assert list(figure.missing(where)) == commands
