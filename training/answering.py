"""Run the decoder on packed questions: loss, and which answers are wholly right."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor
from transformers import LlamaModel

from training.packing import Packed


def answer_loss(
    decoder: LlamaModel,
    visual: Tensor,
    places: Tensor,
    packed: Packed,
    seen: Tensor | None = None,
    after: Tensor | int | None = None,
    blind: range = range(0),
) -> tuple[Tensor, Tensor]:
    """Run the decoder and compare with the answers.

    Parameters
    ----------
    decoder : LlamaModel
        Its word embeddings also read the answers out.
    visual : Tensor, shape (batch, visual, width)
        Embedded visual tokens.
    places : Tensor, int64, shape (batch, visual)
        Their places; see :meth:`training.packing.Packed.positions`.
    packed : Packed
        The questions, on any device.
    seen : Tensor, bool, shape (batch, visual), optional
        Which visual tokens are seen; all by default.
    after : Tensor, shape (batch, 1), or int, optional
        Place of the first token after the picture; by default after all patches.
    blind : range
        Layers, counted from 0, in which no question sees the picture.

    Returns
    -------
    loss : Tensor
        Mean cross entropy of the answers' tokens.
    right : Tensor, bool, shape (batch, questions)
        Whether every token of an answer is the most likely one, i.e. greedy decoding gives it.
        On the device of `visual`; nothing here waits for a device.
    """
    device = visual.device
    rows, columns = packed.targets.ge(0).nonzero(as_tuple=True)  # before it moves: no waiting
    questions = int(packed.segment.max())
    packed, rows, columns = packed.to(device), rows.to(device), columns.to(device)
    words = decoder.embed_tokens.weight
    head = words[packed.head].expand(len(visual), -1, -1)
    inputs = torch.cat([head, visual.to(head.dtype), words[packed.tail]], dim=1)
    mask = packed.mask(visual.shape[1], seen)
    positions = packed.positions(places) if after is None else packed.positions(places, after)
    first = len(packed.head)
    blinded = _blind(decoder, blind, mask, first, first + visual.shape[1])
    with blinded if blind else nullcontext():
        hidden = decoder(
            inputs_embeds=inputs, attention_mask=mask, position_ids=positions, use_cache=False
        ).last_hidden_state[:, -packed.tail.shape[1] :]
    targets = packed.targets[rows, columns]
    logits = (hidden[rows, columns] @ words.T).float()
    loss = torch.nn.functional.cross_entropy(logits, targets)
    wrong = torch.zeros(len(visual), questions + 1, device=device)
    missed = (logits.detach().argmax(-1) != targets).float()
    wrong.index_put_((rows, packed.segment[rows, columns]), missed, accumulate=True)
    return loss, wrong[:, 1:] == 0


@contextmanager
def _blind(
    decoder: LlamaModel, layers: range, mask: Tensor, first: int, last: int
) -> Iterator[None]:
    """Hide the visual columns `first` to `last` from the text after them in some layers."""
    hidden = mask.clone()
    hidden[:, :, last:, first:last] = False

    def give(module: Any, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        return args, {**kwargs, "attention_mask": hidden}

    hooks = [
        layer.register_forward_pre_hook(give, with_kwargs=True)
        for layer in (decoder.layers[i] for i in layers)
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def by_kind(kinds: Tensor, right: Tensor, names: tuple[str, ...]) -> dict[str, Any]:
    """Return how many answers of each kind are right, and how many were asked.

    Parameters
    ----------
    kinds : Tensor, int64, shape (batch, questions)
        Index of each question's kind.
    right : Tensor, bool, shape (batch, questions)
        From :func:`answer_loss`.
    names : tuple of str
        The kinds.

    Returns
    -------
    dict of str to (Tensor, Tensor)
        As :class:`training.loop.run_stage` logs them; still on the device.
    """
    chosen = torch.nn.functional.one_hot(kinds.to(right.device), len(names)).flatten(0, 1).float()
    asked, good = chosen.sum(0), chosen.T @ right.flatten().float()
    return {name: (good[i], asked[i]) for i, name in enumerate(names)}
