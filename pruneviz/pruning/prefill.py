"""A prefill in which tokens are removed, or only looked at."""

from __future__ import annotations

from typing import Any

import torch
from transformers.cache_utils import DynamicLayer

from pruneviz.models.core.deepstack import Deepstack
from pruneviz.pruning.checks import check_cache
from pruneviz.pruning.chooser import Chooser
from pruneviz.pruning.frames import Frame
from pruneviz.pruning.inputs import DecoderInputs
from pruneviz.pruning.masks import prefill_mask
from pruneviz.pruning.observer import Observer
from pruneviz.pruning.passes import Pass
from pruneviz.pruning.policy import PlannedStage
from pruneviz.pruning.signals import Rotary
from pruneviz.pruning.spec import RunSpec
from pruneviz.pruning.state import Prefill, RunningLayer


class PrefillPass(Pass):
    """Runs a method's stages, and reads the layers, while the prompt passes them.

    Parameters
    ----------
    spec : RunSpec
        The run.
    prefill : Prefill
        What is filled in.
    deepstack : Deepstack or None
        Features that the stack adds after its first layers.
    """

    def __init__(self, spec: RunSpec, prefill: Prefill, deepstack: Deepstack | None) -> None:
        super().__init__(prefill.frames)
        self._spec, self._prefill, self._deepstack = spec, prefill, deepstack
        self._chooser = Chooser(spec, prefill)
        self._observer = Observer(spec, prefill)
        self._layer: RunningLayer | None = None
        self._tables: tuple[Any, Rotary] | None = None

    @property
    def index(self) -> int:
        """Index from 0 of the layer that is running; -1 for none."""
        return -1 if self._layer is None else self._layer.index

    def stack_inputs(self, inputs: DecoderInputs) -> dict[str, Any] | None:
        """Prune before the LLM, where the method does."""
        stages = self._spec.policy.stages
        if not stages or stages[0].layer != 0:
            return None
        cut = self._chooser.cut(stages[0], inputs.embeds, None)
        if cut is None:
            return None
        return inputs.shortened(cut.of(cut.states), self.frames.base)

    def mask(self, frame: Frame, hidden: torch.Tensor) -> Any:
        """That of the frame's sequence."""
        return prefill_mask(self._spec.decoder.config, hidden, frame)

    def rotary(self, frame: Frame, hidden: torch.Tensor, tables: Any) -> Any:
        """Those of the stack's tables that go with what is left; counted anew only at need."""
        base, length = self.frames.base, frame.length
        if not frame.renumbered:
            places = base.places_of_all(frame.columns, filled=frame.valid is not None)
            return tuple(_of_places(table, places) for table in tables)
        if frame.contiguous and base.contiguous and base.aligned and frame.aligned:
            # The last positions, whichever tokens they now belong to.
            return tuple(table[..., -length:, :] for table in tables)
        return self._spec.decoder.rotary(hidden, frame.positions)

    def before_layer(
        self, index: int, hidden: torch.Tensor, kwargs: dict[str, Any]
    ) -> dict[str, Any] | None:
        """As in every pass; and get ready to read the layer."""
        if index == 0:
            cache = kwargs.get("past_key_values")
            if self._spec.policy.prunes:
                check_cache(cache)
            self._prefill.fills(cache)
        changed = super().before_layer(index, hidden, kwargs)
        tables = (changed or kwargs)["position_embeddings"]
        self._layer = RunningLayer(index, self._rotary_of(tables), hidden)
        return changed

    def _rotary_of(self, tables: Any) -> Rotary:
        """The tables as attention applies them to each head; made once for all layers alike."""
        if self._tables is None or self._tables[0] is not tables:
            cos, sin = self._spec.decoder.per_token(tables)
            self._tables = tables, (cos[:, None], sin[:, None])
        return self._tables[1]

    def note_query(self, query: torch.Tensor) -> None:
        """Keep what the running layer's attention asks with."""
        if self._layer is not None:
            self._layer.query = query

    def note_stream(self, stream: torch.Tensor) -> None:
        """Keep what its FFN's output will be added to."""
        if self._layer is not None:
            self._layer.stream = stream

    def after_attention(self, normed: torch.Tensor, output: torch.Tensor, cache: Any) -> None:
        """Read it, and keep what a method may ask it for at the end of the layer."""
        layer = self._layer
        if layer is None:
            return
        layer.normed = normed
        if layer.query is not None:
            layer.keys = cached_keys(cache, layer.index, normed)
        self._observer.after_attention(layer, output)

    def after_mlp(self, normed: torch.Tensor, output: torch.Tensor) -> None:
        """Read it."""
        if self._layer is not None:
            self._observer.after_mlp(self._layer, normed, output)

    def after_layer(self, stage: PlannedStage, hidden: torch.Tensor) -> torch.Tensor | None:
        """Run a stage."""
        entering = hidden
        if self._deepstack is not None:
            entering = self._deepstack.after(stage.layer - 1, hidden)
        cut = self._chooser.cut(stage, entering, self._layer)
        if cut is None:
            return None
        if cut.states is not entering:
            # What the model adds between layers is still to come for new tokens too.
            new = (cut.states != entering).any(-1, keepdim=True)
            hidden = torch.where(new, cut.states - (entering - hidden), hidden)
        return cut.of(hidden)


def _of_places(table: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """A rotary table ``[..., batch or 1, n, head_dim]`` at some places ``[batch, m]``."""
    wide = table.expand(*table.shape[:-3], len(places), -1, -1)
    index = places[..., None].expand(*wide.shape[:-2], places.shape[1], wide.shape[-1])
    return wide.gather(-2, index)


def cached_keys(cache: Any, index: int, normed: torch.Tensor) -> torch.Tensor | None:
    """Keys after RoPE that a layer has just put into a cache; None where it keeps them otherwise.

    Parameters
    ----------
    cache
        The cache, or None.
    index : int
        The layer's, from 0.
    normed : torch.Tensor
        What entered its attention, ``[batch, n, hidden]``.

    Returns
    -------
    torch.Tensor or None
        ``[batch, kv_heads, n, head_dim]``.
    """
    layers = getattr(cache, "layers", ())
    # Derived kinds may hold a part of the keys elsewhere, quantised or moved to the host.
    if index >= len(layers) or type(layers[index]) is not DynamicLayer:
        return None
    keys = layers[index].keys
    here = keys is not None and keys.device == normed.device
    return keys if here and keys.shape[-2] == normed.shape[1] else None
