"""The model's box: what its handlers say and set, without a browser."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from transformers import LlamaConfig

from pruneviz.engine import Placement, Shelf
from pruneviz.models.core.loading import EMBEDDED
from pruneviz.ui.ask.asking import Screen, ask, said
from pruneviz.ui.ask.opening import merge
from pruneviz.ui.models import knows, picker, picking
from pruneviz.ui.shared.failures import on_model
from pruneviz.ui.shared.question import Question
from pruneviz.ui.shared.shown import Held
from tests.ui.conftest import QUESTION

ERROR, BUSY = 'data-kind="error"', 'data-kind="busy"'
NAMES = [*picker.Picker.OUTPUTS, "auto", "ask", "compare", "sweep", "howmuch"]


@pytest.fixture
def open_shelf() -> Shelf:
    return Shelf(any_name=True, placement=Placement(device="cpu"))


def rows(handler, *values) -> tuple[list, dict]:
    """All updates of the picker's second step, and the last ones that are not skipped."""
    found = list(handler(*values))
    last = {}
    for row in found:
        for name, value in zip(["ahead", "status", "fetched", "use", *NAMES], row, strict=True):
            if not (isinstance(value, dict) and value == {"__type__": "update"}):
                last[name] = value
    return found, last


def fetched(shelf, chosen, choice, typed="") -> tuple[str, str]:
    """The status and the name that the first step ends with; without a name the button is free."""
    status, name, free = "", "", True
    for row in picker.make_fetch(shelf)(chosen, choice, typed):
        status = row[0] if isinstance(row[0], str) else status
        name = row[1] if isinstance(row[1], str) else name
        free = row[2].get("interactive", free)
    assert free is not bool(name)
    return status, name


def test_another_model_is_fetched_and_loaded_in_words(shelf, tiny) -> None:
    status, name = fetched(shelf, EMBEDDED, tiny)
    assert BUSY in status
    assert name == tiny
    found, last = rows(picker.make_load(shelf), name, "", None)
    assert "Loading tiny" in found[0][1]
    assert last["chosen"] == tiny
    assert last["box"]["label"].startswith("tiny\n")
    assert "4 decoder layers, float32 on cpu" in last["box"]["label"]
    assert last["choice"]["value"] == tiny
    assert last["auto"] is True
    assert last["use"]["interactive"]
    assert "no warnings" in last["about"]
    for tab in ("ask", "compare", "sweep", "howmuch"):
        assert "tiny answers from now on" in last[tab]


def test_the_result_before_is_marked_as_another_models(shelf, session, copied, picture) -> None:
    held = Held(merge(list(ask(session, Question(str(picture), QUESTION)))).shown)
    _, last = rows(picker.make_load(shelf), copied, "", held)
    assert 'data-kind="earlier"' in last["ask"]
    assert "result of “Built-in model”" in last["ask"]
    _, last = rows(picker.make_load(shelf), EMBEDDED, "", held)
    assert "earlier" not in last["ask"], "it gave the result itself"


@pytest.mark.parametrize(
    ("name", "words"),
    [("/nowhere", "no folder"), ("no-owner/no-model", "No model found"), ("", "Type a hub id")],
)
def test_what_cannot_be_had_leaves_the_model_as_it_is(open_shelf, name, words) -> None:
    status, ready = fetched(open_shelf, EMBEDDED, "", name)
    assert ERROR in status
    assert words in status
    assert ready == ""
    found, last = rows(picker.make_load(open_shelf), ready, "", None)
    assert len(found) == 1
    assert last == {}, "a late second step must not free the button while the next one is fetched"


def test_an_unsupported_model_lists_the_supported_ones(open_shelf, tmp_path) -> None:
    LlamaConfig().save_pretrained(tmp_path)
    status, ready = fetched(open_shelf, EMBEDDED, "", str(tmp_path))
    assert "LlavaForConditionalGeneration" in status
    assert ready == ""


def test_a_failed_load_says_so_and_sets_nothing(open_shelf, tiny, tmp_path) -> None:
    (tmp_path / "config.json").write_bytes((Path(tiny) / "config.json").read_bytes())
    _, ready = fetched(open_shelf, EMBEDDED, "", str(tmp_path))
    assert ready == str(tmp_path)
    _, last = rows(picker.make_load(open_shelf), ready, "", None)
    assert "There are no weights" in last["status"]
    assert "chosen" not in last
    assert last["fetched"] == ""


def test_names_sent_by_hand_are_refused_where_typing_is_off(shelf, picture) -> None:
    status, ready = fetched(shelf, EMBEDDED, None, "/etc")
    assert "not offered here" in status
    assert ready == ""
    _, last = rows(picker.make_load(shelf), "/etc", "", None)
    assert "not offered here" in last["status"]
    assert "chosen" not in last
    question = Question(str(picture), QUESTION)
    end = merge(list(on_model(shelf, "/etc", lambda session: ask(session, question), said)))
    assert "not offered here" in end.status


