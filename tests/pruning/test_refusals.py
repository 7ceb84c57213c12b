"""What cannot be pruned correctly is refused with advice, and the model is left clean."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from typing import Any

import pytest
import torch
from transformers import DynamicCache, StaticCache

from pruneviz import FastV, Random, TransPrune, observe, prune
from pruneviz.errors import PruningError, UnsupportedModelError
from tests.helpers import MODELS, Prompt, hook_count, own_hooks, prompt, stack_of, tiny
from tests.matrix import each
from tests.pruning.settings import METHODS, fits
from tests.removal import baseline

Action = Callable[[Any, Prompt], Any]


def _generate(model: Any, case: Prompt, **settings: Any) -> Any:
    return model.generate(**case.inputs, max_new_tokens=6, do_sample=False, **settings)


def _no_cache(model: Any, case: Prompt) -> Any:
    # Fed inputs_embeds, generate turns its cache on by itself.
    ids = torch.randint(8, 90, case.visual.shape)
    return model.generate(input_ids=ids, max_new_tokens=3, do_sample=False, use_cache=False)


def _second_turn(model: Any, case: Prompt) -> Any:
    cache = model(**case.inputs).past_key_values
    return model(input_ids=torch.tensor([[9, 10, 11]]), past_key_values=cache)


def _second_turn_by_generate(model: Any, case: Prompt) -> Any:
    out = _generate(model, case, return_dict_in_generate=True)
    length = case.visual.shape[1] + 6 + 3
    ids = torch.full((1, length), 9)
    return model.generate(
        input_ids=ids, past_key_values=out.past_key_values, max_new_tokens=2, do_sample=False
    )


def _foreign_cache(model: Any, case: Prompt, new: int = 1) -> Any:
    cache = DynamicCache(config=model.config)
    cache.update(torch.zeros(1, 4, 3, 8), torch.zeros(1, 4, 3, 8), 0)
    return model(input_ids=torch.full((1, new), 9), past_key_values=cache)


def _older_cache(model: Any, case: Prompt) -> Any:
    cache = model(**case.inputs).past_key_values
    model(**case.inputs)
    return model(input_ids=torch.tensor([[9]]), past_key_values=cache)


def _static(model: Any, case: Prompt) -> Any:
    # Old versions of transformers keep the refused, empty cache and trip over it later.
    model.__dict__.pop("_cache", None)
    return _generate(model, case, cache_implementation="static")


def _static_object(model: Any, case: Prompt) -> Any:
    cache = StaticCache(config=model.config, max_cache_len=80)
    return model(**case.inputs, past_key_values=cache)


def _labels(model: Any, case: Prompt) -> Any:
    return model(**case.inputs, labels=torch.full(case.visual.shape, 9))


def _mask_4d(model: Any, case: Prompt) -> Any:
    return model(**case.inputs, attention_mask=torch.zeros(1, 1, 46, 46))


def _nested(model: Any, case: Prompt) -> Any:
    with prune(model, FastV(), visual_mask=case.visual):
        return model(**case.inputs)


def _nested_observe(model: Any, case: Prompt) -> Any:
    with observe(model, visual_mask=case.visual):
        return model(**case.inputs)


def _nested_inner_stack(model: Any, case: Prompt) -> Any:
    with prune(model.model, FastV(), visual_mask=case.visual):
        return model(**case.inputs)


def _trace_without_run(model: Any, case: Prompt) -> Any:
    with observe(tiny("qwen2"), visual_mask=case.visual) as run:
        pass
    return run.trace


def _wrong_mask(model: Any, case: Prompt) -> Any:
    return model(inputs_embeds=case.embeds[:, :-1])


REFUSED: dict[str, tuple[Action, str]] = {
    "static": (_static, "DynamicCache"),
    "static object": (_static_object, "DynamicCache"),
    "no cache": (_no_cache, "use_cache"),
    "chunks": (lambda m, c: _generate(m, c, prefill_chunk_size=8), "prefill_chunk_size"),
    "second turn": (_second_turn, "one prompt"),
    "second turn by generate": (_second_turn_by_generate, "one prompt"),
    "cache from outside": (_foreign_cache, "empty cache"),
    "long cache from outside": (lambda m, c: _foreign_cache(m, c, 4), "empty cache"),
    "cache of an earlier prefill": (_older_cache, "empty cache"),
    "labels": (_labels, "labels"),
    "4-D mask": (_mask_4d, "2-D attention mask"),
    "nested": (_nested, "Chain"),
    "nested observe": (_nested_observe, "already being pruned"),
    "nested on the stack": (_nested_inner_stack, "Chain"),
    "no trace": (_trace_without_run, "has not run"),
    "mask of another length": (_wrong_mask, "visual mask"),
}


@pytest.mark.parametrize("kind", ["llama"])
@pytest.mark.parametrize("method", ["transprune", "chain", "fastv"])
@pytest.mark.parametrize("what", REFUSED)
def test_refused_with_advice_and_model_left_clean(what: str, method: str, kind: str) -> None:
    model, case = tiny(kind), prompt(kind)
    wanted = model(**case.inputs).logits
    before = hook_count(model)
    action, advice = REFUSED[what]
    with pytest.raises(PruningError, match=advice), prune(model, METHODS[method], case.visual):
        action(model, case)
    assert hook_count(model) == before
    assert not own_hooks(model)
    assert torch.equal(model(**case.inputs).logits, wanted)
    with prune(model, METHODS[method], case.visual) as run:  # and can be pruned again
        model(**case.inputs)
    assert len(run.trace.kept) < 36


def test_observing_refuses_no_cache() -> None:
    """Nothing is removed, so that one length for all layers is right."""
    model, case = tiny("llama"), prompt("llama")
    wanted = model(**case.inputs).logits
    with observe(model, case.visual) as run:
        logits = _static_object(model, case).logits
    assert torch.allclose(logits, wanted, atol=1e-5)
    assert run.trace.tokens_per_layer == (36,) * 6


def _repetitive(kind: str) -> Prompt:
    """A prompt whose end repeats itself, so that prompt lookup finds candidates."""
    case = prompt(kind, after=10)
    ids = case.inputs["input_ids"].clone()
    ids[0, -10:] = torch.tensor([20, 21, 22, 23, 24, 20, 21, 22, 23, 20])
    return Prompt(case.inputs | {"input_ids": ids}, case.visual, case.embeds)


@pytest.mark.parametrize("method", ["transprune", "random", "fastv"])
def test_assisted_decoding_is_refused(method: str) -> None:
    """Candidates would enter the prefill and be taken for the question."""
    model, case = tiny("llava_clip"), _repetitive("llava_clip")
    with pytest.raises(PruningError, match="Assisted"), prune(model, METHODS[method]):
        _generate(model, case, prompt_lookup_num_tokens=3, eos_token_id=95)
    with pytest.raises(PruningError, match="Assisted"), prune(model, METHODS[method]):
        model.generate(
            **case.inputs,
            max_new_tokens=2,
            do_sample=False,
            prompt_lookup_num_tokens=3,
            eos_token_id=95,
        )
    assert not own_hooks(model)


@pytest.mark.parametrize("method", ["transprune", "random", "fastv"])
def test_an_assistant_model_is_refused(method: str) -> None:
    model, case = tiny("llama"), prompt("llama")
    ids = torch.randint(8, 90, case.visual.shape)
    settings = {"max_new_tokens": 6, "do_sample": False, "eos_token_id": 95}
    with (
        pytest.raises(PruningError, match="Assisted"),
        prune(model, METHODS[method], visual_mask=case.visual),
    ):
        model.generate(input_ids=ids, assistant_model=tiny("llama_gqa"), **settings)
    assert not own_hooks(model)


def test_embeddings_without_a_visual_mask() -> None:
    model, case = tiny("llama"), prompt("llama")
    with pytest.raises(PruningError, match="visual_mask"), prune(model, Random(keep_tokens=4)):
        model(**case.inputs)
    assert not own_hooks(model)


def test_prompt_that_ends_in_a_dropped_visual_token() -> None:
    model, case = tiny("llama"), prompt("llama", after=0)
    method = TransPrune(prune_layers=(2,), keep_ratios=(0.1,), signal="ttv")
    with (
        pytest.raises(PruningError, match="text after the image"),
        prune(model, method, case.visual),
    ):
        model(**case.inputs)


@pytest.mark.parametrize("wrong", ["transprune", TransPrune, None, 0.5])
def test_method_must_be_a_method(wrong: Any) -> None:
    with pytest.raises(TypeError, match="get_method"), prune(tiny("llama"), wrong):
        pass


def test_unknown_positions_and_signals() -> None:
    model = tiny("llama")
    with (
        pytest.raises(ValueError, match="renumber, keep"),
        prune(model, Random(), positions="compact"),
    ):
        pass
    with (
        pytest.raises(ValueError, match="ttv, iga, residual"),
        prune(model, Random(), record=["norm"]),
    ):
        pass
    assert not own_hooks(model)


def test_hooks_are_gone_after_an_exception_inside_the_block() -> None:
    model, case = tiny("llava_clip"), prompt("llava_clip")
    wanted = model(**case.inputs).logits
    before = hook_count(model)
    for error in (RuntimeError("mine"), KeyboardInterrupt()):
        with pytest.raises(type(error)), prune(model, METHODS["transprune"]):  # noqa: PT012
            model(**case.inputs)
            assert own_hooks(model)
            raise error
        assert hook_count(model) == before
        assert torch.equal(model(**case.inputs).logits, wanted)


@each(fits, kind=MODELS, name=METHODS)
def test_hooks_are_gone_after_an_exception_inside_the_model(kind: str, name: str) -> None:
    """Whatever the method had hooked, and in the middle of a prefill."""
    model, case = tiny(kind), prompt(kind)
    wanted, _ = baseline(kind, "sdpa")
    before = hook_count(model)

    def broken(*_: Any) -> None:
        raise RuntimeError("mine")

    handle = stack_of(model).layers[-1].register_forward_hook(broken)
    try:
        with (
            pytest.raises(RuntimeError, match="mine"),
            prune(model, METHODS[name], **case.prune_kwargs),
        ):
            model(**case.inputs)
    finally:
        handle.remove()
    assert not own_hooks(model)
    assert hook_count(model) == before
    assert torch.equal(model(**case.inputs).logits, wanted)


def test_a_forward_that_failed_leaves_nothing_for_the_next() -> None:
    model, case, method = tiny("llama"), prompt("llama"), METHODS["transprune"]

    def broken(*_: Any) -> None:
        raise RuntimeError("mine")

    with prune(model, method, case.visual) as run:
        wanted, alone = model(**case.inputs).logits, run.trace
        handle = stack_of(model).layers[3].register_forward_pre_hook(broken)
        with pytest.raises(RuntimeError, match="mine"):
            model(**case.inputs)
        handle.remove()
        assert torch.equal(model(**case.inputs).logits, wanted)
        assert [s.kept.tolist() for s in run.trace.stages] == [
            s.kept.tolist() for s in alone.stages
        ]


@pytest.mark.parametrize("name", [name for name, m in METHODS.items() if m.needs.encoder])
def test_methods_that_ask_an_encoder_need_one_that_ran(name: str) -> None:
    model, case = tiny("llama"), prompt("llama")
    with (
        pytest.raises(UnsupportedModelError, match="has no vision encoder here"),
        prune(model, METHODS[name], case.visual),
    ):
        model(**case.inputs)
    assert not own_hooks(model)
    model, case = tiny("llava_clip"), prompt("llava_clip")
    with (
        pytest.raises(PruningError, match="did not run inside this prune"),
        prune(model, METHODS[name], case.visual),
    ):
        model(inputs_embeds=case.embeds)
    assert not own_hooks(model)


def test_hooks_are_gone_after_an_exception_while_attaching(monkeypatch: Any) -> None:
    model = tiny("llama")

    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("no hook")

    monkeypatch.setattr(model.model.layers[3], "register_forward_pre_hook", broken)
    case = prompt("llama")
    settings = METHODS["transprune"], case.visual
    with pytest.raises(RuntimeError, match="no hook"), prune(model, *settings):
        model(**case.inputs)
    assert not own_hooks(model)
    monkeypatch.setattr(model.model, "register_forward_pre_hook", broken)
    with pytest.raises(RuntimeError, match="no hook"), prune(model, *settings):
        pass
    assert not own_hooks(model)
    monkeypatch.undo()
    with prune(model, *settings):
        assert own_hooks(model)


def test_two_models_may_be_pruned_at_once() -> None:
    one, two = tiny("llama"), tiny("llama_gqa")
    a, b = prompt("llama"), prompt("llama_gqa")
    first = prune(one, METHODS["transprune"], a.visual)
    with first as outer, prune(two, METHODS["fastv"], b.visual) as inner:
        one(**a.inputs)
        two(**b.inputs)
    assert outer.trace.method == "transprune"
    assert inner.trace.method == "fastv"


def test_another_thread_cannot_prune_the_same_model() -> None:
    model, case = tiny("llama"), prompt("llama")
    failures: list[BaseException] = []

    def work() -> None:
        try:
            with prune(model, METHODS["fastv"], case.visual):
                model(**case.inputs)
        except PruningError as error:
            failures.append(error)

    with prune(model, METHODS["transprune"], case.visual):
        thread = Thread(target=work)
        thread.start()
        thread.join()
    assert "already being pruned" in str(failures[0])
    work()
    assert len(failures) == 1
