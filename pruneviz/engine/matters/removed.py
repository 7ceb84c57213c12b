"""What a model predicts of an answer once tokens are really removed, for many choices at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from pruneviz.engine.batches import ROW_AXES
from pruneviz.engine.feeding import after_prompt, block
from pruneviz.engine.matters.replay import Replay
from pruneviz.engine.prepared import Prepared
from pruneviz.models.core.loading import LoadedModel
from pruneviz.pruning.prefix import Prefix, Reach
from pruneviz.pruning.sharing import Sharing


class Removal:
    """Removes tokens for real, row by row of a batch, and reads what is predicted of an answer.

    The layers before the first removal are those of the unpruned model: they run once.

    Parameters
    ----------
    loaded, prepared
        The model and the question.
    answer : sequence of int
        Tokens, at least one.
    layers : sequence of int
        After which tokens go, see :class:`~pruneviz.engine.matters.replay.Replay`.
    modes : sequence of str
        For each the position mode; overridden where the question's own is set.
    """

    def __init__(
        self,
        loaded: LoadedModel,
        prepared: Prepared,
        answer: Sequence[int],
        layers: Sequence[int],
        modes: Sequence[str],
    ) -> None:
        self._loaded, self._prepared, self._answer = loaded, prepared, tuple(answer)
        self._layers, self._modes = tuple(layers), tuple(modes)
        self._decoder = loaded.adapter.decoder(loaded.model)
        start = min(self._layers)
        outputs = frozenset({start - 1}) if start else frozenset[int]()
        self._reach = Reach(start, outputs)
        self._prefix = self._first_layers() if start else Prefix()

    @property
    def together(self) -> bool:
        """Whether several rows may be asked in one forward."""
        return rows_go_together(self._prepared.inputs)

    @torch.no_grad()
    def logits(self, kept: Sequence[np.ndarray]) -> torch.Tensor:
        """What is predicted for each token of the answer: ``[rows, tokens, vocabulary]``.

        `kept` holds for each layer int64 ``[rows, k]``, ascending indices of visual tokens.
        """
        rows, prefix = len(kept[0]), self._prefix
        prepared = repeated(self._prepared, rows) if rows > 1 else self._prepared
        if rows > 1:
            prefix = _repeated_prefix(prefix, rows)
        method = Replay(layers=self._layers, kept=tuple(kept), modes=self._modes)
        model, sharing = self._loaded.model, Sharing(self._decoder, self._reach, prefix)
        with sharing.attached(), block(self._loaded, prepared, method) as run:
            run.let_several_follow()
            out = model(**prepared.inputs, use_cache=True, logits_to_keep=1)
            found = [out.logits[:, -1:]]
            if len(self._answer) > 1:
                step = after_prompt(prepared.inputs, 0, self._answer[:-1])
                found.append(model(**step, past_key_values=out.past_key_values).logits)
        return torch.cat(found, dim=1)

    @torch.no_grad()
    def _first_layers(self) -> Prefix:
        sharing = Sharing(self._decoder, self._reach, Prefix())
        with sharing.attached(), block(self._loaded, self._prepared, None):
            self._loaded.model(**self._prepared.inputs, use_cache=True, logits_to_keep=1)
        return sharing.prefix


def rows_go_together(inputs: dict[str, Any]) -> bool:
    """Whether copies of a prompt can lie side by side in a batch.

    They cannot where the encoder's output is handed over beside the embeddings, or there is
    padding.
    """
    return inputs.keys() <= ROW_AXES.keys() and bool(inputs["attention_mask"].all())


def repeated_inputs(inputs: dict[str, Any], rows: int) -> dict[str, Any]:
    """A prompt that many times; nothing is copied."""
    found = {}
    for name, value in inputs.items():
        sizes = [-1] * value.ndim
        sizes[ROW_AXES[name]] = rows
        found[name] = value.expand(sizes)
    return found


def repeated(prepared: Prepared, rows: int) -> Prepared:
    """A question that many times, without the encoder's record."""
    return replace(
        prepared,
        inputs=repeated_inputs(prepared.inputs, rows),
        input_ids=prepared.input_ids.expand(rows, -1),
        visual_mask=prepared.visual_mask.expand(rows, -1),
        vision=None,
        further=(),
    )


def _repeated_prefix(prefix: Prefix, rows: int) -> Prefix:
    def wide(values: torch.Tensor) -> torch.Tensor:
        return values.expand(rows, *[-1] * (values.ndim - 1))

    return Prefix(
        {index: wide(output) for index, output in prefix.outputs.items()},
        {},
        tuple((wide(keys), wide(values)) for keys, values in prefix.cache),
    )
