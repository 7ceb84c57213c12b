"""What a method may ask about some samples at one stage, answered from the running model."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch

from pruneviz.errors import PruningError
from pruneviz.methods.base import Encoded, NoQueryError, Text
from pruneviz.pruning.pictures import Pictures
from pruneviz.pruning.prompt import content_columns
from pruneviz.pruning.rows import Words
from pruneviz.pruning.signals import Reader, keys_of, taken, taken_in_heads
from pruneviz.pruning.spec import RunSpec
from pruneviz.pruning.state import Prefill, RunningLayer, Selection


class GroupContext:
    """Implements :class:`pruneviz.methods.base.StageContext` for the rows of a group.

    Parameters
    ----------
    spec : RunSpec
        The run.
    prefill : Prefill
        The running one, its newest frame the one before this stage drops anything.
    selection : Selection
        The rows and what is left of them.
    hidden : torch.Tensor
        States entering the stage, ``[batch, n, hidden]``.
    running : RunningLayer or None
        The layer that they come from; None before the LLM.
    batched : bool
        Whether the method takes all rows at once. If not, there is one, and what is given has no
        dimension for it.
    """

    def __init__(
        self,
        spec: RunSpec,
        prefill: Prefill,
        selection: Selection,
        hidden: torch.Tensor,
        running: RunningLayer | None,
        batched: bool,
    ) -> None:
        self.layer = 0 if running is None else running.index + 1
        self.num_visual = selection.group.num_visual
        self.device = hidden.device
        self._spec, self._prefill, self._selection = spec, prefill, selection
        self._prompt, self._group = prefill.prompt, selection.group
        self._hidden, self._running, self._batched = hidden, running, batched
        self._pictures = Pictures(self._prompt, self._group, batched)
        self.alive = self._out(selection.tokens(selection.alive))

    def _out(self, values: torch.Tensor) -> torch.Tensor:
        return values if self._batched else values[0]

    @cached_property
    def _states(self) -> torch.Tensor:
        return self._group.of(self._hidden)

    @cached_property
    def _places(self) -> torch.Tensor:
        return self._selection.places(self._prefill.frames.newest)

    @cached_property
    def _visual(self) -> torch.Tensor:
        return taken(self._states, self._places, self._places.shape[1])

    def transition(self, layers: tuple[int, ...]) -> torch.Tensor:
        """TTV summed over layers, float32 ``[..., n]``."""
        asked = self._spec.policy.needs.transitions
        missing = [layer for layer in layers if asked is None or layer not in asked.layers]
        if missing:
            raise _undeclared("transitions=TransitionSpec(layers)", f"TTV of layer {missing[0]}")
        late = self._prefill.recording.missing([layer - 1 for layer in layers])
        if late:
            raise PruningError(
                f"TTV of layer {late[0] + 1} is not there yet after layer {self.layer}."
            )
        return self._out(self._prefill.transitions(self._spec.transitions, self._selection, layers))

    def attention(self, queries: str, own_layer: bool = False) -> torch.Tensor:
        """Mean attention of the queries, float32 ``[..., n]``."""
        words = self._words(queries)
        if not words.count:
            raise NoQueryError("No text follows the image, so nothing can attend to it.")
        if self._running is None:
            raise PruningError("Attention can only be read inside the language model.")
        layers: Any = self._spec.decoder.layers
        cos, sin = (self._group.of(table) for table in self._running.rotary)
        rotary = cos, sin
        reader = Reader(self._prefill.frames.newest, words, self._group.index)
        if own_layer:
            attention = layers[self.layer - 1].self_attn
            normed, kept = self._normed("Attention"), self._running.query
            kept = None if kept is None else self._group.of(kept)
            query, keys = reader.queries(attention, normed, kept), self._own(attention)
        else:
            following = layers[self.layer]
            attention = following.self_attn
            normed = following.input_layernorm(self._states)
            query = reader.queries(attention, normed)
            keys = keys_of(attention, normed, rotary)
        received = reader.mean(attention, query, keys, rotary)
        return self._out(received.gather(1, self._places))

    def _normed(self, what: str) -> torch.Tensor:
        """What entered the pruning layer's attention, ``[rows, n, hidden]``."""
        if self._running is None:
            raise PruningError(f"{what} can only be read inside the language model.")
        if self._running.normed is None or not self._spec.policy.needs.own_attention:
            raise _undeclared("own_attention=True", f"{what.lower()} of the pruning layer")
        return self._group.of(self._running.normed)

    def _own(self, attention: Any) -> torch.Tensor:
        """Keys after RoPE of the pruning layer, ``[rows, kv_heads, n, head_dim]``."""
        normed, running = self._normed("Keys"), self._running
        if running is None or running.keys is None:
            rotary = () if running is None else running.rotary
            cos, sin = (self._group.of(table) for table in rotary)
            return keys_of(attention, normed, (cos, sin))
        return self._group.of(running.keys)

    def own_keys(self, tokens: str) -> torch.Tensor:
        """Keys after RoPE inside the pruning layer, ``[..., m, kv_heads, head_dim]``."""
        self._normed("Keys")
        layers: Any = self._spec.decoder.layers
        keys, places = self._own(layers[self.layer - 1].self_attn), self._places_of(tokens)
        return self._out(taken_in_heads(keys, places, places.shape[1]).transpose(1, 2))

    def normed_states(self, tokens: str) -> torch.Tensor:
        """States entering this stage, through the LLM's final norm, ``[..., m, hidden]``."""
        places = self._places_of(tokens)
        states = self._out(taken(self._states, places, places.shape[1]))
        normed: torch.Tensor = self._spec.decoder.module.norm(states)
        return normed

    def prompt_places(self, tokens: str) -> torch.Tensor:
        """Places in the prompt, padding not counted, int64 ``[..., m]``."""
        if tokens == "visual":
            columns = self._selection.columns
        else:
            columns = self._prompt.after_image(self._group).columns
        first = torch.tensor([[row.first] for row in self._group.rows], device=self.device)
        return self._out(columns - first)

    def _places_of(self, tokens: str) -> torch.Tensor:
        """Places of the visual tokens or of the text after the image, ``[rows, m]``."""
        if tokens == "visual":
            return self._places
        words = self._prompt.after_image(self._group)
        return self._prefill.frames.newest.places(words.columns, self._group.index)

    def real_text(self) -> torch.Tensor | None:
        """Which text tokens after the image are no filler, bool ``[..., m]``; None = all."""
        real = self._prompt.after_image(self._group).real
        return None if real is None else self._out(real)

    def visual_features(self) -> torch.Tensor:
        """Hidden states of the alive tokens, ``[..., n, hidden]``."""
        return self._out(self._visual)

    def text_features(self) -> Text:
        """Embeddings of the content words, or of all text after the image."""
        if self.layer != 0:
            raise PruningError("Text embeddings are only at hand before the LLM.")
        rows = self._group.rows
        found = [content_columns(row, self._spec.tokenizer) for row in rows]
        words = Words.of(rows, [columns for columns, _ in found], self.device)
        places = self._prefill.frames.newest.places(words.columns, self._group.index)
        features = self._out(taken(self._states, places, words.count))
        real = None if words.real is None else self._out(words.real)
        return Text(features, tuple(source for _, source in found), real)

    def vision_significance(self, include_cls: bool) -> torch.Tensor:
        """Significance of a sample's images, float32 ``[..., num_visual]``."""
        seen = self._seen
        return seen.read(lambda images: seen.record.scores(include_cls, images))

    def attention_received(self) -> tuple[torch.Tensor, ...]:
        """Mean attention in the encoder layers read, each float32 ``[..., num_visual]``."""
        seen = self._seen
        records = (seen.record, *self._prompt.further)
        return tuple(seen.read(record.received_from_all) for record in records)

    def encoded(self) -> Encoded:
        """What the encoder left of a sample's images."""
        seen = self._seen
        found = seen.encoded(self._spec.project)
        if found is not None:
            return found
        states, attention = self.visual_features(), seen.read(seen.record.received)
        return Encoded(
            attention,
            states,
            states,
            states[..., :0, :],
            lambda: (attention, states),
            lambda merged: merged,
            ("Merged and compared after the projector, in the LLM's input space.",),
            self.images(),
        )

    def images(self) -> tuple[int, ...]:
        """Visual tokens of each of a sample's images; one number where that is not known."""
        return self._pictures.images()

    def crops(self) -> torch.Tensor:
        """Which crop of this sample's images each token is from, int64 ``[num_visual]``."""
        return self._seen.crops().to(self.device)

    def blocks(self) -> tuple[tuple[int, int], ...]:
        """Grids of a sample's visual tokens; one row of them all where they are unknown."""
        return self._pictures.blocks()

    @property
    def _seen(self) -> Pictures:
        """What the encoder left, for methods that say that they ask."""
        if not self._spec.policy.needs.encoder:
            raise _undeclared("encoder=True", "what the vision encoder left")
        return self._pictures

    def _words(self, queries: str) -> Words:
        if queries == "last":
            return self._prompt.last(self._group)
        if queries == "question":
            rows = self._group.rows
            found = [content_columns(row, self._spec.tokenizer)[0] for row in rows]
            return Words.of(rows, found, self.device)
        if queries == "raters":
            if not self._spec.policy.needs.raters:
                raise _undeclared("raters=True", "raters")
            return self._prompt.raters(self._group)
        if queries != "after_image":
            raise PruningError(
                f"There are no queries {queries!r}; ask for after_image, last, question or raters."
            )
        return self._prompt.after_image(self._group)


def _undeclared(need: str, what: str) -> PruningError:
    return PruningError(
        f"The method asks for {what} but does not say so: its property `needs` must return "
        f"Needs({need})."
    )
