"""A prefill in which tokens are removed, or only looked at."""

from __future__ import annotations

from typing import Any

import torch

from pruneviz.models.core.deepstack import Deepstack
from pruneviz.pruning.checks import check_cache
from pruneviz.pruning.chooser import Chooser
from pruneviz.pruning.frames import Frame
from pruneviz.pruning.inputs import DecoderInputs
from pruneviz.pruning.masks import prefill_mask
from pruneviz.pruning.observer import Observer
from pruneviz.pruning.passes import Pass
from pruneviz.pruning.policy import PlannedStage
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
        """Of the positions counted anew, or the rows of the stack's tables that are left."""
        if frame.renumbered:
            return self._spec.decoder.rotary(hidden, frame.positions)
        columns = self.frames.base.columns.contiguous()
        places = torch.searchsorted(columns, frame.columns)[..., None]
        return tuple(
            table.expand(*table.shape[:-3], len(places), -1, -1).gather(
                -2, places.expand(*table.shape[:-3], -1, -1, table.shape[-1])
            )
            for table in tables
        )

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
        self._layer = RunningLayer(index, self._spec.decoder.per_token(tables))
        self._observer.before_layer(hidden)
        return changed

    def after_attention(self, normed: torch.Tensor, output: torch.Tensor) -> None:
        """Read it, and keep what a method may ask it for at the end of the layer."""
        if self._layer is None:
            return
        if self._spec.policy.needs.own_attention:
            self._layer.normed = normed
        self._observer.after_attention(self._layer, normed, output)

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
