"""What a method may ask about one sample at one stage, answered from the running model."""

from __future__ import annotations

from typing import Any

import torch

from pruneviz.errors import PruningError
from pruneviz.methods.base import Encoded, NoQueryError
from pruneviz.models.core.vision import EncoderRecord
from pruneviz.models.core.words import content_tokens
from pruneviz.pruning.signals import mean_attention, rotated_keys
from pruneviz.pruning.spec import RunSpec
from pruneviz.pruning.state import Prefill, RunningLayer, Selection


class RowContext:
    """Implements :class:`pruneviz.methods.base.StageContext` for one row of the batch.

    Parameters
    ----------
    spec : RunSpec
        The run.
    prefill : Prefill
        The running one, its newest frame the one before this stage drops anything.
    selection : Selection
        The row and what is left of it.
    hidden : torch.Tensor
        States entering the stage, ``[batch, n, hidden]``.
    running : RunningLayer or None
        The layer that they come from; None before the LLM.
    """

    def __init__(
        self,
        spec: RunSpec,
        prefill: Prefill,
        selection: Selection,
        hidden: torch.Tensor,
        running: RunningLayer | None,
    ) -> None:
        self.layer = 0 if running is None else running.index + 1
        self.num_visual = selection.row.num_visual
        self.alive = selection.origin[selection.alive]
        self.device = hidden.device
        self._spec, self._prefill, self._selection = spec, prefill, selection
        self._prompt, self._row = prefill.prompt, selection.row
        self._hidden, self._running = hidden[selection.row.number], running

    @property
    def _places(self) -> torch.Tensor:
        return self._selection.places(self._prefill.frames.newest)

    def transition(self, layers: tuple[int, ...]) -> torch.Tensor:
        """TTV summed over layers, float32 ``[n]``."""
        asked = self._spec.policy.needs.transitions
        missing = [layer for layer in layers if asked is None or layer not in asked.layers]
        if missing:
            raise _undeclared("transitions=TransitionSpec(layers)", f"TTV of layer {missing[0]}")
        total = torch.zeros(len(self.alive), device=self.device)
        for layer in layers:
            index = layer - 1
            if index not in self._prefill.recording.ttv:
                raise PruningError(
                    f"TTV of layer {layer} is not there yet after layer {self.layer}."
                )
            places = self._selection.places(self._prefill.frames.at(index))
            total += self._prefill.recording.ttv[index][self._row.number, places]
        return total

    def attention(self, queries: str, own_layer: bool = False) -> torch.Tensor:
        """Mean attention of the queries, float32 ``[n]``."""
        columns = self._query_columns(queries)
        if len(columns) == 0:
            raise NoQueryError("No text follows the image, so nothing can attend to it.")
        if self._running is None:
            raise PruningError("Attention can only be read inside the language model.")
        layers: Any = self._spec.decoder.layers
        if own_layer:
            attention = layers[self.layer - 1].self_attn
            if self._running.normed is None:
                raise _undeclared("own_attention=True", "attention inside the pruning layer")
            normed = self._running.normed[self._row.number]
        else:
            following = layers[self.layer]
            attention = following.self_attn
            normed = following.input_layernorm(self._hidden)
        frame, row = self._prefill.frames.newest, self._row.number
        received = mean_attention(attention, normed, self._running.rotary, frame, row, columns)
        return received[self._places]

    def own_keys(self, tokens: str) -> torch.Tensor:
        """Keys after RoPE inside the pruning layer, ``[m, kv_heads, head_dim]``."""
        if self._running is None:
            raise PruningError("Keys can only be read inside the language model.")
        if self._running.normed is None:
            raise _undeclared("own_attention=True", "keys of the pruning layer")
        layers: Any = self._spec.decoder.layers
        return rotated_keys(
            layers[self.layer - 1].self_attn,
            self._running.normed[self._row.number],
            self._running.rotary,
            self._row.number,
            self._places_of(tokens),
        )

    def normed_states(self, tokens: str) -> torch.Tensor:
        """States entering this stage, through the LLM's final norm, ``[m, hidden]``."""
        normed: torch.Tensor = self._spec.decoder.module.norm(self._hidden[self._places_of(tokens)])
        return normed

    def prompt_places(self, tokens: str) -> torch.Tensor:
        """Places in the prompt, padding not counted, int64 ``[m]``."""
        padding = self._row.first_column
        return (
            self._prefill.frames.newest.columns[self._row.number][self._places_of(tokens)] - padding
        )

    def _places_of(self, tokens: str) -> torch.Tensor:
        """Places in the newest frame of the visual tokens or of the text after the image."""
        if tokens == "visual":
            return self._places
        return self._prefill.frames.newest.places(self._row.number, self._row.after_image)

    def visual_features(self) -> torch.Tensor:
        """Hidden states of the alive tokens, ``[n, hidden]``."""
        return self._hidden[self._places]

    def text_features(self) -> tuple[torch.Tensor, str]:
        """Embeddings of the content words, or of all text after the image."""
        if self.layer != 0:
            raise PruningError("Text embeddings are only at hand before the LLM.")
        columns, source = self._content_columns()
        places = self._prefill.frames.newest.places(self._row.number, columns)
        return self._hidden[places], source

    def vision_significance(self, include_cls: bool) -> torch.Tensor:
        """Significance of this sample's images, one after another, float32 ``[num_visual]``."""
        record = self._record
        return record.scores(include_cls, self._images(record))

    def attention_received(self) -> tuple[torch.Tensor, ...]:
        """Mean attention in the encoder layers that are read, each float32 ``[num_visual]``."""
        images = self._images(self._record)
        records = (self._record, *self._prompt.further)
        return tuple(record.received_from_all(images) for record in records)

    def encoded(self) -> Encoded:
        """What the encoder left of this sample's images."""
        record = self._record
        images = self._images(record)
        found = record.features(images)
        if found is not None:
            final = (found.final_attention, found.final_keys)
            given = (found.attention, found.keys, found.features, found.leading)
            return Encoded(*given, final, self._spec.project, images=self.images())
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
        record, images = self._prompt.vision, self._prompt.images_of(self._row)
        if record is None or images is None or not record.whole_images:
            return (self.num_visual,)
        return record.counts[images]

    def crops(self) -> torch.Tensor:
        """Which crop of this sample's images each token is from, int64 ``[num_visual]``."""
        record = self._record
        return record.crops_of(self._images(record)).to(self.device)

    def blocks(self) -> tuple[tuple[int, int], ...]:
        """Grids of the sample's visual tokens; one row of them all where they are unknown."""
        record = self._prompt.vision
        if record is None:
            return ((1, self.num_visual),)
        return tuple(block for grids in record.blocks[self._images(record)] for block in grids)

    @property
    def _record(self) -> EncoderRecord:
        if not self._spec.policy.needs.encoder:
            raise _undeclared("encoder=True", "what the vision encoder left")
        if self._prompt.vision is None:
            raise PruningError(
                "The vision encoder did not run inside this prune(), so nothing is known of it. "
                "Pass pixel_values, or give prune(vision=...) the record of an earlier run."
            )
        return self._prompt.vision

    def _images(self, record: EncoderRecord) -> slice:
        """Which of the encoded images are this sample's."""
        found = self._prompt.images_of(self._row)
        if found is None:
            raise PruningError(
                f"Images of {', '.join(map(str, record.counts))} tokens do not match the visual "
                "tokens of the batch, so FoPru cannot tell which token belongs to which patch."
            )
        return found

    def _query_columns(self, queries: str) -> torch.Tensor:
        if queries == "last":
            return self._row.last
        if queries == "question":
            return self._content_columns()[0]
        if queries == "raters":
            if self._row.raters is None:
                raise _undeclared("raters=True", "raters")
            return self._row.raters
        if queries != "after_image":
            raise PruningError(
                f"There are no queries {queries!r}; ask for after_image, last, question or raters."
            )
        return self._row.after_image

    def _content_columns(self) -> tuple[torch.Tensor, str]:
        """Columns of the question's content words and a sentence on how they were found."""
        after = self._row.after_image
        tokenizer, ids = self._spec.tokenizer, self._prompt.ids
        if tokenizer is None or ids is None:
            return after, "Relevance from all text after the image (tokenizer unknown)."
        own = ids[self._row.number]
        marks = torch.tensor(content_tokens(tokenizer, own[after].tolist()), dtype=torch.bool)
        if not marks.any():
            return after, "Relevance from all text after the image (no content word found)."
        chosen = after[marks.to(after.device)]
        words = tokenizer.decode(own[chosen].tolist())
        return chosen, f"Relevance from the words: {words.strip()}."


def _undeclared(need: str, what: str) -> PruningError:
    return PruningError(
        f"The method asks for {what} but does not say so: its property `needs` must return "
        f"Needs({need})."
    )
