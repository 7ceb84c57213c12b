"""Compiled decoder layers give what others give; what is compiled as a whole is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

from pruneviz import observe, prune
from pruneviz.errors import PruningError, UnsupportedModelError
from tests.helpers import LAYERS, Prompt, fresh, left_padded, own_hooks, prompt, stack_of
from tests.matrix import matrix
from tests.pruning.settings import METHODS

KIND = "llama"
WAYS = ("in place", "put in place", "forward")
DAILY = [way if way == "in place" else pytest.param(way, marks=pytest.mark.slow) for way in WAYS]


@pytest.fixture(autouse=True)
def _compiler() -> Iterator[None]:
    """Nothing compiled before, and enough room for every layer's variants."""
    torch._dynamo.reset()
    with torch._dynamo.config.patch(recompile_limit=100):
        yield
    torch._dynamo.reset()


class Compiled:
    """A backend that compiles nothing, but counts how often compiled code runs."""

    def __init__(self) -> None:
        self.runs = 0

    def __call__(self, graph: Any, _: Any) -> Callable[..., Any]:
        def run(*args: Any) -> Any:
            self.runs += 1
            return graph.forward(*args)

        return run

    def since(self, do: Callable[[], Any]) -> int:
        before = self.runs
        do()
        return self.runs - before


def with_compiled_layers(way: str, backend: Any, layers: int = LAYERS) -> Any:
    model = fresh(KIND, layers)
    stack = stack_of(model)
    for index, layer in enumerate(stack.layers):
        if way == "in place":
            layer.compile(backend=backend, dynamic=True)
        elif way == "put in place":
            stack.layers[index] = torch.compile(layer, backend=backend, dynamic=True)
        else:
            layer.forward = torch.compile(layer.forward, backend=backend, dynamic=True)
    return model


def answer(model: Any, case: Prompt) -> list[list[int]]:
    return model.generate(**case.inputs, max_new_tokens=4, do_sample=False).tolist()


def parts(model: Any) -> list[Any]:
    """What the library may exchange in a model: layers, calls, forwards."""
    names = ("_compiled_call_impl", "forward")
    modules = [(name, id(module)) for name, module in model.named_modules()]
    return modules + [
        (name, attribute, vars(module)[attribute])
        for name, module in model.named_modules()
        for attribute in names
        if attribute in vars(module)
    ]


def check_same(model: Any, case: Prompt, block: Callable[[Any], Any]) -> None:
    """After an unpruned run, so that hooks that compiled code does not look at would show."""
    plain, before = fresh(KIND, len(stack_of(model).layers)), parts(model)
    unpruned = answer(model, case)
    assert unpruned == answer(plain, case)
    with block(plain) as wanted:
        tokens = answer(plain, case)
    with block(model) as run:
        assert answer(model, case) == tokens
    for trace, other in zip(run.traces, wanted.traces, strict=True):
        assert trace.tokens_per_layer == other.tokens_per_layer
        assert [s.kept.tolist() for s in trace.stages] == [s.kept.tolist() for s in other.stages]
        for name, values in other.signals.items():
            for ours, theirs in zip(trace.signals[name], values, strict=True):
                assert torch.allclose(
                    torch.as_tensor(ours), torch.as_tensor(theirs), atol=1e-4, equal_nan=True
                )
    assert parts(model) == before
    assert not own_hooks(model)
    assert answer(model, case) == unpruned


@matrix(way=WAYS, name=("fastv", "resprune", "transprune"))
def test_tokens_are_those_of_the_uncompiled_model(way: str, name: str) -> None:
    case = prompt(KIND)
    model = with_compiled_layers(way, Compiled())
    check_same(model, case, lambda given: prune(given, METHODS[name], case.visual))


@pytest.mark.parametrize("way", DAILY)
def test_recorded_signals_are_those_of_the_uncompiled_model(way: str) -> None:
    case = prompt(KIND)
    check_same(
        with_compiled_layers(way, Compiled()), case, lambda given: observe(given, case.visual)
    )


@pytest.mark.parametrize("way", DAILY)
def test_rows_of_a_padded_batch_have_their_own_masks_in_every_step(way: str) -> None:
    case = left_padded([prompt(KIND, seed=3), prompt(KIND, seed=4, after=12)])
    model = with_compiled_layers(way, Compiled())
    check_same(model, case, lambda given: prune(given, METHODS["pyramiddrop"], case.visual))


