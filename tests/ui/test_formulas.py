"""The formulas beside the methods: complete, well formed, and true to what the code counts."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET

import pytest

from pruneviz.methods import FastV, PyramidDrop, TransPrune, Uniform
from pruneviz.methods.registry import METHODS
from pruneviz.ui.shared.mathml import mathml
from pruneviz.ui.shared.methods import describe


@pytest.mark.parametrize("name", METHODS)
def test_it_is_well_formed_and_complete(name) -> None:
    page = ET.fromstring(f"<div>{describe(name)}</div>")  # noqa: S314 - our own text
    (details,) = page.iter("details")
    formula = METHODS[name].card.formula
    assert len(list(details.iter("math"))) == len(formula.lines) + len(formula.symbols)
    assert len(list(details.iter("dd"))) == len(formula.symbols)
    links = [link.get("href") for link in details.iter("a")]
    assert links == ([METHODS[name].paper] if METHODS[name].paper else [])
    assert formula.reading


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ("x_i^2", "<msubsup><mi>x</mi><mi>i</mi><mn>2</mn></msubsup>"),
        (r"\frac{a}{2.5}", "<mfrac><mrow><mi>a</mi></mrow><mrow><mn>2.5</mn></mrow></mfrac>"),
        ("∑_{k} 1", "<munder><mo>∑</mo><mrow><mi>k</mi></mrow></munder><mn>1</mn>"),
        ("a < b", "<mi>a</mi><mo>&lt;</mo><mi>b</mi>"),
    ],
)
def test_notation(text, inside) -> None:
    assert mathml(text) == f'<math displaystyle="true"><mrow>{inside}</mrow></math>'


@pytest.mark.parametrize("text", ["{a", "a}", "_a", "a_", r"\frac{a}", r"\frac a b"])
def test_bad_notation_is_refused(text) -> None:
    with pytest.raises(ValueError, match=r"formula|fraction"):
        mathml(text)


@pytest.mark.parametrize(
    ("method", "shares"),
    [(TransPrune, (1 / 7, 3 / 7, 1)), (PyramidDrop, (4 / 7, 6 / 7, 1))],
)
@pytest.mark.parametrize("ratio", [0.125, 0.3, 0.77])
def test_counts_of_stages_are_those_of_the_formula(method, shares, ratio) -> None:
    built = method.at(ratio, 32)
    for stage, share in zip(built.stages(), shares, strict=True):
        expected = math.floor(576 * (1 - (1 - ratio) * share) + 1e-9)
        assert built.count(stage, 576) == expected


def test_other_counts_are_those_of_the_formulas() -> None:
    assert FastV(keep_ratio=0.305).count(FastV().stages()[0], 100) == round(30.5)
    assert Uniform(keep_ratio=0.305).count(Uniform().stages()[0], 100) == 30
