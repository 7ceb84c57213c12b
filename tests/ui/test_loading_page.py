"""What a freshly opened page shows, and which models its links may name."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from urllib.parse import parse_qsl

import pytest

from pruneviz.engine import Placement, Shelf
from pruneviz.models.core.loading import EMBEDDED
from pruneviz.ui import build
from pruneviz.ui.ask import exporting, links
from pruneviz.ui.ask.asking import ask
from pruneviz.ui.ask.opening import Opening, merge
from pruneviz.ui.inputs.examples import Tip
from pruneviz.ui.models.loading import Loader
from pruneviz.ui.shared import methods
from pruneviz.ui.shared.question import Question
from pruneviz.ui.shared.running import busy, idle
from pruneviz.ui.shared.shown import Held, Shown
from tests.ui.conftest import QUESTION

OPTIONS = ["transprune.signal", "resprune.alpha", "fopru.strategy", "random.seed"]
AUTO, CHOSEN, STATUS = 9, 10, 16
"""Places in a row: five settings, four options, then these; the results come last."""
SKIPPED = {"__type__": "update"}


@pytest.fixture
def shown(session, examples) -> Shown:
    question = Question(str(examples[0].image), QUESTION)
    return merge(list(ask(session, question))).shown


def request(**values: str):
    return SimpleNamespace(query_params=values)


def loader(shelf, examples, opening=None) -> Loader:
    return Loader(shelf, opening, OPTIONS, examples)


def test_a_finished_opening_needs_no_turn(shelf, session, examples) -> None:
    opening = Opening(session, Question(str(examples[0].image), QUESTION))
    page = loader(shelf, examples, opening)
    assert page.greet(request())[-1] is True, "not run yet"
    (row,) = page.answer(True, request())
    assert 'data-kind="done"' in row[STATUS]
    *row, due = page.greet(request())
    assert due is False
    assert 'data-kind="done"' in row[STATUS]
    (row,) = page.answer(False, request())
    assert all(value == SKIPPED for value in row)


def opened_at(models, examples) -> list:
    """Method, keep ratio and budget that a page is built with."""
    found = {
        getattr(block, "elem_id", None): block for block in build(models, examples).blocks.values()
    }
    return [found[name].value for name in ("pv-method", "pv-keep", "pv-budget")]


def test_the_page_opens_with_what_the_first_example_suggests(session, examples) -> None:
    tipped = [replace(examples[0], tips=(Tip("fopru", 6.25, "It keeps the answer."),))]
    assert opened_at(session, tipped) == ["fopru", 6.25, 6.25]
    assert opened_at(session, examples) == [methods.DEFAULT, 25, 25]


def test_tips_are_for_the_embedded_model_alone(copied, examples) -> None:
    tipped = [replace(examples[0], tips=(Tip("fopru", 6.25, "It keeps the answer."),))]
    other = Shelf((copied, EMBEDDED), placement=Placement(device="cpu"))
    assert opened_at(other, tipped) == [methods.DEFAULT, 25, 25]


def test_a_link_restores_a_model_on_offer(shelf, examples, tiny) -> None:
    page, link = loader(shelf, examples), request(example="first", q=QUESTION, model=tiny)
    row = page.greet(link)
    assert row[1] == QUESTION
    assert row[-1] is True
    found = list(page.answer(True, link))
    assert any(row[CHOSEN] == tiny for row in found)
    assert found[-2][STATUS].count("of 64 patches") == 1
    assert found[0][-2:] == busy()
    assert found[-1][-2:] == idle()


def test_a_link_without_picture_restores_its_model(shelf, examples, tiny) -> None:
    found = list(loader(shelf, examples).answer(True, request(q=QUESTION, model=tiny)))
    assert any(row[CHOSEN] == tiny for row in found)
    assert "without its picture" in found[-2][STATUS]


@pytest.mark.parametrize("name", ["/etc", "no-owner/no-model", "<b>"])
def test_a_link_loads_nothing_that_is_not_on_offer(shelf, examples, name) -> None:
    for any_name in (False, True):
        page = loader(SimpleNamespace(offered=shelf.offered, any_name=any_name), examples)
        row = page.greet(request(example="first", q=QUESTION, model=name))
        assert row[-1] is False, "there is nothing more to come"
        assert "not offered here" in row[STATUS]
        assert "<b>" not in row[STATUS]
        assert row[CHOSEN] == SKIPPED


def test_links_and_commands_name_the_model(shown, examples, tiny, shelf) -> None:
    values = dict(parse_qsl(links.query_of(shown, examples, shelf.offered)))
    assert values["model"] == EMBEDDED
    assert links.read_query(values, examples).model == EMBEDDED
    assert "--model" not in links.command_of(shown, examples)
    other = replace(shown, model=tiny)
    assert f"model={tiny.replace('/', '%2F')}" in links.query_of(other, examples, shelf.offered)
    assert f"--model {tiny}" in links.command_of(other, examples)


def test_a_model_named_by_hand_stays_out_of_links(shown, examples, tiny) -> None:
    other = replace(shown, model=tiny)
    assert "model" not in dict(parse_qsl(links.query_of(other, examples)))
    note = exporting.make_copier("link", examples)(Held(other))[2]
    assert "not the model" in note
    assert "not the model" not in exporting.make_copier("link", examples)(Held(shown))[2]
