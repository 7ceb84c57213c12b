"""Export handlers as plain functions: files, link, command, what is remembered."""

from __future__ import annotations

import csv
import shlex
import shutil
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qsl

import gradio as gr
import pytest
from PIL import Image

from pruneviz import export
from pruneviz.cli import build_parser
from pruneviz.scratch import Scratch
from pruneviz.trace import Trace
from pruneviz.ui.ask import exporting, links
from pruneviz.ui.ask.asking import ask
from pruneviz.ui.ask.opening import merge
from pruneviz.ui.shared.downloads import kept
from pruneviz.ui.shared.pins import Pins
from pruneviz.ui.shared.question import Question
from pruneviz.ui.shared.shown import SIDE, Held, Shown, release
from tests.ui.conftest import QUESTION, draw

PINS = Pins((3, 4, 5, 200), (17,), 2)


@pytest.fixture(scope="module")
def shown(session, examples) -> Shown:
    asked = Question(str(examples[1].image), QUESTION, "fopru", 20, 5, {"strategy": "rank"}, PINS)
    return merge(list(ask(session, asked))).shown


@pytest.fixture
def cache(tmp_path):
    def copy(path: str) -> str:
        return shutil.copy(path, tmp_path)

    return copy


@pytest.mark.parametrize("name", exporting.FILES)
def test_every_file_is_what_its_name_says(shown, cache, name) -> None:
    held = Held(shown)
    path, note = exporting.make_writer(name, cache)(held)
    assert Path(path).name == f"pruneviz-fopru-20-pins-{name}"
    assert "Saved as" in note
    data = Path(path).read_bytes()
    if name.endswith("pdf"):
        assert data.startswith(b"%PDF")
    elif name.endswith("png"):
        with Image.open(path) as image:
            assert image.width > 1000
    elif name.endswith("csv"):
        rows = list(csv.DictReader(data.decode().splitlines()))
        left = next(row for row in rows if row["quantity"] == "after the last stage")
        assert (left["baseline"], left["pruned"]) == ("256", "53")
        assert float(left["pruned_over_baseline"]) == pytest.approx(53 / 256, rel=1e-5)
        assert {"fidelity", "cost", "answer"} <= {row["group"] for row in rows}
    else:
        trace = Trace.from_json(path)
        assert trace.kept.tolist() == shown.done.pruned.trace.kept.tolist()
        assert trace.parameters["keep"] == [3, 4, 5, 200]
    release(held)
    assert not Path(path).exists(), "gone with the visitor"


def test_half_a_file_that_a_full_disk_left_is_not_served(shown, tmp_path) -> None:
    def cache(path: str) -> str:
        """As Gradio does: what is there is not copied again."""
        kept = tmp_path / Path(path).name
        if not kept.exists():
            shutil.copy(path, kept)
        return str(kept)

    path, _ = exporting.make_writer("trace.json", cache)(Held(shown))
    whole = Path(path).read_bytes()
    Path(path).write_bytes(whole[:100])
    exporting.make_writer("trace.json", cache)(Held(shown))
    assert Path(path).read_bytes() == whole


@pytest.mark.parametrize("name", ["figure.pdf", "table.csv"])
def test_nothing_asked_is_a_message(cache, name) -> None:
    path, note = exporting.make_writer(name, cache)(None)
    assert path is None
    assert 'data-kind="error"' in note
    assert "Ask first" in exporting.make_copier("link", [])(None)[2]
    release(None)


def test_the_caption_says_what_newlines_were(shown) -> None:
    assert "newlines" not in export.caption(shown.done, "a model")
    trace = replace(shown.done.pruned.trace, newlines="text")
    done = replace(shown.done, pruned=replace(shown.done.pruned, trace=trace))
    assert "newlines as text." in export.caption(done, "a model")


def test_the_caption_counts_the_pins(shown) -> None:
    words = export.caption(shown.done, "a model")
    assert "Disc with a tick: kept by hand (4). Square with a cross: dropped by hand (1)." in words


def test_a_stopped_run_has_no_layer_maps_and_says_so(shown, cache) -> None:
    bare = replace(shown.done.baseline, trace=replace(shown.done.baseline.trace, signals={}))
    held = Held(replace(shown, done=replace(shown.done, baseline=bare, fidelity=None)))
    path, note = exporting.make_writer("layers.pdf", cache)(held)
    assert path is None
    assert "recorded in both runs" in note
    assert exporting.make_writer("table.csv", cache)(held)[0]


