"""Models by name: which may be had, what they take, which are let go."""

from __future__ import annotations

import gc
import json
import threading
import weakref
from pathlib import Path

import pytest
import torch

from pruneviz.engine import Placement, Session, Shelf
from pruneviz.engine import outlook as outlooks
from pruneviz.errors import InputError, ModelLoadError, UnsupportedModelError
from pruneviz.models.core.loading import EMBEDDED
from pruneviz.models.core.weights import free_memory, local_folder, weight_bytes
from pruneviz.shipped import assets_dir
from tests.folders import TINY_LAYERS, copy_embedded, save_tiny

CPU = Placement(device="cpu")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> str:
    return save_tiny(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def copied(tmp_path_factory) -> str:
    return copy_embedded(tmp_path_factory.mktemp("models") / "copied")


def test_the_first_is_the_default_and_the_embedded_is_always_there(tiny) -> None:
    shelf = Shelf((tiny, tiny), placement=CPU)
    assert shelf.offered == (tiny, EMBEDDED)
    assert shelf.resolve() == shelf.resolve("  ") == shelf.default == tiny
    assert Shelf().offered == (EMBEDDED,)
    assert shelf.session().num_layers == TINY_LAYERS
    assert shelf.session() is shelf.session(tiny)
    assert shelf.session(EMBEDDED).loaded.name == EMBEDDED


@pytest.mark.parametrize("name", ["else/where", "/etc", "..", "a\0b", "x" * 5000, "<b>"])
def test_what_is_not_offered_is_refused(tiny, name) -> None:
    shelf = Shelf((tiny,), placement=CPU)
    for use in (shelf.session, shelf.look, shelf.fetch, shelf.check):
        with pytest.raises(InputError, match=r"is not offered here. Choose one of: .*embedded"):
            use(name)


@pytest.mark.parametrize("name", ["a\0b", "x" * 5000, "a\nb"])
def test_nonsense_is_refused_even_where_any_name_is_allowed(name) -> None:
    with pytest.raises(InputError, match="not offered"):
        Shelf(any_name=True).session(name)


def test_any_name_where_it_is_allowed(tiny, monkeypatch) -> None:
    shelf = Shelf(any_name=True, placement=CPU)
    assert shelf.session(f" {tiny} ").loaded.name == tiny
    monkeypatch.setenv("HOME", str(Path(tiny).parent))
    assert shelf.session("~/tiny") is shelf.session(tiny)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("/nowhere/at/all", "There is no folder '/nowhere/at/all'"),
        ("./gone", "There is no folder"),
        ("no-owner/no-model", "No model found"),
    ],
)
def test_what_cannot_be_fetched_says_why(name, words) -> None:
    with pytest.raises(ModelLoadError, match=words):
        Shelf(any_name=True).fetch(name)


def test_a_model_that_fails_costs_no_other_its_place(tiny, tmp_path) -> None:
    shelf = Shelf((tiny,), any_name=True, placement=CPU)
    first = shelf.session()
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama"}))
    with pytest.raises(UnsupportedModelError, match="LlavaForConditionalGeneration"):
        shelf.session(str(tmp_path))
    assert shelf.holds(tiny)
    assert shelf.session() is first


def test_one_place_beside_the_embedded_model_and_its_memory_is_freed(tiny, copied) -> None:
    shelf = Shelf((tiny, copied), placement=CPU)
    gone = weakref.ref(shelf.session(tiny).loaded.model)
    shelf.session(EMBEDDED)
    shelf.session(copied)
    assert [shelf.holds(name) for name in shelf.offered] == [False, True, True]
    gc.collect()
    assert gone() is None
    assert shelf.session(tiny).num_layers == TINY_LAYERS


def test_the_one_unused_for_longest_goes(tiny, copied, tmp_path) -> None:
    third = copy_embedded(tmp_path / "third")
    shelf = Shelf((tiny, copied, third), places=2, placement=CPU)
    shelf.session(tiny)
    shelf.session(copied)
    shelf.session(tiny)
    shelf.session(third)
    assert [shelf.holds(name) for name in (tiny, copied, third)] == [True, False, True]


