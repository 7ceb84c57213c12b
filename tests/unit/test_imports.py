"""One direction only: what is lower imports what is above it, never the reverse."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "pruneviz"

ALLOWED = {
    "errors": set(),
    "ops": {"ops"},
    "trace": set(),
    "geometry": set(),
    "methods": {"ops", "methods", "errors"},
    "models": {"ops", "models", "errors", "geometry", "cost"},
    "pruning": {"ops", "methods", "models", "pruning", "trace", "errors", "geometry"},
    "metrics": {"trace", "errors", "metrics"},
    "cost": {"trace", "errors", "cost"},
    "render": {"render", "trace", "errors", "geometry", "metrics", "cost"},
}
"""What each part may import of the package; parts that are not listed may import any but ui."""

FORBIDDEN = {
    "ops": {"transformers", "gradio", "PIL"},
    "trace": {"transformers", "gradio", "torch"},
    "geometry": {"transformers", "gradio", "torch"},
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
    if own not in ("ui", "__main__"):
        assert "ui" not in inner
        assert "gradio" not in {name.split(".")[0] for name in names}
    outer = {name.split(".")[0] for name in names}
    assert not outer & FORBIDDEN.get(own, set())


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
