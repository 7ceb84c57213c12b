"""Pack several questions about one picture into one sequence.

Every question sees the picture and itself, never another question, exactly as if it had been
asked alone: positions restart after the picture and a block-diagonal mask keeps them apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from pruneviz.scenes.questions import Question
from training.tokenizer import BOS, EOS, encode, token_id

NUM_PATCHES = 256
_IGNORED = -100
_STEP = 16


@dataclass(frozen=True)
class Packed:
    """A batch of packed sequences: a head, the visual tokens, then the questions.

    Attributes
    ----------
    head : Tensor, int64, shape (head,)
        Token ids before the picture.
    tail : Tensor, int64, shape (batch, tail)
        Token ids of all questions and answers, padded.
    targets : Tensor, int64, shape (batch, tail)
        The next token where it belongs to an answer, else -100.
    segment : Tensor, int64, shape (batch, tail)
        Number of the question, from 1; 0 for padding.
    offset : Tensor, int64, shape (batch, tail)
        Position inside the question.
    """

    head: Tensor
    tail: Tensor
    targets: Tensor
    segment: Tensor
    offset: Tensor

    def to(self, device: torch.device) -> Packed:
        """Return the same on a device."""
        return Packed(**{f.name: getattr(self, f.name).to(device) for f in fields(self)})

    def positions(self, places: Tensor, after: Tensor | int = NUM_PATCHES) -> Tensor:
        """Return position ids, shape (batch, head + visual + tail).

        Parameters
        ----------
        places : Tensor, int64, shape (batch, visual)
            Place of every visual token: its patch, which leaves gaps as pruning does, or its
            number among those that are seen.
        after : Tensor, shape (batch, 1), or int
            Place of the first token after the picture.
        """
        start = len(self.head)
        first = torch.arange(start, device=places.device).expand(len(places), start)
        return torch.cat([first, start + places, start + after + self.offset], dim=1)

    def mask(self, visual: int, seen: Tensor | None = None) -> Tensor:
        """Return the boolean attention mask, shape (batch, 1, length, length).

        Parameters
        ----------
        visual : int
            Number of visual tokens.
        seen : Tensor, bool, shape (batch, visual), optional
            Which of them are seen; the others are hidden from all.
        """
        prefix = len(self.head) + visual
        segment = torch.nn.functional.pad(self.segment, (prefix, 0), value=-1)
        length = segment.shape[1]
        causal = torch.ones(length, length, dtype=torch.bool, device=segment.device).tril()
        same = segment[:, :, None] == segment[:, None, :]
        shared = (segment == -1)[:, None, :].clone()
        if seen is not None:
            shared[:, 0, len(self.head) : prefix] &= seen
            same[:, :, len(self.head) : prefix] = False
            # A row that sees nothing has no softmax: hidden tokens see themselves.
            same |= torch.eye(length, dtype=torch.bool, device=segment.device)
        return ((same | shared) & causal)[:, None]


def pack(questions: Sequence[Sequence[Question]]) -> Packed:
    """Pack the questions of a batch of scenes.

    Parameters
    ----------
    questions : sequence of sequences of Question
        Those of each scene.

    Returns
    -------
    Packed
        Token ids, targets and how they lie.
    """
    head = [token_id(BOS), *encode("USER:")]
    end = token_id(EOS)
    rows = []
    for asked in questions:
        row: list[tuple[int, int, int, int]] = []
        for number, question in enumerate(asked, start=1):
            prompt = encode(f"{question.text} ASSISTANT:")
            answer = (*encode(question.answer), end)
            # The last token predicts nothing, so it is not fed.
            tokens = (*prompt, *answer[:-1])
            targets = (*[_IGNORED] * (len(prompt) - 1), *answer)
            row += [(t, y, number, i) for i, (t, y) in enumerate(zip(tokens, targets, strict=True))]
        rows.append(row)
    # Attention is fastest where the whole length is a multiple of this.
    whole = len(head) + NUM_PATCHES + max(map(len, rows), default=0)
    longest = -(-whole // _STEP) * _STEP - len(head) - NUM_PATCHES
    table = np.zeros((len(rows), longest, 4), dtype=np.int64)
    table[..., 1] = _IGNORED
    for index, row in enumerate(rows):
        table[index, : len(row)] = np.array(row, dtype=np.int64).reshape(-1, 4)
    return Packed(torch.tensor(head), *torch.from_numpy(table).unbind(-1))
