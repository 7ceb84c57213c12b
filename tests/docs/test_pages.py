"""What the docs say of the methods is what their cards say, and every link leads somewhere."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from docs import methods, tables
from pruneviz.methods import PyramidDrop, ScheduledMethod
from pruneviz.methods.registry import METHODS

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("path", tables.WRITTEN, ids=lambda path: path.name)
def test_lists_are_what_the_code_gives(path) -> None:
    """What stands there is true and in order; what is new may be missing until it is written."""
    wanted = iter(tables.rewritten(path).splitlines())
    # Reading on in the same iterator: each line is looked for after the one before.
    wrong = [line for line in path.read_text(encoding="utf-8").splitlines() if line not in wanted]
    assert not wrong, "run: python -m docs.tables"


def test_a_page_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="lacks the marks <!-- methods -->"):
        tables.put("no marks", "methods", "text")


def test_every_method_has_a_section() -> None:
    found = re.split(r"^## ", methods.sections(), flags=re.MULTILINE)[1:]
    assert [section.partition("\n")[0] for section in found] == [c.title for c in METHODS.values()]
    for section, cls in zip(found, METHODS.values(), strict=True):
        formula = cls.card.formula
        (html,) = re.findall(r"^<div>.*</div>$", section, re.MULTILINE)
        maths = list(ET.fromstring(html).iter("math"))  # noqa: S314 - our own text
        assert len(maths) == len(formula.lines) + len(formula.symbols)
        assert formula.reading in section
        assert all(term in section for term in cls.card.terms.values())


@pytest.mark.parametrize("name", METHODS)
def test_every_option_is_explained(name) -> None:
    table = methods.sections().split(f"- Name: `{name}`")[1].split("\n## ")[0]
    for row in re.findall(r"^\| `(\w+)` \|(.*)\|$", table, re.MULTILINE):
        assert row[1].rpartition("|")[2].strip(), f"{name} does not say what {row[0]} is"


def test_inherited_options_are_explained_by_the_base() -> None:
    class Staged(PyramidDrop):
        """Without a word on its options."""

    assert methods._meanings(Staged) == methods._meanings(PyramidDrop)

    class Plain(ScheduledMethod):
        """Likewise."""

    meanings = methods._meanings(Plain)
    assert meanings["keep_ratios"].startswith("Share of the original visual tokens left")
    assert meanings["keep_ratios"] != methods._meanings(PyramidDrop)["keep_ratios"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page) -> None:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
