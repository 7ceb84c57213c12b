"""What a method may ask about one sample at one stage, answered from the running model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from pruneviz.errors import PruningError
from pruneviz.methods.base import Encoded, NoQueryError
from pruneviz.models.core.vision import EncoderRecord
from pruneviz.models.core.words import content_tokens
from pruneviz.pruning.signals import project_rows
from pruneviz.pruning.state import Prefill, Sample


class RowContext:
    """Implements :class:`pruneviz.methods.base.StageContext` for one row of the batch.

    Parameters
    ----------
    state : Prefill
        The running prefill, its newest frame the one before this stage drops anything.
    sample : Sample
        The row.
    layer : int
        1-based layer after which is pruned; 0 = before the LLM.
    hidden : torch.Tensor
        States entering the stage, ``[batch, n, hidden]``.
    layers
        The decoder layers.
    tokenizer
        Of the model, or None where it is not known.
    project : callable
        The model's projector.
    """

    def __init__(
        self,
        state: Prefill,
        sample: Sample,
        layer: int,
        hidden: torch.Tensor,
        layers: Any,
        tokenizer: Any,
        project: Callable[[torch.Tensor], torch.Tensor],
    ) -> None:
        self.layer = layer
        self.num_visual = len(sample.columns)
        self.alive = sample.origin[sample.alive]
        self.device = hidden.device
        self._state, self._sample, self._hidden = state, sample, hidden
        self._layers, self._tokenizer, self._project = layers, tokenizer, project

    @property
    def _places(self) -> torch.Tensor:
        return self._state.visual_places(self._sample)

    def transition(self, layers: tuple[int, ...]) -> torch.Tensor:
        """TTV summed over layers, float32 ``[n]``."""
        total = torch.zeros(len(self.alive), device=self.device)
        for layer in layers:
            places = self._state.visual_places(self._sample, layer - 1)
            total += self._state.ttv[layer][self._sample.row, places]
        return total

    def attention(self, queries: str, own_layer: bool = False) -> torch.Tensor:
        """Mean attention of the queries, float32 ``[n]``."""
        row, state = self._sample.row, self._state
        columns = self._query_columns(queries)
        if len(columns) == 0:
            raise NoQueryError("No text follows the image, so nothing can attend to it.")
        if own_layer:
            attention = self._layers[self.layer - 1].self_attn
            if state.attention_input is None:
                raise PruningError("The layer's attention input was not recorded.")
            normed = state.attention_input[row]
        else:
            following = self._layers[self.layer]
            attention = following.self_attn
            normed = following.input_layernorm(self._hidden[row])
        if state.rotary is None:
            raise PruningError("Attention can only be read inside the language model.")
        cos, sin = (table[row if table.shape[0] > 1 else 0] for table in state.rotary)
        rows = state.frame.places(row, columns)
        key_mask = state.frame.row_valid(row)
        probabilities = project_rows(attention, normed, rows, (cos, sin), key_mask)
        return probabilities.mean(0)[self._places]

    def visual_features(self) -> torch.Tensor:
        """Hidden states of the alive tokens, ``[n, hidden]``."""
        return self._hidden[self._sample.row, self._places]

    def text_features(self) -> tuple[torch.Tensor, str]:
        """Embeddings of the content words, or of all text after the image."""
        if self.layer != 0:
            raise PruningError("Text embeddings are only at hand before the LLM.")
        columns, source = self._content_columns()
        places = self._state.frame.places(self._sample.row, columns)
        return self._hidden[self._sample.row, places], source

    def vision_significance(self, include_cls: bool) -> torch.Tensor:
        """Significance of this sample's images, one after another, float32 ``[num_visual]``."""
        record = self._record
        return record.scores(include_cls, self._images(record))

    def encoded(self) -> Encoded:
        """What the encoder left of this sample's images."""
        record = self._record
        images = self._images(record)
        found = record.features(images)
        if found is not None:
            final = (found.final_attention, found.final_keys)
            parts = (found.attention, found.keys, found.features, found.leading)
            return Encoded(*parts, final, self._project, images=self.images())
        states = self.visual_features()
        attention = record.received(images)
        return Encoded(
            attention,
            states,
            states,
            states[:0],
            (attention, states),
            lambda merged: merged,
            ("Merged and compared after the projector, in the LLM's input space.",),
            self.images(),
        )

    def images(self) -> tuple[int, ...]:
        """Visual tokens of each of this sample's images; one number where that is not known."""
        record = self._state.vision
        if record is None or not record.whole_images:
            return (self.num_visual,)
        rows = images_of_rows([len(s.columns) for s in self._state.samples], record.counts)
        return record.counts[rows[self._sample.row]] if rows else (self.num_visual,)

    def crops(self) -> torch.Tensor:
        """Which crop of this sample's images each token is from, int64 ``[num_visual]``."""
        record = self._record
        return record.crops_of(self._images(record)).to(self.device)

    def blocks(self) -> tuple[tuple[int, int], ...]:
        """Grids of the sample's visual tokens; one row of them all where they are unknown."""
        if self._state.vision is None:
            return ((1, self.num_visual),)
        chosen = self._images(self._state.vision)
        return tuple(block for parts in self._state.vision.blocks[chosen] for block in parts)

    @property
    def _record(self) -> EncoderRecord:
        if self._state.vision is None:
            raise PruningError(
                "The vision encoder did not run inside this prune(), so nothing is known of it. "
                "Pass pixel_values, or give prune(vision=...) the record of an earlier run."
            )
        return self._state.vision

    def _images(self, record: EncoderRecord) -> slice:
        """Which of the encoded images are this sample's."""
        found = images_of_rows([len(s.columns) for s in self._state.samples], record.counts)
        if found is None:
            raise PruningError(
                f"Images of {', '.join(map(str, record.counts))} tokens do not match the visual "
                "tokens of the batch, so FoPru cannot tell which token belongs to which patch."
            )
        return found[self._sample.row]

    def _query_columns(self, queries: str) -> torch.Tensor:
        if queries == "last":
            return self._sample.last
        if queries == "question":
            return self._content_columns()[0]
        if queries == "raters":
            if self._sample.raters is None:
                raise PruningError("The method must say in its needs that it asks for raters.")
            return self._sample.raters
        return self._sample.after_image

    def _content_columns(self) -> tuple[torch.Tensor, str]:
        """Columns of the question's content words and a sentence on how they were found."""
        after = self._sample.after_image
        if self._tokenizer is None or self._state.ids is None:
            return after, "Relevance from all text after the image (tokenizer unknown)."
        ids = self._state.ids[self._sample.row, after].tolist()
        marks = torch.tensor(content_tokens(self._tokenizer, ids), dtype=torch.bool)
        if not marks.any():
            return after, "Relevance from all text after the image (no content word found)."
        chosen = after[marks.to(after.device)]
        words = self._tokenizer.decode(self._state.ids[self._sample.row, chosen].tolist())
        return chosen, f"Relevance from the words: {words.strip()}."


def images_of_rows(needed: list[int], counts: tuple[int, ...]) -> list[slice] | None:
    """Which images belong to each row of the batch, None where they do not fit.

    `needed` are the visual tokens of the rows, `counts` those of the images, in order. Beams
    and returned sequences repeat whole samples after the images were encoded.
    """
    total = sum(counts)
    repeats, rest = divmod(sum(needed), total) if total else (0, 1)
    if rest or not repeats or len(needed) % repeats:
        return None
    rows, image = [], 0
    for count in needed[::repeats]:
        first, taken = image, 0
        while taken < count and image < len(counts):
            taken += counts[image]
            image += 1
        if taken != count:
            return None
        rows += [slice(first, image)] * repeats
    return rows
