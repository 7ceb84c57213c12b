"""The forward hooks of a block: where the model tells what it does and hears what to change."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch

from pruneviz.errors import PruningError
from pruneviz.models.core.deepstack import Deepstack
from pruneviz.pruning.compiled import as_written, hooked_before, put, refused_whole
from pruneviz.pruning.inputs import DecoderInputs
from pruneviz.pruning.policy import PlannedStage
from pruneviz.pruning.runner import Runner

BATCHED = ("init_continuous_batching", "continuous_batching_context_manager", "generate_batch")
Args = tuple[Any, ...]
Kwargs = dict[str, Any]
Changed = tuple[Args, Kwargs] | None


@contextmanager
def attached(runner: Runner) -> Iterator[None]:
    """Keep every hook that a run needs on its model while the block runs, and none after it."""
    with ExitStack() as handles:
        handles.callback(runner.leave)
        handles.enter_context(refused_whole(runner.spec.decoder))
        for name in BATCHED:
            if hasattr(runner.spec.model, name):
                handles.callback(put(runner.spec.model, name, _refuse_batched))
        layers = handles.enter_context(LayerHooks(runner))
        # One by one, so that those before a failing one are removed too.
        for handle in _around_decoder(runner, layers):
            handles.callback(handle.remove)
        yield


def _refuse_batched(*_: Any, **__: Any) -> Any:
    raise PruningError(
        "Continuous batching (generate_batch, cache_implementation='paged') packs prompts into one "
        "row and one cache of pages, from which no single prompt's tokens can be taken. Use "
        "generate with a left-padded batch."
    )


class LayerHooks:
    """The hooks in the decoder layers: there while a forward of the stack needs them.

    A decode step is short, and a hook, even one that does nothing, costs every layer as much as
    several operators would.

    Parameters
    ----------
    runner : Runner
        Whose forwards they serve.
    """

    def __init__(self, runner: Runner) -> None:
        self._runner, self._handles = runner, ExitStack()

    def __enter__(self) -> LayerHooks:
        return self

    def __exit__(self, *_: object) -> None:
        self.detach()

    def attach(self) -> None:
        """Register them for the forward that begins, if it needs any."""
        self.detach()
        running = self._runner.running
        if running is None:
            return
        prefilling = self._runner.prefilling is not None
        hooks = _in_prefill if prefilling else _in_padded_step
        if prefilling or running.in_layers:
            hooks(self._runner, self._handles)

    def detach(self) -> None:
        """Remove them."""
        self._handles.close()


def _around_decoder(runner: Runner, layers: LayerHooks) -> Iterator[Any]:
    """Register what sees the model's inputs and the encoder; yields the handles."""
    spec = runner.spec
    model, adapter, stack = spec.model, spec.adapter, spec.decoder.module

    def on_model(_: Any, args: Args, kwargs: Kwargs) -> None:
        runner.on_model(kwargs)

    def on_entry(_: Any, args: Args, kwargs: Kwargs) -> None:
        runner.on_entry(args, kwargs)

    def on_decoder(module: Any, args: Args, kwargs: Kwargs) -> Changed:
        changed = runner.on_decoder(DecoderInputs.read(module, args, kwargs))
        layers.attach()
        return None if changed is None else ((), changed)

    def after_decoder(_: Any, args: Args, output: Any) -> None:
        if runner.here:
            layers.detach()
            runner.done()

    def on_output(_: Any, args: Args, output: Any) -> None:
        runner.on_output(output)

    yield model.register_forward_pre_hook(on_model, with_kwargs=True)
    yield model.register_forward_hook(on_output)
    entry = adapter.entry(model)
    if entry is not stack:
        yield entry.register_forward_pre_hook(on_entry, with_kwargs=True)
    yield stack.register_forward_pre_hook(on_decoder, with_kwargs=True)
    yield stack.register_forward_hook(after_decoder)
    if spec.watches_encoder:
        for encoder_layer in spec.encoder_layers:
            yield adapter.watch_vision(model, runner.on_vision, encoder_layer)
    if spec.policy.prunes and spec.adds_by_place:
        runner.deepstack = Deepstack(stack, runner.columns)
        yield runner.deepstack


