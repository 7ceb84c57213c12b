"""Layers that are known from the unpruned run: put in, not computed again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch

from pruneviz.models.core.decoder import Decoder
from pruneviz.pruning.inputs import DecoderInputs
from pruneviz.pruning.prefix import Prefix, Reach

Forward = Callable[..., Any]


class Sharing:
    """Passes the layers by that are known, and records those that others can share.

    Hooks on a layer that is passed by still run, and so do those on its attention and FFN where
    these were recorded: whatever reads a layer reads what it would have read.

    Parameters
    ----------
    decoder : Decoder
        The stack.
    reach : Reach
        Of the run; what of it is not known yet is recorded.
    known : Prefix
        Of the same prompt.

    Attributes
    ----------
    start : int
        How many first layers are passed by, unless tokens go sooner than foreseen.
    prefix : Prefix
        What is known after the prefill.
    """

    def __init__(self, decoder: Decoder, reach: Reach, known: Prefix) -> None:
        self._decoder, self._reach = decoder, reach
        self.prefix, self.start = known, known.covers(reach)
        self._swapped = ExitStack()
        self._length, self._thread = 0, 0
        self._passed: set[int] = set()
        self._outputs: dict[int, Any] = {}
        self._inside: dict[int, dict[str, tuple[torch.Tensor, torch.Tensor]]] = {}

    @property
    def passed(self) -> int:
        """How many first layers were passed by in the prefill."""
        return len(self._passed)

    @contextmanager
    def attached(self) -> Iterator[Sharing]:
        """Serve the prefill that runs inside the block; enter it before `prune`'s own block."""
        if not self._reach.start:
            yield self
            return
        stack = self._decoder.module
        with ExitStack() as handles:
            handles.callback(self._swapped.close)
            handle = stack.register_forward_pre_hook(self._before_stack, with_kwargs=True)
            handles.callback(handle.remove)
            handles.callback(stack.register_forward_hook(self._after_stack).remove)
            yield self

    def _before_stack(self, stack: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._swapped.close()
        self._thread = threading.get_ident()
        inputs = DecoderInputs.read(stack, args, kwargs)
        if inputs.cache is not None and inputs.cache.get_seq_length():
            return
        self._length = inputs.length
        self._passed.clear()
        for index in range(self.start):
            self._swap(self._decoder.layers[index], self._passing(index))
        for index in self._reach.inside - self.prefix.inside.keys():
            self._inside[index] = {}
            for name, module in read_modules(self._decoder.layers[index]).items():
                self._swap(module, self._reading(index, name))
        for index in self._reach.outputs - self.prefix.outputs.keys():
            self._swap(self._decoder.layers[index], self._recording(index))

    def _swap(self, module: Any, make: Callable[[Forward], Forward]) -> None:
        """Replace a module's forward for the thread that runs the stack, and for that alone."""

        def made(original: Forward) -> Forward:
            own = make(original)

            def forward(*args: Any, **kwargs: Any) -> Any:
                mine = threading.get_ident() == self._thread
                return (own if mine else original)(*args, **kwargs)

            return forward

        swap(self._swapped, module, made)

    def _after_stack(self, _: Any, args: tuple[Any, ...], output: Any) -> None:
        self._swapped.close()
        cache = getattr(output, "past_key_values", None)
        if not self._length or cache is None:
            return
        self.prefix = self.prefix.joined(self._recorded(cache))
        self._length = 0

    def _recorded(self, cache: Any) -> Prefix:
        filled = []
        for layer in cache.layers[: self._reach.start]:
            if layer.keys.shape[-2] != self._length:
                break
            filled.append((layer.keys, layer.values))
        inside = {index: read for index, read in self._inside.items() if read}
        found = Prefix(self._outputs, inside, tuple(filled))
        self._outputs, self._inside = {}, {}
        return found

    def _passing(self, index: int) -> Callable[[Forward], Forward]:
        def make(original: Forward) -> Forward:
            def forward(*args: Any, **kwargs: Any) -> Any:
                hidden = args[0] if args else kwargs["hidden_states"]
                if hidden.shape[1] != self.prefix.length:
                    return original(*args, **kwargs)
                self._passed.add(index)
                cache = kwargs.get("past_key_values")
                if cache is not None:
                    put_in(cache, index, *self.prefix.cache[index])
                if index in self._reach.inside:
                    self._replay(index, cache)
                # Between the layers that something goes on from, what passes does not matter.
                return self.prefix.outputs.get(index, hidden)

            return forward

        return make

    def _replay(self, index: int, cache: Any) -> None:
        """Run the hooks in a layer that is passed by, in the order in which its modules run."""
        inside = self.prefix.inside[index]
        for name, module in read_modules(self._decoder.layers[index]).items():
            entering, leaving = inside[name]
            with ExitStack() as swapped:
                if name == "attention":
                    swap(swapped, module, _giving((leaving, None)))
                    module(hidden_states=entering, past_key_values=cache)
                else:
                    swap(swapped, module, _giving(leaving))
                    module(entering)

    def _recording(self, index: int) -> Callable[[Forward], Forward]:
        def make(original: Forward) -> Forward:
            def forward(*args: Any, **kwargs: Any) -> Any:
                hidden = args[0] if args else kwargs["hidden_states"]
                output = original(*args, **kwargs)
                if hidden.shape[1] == self._length:
                    self._outputs[index] = output
                return output

            return forward

        return make

    def _reading(self, index: int, name: str) -> Callable[[Forward], Forward]:
        def make(original: Forward) -> Forward:
            def forward(*args: Any, **kwargs: Any) -> Any:
                entering = args[0] if args else next(iter(kwargs.values()))
                entering = kwargs.get("hidden_states", entering)
                output = original(*args, **kwargs)
                leaving = output[0] if isinstance(output, tuple) else output
                if entering.shape[1] == self._length:
                    self._inside[index][name] = (entering, leaving)
                return output

            return forward

        return make


def read_modules(layer: Any) -> dict[str, Any]:
    """The modules of a decoder layer that hooks read, in the order in which they have run."""
    attention = layer.self_attn
    return {
        "query": attention.q_norm if hasattr(attention, "q_norm") else attention.q_proj,
        "attention": attention,
        "norm": layer.post_attention_layernorm,
        "mlp": layer.mlp,
    }


def _giving(result: Any) -> Callable[[Forward], Forward]:
    return lambda _: lambda *args, **kwargs: result


def put_in(cache: Any, index: int, keys: torch.Tensor, values: torch.Tensor) -> None:
    """Fill an empty layer of a dynamic cache with tensors, which are not copied."""
    cache.update(keys[..., :0, :], values[..., :0, :], index)
    layer = cache.layers[index]
    layer.keys, layer.values = keys, values


def swap(swapped: ExitStack, module: Any, make: Callable[[Forward], Forward]) -> None:
    """Replace a module's forward, on the instance, by what is made of it, until the stack ends."""
    own = vars(module).get("forward")
    module.forward = make(module.forward)

    def restore() -> None:
        if own is None:
            del module.forward
        else:
            module.forward = own

    swapped.callback(restore)
