"""Patches taken away from a model, many choices at once, by hiding them or by removing them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from pruneviz.engine.answers import finite
from pruneviz.engine.guessing import NOISE
from pruneviz.engine.matters.batching import bytes_of_row, rows_at_once
from pruneviz.engine.matters.hidden import Hiding, hides_as_removes
from pruneviz.engine.matters.removed import Removal, rows_go_together
from pruneviz.engine.prepared import Prepared
from pruneviz.engine.results import Answer
from pruneviz.engine.session import Session
from pruneviz.metrics import log_softmax, mean_logprob
from pruneviz.pruning.visible import VisualTokens


class Scored:
    """From logits to the summed log-probability of an answer."""

    def __init__(self, session: Session, answer: Answer) -> None:
        self._loaded, self._answer = session.loaded, answer.token_ids

    def sums(self, logits: torch.Tensor) -> list[float]:
        """Of rows ``[rows, tokens, vocabulary]``, in nats."""
        who = "with patches taken away or given back"
        count = len(self._answer)
        return [
            count * mean_logprob(finite(self._loaded, row, who), self._answer) for row in logits
        ]

    def reference(self, logits: torch.Tensor) -> tuple[float, float]:
        """The sum of a single row, and what rounding may do to such sums, in nats.

        A logit that is wrong by so much moves a token's log-probability by that times the
        probability of all other tokens.
        """
        (total,) = self.sums(logits)
        values = logits[0].float().cpu().numpy()
        own = log_softmax(values)[np.arange(len(values)), np.asarray(self._answer)]
        wrong = NOISE * torch.finfo(logits.dtype).eps * float(np.abs(values).max())
        return total, wrong * float(-np.expm1(own).sum())


class Taking(ABC):
    """Takes visual tokens away from all layers and reads what is predicted of an answer.

    Parameters
    ----------
    session, prepared, answer
        The model, the question, and the answer whose log-probability counts.
    positions : {"keep", "renumber"}
        See :func:`~pruneviz.engine.matters.maps.what_matters`.

    Attributes
    ----------
    scored : Scored
        Sums up what is predicted.
    together : bool
        Whether several choices may be tried in one forward.
    """

    together: bool = True

    def __init__(
        self, session: Session, prepared: Prepared, answer: Answer, positions: str
    ) -> None:
        self._session, self._prepared, self._answer = session, prepared, answer
        self._length = prepared.visual_mask.shape[1]
        self.scored = Scored(session, answer)
        self._begin(positions)

    @abstractmethod
    def _begin(self, positions: str) -> None:
        """Make ready what all choices share."""

    @abstractmethod
    def logits(self, taken: Sequence[np.ndarray]) -> torch.Tensor:
        """``[rows, tokens, vocabulary]`` without the tokens of each row; of one kind, all."""

    @abstractmethod
    def kind_of(self, tokens: np.ndarray) -> int:
        """What choices that share a forward must have in common."""

    @abstractmethod
    def fed(self, tokens: np.ndarray) -> int:
        """How many tokens of a row are fed."""

    def row_bytes(self, first: np.ndarray) -> int:
        """Bytes that a row takes, the first choice being the one that shares least."""
        seen = self._length + len(self._answer.token_ids)
        return row_bytes(self._session, self._prepared, self.fed(first), seen, self._answer)


class Hidden(Taking):
    """By the attention mask."""

    def _begin(self, positions: str) -> None:
        loaded = self._session.loaded
        self._columns = columns_of(self._session, self._prepared)
        self._hiding = Hiding(
            loaded.model,
            loaded.adapter.decoder(loaded.model),
            self._prepared.inputs,
            self._prepared.visual_mask[0],
            self._answer.token_ids,
            positions,
        )

    def logits(self, taken: Sequence[np.ndarray]) -> torch.Tensor:
        """With each row's tokens hidden."""
        return self._hiding.logits(self._marks(taken))

    def kind_of(self, tokens: np.ndarray) -> int:
        """Any may share a forward."""
        return 0

    def fed(self, tokens: np.ndarray) -> int:
        """From the first hidden one on."""
        return self._hiding.fed(self._marks([tokens]))

    def _marks(self, taken: Sequence[np.ndarray]) -> np.ndarray:
        hidden = np.zeros((len(taken), self._length), dtype=bool)
        for row, tokens in zip(hidden, taken, strict=True):
            row[self._columns[tokens]] = True
        return hidden


class Removed(Taking):
    """Really, before the LLM."""

    def _begin(self, positions: str) -> None:
        own = replace(self._prepared, positions=positions)
        loaded, answer = self._session.loaded, self._answer.token_ids
        self._removal = Removal(loaded, own, answer, (0,), (positions,))
        self.together = self._removal.together

    def logits(self, taken: Sequence[np.ndarray]) -> torch.Tensor:
        """With each row's tokens removed."""
        every = np.arange(self._prepared.grid.num_tokens)
        return self._removal.logits([np.stack([np.setdiff1d(every, own) for own in taken])])

    def kind_of(self, tokens: np.ndarray) -> int:
        """As many must go from every row."""
        return len(tokens)

    def fed(self, tokens: np.ndarray) -> int:
        """All."""
        return self._length


def taking_of(session: Session, prepared: Prepared, answer: Answer, positions: str) -> Taking:
    """Hides where that equals removing and several rows go together, else removes."""
    decoder = session.loaded.adapter.decoder(session.loaded.model)
    hides = hides_as_removes(decoder) and rows_go_together(prepared.inputs)
    return (Hidden if hides else Removed)(session, prepared, answer, positions)


def columns_of(session: Session, prepared: Prepared) -> np.ndarray:
    """Columns of the prompt that visual tokens stand in, int64 ``[num_visual]``."""
    loaded, mask = session.loaded, prepared.visual_mask
    reading = VisualTokens(loaded.model, loaded.adapter, mask, prepared.newlines)
    visual = reading.prunable(mask, prepared.inputs["inputs_embeds"])
    return np.flatnonzero(visual[0].cpu().numpy())


def row_bytes(session: Session, prepared: Prepared, fed: int, seen: int, answer: Answer) -> int:
    """Bytes that one more row of a forward takes, about; see `bytes_of_row`."""
    loaded = session.loaded
    size = prepared.inputs["inputs_embeds"].element_size()
    shape = loaded.adapter.shape(loaded.model.config, size)
    backend = str(loaded.adapter.decoder(loaded.model).config._attn_implementation)
    return bytes_of_row(shape, fed, seen, len(answer.token_ids), backend)


def rows_of(session: Session, row: int, memory_bytes: int | None) -> int:
    """Rows of that many bytes in one forward; None = as much as the session may remember."""
    limit = session.memory.limit if memory_bytes is None else memory_bytes
    return rows_at_once(row, limit, session.loaded.model.device.type)
