"""Run the decoder on packed questions: loss, and which answers are wholly right."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import LlamaModel

from pruneviz.scenes.questions import Question
from training.packing import Packed


def answer_loss(
    decoder: LlamaModel, visual: Tensor, kept: Tensor, packed: Packed
) -> tuple[Tensor, Tensor]:
    """Run the decoder and compare with the answers.

    Parameters
    ----------
    decoder : LlamaModel
        Its word embeddings also read the answers out.
    visual : Tensor, shape (batch, visual, width)
        Embedded visual tokens.
    kept : Tensor, int64, shape (batch, visual)
        Their places among the 256.
    packed : Packed
        The questions.

    Returns
    -------
    loss : Tensor
        Mean cross entropy of the answers' tokens.
    right : Tensor, bool, shape (batch, questions)
        Whether every token of an answer is the most likely one, i.e. greedy decoding gives it.
    """
    device = visual.device
    words = decoder.embed_tokens.weight
    head = words[packed.head.to(device)].expand(len(visual), -1, -1)
    tail = words[packed.tail.to(device)]
    inputs = torch.cat([head, visual.to(head.dtype), tail], dim=1)
    hidden = decoder(
        inputs_embeds=inputs,
        attention_mask=packed.mask(visual.shape[1]).to(device),
        position_ids=packed.positions(kept).to(device),
        use_cache=False,
    ).last_hidden_state[:, -tail.shape[1] :]
    asked = packed.targets >= 0
    targets = packed.targets[asked].to(device)
    logits = (hidden[asked.to(device)] @ words.T).float()
    loss = torch.nn.functional.cross_entropy(logits, targets)
    wrong = torch.zeros(len(visual), int(packed.segment.max()) + 1, dtype=torch.long)
    rows = torch.arange(len(visual))[:, None].expand_as(packed.tail)[asked]
    missed = (logits.detach().argmax(-1) != targets).cpu().long()
    wrong.index_put_((rows, packed.segment[asked]), missed, accumulate=True)
    return loss, wrong[:, 1:] == 0


def by_kind(questions: Sequence[Sequence[Question]], right: Tensor) -> dict[str, float]:
    """Return the share of right answers of each kind."""
    found: dict[str, list[float]] = defaultdict(list)
    for row, asked in enumerate(questions):
        for column, question in enumerate(asked):
            found[question.kind].append(float(right[row, column]))
    return {kind: sum(v) / len(v) for kind, v in sorted(found.items())}