def test_many_threads_load_a_model_once(tiny) -> None:
    shelf = Shelf((tiny,), placement=CPU)
    found: list[Session] = []
    threads = [threading.Thread(target=lambda: found.append(shelf.session())) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert len({id(session) for session in found}) == 1


def test_other_models_answer_while_one_is_loaded(tiny, monkeypatch) -> None:
    started, go_on = threading.Event(), threading.Event()

    def slow(loaded) -> Session:
        started.set()
        assert go_on.wait(20)
        return Session(loaded)

    shelf = Shelf((EMBEDDED, tiny), placement=CPU)
    small = shelf.session()
    monkeypatch.setattr(shelf, "_make", slow)
    thread = threading.Thread(target=lambda: shelf.session(tiny))
    thread.start()
    assert started.wait(20)
    assert shelf.session() is small
    assert not shelf.holds(tiny)
    go_on.set()
    thread.join()
    assert shelf.holds(tiny)


def test_the_memory_said_beforehand_is_what_it_takes(tiny) -> None:
    for dtype, size in (("float32", 4), ("bfloat16", 2)):
        shelf = Shelf((tiny,), placement=Placement("cpu", dtype))
        before = shelf.look(tiny)
        assert (before.loaded, before.here) == (False, True)
        assert before.dtype == dtype
        model = shelf.session().loaded.model
        assert before.weights == size * sum(p.numel() for p in model.parameters())
        assert shelf.look(tiny).loaded
    assert weight_bytes(tiny) == weight_bytes(tiny, torch.float16)


def test_weights_in_several_files(tiny, tmp_path) -> None:
    shelf = Shelf((tiny,), placement=CPU)
    shelf.session().loaded.model.save_pretrained(tmp_path, max_shard_size="100KB")
    assert (tmp_path / "model.safetensors.index.json").is_file()
    assert weight_bytes(str(tmp_path), torch.float32) == shelf.look(tiny).weights
    next(tmp_path.glob("*.safetensors")).unlink()
    assert weight_bytes(str(tmp_path)) is None


@pytest.mark.parametrize("text", ["{broken", "[]", '{"weight_map": 3}', "{}"])
def test_weights_that_cannot_be_read_are_not_known(tmp_path, text) -> None:
    assert weight_bytes(str(tmp_path)) is None
    (tmp_path / "model.safetensors.index.json").write_text(text)
    assert weight_bytes(str(tmp_path)) is None
    assert weight_bytes("no-owner/no-model") is None


def test_where_models_lie() -> None:
    assert local_folder(EMBEDDED) == assets_dir() / "embedded"
    assert local_folder("no-owner/no-model") is None
    assert local_folder("not a name!") is None


def test_a_model_larger_than_the_memory_is_refused_before_loading(tiny, monkeypatch) -> None:
    shelf = Shelf((EMBEDDED, tiny), placement=CPU)
    shelf.session()
    monkeypatch.setattr(outlooks, "free_memory", lambda _: 1000)
    with pytest.raises(ModelLoadError, match=r"does not fit into the memory of cpu.*--dtype"):
        shelf.session(tiny)
    assert shelf.session().loaded.name == EMBEDDED
    monkeypatch.setattr(outlooks, "free_memory", lambda _: None)
    assert shelf.session(tiny)


def test_what_goes_counts_as_free(tiny, copied, monkeypatch) -> None:
    shelf = Shelf((copied, tiny), placement=CPU)
    shelf.session()
    monkeypatch.setattr(outlooks, "free_memory", lambda _: 0)
    assert shelf.session(tiny), "the larger one makes room"
    with pytest.raises(ModelLoadError, match="does not fit"):
        shelf.session(copied)
    assert shelf.holds(tiny)


def test_free_memory_is_a_number_or_unknown(monkeypatch) -> None:
    found = free_memory(torch.device("cpu"))
    assert found is None or found > 0
    monkeypatch.setattr(Path, "read_text", lambda *_a, **_k: "nothing")
    assert free_memory(torch.device("cpu")) is None


def test_an_absent_device_is_a_message(tiny) -> None:
    with pytest.raises(ModelLoadError, match="Device cuda:99 cannot be used"):
        Shelf((tiny,), placement=Placement("cuda:99")).session()


def test_the_embedded_model_is_never_quantised(tiny) -> None:
    shelf = Shelf((tiny,), placement=Placement("cpu", quantisation="4bit"))
    assert shelf.quantises(tiny)
    assert not shelf.quantises(EMBEDDED)
    assert shelf.session(EMBEDDED)
    with pytest.raises(ModelLoadError, match=r"pip install|CUDA"):
        shelf.session(tiny)


def test_a_shelf_of_sessions(tiny) -> None:
    session = Shelf((tiny,), placement=CPU).session()
    shelf = Shelf.of(session)
    assert shelf.session() is session
    assert shelf.offered == (tiny, EMBEDDED)


def test_on_two_shelves_a_model_still_does_one_thing_at_a_time(tiny) -> None:
    session, other = (Shelf((name,), placement=CPU).session() for name in (tiny, EMBEDDED))
    page = Shelf.of(session)
    turns = session.turns
    second = Shelf.of(session, other)
    assert page.turns is second.turns is session.turns is other.turns is turns


def test_no_memory_while_loading_is_a_message(tiny, monkeypatch) -> None:
    from transformers import LlavaForConditionalGeneration

    def full(*_args, **_kwargs):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 9 bytes")

    monkeypatch.setattr(LlavaForConditionalGeneration, "from_pretrained", full)
    with pytest.raises(ModelLoadError, match="--quantisation"):
        Shelf((tiny,), placement=CPU).session()