@pytest.mark.slow
def test_with_code_that_is_really_compiled() -> None:
    case = prompt(KIND)
    model = with_compiled_layers("in place", "inductor", layers=3)
    method = type(METHODS["fastv"])(prune_layer=2, keep_ratio=0.4)
    check_same(model, case, lambda given: prune(given, method, case.visual))


@matrix(way=WAYS, method=(("random", 0), ("fastv", 1), ("pyramiddrop", 3)))
def test_only_layers_that_are_read_leave_compiled_code(way: str, method: tuple[str, int]) -> None:
    name, read = method
    counted, case = Compiled(), prompt(KIND)
    model = with_compiled_layers(way, counted)

    def forward() -> Any:
        return model(**case.inputs)

    assert counted.since(forward) == LAYERS
    with prune(model, METHODS[name], case.visual):
        assert counted.since(forward) == LAYERS - read
        cache = forward().past_key_values
        step = {"input_ids": torch.tensor([[9]]), "past_key_values": cache}
        assert counted.since(lambda: model(**step)) == LAYERS
    assert counted.since(forward) == LAYERS


@pytest.mark.parametrize("way", WAYS)
def test_everything_is_put_back_after_an_exception(way: str) -> None:
    case = prompt(KIND)
    model = with_compiled_layers(way, Compiled())
    before = parts(model)
    handle = stack_of(model).norm.register_forward_pre_hook(lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError), prune(model, METHODS["transprune"], case.visual):
        model(**case.inputs)
    handle.remove()
    assert parts(model) == before
    assert not own_hooks(model)


WHOLE = (
    "model.compile",
    "torch.compile(model)",
    "a function",
    "model.forward",
    "stack.compile",
    "stack.forward",
    "stack put in place",
)


def whole(what: str, model: Any) -> Callable[..., Any]:
    """Compile more than a layer; returns what to call."""
    settings = {"backend": "eager", "dynamic": True}
    if what == "torch.compile(model)":
        return torch.compile(model, **settings)
    if what == "a function":
        return torch.compile(lambda **inputs: model(**inputs), **settings)
    if what == "model.forward":
        model.forward = torch.compile(model.forward, **settings)
    elif what == "stack.forward":
        model.model.forward = torch.compile(model.model.forward, **settings)
    elif what == "stack put in place":
        model.model = torch.compile(model.model, **settings)
    else:
        (model if what == "model.compile" else model.model).compile(**settings)
    return model


@matrix(what=WHOLE, earlier=(True, False))
def test_what_is_compiled_as_a_whole_is_refused(what: str, earlier: bool) -> None:
    """And does not run unpruned, as it would where it was compiled before there were hooks."""
    model, case = fresh(KIND, 1), prompt(KIND)
    call = whole(what, model)
    if earlier:
        call(**case.inputs)
    before = parts(model)
    for block in (prune(model, METHODS["random"], case.visual), observe(model, case.visual)):
        with pytest.raises(PruningError, match="Compile its decoder layers"), block:
            call(**case.inputs)
    assert parts(model) == before
    assert not own_hooks(model)
    assert call(**case.inputs).logits.shape[1] == case.visual.shape[1]


def test_a_refusal_is_heard_where_compile_errors_are_suppressed() -> None:
    model, case = fresh(KIND, 1), prompt(KIND)
    call = whole("torch.compile(model)", model)
    with (
        torch._dynamo.config.patch(suppress_errors=True),
        pytest.raises(PruningError, match="Compile its decoder layers"),
        prune(model, METHODS["random"], case.visual),
    ):
        call(**case.inputs)


def test_a_compiled_model_in_the_place_of_the_model_is_refused() -> None:
    model, case = fresh(KIND, 1), prompt(KIND)
    call = torch.compile(model, backend="eager")
    with (
        pytest.raises(PruningError, match="Compile its decoder layers"),
        prune(call, METHODS["random"], case.visual),
    ):
        call(**case.inputs)


def test_a_compiled_part_of_a_layer_is_refused() -> None:
    model = fresh(KIND, 1)
    layer = stack_of(model).layers[0]
    layer.self_attn = torch.compile(layer.self_attn, backend="eager")
    with pytest.raises(UnsupportedModelError, match=r"self_attn.*Compile whole layers"):
        prune(model, METHODS["random"]).__enter__()


def test_a_part_compiled_in_place_is_read_as_it_is_written() -> None:
    case, model = prompt(KIND), fresh(KIND)
    for layer in stack_of(model).layers:
        layer.self_attn.compile(backend="eager", dynamic=True)
    check_same(model, case, lambda given: prune(given, METHODS["transprune"], case.visual))
