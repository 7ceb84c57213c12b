"""A method in a file of somebody's own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pruneviz.errors import InputError
from pruneviz.methods import load_methods, own_fault, unregister
from pruneviz.methods.registry import METHODS

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial.md"


@pytest.fixture
def source() -> str:
    """The tutorial's own method."""
    text = TUTORIAL.read_text(encoding="utf-8")
    return text.split('title="pruneviz/methods/largest_norm.py"\n')[1].split("```")[0]


def test_the_tutorials_method_is_offered(tmp_path, source) -> None:
    file = tmp_path / "mine.py"
    file.write_text(source)
    try:
        assert [method.name for method in load_methods(file)] == ["largest-norm"]
        assert METHODS["largest-norm"].card.title == "Largest norm"
    finally:
        unregister("largest-norm")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = (", "line 1"),
        ("import math\n\nmath.nothing", "mine.py, line 3, in <module>: AttributeError"),
        ("x = 1", "no class that derives from Method"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path, text, said) -> None:
    file = tmp_path / "mine.py"
    file.write_text(text)
    with pytest.raises(InputError, match=re.escape(said)):
        load_methods(file)


def test_a_name_that_is_taken_is_refused(tmp_path, source) -> None:
    file = tmp_path / "mine.py"
    file.write_text(source.replace('"largest-norm"', '"random"'))
    with pytest.raises(InputError, match="random"):
        load_methods(file)


def test_there_must_be_a_file(tmp_path) -> None:
    with pytest.raises(InputError, match="no Python file"):
        load_methods(tmp_path / "nothing.py")


def test_faults_of_others_are_not_ones_own() -> None:
    with pytest.raises(RuntimeError) as caught:
        raise RuntimeError("elsewhere")
    assert own_fault(caught.value) is None