def test_the_link_restores_what_was_asked(shown, examples) -> None:
    values = dict(parse_qsl(links.query_of(shown, examples)))
    assert values["example"] == "second"
    assert "seed" not in values, "another method's option"
    linked = links.read_query(values, examples)
    question = linked.question
    assert (question.image, question.text) == (str(examples[1].image), QUESTION)
    assert (question.method, question.keep_percent, question.max_new_tokens) == ("fopru", 20, 5)
    assert question.options == {"strategy": "rank"}
    assert question.pins == PINS


def test_a_link_does_not_carry_ones_own_picture(shown) -> None:
    values = dict(parse_qsl(links.query_of(shown, [])))
    assert not {"example", "pin_keep"} & set(values)
    assert links.read_query(values, []).question.image is None
    note = exporting.make_copier("link", [])(Held(shown))[2]
    assert "without your picture" in note


@pytest.mark.parametrize(
    "values",
    [
        {"q": "x", "method": "<script>", "keep": "nan", "length": "-5", "alpha": "big"},
        {"q": "x", "keep": "1e9", "signal": "all", "seed": "1.5", "pin_keep": "a"},
        {"example": "nothing", "pin_keep": "0-999999"},
    ],
)
def test_nonsense_in_a_link_becomes_the_default(values, examples) -> None:
    question = links.read_query(values, examples).question
    assert (question.method, question.keep_percent) == ("transprune", 25)
    assert (question.max_new_tokens, question.options) == (48, {})
    assert question.pins == Pins()


def test_other_queries_are_no_links(examples) -> None:
    assert links.read_query({"__theme": "dark"}, examples) is None


def test_the_command_is_understood_by_the_command_line(shown, examples) -> None:
    words = shlex.split(links.command_of(shown, examples))
    assert words[:3] == ["python", "-m", "pruneviz"]
    args = build_parser().parse_args(words[3:])
    assert (args.question, args.method, args.keep_ratio) == (QUESTION, "fopru", 0.2)
    assert (args.set, args.max_new_tokens) == (["strategy=rank"], 5)
    assert (args.pin_keep, args.pin_drop, args.pin_extra) == ("3-5,200", "17", 2)
    assert Path(args.image).name == "second.png"


@pytest.mark.parametrize("asked", ["--what is it?", "-x", "--help"])
def test_a_question_that_looks_like_an_option_is_none(shown, examples, asked) -> None:
    done = replace(shown.done, question=asked)
    words = shlex.split(links.command_of(replace(shown, done=done), examples))
    args = build_parser().parse_args(words[3:])
    assert (args.question, args.method, str(args.out)) == (asked, "fopru", "results")
    assert Path(args.image).name == "second.png"


def test_the_command_says_how_tokens_were_counted(shown, examples) -> None:
    assert not {"--positions", "--newlines"} & set(links.command_of(shown, examples).split())
    trace = replace(shown.done.pruned.trace, positions="keep", newlines="text")
    done = replace(shown.done, pruned=replace(shown.done.pruned, trace=trace))
    words = shlex.split(links.command_of(replace(shown, done=done), examples))
    args = build_parser().parse_args(words[3:])
    assert (args.positions, args.newlines) == ("keep", "text")


def test_the_command_quotes_everything(session, tmp_path) -> None:
    path = tmp_path / "a 'b'; $(x).png"
    draw((64, 64)).save(path)
    asked = Question(str(path), "it's `this`; $HOME?", "random", 50, 3, {"seed": 7})
    done = merge(list(ask(session, asked))).shown
    words = shlex.split(links.command_of(done, []))
    assert path.name in words
    assert "it's `this`; $HOME?" in words


def test_the_remembered_picture_is_bounded(session, tmp_path) -> None:
    draw((3000, 1500)).save(tmp_path / "large.png")
    asked = Question(str(tmp_path / "large.png"), QUESTION, "random", 50, 2)
    done = merge(list(ask(session, asked))).shown
    assert done.image.size == done.grid.image_size == (SIDE, SIDE // 2)


@pytest.mark.parametrize("size", [(1, 1), (4000, 30), (30, 900)])
def test_odd_pictures_are_exported(session, tmp_path, cache, size) -> None:
    draw((320, 240)).resize(size).save(tmp_path / "odd.png")
    asked = Question(str(tmp_path / "odd.png"), QUESTION, "uniform", 10, 2)
    held = Held(merge(list(ask(session, asked))).shown)
    for name in ("figure.pdf", "layers.png"):
        path, note = exporting.make_writer(name, cache)(held)
        assert path, note


def test_a_file_is_still_there_when_a_server_is_asked_for_it(shown, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    with Scratch.opened(10**6):
        cache = kept(gr.DownloadButton(render=False).move_resource_to_block_cache)
        served = Held(shown).write("a.txt", lambda path: path.write_text("whole") and None, cache)
        assert Path(served).read_text() == "whole"
