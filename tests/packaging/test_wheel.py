"""What the wheel holds: the package with all that it needs to run, and nothing else."""

from __future__ import annotations

import ast
import sys
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

import pruneviz
from pruneviz.scenes.vocabulary import STYLES
from tests.packaging.conftest import ROOT

INSTALLED_AS = {
    "PIL": "pillow",
    "huggingface_hub": "huggingface-hub",
    "lmms_eval": "lmms-eval",
}
"""Names of projects that are not those of their packages."""


def shipped(folder: Path) -> set[str]:
    """Files below a folder of the checkout, as the wheel names them."""
    return {
        file.relative_to(ROOT).as_posix()
        for file in folder.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts and file.suffix != ".pyi"
    }


@pytest.fixture(scope="module")
def names(wheel) -> set[str]:
    with zipfile.ZipFile(wheel) as opened:
        return set(opened.namelist())


@pytest.mark.slow
def test_it_holds_the_whole_package_and_nothing_else(names) -> None:
    info = f"pruneviz-{pruneviz.__version__}.dist-info/"
    inside = {name for name in names if not name.startswith((info, "pruneviz/assets/"))}
    assert inside == shipped(ROOT / "pruneviz")
    assert "pruneviz/py.typed" in inside
    assert {f"{info}licenses/{name}" for name in ("LICENSE", "NOTICE")} <= names


@pytest.mark.slow
def test_its_assets_are_what_the_package_uses(names) -> None:
    inside = {name.removeprefix("pruneviz/") for name in names if "/assets/" in name}
    sheets = {f"assets/scenes/{style}.webp" for style in STYLES}
    folders = (ROOT / "assets" / name for name in ("embedded", "examples"))
    assert inside == sheets.union(*map(shipped, folders))


@pytest.mark.slow
def test_its_version_is_the_packages(wheel) -> None:
    with zipfile.ZipFile(wheel) as opened:
        name = f"pruneviz-{pruneviz.__version__}.dist-info/METADATA"
        about = Parser().parsestr(opened.read(name).decode())
    assert about["Version"] == pruneviz.__version__


def test_it_asks_for_all_that_the_package_imports() -> None:
    found = set()
    for file in (ROOT / "pruneviz").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add(str(node.module).partition(".")[0])
    others = found - set(sys.stdlib_module_names) - {"pruneviz"}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    of_users = [one for name, given in extras.items() if name != "dev" for one in given]
    asked = {one.partition(">")[0] for one in (*project["dependencies"], *of_users)}
    # Triton comes with torch's builds for NVIDIA cards, and is of use on these alone.
    assert {INSTALLED_AS.get(name, name) for name in others} - {"triton"} <= asked
