"""Hooks that remove visual tokens from a running decoder and record what they did."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import Any

import torch

from pruneviz.errors import PruningError
from pruneviz.methods.base import Method, Stage, TransitionSpec
from pruneviz.models.core.adapter import Adapter
from pruneviz.models.core.deepstack import Deepstack, adds_features
from pruneviz.models.core.vision import EncoderRecord
from pruneviz.models.core.words import tokenizer_of
from pruneviz.pruning import checks
from pruneviz.pruning.chooser import Chooser
from pruneviz.pruning.frames import Frame, leaders
from pruneviz.pruning.inputs import DecoderInputs, expand_rows
from pruneviz.pruning.layer_inputs import layer_inputs
from pruneviz.pruning.observer import Observer
from pruneviz.pruning.signals import raters
from pruneviz.pruning.state import Prefill, Sample
from pruneviz.pruning.visible import VisualTokens


class Runner:
    """Everything between entering and leaving one `prune` block.

    Parameters
    ----------
    model, adapter
        The model and its family's adapter.
    method : Method or None
        None only observes.
    visual_mask, input_ids : torch.Tensor or None
        See :func:`pruneviz.prune`.
    positions : str or None
        Overrides the method's position mode.
    vision : EncoderRecord or None
        Record of an earlier run of the vision encoder.
    record : iterable of str
        Signals to record in every layer.
    newlines : str
        ``"visual"`` or ``"text"``.
    """

    def __init__(
        self,
        model: Any,
        adapter: Adapter,
        method: Method | None,
        visual_mask: torch.Tensor | None,
        positions: str | None,
        input_ids: torch.Tensor | None,
        vision: EncoderRecord | None,
        record: Iterable[str],
        newlines: str = "visual",
    ) -> None:
        self.model, self.adapter, self.method = model, adapter, method
        self.decoder = adapter.decoder(model)
        checks.check_vision(adapter, model, method, vision)
        self.plan = method.plan(self.decoder.num_layers) if method else ()
        # With three positions a token, closing gaps would undo the picture's two dimensions.
        self.positions = positions or ("keep" if self.decoder.multimodal_rope else None)
        self.state: Prefill | None = None
        self.chooser = Chooser(
            method,
            self.positions,
            self.decoder.layers,
            tokenizer_of(model),
            lambda features: adapter.project(model, features),
        )
        self._given_ids, self._given_vision = input_ids, vision
        self._visual = VisualTokens(model, adapter, visual_mask, newlines)
        self._ids: torch.Tensor | None = None
        self._counted = False
        self._vision: EncoderRecord | None = None
        self._own = bool(method and method.needs.own_attention)
        spec = method.needs.transitions if method else None
        self.observer = Observer(self.decoder, spec or TransitionSpec(()), tuple(record))
        self._handles: list[Any] = []
        self._deepstack: Deepstack | None = None

    @property
    def newlines(self) -> str:
        """What newlines are in this run: see :func:`pruneviz.prune`."""
        return self._visual.newlines

    @property
    def _live(self) -> Prefill:
        if self.state is None:
            raise PruningError("The language model's layers ran without the model around them.")
        return self.state

    # Hooks on and off -------------------------------------------------------------------

    def attach(self) -> None:
        """Register every hook that this run needs."""
        try:
            self._attach()
        except BaseException:
            self.detach()
            raise

    def _attach(self) -> None:
        add, layers = self._handles.append, self.decoder.layers
        add(self.model.register_forward_pre_hook(self._on_model, with_kwargs=True))
        entry = self.adapter.entry(self.model)
        if entry is not self.decoder.module:
            add(entry.register_forward_pre_hook(self._on_entry, with_kwargs=True))
        add(self.decoder.module.register_forward_pre_hook(self._on_decoder, with_kwargs=True))
        if self.method and self._given_vision is None:
            asks_grid = self.method.needs.grid and self.adapter.sees
            if self.method.needs.encoder or asks_grid:
                asked = self.method.needs.encoder_layer
                add(self.adapter.watch_vision(self.model, self._keep_vision, asked))
        if self.method and adds_features(self.decoder.module):
            self._deepstack = Deepstack(self.decoder.module, lambda: self._live.frame.columns)
            self.chooser.by_place = True
            add(self._deepstack)
        stops = {stage.layer - 1 for stage in self.plan if stage.layer > 0}
        first = min(stops, default=len(layers))
        watched = self.observer.watched_layers()
        for index, layer in enumerate(layers):
            if index == 0 or index > first or index in stops | watched:
                add(layer.register_forward_pre_hook(self._before_layer(index), with_kwargs=True))
            attention: Any = layer.self_attn
            mlp: Any = layer.mlp
            if index in watched or (self._own and index in stops):
                hook = self._on_attention(index)
                add(attention.register_forward_hook(hook, with_kwargs=True))
            if index in watched:
                add(mlp.register_forward_hook(self._on_mlp(index), with_kwargs=True))
        for stage in self.plan:
            if stage.layer > 0:
                shorten = self._after_layer(stage)
                # First of all hooks, so that recorded hidden states are always the pruned ones.
                add(layers[stage.layer - 1].register_forward_hook(shorten, prepend=True))

    def detach(self) -> None:
        """Remove every hook."""
        while self._handles:
            self._handles.pop().remove()

    # Before the language model ----------------------------------------------------------

    def _on_model(self, _: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if kwargs.get("labels") is not None and self.method is not None:
            raise PruningError(
                "labels no longer line up with the logits once tokens are removed. Leave them out "
                "and compare the logits of the text tokens yourself."
            )

    def _on_entry(self, _: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._ids = kwargs.get("input_ids", args[0] if args else None)
        # Whether the model counts positions itself, in a decode step by its shortened cache.
        self._counted = kwargs.get("position_ids") is None

    def _keep_vision(self, record: EncoderRecord) -> None:
        self._vision = record

    def _on_decoder(
        self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        inputs = DecoderInputs.read(module, args, kwargs)
        cache = inputs.cache
        if self._deepstack is not None:
            self._deepstack.begin(inputs.kwargs)
        if cache is None or cache.get_seq_length() == 0:
            changed = self._begin(inputs)
        else:
            changed = self._continue(inputs)
        return None if changed is None else ((), changed)

    def _begin(self, inputs: DecoderInputs) -> dict[str, Any] | None:
        """Start a prefill; returns changed keyword arguments or None."""
        if self.method is not None:
            several = self.decoder.multimodal_rope
            checks.check_prefill(inputs.cache, inputs.mask, inputs.position_ids, several)
        ids = self._ids if inputs.input_ids is None else inputs.input_ids
        if ids is None and self._given_ids is not None:
            ids = expand_rows(self._given_ids, inputs.batch, "input_ids")
        image = self._visual.of_images(inputs, ids)
        valid = None if inputs.mask is None else inputs.mask.bool()
        base = Frame.full(inputs.positions(), valid)
        if base.valid is not None:
            image = image & base.valid
        visual = self._visual.prunable(image, inputs.embeds)
        first = leaders(inputs.embeds, visual, base.valid, base.positions.movedim(-2, 0))
        samples = [
            Sample.of(row, visual[row], image[row], base.row_valid(row))
            for row in range(inputs.batch)
        ]
        if self.method and self.method.needs.raters:
            for sample in samples:
                sample.raters = raters(sample, inputs.embeds[sample.row])
        needed = bool(self.method and self.method.needs.encoder)
        found, self._vision = self._given_vision or self._vision, None
        vision = self._visual.seen_by(found, ids, needed)
        state = Prefill(inputs.length, base, visual, samples, first, ids, vision)
        self.state, self.chooser.seconds = state, 0.0
        self.observer.begin(state)
        if not self.plan or self.plan[0].layer != 0:
            return None
        chosen = self.chooser.run(state, self.plan[0], inputs.embeds)
        if chosen is None:
            return None
        state.rebase()
        return inputs.shortened(*chosen, state.base)

    def _continue(self, inputs: DecoderInputs) -> dict[str, Any] | None:
        """Take a decode step; returns changed keyword arguments or None."""
        state = self.state
        if self.method is None or (state is not None and not state.pruned and self._same(inputs)):
            if self.method is not None and inputs.length > 1:
                ids = self._ids if inputs.input_ids is None else inputs.input_ids
                self._visual.refuse_late(ids)
            if state is not None:
                state.running = False
            return None
        checks.check_continuation(inputs.length, self._same(inputs))
        state = self._live
        state.running = False
        state.memo.clear()
        past = inputs.cache.get_seq_length()
        state.new = past - state.base.length + inputs.length
        gone = state.length - state.base.length
        steps = inputs.positions(past + gone)
        counted = self._counted and self.decoder.multimodal_rope
        state.step_positions = (
            steps + gone if counted and inputs.position_ids is not None else steps
        )
        state.later = None
        if inputs.mask is not None:
            state.later = inputs.mask[:, state.length :].bool()
        return inputs.continued(state)

    def _same(self, inputs: DecoderInputs) -> bool:
        return self.state is not None and self.state.is_cache(inputs.cache)

    # Inside the language model ----------------------------------------------------------

    def _before_layer(self, index: int) -> Any:
        def hook(
            _: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
        ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
            state = self.state
            if state is None:
                return None
            hidden = args[0] if args else kwargs["hidden_states"]
            if index == 0 and state.running:
                cache = kwargs.get("past_key_values")
                checks.check_cache(cache if self.method else None)
                state.cache = None if cache is None else weakref.ref(cache)
            frame = state.frame_at(index)
            changed = None
            if frame is not state.base and (state.running or state.pruned):
                rotary = kwargs["position_embeddings"]
                changed = kwargs | layer_inputs(self.decoder, state, frame, hidden, rotary)
            if state.running:
                state.rotary = self.decoder.per_token((changed or kwargs)["position_embeddings"])
                self.observer.before_layer(state, index, hidden)
            return None if changed is None else (args, changed)

        return hook

    def _on_attention(self, index: int) -> Any:
        def hook(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
            state = self.state
            if state is None or not state.running:
                return
            normed = kwargs["hidden_states"] if "hidden_states" in kwargs else args[0]
            if self._own:
                state.attention_input = normed
            self.observer.after_attention(state, index, normed, output[0])

        return hook

    def _on_mlp(self, index: int) -> Any:
        def hook(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
            if self.state is not None and self.state.running:
                normed = args[0] if args else next(iter(kwargs.values()))
                result = output[0] if isinstance(output, tuple) else output
                self.observer.after_mlp(self.state, index, normed, result)

        return hook

    def _after_layer(self, stage: Stage) -> Any:
        def hook(_: Any, args: tuple[Any, ...], output: Any) -> Any:
            state = self.state
            if state is None or not state.running:
                return None
            hidden = output[0] if isinstance(output, tuple) else output
            entering = hidden
            if self._deepstack is not None:
                entering = self._deepstack.after(stage.layer - 1, hidden)
            chosen = self.chooser.run(state, stage, entering)
            state.attention_input = None
            if chosen is None:
                return None
            index, made = chosen
            if made is not entering:
                # What the model adds between layers is still to come for new tokens too.
                new = (made != entering).any(-1, keepdim=True)
                hidden = torch.where(new, made - (entering - hidden), hidden)
            shorter = hidden.gather(1, index[..., None].expand(-1, -1, hidden.shape[-1]))
            return (shorter, *output[1:]) if isinstance(output, tuple) else shorter

        return hook
