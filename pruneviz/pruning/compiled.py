"""Decoder layers that `torch.compile` compiled, and models that it compiled as a whole.

A hook on a compiled module becomes part of what is compiled. Once that has run, a hook that comes
later is passed over without a word: compiled code does not look whether hooks have changed. So
a layer's input is changed outside of what is compiled; a layer that is read, or cut, runs as it is
written until the prefill is over; and a stack that is itself inside of something compiled is
refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any

import torch
from torch import nn

from pruneviz.errors import PruningError
from pruneviz.models.core.decoder import Decoder, written

CALL, FORWARD = "_compiled_call_impl", "forward"
REFUSAL = (
    "Compiled as a whole, a model does not hear what to remove. Compile its decoder layers "
    "instead: for layer in find_adapter(model).decoder(model).layers: layer.compile(dynamic=True)."
)

Before = Callable[[Any, tuple[Any, ...], dict[str, Any]], Any]


def hooked_before(layer: Any, hook: Before) -> Callable[[], None]:
    """Let a hook change what a layer is called with, outside of what is compiled.

    Parameters
    ----------
    layer : nn.Module
        Compiled or not. (``torch.compile(layer)`` calls its own hooks outside by itself.)
    hook : callable
        As of ``register_forward_pre_hook`` with keyword arguments.

    Returns
    -------
    callable
        Removes it.
    """
    compiled = vars(layer).get(CALL)
    if compiled is None:
        return layer.register_forward_pre_hook(hook, with_kwargs=True).remove

    def call(*args: Any, **kwargs: Any) -> Any:
        args, kwargs = hook(layer, args, kwargs) or (args, kwargs)
        return compiled(*args, **kwargs)

    return put(layer, CALL, call)


@contextmanager
def as_written(layers: nn.ModuleList, index: int) -> Iterator[Any]:
    """Run a decoder layer, and all in it, uncompiled while the block runs; yields the layer."""
    with ExitStack() as undo:
        given = layers[index]
        layer = written(given)
        if layer is not given:
            layers[index] = layer
            undo.callback(layers.__setitem__, index, given)
        for module in layer.modules():
            if vars(module).get(CALL) is not None:
                undo.callback(put(module, CALL, None))
            plain = _plain(vars(module).get(FORWARD))
            if plain is not None:
                undo.callback(put(module, FORWARD, plain))
        yield layer


@contextmanager
def refused_whole(decoder: Decoder) -> Iterator[None]:
    """Refuse a stack that is compiled, or runs inside of something that is, while the block runs.

    Compiled code does look whether a module has got a `forward` of its own. So the stack gets one,
    which makes what was compiled before be compiled anew, and says no to that.

    Raises
    ------
    PruningError
        If it is, on entering where that shows on the stack, else when it runs.
    """
    stack, refused = decoder.module, list[bool]()
    forward = stack.forward
    if written(stack) is not stack or vars(stack).get(CALL) or _plain(forward) is not None:
        raise PruningError(REFUSAL)

    def refuse(_: Any) -> None:
        refused.append(True)
        raise PruningError(REFUSAL)

    @wraps(forward)
    def alone(*args: Any, **kwargs: Any) -> Any:
        if torch.compiler.is_compiling():
            # While compiling an exception only makes the compiler give up on a piece of code.
            from torch._dynamo.comptime import comptime

            comptime(refuse)
        return forward(*args, **kwargs)

    remove = put(stack, FORWARD, alone)
    try:
        yield
    except RuntimeError as error:
        if refused and not isinstance(error, PruningError):
            raise PruningError(REFUSAL) from error
        raise
    else:
        if refused:  # torch was told to go on without what it cannot compile
            raise PruningError(REFUSAL)
    finally:
        remove()


def _plain(forward: Any) -> Any:
    """What a compiled function was made of; None where it is not compiled."""
    if getattr(forward, "_torchdynamo_disable", False):
        return None
    return getattr(forward, "_torchdynamo_orig_callable", None)


def put(module: nn.Module, name: str, value: Any) -> Callable[[], None]:
    """Set an attribute of a module; returns what takes it back, unless another was set since."""
    own = vars(module)
    had, before = name in own, own.get(name)
    own[name] = value

    def undo() -> None:
        if own.get(name) is not value:
            return
        if had:
            own[name] = before
        else:
            del own[name]

    return undo
