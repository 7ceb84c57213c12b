"""One direction only: what is lower imports what is above it, never the reverse."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "pruneviz"

ALLOWED = {
    "errors": set(),
    "ops": {"ops"},
    "trace": set(),
    "geometry": set(),
    "shipped": {"errors"},
    "hosts": set(),
    "scratch": {"errors"},
    "allocator": set(),
    "starting": set(),
    "methods": {"ops", "methods", "errors"},
    "models": {"ops", "models", "errors", "geometry", "cost", "shipped", "scenes"},
    "pruning": {"ops", "methods", "models", "pruning", "trace", "errors", "geometry"},
    "metrics": {"trace", "errors", "metrics"},
    "cost": {"trace", "errors", "cost"},
    "engine": {
        "ops",
        "methods",
        "models",
        "pruning",
        "trace",
        "errors",
        "geometry",
        "metrics",
        "cost",
        "engine",
    },
    "scenes": {"scenes", "shipped", "errors"},
    "render": {"render", "trace", "errors", "geometry", "metrics", "cost"},
}
"""What each part may import of the package; parts that are not listed may import any but ui.

Serving alone imports ui, and only when the page is started."""

FORBIDDEN = {
    "ops": {"transformers", "gradio", "PIL"},
    "trace": {"transformers", "gradio", "torch"},
    "geometry": {"transformers", "gradio", "torch"},
    "shipped": {"transformers", "gradio", "torch"},
    "hosts": {"transformers", "gradio", "torch"},
    "scratch": {"transformers", "gradio", "torch"},
    "allocator": {"transformers", "gradio", "torch"},
    "starting": {"transformers", "gradio", "torch"},
    "methods": {"transformers", "gradio", "PIL"},
    "render": {"transformers", "gradio", "torch"},
    "scenes": {"transformers", "gradio", "torch"},
}


def imports(path: Path) -> set[str]:
    """Dotted names that a file imports, at any level of its code."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            module = node.module or ""
            names |= (
                {module} if module != "pruneviz" else {f"pruneviz.{a.name}" for a in node.names}
            )
    return names


def part(path: Path) -> str:
    inside = path.relative_to(PACKAGE).parts
    return inside[0].removesuffix(".py")


FILES = sorted(PACKAGE.rglob("*.py"))


def test_the_listed_parts_exist() -> None:
    parts = {part(path) for path in FILES}
    assert set(ALLOWED) <= parts
    assert set(FORBIDDEN) <= parts


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_direction(path: Path) -> None:
    own, names = part(path), imports(path)
    inner = {name.split(".")[1] for name in names if name.startswith("pruneviz.")}
    if own in ALLOWED:
        assert inner <= ALLOWED[own], f"{own} must not import {inner - ALLOWED[own]}"
    outer = {name.split(".")[0] for name in names}
    if own != "ui":
        assert "ui" not in inner or own == "serving"
        assert "gradio" not in outer
    assert not outer & FORBIDDEN.get(own, set())
    assert "training" not in outer


def test_only_the_page_imports_gradio() -> None:
    """Of everything that is run, measured or shipped; the checks above forbid it more widely."""
    folders = (ROOT / "benchmarks", ROOT / "training")
    outside = [path for folder in folders for path in folder.rglob("*.py")]
    assert len(outside) > 3, "the folders have moved"
    using = [
        path
        for path in [ROOT / "app.py", *FILES, *outside]
        if "gradio" in {name.split(".")[0] for name in imports(path)}
    ]
    assert {path.relative_to(ROOT).parts[:2] for path in using} == {("pruneviz", "ui")}


def test_the_command_line_starts_without_gradio() -> None:
    """Only who serves the page waits for it, or has to have it installed."""
    code = "import sys, pruneviz.cli; sys.exit('gradio' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0  # noqa: S603


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Nowhere in their code, and not for the types alone."""
    names = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in FILES}
    modules = {name.removesuffix(".__init__"): path for name, path in names.items()}
    graph: dict[str, set[str]] = {}
    for name, path in modules.items():
        found: set[str] = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                inside = {f"{node.module}.{alias.name}" for alias in node.names}
                # A module, or a name in one.
                found |= {one if one in modules else node.module for one in inside}
        graph[name] = found & modules.keys()
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle
