"""What the page says of a model's knowledge agrees with what is claimed of it."""

from types import SimpleNamespace

import gradio

from pruneviz.models.core.knowledge import load_knowledge
from pruneviz.models.core.loading import EMBEDDED
from pruneviz.scenes.forms import alone, is_taught
from pruneviz.shipped import assets_dir
from pruneviz.ui.inputs.column import create
from pruneviz.ui.models.knows import about_model

KNOWN = load_knowledge(assets_dir() / "embedded")


def test_a_kind_that_is_not_claimed_is_told_with_the_share_that_it_fails_by() -> None:
    text = about_model(SimpleNamespace(name=EMBEDDED, knowledge=KNOWN))
    assert "what" not in KNOWN.claims
    assert (
        "less sure: what is this, of a picture with one thing "
        "(100 % in trained wordings, 80 % in others)." in text
    )


def test_the_question_box_shows_a_question_about_any_picture() -> None:
    with gradio.Blocks():
        asked = create([]).question.placeholder
    assert is_taught(asked, KNOWN.words)
    assert not alone(asked, KNOWN.words)
