"""The description of one `prune` or `observe` block."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import torch

from pruneviz.methods.base import TransitionSpec
from pruneviz.models.core.adapter import Adapter
from pruneviz.models.core.decoder import Decoder
from pruneviz.models.core.deepstack import adds_features
from pruneviz.models.core.vision import EncoderRecord
from pruneviz.models.core.words import tokenizer_of
from pruneviz.pruning.checks import check_vision
from pruneviz.pruning.counting import FlopCounter
from pruneviz.pruning.policy import Policy
from pruneviz.pruning.visible import VisualTokens

SIGNALS = ("ttv", "iga", "residual")


@dataclass(frozen=True, kw_only=True, eq=False)
class RunSpec:
    """Everything about a block that is settled when it is entered.

    Attributes
    ----------
    model, adapter
        The model and its family's adapter.
    decoder : Decoder
        The language model's stack.
    policy : Policy
        What is done to the visual tokens.
    visual : VisualTokens
        Finds them.
    signals : tuple of str
        What is recorded in every layer.
    input_ids : torch.Tensor or None
        Ids of the prompt, where the model is fed ``inputs_embeds``.
    vision : tuple of EncoderRecord
        Records of a run of the vision encoder before the block.
    counter : FlopCounter or None
        Counts what choosing takes, where that is asked for.

    Raises
    ------
    ValueError
        If a signal is unknown.
    PruningError
        If `vision` is of other encoder layers than the method reads.
    """

    model: Any
    adapter: Adapter
    decoder: Decoder
    policy: Policy
    visual: VisualTokens
    signals: tuple[str, ...]
    input_ids: torch.Tensor | None
    vision: tuple[EncoderRecord, ...] = ()
    counter: FlopCounter | None = None

    def __post_init__(self) -> None:
        """Check what can be checked before the model runs."""
        check_vision(self.adapter, self.model, self.policy.needs, self.vision)
        _check_signals(self.signals)

    @property
    def tokenizer(self) -> Any | None:
        """Of the model, None where it is not known."""
        return tokenizer_of(self.model)

    @property
    def adds_by_place(self) -> bool:
        """Whether the model adds something to visual tokens by their places in the prompt."""
        return adds_features(self.decoder.module)

    @property
    def watches_encoder(self) -> bool:
        """Whether the vision encoder's run in this block must be recorded."""
        needs = self.policy.needs
        return not self.vision and (needs.encoder or (needs.grid and self.adapter.sees))

    @property
    def encoder_layers(self) -> tuple[int | None, ...]:
        """Layers of the vision encoder that are read, the one that most is read of first."""
        needs = self.policy.needs
        return (needs.encoder_layer, *needs.further_layers)

    def by_layer(self, records: Sequence[EncoderRecord]) -> dict[int, EncoderRecord]:
        """The latest record of each layer, by its place among `encoder_layers`."""
        if len(self.encoder_layers) == 1:
            return {0: records[-1]} if records else {}
        latest = {record.encoder_index: record for record in records}
        wanted = (self.adapter.encoder_index(self.model, n) for n in self.encoder_layers)
        return {place: latest[index] for place, index in enumerate(wanted) if index in latest}

    @property
    def transitions(self) -> TransitionSpec:
        """The reading of TTV and the layers in which it is computed."""
        spec = self.policy.needs.transitions or TransitionSpec(())
        if "ttv" not in self.signals:
            return spec
        return replace(spec, layers=tuple(range(1, self.decoder.num_layers + 1)))

    @property
    def watched(self) -> frozenset[int]:
        """Indices, from 0, of the layers whose attention and FFN are looked into."""
        if self.signals:
            return frozenset(range(self.decoder.num_layers))
        return frozenset(layer - 1 for layer in self.transitions.layers)

    def counting(self) -> AbstractContextManager[Any]:
        """What choosing runs in."""
        return nullcontext() if self.counter is None else self.counter

    def project(self, features: torch.Tensor) -> torch.Tensor:
        """Put encoder features ``[..., k, d]`` into the LLM's input space."""
        return self.adapter.project(self.model, features)


def _check_signals(signals: Iterable[str]) -> None:
    unknown = set(signals) - set(SIGNALS)
    if unknown:
        raise ValueError(
            f"Cannot record {', '.join(sorted(unknown))}; signals: {', '.join(SIGNALS)}."
        )
