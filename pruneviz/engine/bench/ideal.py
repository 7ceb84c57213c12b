"""The least that a prefill of given lengths takes: plain forwards, already cut.

The model runs as it is up to its decoder stack, so that encoder and all that transformers does
around the stack are in it. In the stack's place its own layers run one after another, with masks
and rotary tables made beforehand; where a method dropped tokens the same ones are left out by a
single gather. Nothing is scored, recorded or decided.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from transformers import DynamicCache
from transformers.masking_utils import create_causal_mask
from transformers.modeling_outputs import BaseModelOutputWithPast

from pruneviz.engine.bench.subject import Subject
from pruneviz.trace import Trace


@dataclass(frozen=True, eq=False)
class Prompt:
    """What a model hands to its decoder stack.

    Attributes
    ----------
    embeds : torch.Tensor
        ``[batch, n, hidden]``.
    positions : torch.Tensor
        Int64 ``[batch, n]`` or ``[channels, batch, n]``.
    visual : torch.Tensor
        Bool ``[batch, n]``: the tokens that may be removed.
    deep : torch.Tensor or None
        Bool ``[batch, n]``: those that get features after the first layers.
    """

    embeds: torch.Tensor
    positions: torch.Tensor
    visual: torch.Tensor
    deep: torch.Tensor | None

    @classmethod
    @torch.no_grad()
    def read(cls, subject: Subject, inputs: dict[str, Any]) -> Prompt:
        """Run the model once and see."""
        found: dict[str, Any] = {}

        def note(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            found.update(kwargs)

        stack = subject.adapter.decoder(subject.model).module
        handle = stack.register_forward_pre_hook(note, with_kwargs=True)
        try:
            subject.model(**inputs, use_cache=True, logits_to_keep=1)
        finally:
            handle.remove()
        embeds = found["inputs_embeds"]
        batch, length = embeds.shape[:2]
        positions = found.get("position_ids")
        if positions is None:
            positions = torch.arange(length, device=embeds.device)[None]
        positions = positions.expand(*positions.shape[:-2], batch, length)
        visual = subject.visual_mask(inputs, embeds)
        return cls(embeds, positions, visual, found.get("visual_pos_masks"))


@dataclass(frozen=True, eq=False)
class Stretch:
    """Decoder layers that see the same columns.

    Attributes
    ----------
    places : torch.Tensor or None
        Int64 ``[batch, n]``: where they stand in what came before; None = all of it.
    given : dict
        Keyword arguments of every layer of the stretch.
    deep : tuple of torch.Tensor or None
        Where features are added: places in the flattened sequence, and which features.
    """

    places: torch.Tensor | None
    given: dict[str, Any]
    deep: tuple[torch.Tensor, torch.Tensor] | None


class Ideal:
    """Plain forwards of a subject at given columns.

    Parameters
    ----------
    subject : Subject
        The model.
    prompt : Prompt
        What its stack is given.
    columns : sequence of torch.Tensor
        For each decoder layer the columns of the prompt that it sees, int64 ``[batch, n]``,
        ascending.
    """

    def __init__(self, subject: Subject, prompt: Prompt, columns: Sequence[torch.Tensor]) -> None:
        self._decoder = subject.adapter.decoder(subject.model)
        self._rows = torch.arange(len(prompt.embeds), device=prompt.embeds.device)[:, None]
        self._stretches: dict[int, Stretch] = {}
        last = torch.arange(prompt.embeds.shape[1]).expand(len(prompt.embeds), -1)
        for index, seen in enumerate(columns):
            if index == 0 or seen is not columns[index - 1]:
                self._stretches[index] = self._stretch(prompt, last, seen)
                last = seen

    def _stretch(self, prompt: Prompt, last: torch.Tensor, seen: torch.Tensor) -> Stretch:
        device = prompt.embeds.device
        places = None
        if seen.shape != last.shape:
            places = torch.searchsorted(last.contiguous(), seen.contiguous()).to(device)
        seen = seen.to(device)
        states = prompt.embeds[self._rows, seen]
        lead = prompt.positions.shape[:-1]
        positions = prompt.positions.gather(-1, seen.expand(*lead, -1))
        mask = create_causal_mask(
            config=self._decoder.config,
            inputs_embeds=states,
            attention_mask=None,
            past_key_values=None,
            position_ids=None,
        )
        given = {
            "attention_mask": mask,
            "position_embeddings": self._decoder.rotary(states, positions),
            "position_ids": None,
            "use_cache": True,
        }
        return Stretch(places, given, self._deep(prompt, seen))

    def _deep(self, prompt: Prompt, seen: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor] | None:
        if prompt.deep is None:
            return None
        rank = prompt.deep.flatten().cumsum(0).view_as(prompt.deep) - 1
        left = prompt.deep[self._rows, seen]
        return left.flatten().nonzero().squeeze(-1), rank[self._rows, seen][left]

    def layers(
        self, hidden: torch.Tensor, cache: Any, features: Sequence[torch.Tensor] = ()
    ) -> torch.Tensor:
        """Hidden states ``[batch, n, hidden]`` of the whole prompt to those after the last norm."""
        for index, layer in enumerate(self._decoder.layers):
            stretch = self._stretches.get(index)
            if stretch is not None:
                now = stretch
                if now.places is not None:
                    hidden = hidden[self._rows, now.places]
            hidden = layer(hidden, past_key_values=cache, **now.given)
            if index < len(features) and now.deep is not None:
                flat, which = now.deep
                added = hidden.flatten(0, 1).index_add(0, flat, features[index][which])
                hidden = added.view_as(hidden)
        normed: torch.Tensor = self._decoder.module.norm(hidden)
        return normed

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Run these layers in place of the model's decoder stack inside the block."""
        stack = self._decoder.module

        def forward(**kwargs: Any) -> BaseModelOutputWithPast:
            cache = kwargs.get("past_key_values")
            cache = DynamicCache(config=stack.config) if cache is None else cache
            features = kwargs.get("deepstack_visual_embeds") or ()
            states = self.layers(kwargs["inputs_embeds"], cache, features)
            return BaseModelOutputWithPast(last_hidden_state=states, past_key_values=cache)

        stack.forward = forward
        try:
            yield
        finally:
            del stack.forward


