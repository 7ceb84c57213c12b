"""A pruned cache after its block: to be read, not to be gone on with."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import torch

from pruneviz import Random, observe, prune
from pruneviz.errors import PruningError
from tests.helpers import LAYERS, prompt, tiny
from tests.pruning.settings import METHODS

KINDS = ("llama", "qwen2", "llava_clip", "qwen2_vl")
WANTED = pytest.raises(PruningError, match="whose block has ended")


def filled(kind: str, name: str = "transprune", positions: str | None = None) -> Any:
    model, case = tiny(kind), prompt(kind)
    with prune(model, METHODS[name], positions=positions, **case.prune_kwargs):
        return model(**case.inputs, use_cache=True).past_key_values


def step(model: Any, cache: Any, new: int = 1) -> Any:
    return model(input_ids=torch.full((1, new), 9), past_key_values=cache)


@pytest.mark.parametrize("positions", ["renumber", "keep"])
@pytest.mark.parametrize("name", ["transprune", "random", "fastv", "chain"])
@pytest.mark.parametrize("kind", KINDS)
def test_going_on_after_the_block_is_refused(kind: str, name: str, positions: str) -> None:
    cache = filled(kind, name, positions)
    lengths = [cache.get_seq_length(layer) for layer in range(LAYERS)]
    for new in (1, 3):
        with WANTED:
            step(tiny(kind), cache, new)
        with WANTED, observe(tiny(kind), **prompt(kind).prune_kwargs):
            step(tiny(kind), cache, new)
    assert [cache.get_seq_length(layer) for layer in range(LAYERS)] == lengths
    assert [layer.keys.shape[-2] for layer in cache.layers] == lengths
    assert min(lengths) < prompt(kind).visual.shape[1]


@pytest.mark.parametrize("settings", [{}, {"num_beams": 2}, {"do_sample": True}])
def test_what_generate_made_is_refused(settings: dict[str, Any]) -> None:
    model, case = tiny("llava_clip"), prompt("llava_clip")
    settings = {"max_new_tokens": 3, "return_dict_in_generate": True, **settings}
    with prune(model, METHODS["transprune"]):
        out = model.generate(**case.inputs, **settings)
    for call in (
        lambda: step(model, out.past_key_values),
        lambda: model.generate(
            input_ids=torch.cat([out.sequences, torch.full((1, 4), 9)], dim=1),
            past_key_values=out.past_key_values,
            max_new_tokens=2,
        ),
    ):
        with WANTED:
            call()


def test_every_cache_of_a_block_is_refused_also_after_an_exception() -> None:
    model, case = tiny("llama"), prompt("llama")
    caches = []
    error = pytest.raises(RuntimeError, match="mine")
    with error, prune(model, METHODS["fastv"], **case.prune_kwargs):
        caches += [model(**case.inputs).past_key_values for _ in range(3)]
        raise RuntimeError("mine")
    for cache in caches:
        with WANTED:
            step(model, cache)


@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_copies_are_refused_too(copied: Any, inside: bool) -> None:
    model, case = tiny("llama"), prompt("llama")
    with prune(model, METHODS["transprune"], **case.prune_kwargs):
        cache = model(**case.inputs).past_key_values
        twin = copied(cache) if inside else cache
        step(model, cache)
    twin = twin if inside else copied(cache)
    held = [layer.keys.clone() for layer in twin.layers]
    for refused in (twin, cache, copied(twin)):
        with WANTED:
            step(model, refused)
    assert all(torch.equal(a, b.keys) for a, b in zip(held, twin.layers, strict=True))


def test_one_that_was_written_to_a_file_is_refused() -> None:
    cache = filled("llama")
    again = pickle.loads(pickle.dumps(cache))  # noqa: S301 - its own
    assert torch.equal(again.layers[-1].values, cache.layers[-1].values)
    with WANTED:
        step(tiny("llama"), again)


def test_lengths_rows_and_cropping_stay_what_they_were() -> None:
    cache = filled("llama")
    before = cache.get_seq_length()
    cache.batch_repeat_interleave(3)
    cache.reorder_cache(torch.tensor([0, 2, 1]))
    cache.batch_select_indices(torch.tensor([0]))
    cache.crop(-2)
    assert cache.get_seq_length() == before - 2
    with WANTED:
        step(tiny("llama"), cache)


def test_an_emptied_one_is_as_good_as_new() -> None:
    model, case = tiny("llama"), prompt("llama")
    wanted = model(**case.inputs).logits
    cache = filled("llama")
    for layer in cache.layers:
        layer.crop(-layer.get_seq_length())
    assert torch.equal(model(**case.inputs, past_key_values=cache).logits, wanted)
    plain = model(**case.inputs).past_key_values
    after = step(model, plain).logits
    assert torch.equal(step(model, cache).logits, after)


def test_an_emptied_one_is_pruned_anew() -> None:
    model, case = tiny("llama"), prompt("llama")
    with prune(model, METHODS["transprune"], **case.prune_kwargs):
        cache = model(**case.inputs).past_key_values
        wanted = step(model, cache).logits
        for layer in cache.layers:
            layer.crop(-layer.get_seq_length())
        model(**case.inputs, past_key_values=cache)
        assert torch.equal(step(model, cache).logits, wanted)
    with WANTED:
        step(model, cache)


def test_nothing_is_refused_where_nothing_was_removed() -> None:
    model, case = tiny("llama"), prompt("llama")
    wanted = step(model, model(**case.inputs).past_key_values).logits
    caches = []
    with observe(model, **case.prune_kwargs):
        caches.append(model(**case.inputs).past_key_values)
    with prune(model, Random(keep_ratio=1.0), **case.prune_kwargs):
        caches.append(model(**case.inputs).past_key_values)
        copy.deepcopy(caches[-1])
    for cache in caches:
        assert torch.equal(step(model, cache).logits, wanted)


def test_a_decode_step_meets_the_layers_of_transformers() -> None:
    """Nothing is put between a layer and its cache while the block runs."""
    model, case = tiny("llama"), prompt("llama")
    with prune(model, METHODS["transprune"], **case.prune_kwargs):
        cache = model(**case.inputs).past_key_values
        plain = type(model(**case.inputs).past_key_values.layers[0])
        cache = model(**case.inputs).past_key_values
        assert {type(layer) for layer in cache.layers} == {plain}
        assert all("update" not in vars(layer) for layer in cache.layers)
        step(model, cache)
    assert plain.__module__.startswith("transformers")
    assert {type(layer).__base__ for layer in cache.layers} == {plain}