def _in_prefill(runner: Runner, handles: ExitStack) -> None:
    """Register what changes and reads the decoder layers."""
    spec = runner.spec
    layers: Any = spec.decoder.layers
    stages = {stage.layer - 1: stage for stage in spec.policy.stages if stage.layer > 0}
    first = min(stages, default=spec.decoder.num_layers)
    watched_layers, own = spec.watched, spec.policy.needs.own_attention
    for index in range(spec.decoder.num_layers):
        watched, stage = index in watched_layers, stages.get(index)
        looks = (own and stage is not None) or "iga" in spec.signals
        inside = watched or stage is not None
        layer = handles.enter_context(as_written(layers, index)) if inside else layers[index]
        if index == 0 or index > first or inside:
            handles.callback(hooked_before(layer, _before_layer(runner, index)))
        if watched or looks:
            for handle in _in_layer(runner, layer, index, watched, looks):
                handles.callback(handle.remove)
        if stage is not None:
            # First of all hooks, so that recorded hidden states are always the pruned ones.
            after = layer.register_forward_hook(_after_layer(runner, stage), prepend=True)
            handles.callback(after.remove)


def _in_layer(runner: Runner, layer: Any, index: int, watched: bool, looks: bool) -> Iterator[Any]:
    """Register what reads one layer: what it computes, and with `looks` its queries."""
    attention, mlp, norm = layer.self_attn, layer.mlp, layer.post_attention_layernorm
    yield attention.register_forward_hook(_after_attention(runner), with_kwargs=True)
    if looks:
        asks = attention.q_norm if hasattr(attention, "q_norm") else attention.q_proj
        yield asks.register_forward_hook(_after_query(runner, index, attention.head_dim))
    if watched:
        yield mlp.register_forward_hook(_after_mlp(runner), with_kwargs=True)
    if "residual" in runner.spec.signals:
        yield norm.register_forward_pre_hook(_before_norm(runner))


def _in_padded_step(runner: Runner, handles: ExitStack) -> None:
    """Register what gives layers with another cache than the first one their own mask."""
    stages = [stage.layer for stage in runner.spec.policy.stages if stage.layer > 0]
    depth = runner.spec.decoder.num_layers
    for index in range(min(stages, default=depth), depth):
        layer = runner.spec.decoder.layers[index]
        handles.callback(hooked_before(layer, _before_layer(runner, index)))


def _before_layer(runner: Runner, index: int) -> Callable[[Any, Args, Kwargs], Changed]:
    def hook(_: Any, args: Args, kwargs: Kwargs) -> Changed:
        if runner.running is None:
            return None
        hidden = args[0] if args else kwargs["hidden_states"]
        changed = runner.running.before_layer(index, hidden, kwargs)
        return None if changed is None else (args, changed)

    return hook


def _after_attention(runner: Runner) -> Callable[[Any, Args, Kwargs, Any], None]:
    def hook(_: Any, args: Args, kwargs: Kwargs, output: Any) -> None:
        if runner.prefilling is not None:
            normed = kwargs["hidden_states"] if "hidden_states" in kwargs else args[0]
            cache = kwargs.get("past_key_values")
            runner.prefilling.after_attention(normed, output[0], cache)

    return hook


def _after_query(
    runner: Runner, index: int, head_dim: int
) -> Callable[[Any, Args, torch.Tensor], None]:
    def hook(_: Any, args: Args, output: torch.Tensor) -> None:
        # A method may ask the layer ahead before that runs.
        if runner.prefilling is not None and runner.prefilling.index == index:
            batch, length = output.shape[:2]
            runner.prefilling.note_query(output.view(batch, length, -1, head_dim).transpose(1, 2))

    return hook


def _before_norm(runner: Runner) -> Callable[[Any, Args], None]:
    def hook(_: Any, args: Args) -> None:
        if runner.prefilling is not None:
            runner.prefilling.note_stream(args[0])

    return hook


def _after_mlp(runner: Runner) -> Callable[[Any, Args, Kwargs, Any], None]:
    def hook(_: Any, args: Args, kwargs: Kwargs, output: Any) -> None:
        if runner.prefilling is not None:
            normed = args[0] if args else next(iter(kwargs.values()))
            result = output[0] if isinstance(output, tuple) else output
            runner.prefilling.after_mlp(normed, result)

    return hook


def _after_layer(runner: Runner, stage: PlannedStage) -> Callable[[Any, Args, Any], Any]:
    def hook(_: Any, args: Args, output: Any) -> Any:
        if runner.prefilling is None:
            return None
        hidden = output[0] if isinstance(output, tuple) else output
        shorter = runner.prefilling.after_layer(stage, hidden)
        if shorter is None:
            return None
        return (shorter, *output[1:]) if isinstance(output, tuple) else shorter

    return hook