def first_columns(prompt: Prompt, length: int, layers: int) -> list[torch.Tensor]:
    """The first `length` columns of every row, in every layer."""
    columns = torch.arange(length).expand(len(prompt.embeds), -1)
    return [columns] * layers


def columns_of(traces: Sequence[Trace], visual: torch.Tensor) -> list[torch.Tensor]:
    """The columns that each decoder layer saw in a pruned run, int64 ``[batch, n]``.

    Parameters
    ----------
    traces : sequence of Trace
        One per row.
    visual : torch.Tensor
        Bool ``[batch, n]``: the tokens that may be removed.

    Notes
    -----
    Where a row held more tokens than it kept (what merging made, or the filler of a row that drops
    more than another), columns that were dropped stand in for them: only the length matters.
    """
    lengths = traces[0].kv_lengths
    rows = [_row_columns(t, v, lengths) for t, v in zip(traces, visual.cpu().numpy(), strict=True)]
    seen: list[torch.Tensor] = []
    for index, length in enumerate(lengths):
        if index and length == lengths[index - 1]:
            seen.append(seen[-1])
        else:
            seen.append(torch.from_numpy(np.stack([row[index] for row in rows])))
    return seen


def _row_columns(trace: Trace, visual: np.ndarray, lengths: Sequence[int]) -> list[np.ndarray]:
    text, patches = np.flatnonzero(~visual), np.flatnonzero(visual)
    before, found = np.arange(len(visual)), []
    for index, length in enumerate(lengths):
        if length != len(before):
            done = [stage for stage in trace.stages if stage.layer <= index]
            wanted = np.union1d(text, patches[done[-1].kept]) if done else before
            others = np.setdiff1d(before, wanted, assume_unique=True)
            before = np.union1d(wanted, others[: max(0, length - len(wanted))])
        found.append(before)
    return found
