"""A family is one place: every table follows from what its adapter declares."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import transformers
from transformers import BertModel

import pruneviz.models
from pruneviz.cost import vision_flops
from pruneviz.models import find_adapter, registry, supported_models
from pruneviz.models.core import loading
from pruneviz.models.core.adapter import Adapter
from pruneviz.models.core.architecture import Architecture
from pruneviz.models.llava import LlavaAdapter
from pruneviz.models.registry import ADAPTERS, LOADABLE
from pruneviz.ui.shared.texts import TYPED_INFO
from tests.tiny import KINDS, VISION_MODELS, tiny

DOCS = Path(__file__).resolve().parents[2] / "docs" / "models.md"
EVERY = [(adapter, entry) for adapter in ADAPTERS for entry in adapter.architectures]
BY_NAME = [
    pytest.param(adapter, adapter.architecture(kind), id=kind) for kind, adapter in LOADABLE.items()
]
NEW = """
from transformers import BertModel
from pruneviz.models.core.architecture import Architecture
from pruneviz.models.llava import LlavaAdapter

class NewAdapter(LlavaAdapter):
    architectures = (Architecture("New", BertModel),)
    example = "new/model"
"""


def test_a_file_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "brand_new.py").write_text(NEW, encoding="utf-8")
    folders = [*pruneviz.models.__path__, str(tmp_path)]
    monkeypatch.setattr(pruneviz.models, "__path__", folders)
    found = list(registry._checked(registry._found()))
    assert {adapter.__name__ for adapter in found} - {a.__name__ for a in ADAPTERS} == {
        "NewAdapter"
    }
    assert len(found) == len(ADAPTERS) + 1, "each once"


def test_a_class_that_another_family_handles_is_refused() -> None:
    declared = {"architectures": LlavaAdapter.architectures, "example": "new/model"}
    again = type("Again", (LlavaAdapter,), declared)
    said = "both claim LlavaForConditionalGeneration .*'llava'"
    with pytest.raises(ValueError, match=f"LlavaAdapter and Again {said}"):
        list(registry._checked([*ADAPTERS, again]))
    with pytest.raises(ValueError, match=f"Again and LlavaAdapter {said}"):
        list(registry._checked([again, *ADAPTERS]))


@pytest.mark.parametrize("left_out", ["architectures", "example"])
def test_what_a_family_must_say_is_not_inherited(left_out: str) -> None:
    said = {"architectures": (Architecture("New", BertModel),), "example": "new/model"}
    del said[left_out]
    with pytest.raises(ValueError, match=f"NewAdapter must declare its own `{left_out}`"):
        list(registry._checked([type("NewAdapter", (LlavaAdapter,), said)]))


def test_no_class_is_taken_twice() -> None:
    classes = [entry.model_class for _, entry in EVERY]
    assert len(set(classes)) == len(classes) > 9
    declared = [bool(adapter.architectures) for adapter in ADAPTERS]
    assert declared == sorted(declared, reverse=True), "guesses by how a model is built come last"


def test_the_tests_have_a_tiny_model_of_every_loadable_class() -> None:
    assert {type(tiny(kind)) for kind in VISION_MODELS} == {
        entry.model_class for adapter in LOADABLE.values() for entry in adapter.architectures
    }
    assert {KINDS[kind].family for kind in VISION_MODELS} == set(LOADABLE.values())


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_is_known_by_its_class(kind: str) -> None:
    model, adapter = tiny(kind), KINDS[kind].family
    assert type(find_adapter(model)) is adapter
    by_class = [a for a in ADAPTERS if a.architectures and a.matches(model)]
    assert by_class == ([adapter] if adapter.architectures else [])
    named = {name.rsplit(".", 1)[-1] for name, _ in model.named_modules()}
    assert set(adapter.exact()) <= named


@pytest.mark.parametrize(("adapter", "entry"), BY_NAME)
def test_page_messages_and_docs_name_it(adapter: type[Adapter], entry: Architecture) -> None:
    assert entry.title in TYPED_INFO
    assert entry.model_class.__name__ in supported_models(by_name=True)
    assert adapter.example in supported_models(by_name=True)
    assert entry.model_class.__name__ in DOCS.read_text(encoding="utf-8")


@pytest.mark.parametrize(("adapter", "entry"), BY_NAME)
def test_its_configuration_tells_the_cost(adapter: type[Adapter], entry: Architecture) -> None:
    config = entry.model_class.config_class()
    assert config.model_type == entry.model_type
    one, two = (adapter().shape(config, 2, 4 * crops, crops) for crops in (1, 2))
    assert 0 < 2 * vision_flops(one) <= vision_flops(two)


@pytest.mark.parametrize("torchvision", [True, False])
@pytest.mark.parametrize("others", [True, False])
@pytest.mark.parametrize(("adapter", "entry"), BY_NAME)
def test_a_processor_that_cannot_be_built_has_a_stand_in(
    adapter: type[Adapter],
    entry: Architecture,
    torchvision: bool,
    others: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def built(name: str) -> Any:
        return staticmethod(lambda _, **settings: name)

    monkeypatch.setattr(loading, "is_torchvision_available", lambda: torchvision)
    monkeypatch.setattr(loading, "find_spec", lambda _: object() if others else None)
    monkeypatch.setattr(transformers.AutoProcessor, "from_pretrained", built("own"))
    if entry.stand_in is not None:
        monkeypatch.setattr(entry.stand_in, "from_pretrained", built("stand-in"))
    whole = torchvision and (others or not entry.needs)
    wanted = "own" if whole or entry.stand_in is None else "stand-in"
    assert loading._processor(entry, "folder") == wanted
    assert entry.needs == (("num2words",) if entry.model_type == "smolvlm" else ())
