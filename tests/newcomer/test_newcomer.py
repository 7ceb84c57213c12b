"""A throw-away method in one file of its own goes through library, command line and page."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
import torch
from gradio_client import Client, handle_file
from PIL import Image, ImageDraw

from pruneviz import Chain, FastV, Pinned, get_method, list_methods, load_model, prune
from pruneviz.cli import main
from pruneviz.engine import Budget, Session, compare_many, sweep
from pruneviz.methods import Formula, Whole, register, unregister
from pruneviz.trace import Trace
from pruneviz.ui import build, launch_settings
from pruneviz.ui.ask.asking import ask
from pruneviz.ui.ask.links import command_of, query_of, read_query
from pruneviz.ui.ask.opening import merge
from pruneviz.ui.shared import methods
from pruneviz.ui.shared.question import Question
from tests.helpers import MODELS, prompt, tiny
from tests.newcomer.throw_away import LargestNorm
from tests.removal import check_removing

NAME = LargestNorm.name


@pytest.fixture(autouse=True)
def _offered() -> Iterator[None]:
    before = list_methods()
    register(LargestNorm)
    yield
    unregister(NAME)
    assert list_methods() == before


@pytest.fixture(scope="module")
def session() -> Session:
    return Session(load_model(device="cpu"))


@pytest.fixture
def picture(tmp_path) -> str:
    image = Image.new("RGB", (240, 240), "beige")
    ImageDraw.Draw(image).ellipse((40, 60, 140, 180), fill="orange")
    image.save(tmp_path / "picture.png")
    return str(tmp_path / "picture.png")


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("positions", ["renumber", "keep"])
def test_it_removes_on_every_family(kind, positions) -> None:
    model, case = tiny(kind), prompt(kind)
    trace = check_removing(model, case, get_method(NAME, keep_tokens=10), positions)
    lengths = case.embeds[case.visual].norm(dim=-1)
    wanted = torch.sort(lengths, descending=True, stable=True).indices[:10].sort().values
    assert trace.kept.tolist() == wanted.tolist()
    with prune(model, get_method(NAME, keep_ratio=1.0), **case.prune_kwargs):
        whole = model(**case.inputs).logits
    assert torch.equal(whole, model(**case.inputs).logits)


def test_it_goes_into_chains_and_under_pins() -> None:
    chain = Chain([get_method(NAME, keep_tokens=20), FastV(keep_tokens=5)])
    assert chain.title == "Throw-away + FastV"
    assert set(chain.terms) == {"length", "attention"}
    assert Pinned(get_method(NAME), keep=[1]).scored_by == "Score = length to the power of 1."


def test_the_command_line_knows_it(picture, tmp_path, capsys) -> None:
    out = tmp_path / "out"
    words = ["ask", picture, "What is this?", "--method", NAME, "--keep-ratio", "0.1"]
    assert main([*words, "--set", "power=2", "--out", str(out)]) == 0
    assert "Throw-away: " in capsys.readouterr().out
    trace = Trace.from_json(out / "trace.json")
    assert (trace.method, len(trace.kept)) == (NAME, 25)
    assert trace.parameters["power"] == 2
    assert {"figure.pdf", "layers.png", "table.csv"} <= {file.name for file in out.iterdir()}
    assert main(["methods"]) == 0
    assert "Throw-away" in capsys.readouterr().out
    assert main(["plan", "--method", NAME, "--keep-tokens", "64"]) == 0
    assert "64 of 576" in capsys.readouterr().out


def test_the_page_shows_it_in_every_tab(session, picture) -> None:
    assert ("Throw-away", NAME) in methods.choices()
    assert "<math" in methods.describe(NAME)
    page = build(session, [])
    labels = json.dumps(page.get_config_file(), default=str)
    assert labels.count("Throw-away") >= 4  # a choice in each tab, and its option
    assert "Throw-away: power" in labels

    asked = Question(picture, "What is this?", NAME, 10, 4, {"power": 2.0})
    screen = merge(list(ask(session, asked)))
    assert screen.view["notes"] == {"length": "length of the patch's vector"}
    assert screen.view["formula"] == "Score = length to the power of 2."
    assert screen.view["previews"]["nested"]
    assert "--set power=2.0" in command_of(screen.shown, [])
    linked = read_query(dict(pair.split("=") for pair in query_of(screen.shown, []).split("&")), [])
    assert (linked.question.method, linked.question.options) == (NAME, {"power": 2.0})

    prepared = session.prepare(picture, "What is this?")
    *_, last = compare_many(session, prepared, [NAME, "uniform"], Budget(0.1))
    assert [len(o.kept) for o in last.result.outcomes] == [25, 25]
    *_, last = sweep(session, prepared, [NAME], [0.5, 0.1])
    assert last.result.curves[0].break_point is not None


def test_the_api_answers_with_it(session, picture) -> None:
    page = build(session, [])
    page.launch(**launch_settings(), prevent_thread_lock=True, quiet=True)
    try:
        client = Client(page.local_url, verbose=False)
        assert NAME in {entry["name"] for entry in client.predict(api_name="/methods")}
        answer = client.predict(handle_file(picture), "What is this?", NAME, 0.1, api_name="/ask")
        assert len(answer["stages"][0]["kept"]) == 25
    finally:
        page.close()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "Throw-away"}, "lower case"),
        ({"name": "fastv"}, "taken by FastV"),
        ({"card": None}, "needs a card"),
        ({"card": replace(LargestNorm.card, options=(Whole("seed", "No field."),))}, "offers seed"),
        ({"score": abstractmethod(lambda *_: None)}, "lacks score"),
    ],
)
def test_what_cannot_be_offered_is_refused(change, message) -> None:
    made = type("Another", (LargestNorm,), {"name": "another"} | change)
    with pytest.raises(ValueError, match=message):
        register(dataclass(frozen=True, kw_only=True)(made))


def test_what_is_no_method_of_its_own_is_refused() -> None:
    with pytest.raises(ValueError, match="does not derive from Method"):
        register(dict)
    with pytest.raises(ValueError, match="decorated by @dataclass"):
        register(type("Another", (LargestNorm,), {"name": "another"}))
    with pytest.raises(ValueError, match="Unknown method 'another'"):
        unregister("another")


def test_a_card_is_complete() -> None:
    with pytest.raises(ValueError, match="needs a summary"):
        replace(LargestNorm.card, summary="")
    with pytest.raises(ValueError, match="formula"):
        replace(LargestNorm.card, formula=Formula((), (), ""))
