"""Packages stand on one another in one order, and no modules import each other in a circle."""

import ast
import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ORDER = [
    *("errors", "engine", "camera", "robots", "props", "registry", "tasks", "runs", "policies", "demos", "algorithms"),
    *("figures", "evaluation", "reproduction", "adapters", "cli", "__main__"),
]


def modules(root: Path) -> dict[str, Path]:
    found = {}
    for path in sorted((root / "visuomotor").rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def package(name: str) -> str:
    """Of a module's full name; "" is the whole's own __init__."""
    return (f"{name}..").split(".")[1]


def imports_later(node: ast.AST) -> bool:
    """A function, or what only type checkers read."""
    checked = isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    return checked or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)


def imports(name: str, path: Path, known: dict[str, Path]) -> Iterator[tuple[int, str]]:
    """Line and module of all imports from this package, also inside functions; but the names at the top, the registry
    and the command line import there what must not be loaded with them."""
    lazy = package(name) in ("", "registry", "cli")
    pending: list[ast.AST] = [ast.parse(path.read_text())]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} has a relative import"
            for alias in node.names:
                below = f"{node.module}.{alias.name}"
                yield node.lineno, below if below in known else str(node.module)
        elif isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif not (lazy and imports_later(node)):
            pending.extend(ast.iter_child_nodes(node))


def faults(root: Path) -> list[str]:
    """What is wrong with the imports of the package in `root`, a line each."""
    known, found = modules(root), []
    graph: dict[str, set[str]] = {name: set() for name in known}
    for name, path in known.items():
        for line, target in imports(name, path, known):
            if target.split(".")[0] != "visuomotor":
                continue
            where = f"{path.relative_to(root)}:{line} imports {target}"
            if target not in known:
                found.append(f"{where}, which is not there")
                continue
            graph[name].add(target)
            if package(target) and not (package(name) and ORDER.index(package(name)) >= ORDER.index(package(target))):
                found.append(f"{where}, which stands above it")
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        found.append("a circle: " + " <- ".join(error.args[1]))
    return found


def test_the_package_is_in_order():
    assert faults(ROOT) == []


def test_the_order_names_all_packages():
    assert {package(name) for name in modules(ROOT)} == {"", *ORDER}


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"engine/cpu.py": "import visuomotor.tasks.b", "tasks/b.py": ""}, r"engine/cpu.py:1 .*above it"),
        ({"engine/cpu.py": "from visuomotor import tasks", "tasks/__init__.py": ""}, r"visuomotor\.tasks, .*above it"),
        ({"policies/a.py": "def f():\n    from visuomotor.demos.b import c", "demos/b.py": ""}, r"a.py:2 .*above it"),
        ({"cli/train.py": "def f():\n    from visuomotor.tasks import g", "tasks/__init__.py": ""}, None),
        ({"registry.py": "import visuomotor.tasks.b", "tasks/b.py": ""}, "above it"),
        ({"registry.py": "def f():\n    import visuomotor.tasks.b", "tasks/b.py": ""}, None),
        ({"__init__.py": "from visuomotor.tasks.b import h", "tasks/b.py": ""}, "above it"),
        ({"__init__.py": "if TYPE_CHECKING:\n    from visuomotor.tasks.b import h", "tasks/b.py": ""}, None),
        ({"runs/a.py": "import visuomotor.runs.b", "runs/b.py": "def f():\n    import visuomotor.runs.a"}, "a circle"),
        ({"runs/__init__.py": "import visuomotor.runs.a", "runs/a.py": "from visuomotor.runs import x"}, "a circle"),
        ({"runs/a.py": "from visuomotor.engine.gone import x"}, r"visuomotor\.engine\.gone, which is not there"),
        ({"runs/a.py": "import torch\nimport visuomotor_other\nfrom visuomotor import __version__"}, None),
    ],
)
def test_what_is_out_of_order_is_found(tmp_path, files, told):
    for name, text in {"__init__.py": "", **files}.items():
        path = tmp_path / "visuomotor" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    found = faults(tmp_path)
    assert len(found) == (0 if told is None else 1)
    assert told is None or re.search(told, found[0])