def test_the_same_model_is_not_loaded_again(shelf) -> None:
    assert fetched(shelf, EMBEDDED, EMBEDDED)[1] == ""
    assert "in use" in fetched(shelf, EMBEDDED, EMBEDDED)[0]


def test_a_model_let_go_is_loaded_again_and_says_so(copied, tiny, picture) -> None:
    shelf = Shelf((copied, tiny), placement=Placement(device="cpu"))
    shelf.session(copied)
    shelf.session(tiny)
    question = Question(str(picture), QUESTION)
    screens = list(on_model(shelf, copied, lambda session: ask(session, question), said))
    assert "Loading copied" in screens[0].status
    assert 'data-kind="done"' in screens[-1].status


def test_a_preview_says_what_a_model_takes(open_shelf, tiny) -> None:
    look = picker.make_look(open_shelf)
    shown, line = look(EMBEDDED, "", tiny)
    assert shown["visible"]
    assert "It takes" in line
    assert "in float32" in line
    assert "not known before" in look(EMBEDDED, "", "no-owner/no-model")[1]
    assert "no folder" in look(EMBEDDED, "", "/nowhere/at")[1]
    assert 'role="status"' in look(EMBEDDED, "", "/nowhere/at")[1], "no alarm while typing"
    assert "Type a hub id" in look(EMBEDDED, "", None)[1]
    shown, line = look(EMBEDDED, EMBEDDED, None)
    assert not shown["visible"]
    assert line == ""
    open_shelf.session(tiny)
    assert "In memory" in look(EMBEDDED, "", tiny)[1]


def test_a_preview_of_quantised_weights(tiny) -> None:
    placed = Placement("cpu", "float16", "4bit")
    assert "less than" in picking.preview(Shelf((tiny,), placement=placed), tiny)


def test_what_was_typed_never_becomes_markup(open_shelf) -> None:
    for text in ("<img src=x>", "/<b>"):
        line = picking.preview(open_shelf, text) + fetched(open_shelf, EMBEDDED, "", text)[0]
        assert "<img" not in line
        assert "<b>" not in line


def test_choices(shelf, tiny, copied, open_shelf) -> None:
    assert picking.choices(shelf) == [
        ("Built-in model", EMBEDDED),
        ("copied", copied),
        ("tiny", tiny),
    ]
    assert picking.choices(open_shelf, tiny)[1:] == [("tiny", tiny), ("Another …", "")]
    twins = picking.choices(shelf, copied + "/")
    assert [name for name, _ in twins].count("copied") == 0, "two of one title show their names"


def test_models_named_by_hand_stay_on_offer(shelf, tiny) -> None:
    assert picking.remembered(shelf, "", EMBEDDED) == []
    assert picking.remembered(shelf, "a/b\nc", EMBEDDED) == ["a/b", "c"]
    assert picking.remembered(shelf, "a/b\nc", "a/b") == ["a/b", "c"]
    assert picking.remembered(shelf, "a/b", tiny) == ["a/b"]
    assert len(picking.remembered(shelf, "\n".join("abcdefgh"), EMBEDDED)) == picking.REMEMBERED


def test_what_is_said_about_a_model(shelf, copied, tiny) -> None:
    about = {name: picking.about_html(shelf, shelf.session(name)) for name in shelf.offered}
    assert "another model below" in about[EMBEDDED]
    assert "Of new scenes it answers" in about[copied]
    assert "no warnings" in about[tiny]
    alone, typed = Shelf(), Shelf(any_name=True)
    session = shelf.session(EMBEDDED)
    assert "start the app with --model" in picking.about_html(alone, session)
    assert "llava-hf/llava-1.5-7b-hf" in picking.about_html(typed, session)


def test_titles(tiny) -> None:
    assert knows.title(EMBEDDED) == "Built-in model"
    assert knows.title(f"{tiny}/") == "tiny"
    assert knows.title("owner/name") == "owner/name"


def test_large_models_do_not_run_again_by_themselves(shelf, session, monkeypatch) -> None:
    large = SimpleNamespace(num_parameters=lambda: 7_000_000_000)
    monkeypatch.setattr(picker, "is_small", lambda _: large.num_parameters() < 500_000_000)
    assert picker.values(shelf, session, "", None)[len(picker.Picker.OUTPUTS)] is False


def test_screens_of_a_model_of_another_grid(shelf, tiny, picture) -> None:
    question = Question(str(picture), QUESTION, keep_percent=50)
    end = merge(list(on_model(shelf, tiny, lambda session: ask(session, question), said)))
    assert isinstance(end, Screen)
    assert "kept 32 of 64" in end.status
    assert end.shown.model == tiny
    json.dumps(end.view, allow_nan=False)
