from __future__ import annotations

import json

import pytest

from pruneviz.methods import list_methods
from pruneviz.ui.api.endpoints import uploaded_path
from pruneviz.ui.inputs import gallery
from pruneviz.ui.inputs.examples import load_examples
from pruneviz.ui.shared import methods
from pruneviz.ui.shared.answers import answer_card, diff_html, token_diff
from pruneviz.ui.shared.costs import count, flops, seconds, size
from pruneviz.ui.shared.staircase import staircase_svg
from pruneviz.ui.shared.status import status_html


def test_diff_marks_tokens_without_a_partner() -> None:
    left, right = token_diff(["a", "cat", "left"], ["a", "dog", "is", "left"])
    assert left == [False, True, False]
    assert right == [False, True, True, False]
    assert token_diff([], ["x"]) == ([], [True])


def test_diff_and_cards_escape() -> None:
    html = diff_html(["<i>"], ["&"]) + answer_card("<t>", "<d>", "<script>")
    for raw in ("<i>", "<t>", "<d>", "<script>"):
        assert raw not in html


def test_an_error_is_announced() -> None:
    assert 'role="alert"' in status_html("no <b>", "error")
    assert "no &lt;b&gt;" in status_html("no <b>", "error")


@pytest.mark.parametrize(
    ("shown", "value"),
    [
        (count(256), "256"),
        (count(129.7), "129.7"),
        (flops(3.82e12), "3.82 T"),
        (flops(650e6), "650 M"),
        (size(1024), "1 KiB"),
        (size(100), "100 B"),
        (seconds(0.0123), "12.3 ms"),
        (seconds(0), "none"),
        (seconds(2), "2.00 s"),
    ],
)
def test_units(shown, value) -> None:
    assert shown == value


def test_staircase_draws_one_step_per_layer() -> None:
    svg = staircase_svg([8, 8, 8], [8, 4, 2], "A & B")
    assert "A &amp; B" in svg
    path = svg.split('class="pv-cutline" d="M')[1].split('"')[0]
    assert len(path.split(" L")) == 6
    assert staircase_svg([], [], "x")


def test_options_of_other_methods_are_ignored() -> None:
    everything = {
        "transprune.signal": "ttv",
        "resprune.alpha": 2.0,
        "fopru.strategy": "row",
        "random.seed": 3.0,
    }
    assert set(everything) <= set(methods.options())
    own = {name: methods.own_options(name, everything) for name in list_methods()}
    assert {name: values for name, values in own.items() if values} == {
        "transprune": {"signal": "ttv"},
        "resprune": {"alpha": 2.0},
        "fopru": {"strategy": "row"},
        "random": {"seed": 3},
    }
    for name, values in own.items():
        method = methods.make(name, 0.5, 10, values)
        assert method.keep_ratio == 0.5
        assert all(getattr(method, field) == value for field, value in values.items())


def test_options_are_fields_that_take_what_is_offered() -> None:
    for key, (name, option) in methods.options().items():
        assert key == f"{name}.{option.field}"
        default = methods.default_of(name, option)
        assert option.read(str(default)) == default
        assert option.read("nothing of the kind") is None
        assert option.allowed


def test_every_method_is_offered_and_explained() -> None:
    assert [name for _, name in methods.choices()] == list_methods()
    for entry in methods.catalogue():
        assert entry["summary"]
        assert "keep_ratio" in entry["parameters"]
        json.dumps(entry, allow_nan=False)
        assert "<p" in methods.describe(entry["name"])


@pytest.mark.parametrize(
    "data",
    [None, {}, {"image": 9, "question": 0}, {"image": -1, "question": 0}, {"image": "x"}, []],
)
def test_nonsense_from_the_gallery_is_ignored(examples, data) -> None:
    assert gallery.picked(examples, data) is None


def test_a_copy_of_the_same_picture_is_known(examples, tmp_path) -> None:
    first, second = (str(example.image) for example in examples)
    copy = tmp_path / "copy.png"
    copy.write_bytes(examples[0].image.read_bytes())
    assert gallery.same_file(str(copy), first)
    assert not gallery.same_file(str(copy), second)
    assert not gallery.same_file(None, first)
    assert not gallery.same_file(str(tmp_path / "gone.png"), first)


def test_gallery_choice(examples) -> None:
    path, question, tip = gallery.picked(examples, {"image": 0, "question": 1})
    assert tip is examples[0].tip(1)
    assert path.endswith("first.png")
    assert question == examples[0].questions[1]
    assert gallery.gallery_value(examples)[1]["thumb"].startswith("data:image/jpeg")


def test_examples_are_optional(tmp_path) -> None:
    assert load_examples(tmp_path) == []
    (tmp_path / "examples.json").write_text("{broken", encoding="utf-8")
    assert load_examples(tmp_path) == []
    rows = [{"image": "gone.png", "questions": [{"text": "?", "answer": "!"}]}]
    (tmp_path / "examples.json").write_text(json.dumps(rows), encoding="utf-8")
    assert load_examples(tmp_path) == []


@pytest.mark.parametrize("image", ["/etc/hostname", {"path": "/etc/hostname"}, None, 3, {}])
def test_only_uploads_are_read(image) -> None:
    with pytest.raises(ValueError, match="uploaded file"):
        uploaded_path(image)
