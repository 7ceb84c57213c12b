"""A greedy answer that is first guessed to be another's: checked in one forward."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

import torch
from transformers import LogitsProcessorList, StoppingCriteriaList

from pruneviz.engine.feeding import after_prompt, crop
from pruneviz.engine.generate import Told, asked
from pruneviz.engine.prepared import Prepared
from pruneviz.engine.results import Settings
from pruneviz.metrics import first_divergence
from pruneviz.models.core.loading import LoadedModel

NOISE = 8
"""Units in the last place of the largest logit by which a forward of several tokens may differ
from one of each: where two words are nearer than that, the token is computed alone."""


def guess(
    loaded: LoadedModel,
    prepared: Prepared,
    settings: Settings,
    guessed: Sequence[int],
    stop: threading.Event,
) -> tuple[Told, torch.Tensor]:
    """The answer that `generate` gives, in two forwards where it is the guessed one.

    Runs inside a block that lets several tokens follow a pruned prompt.

    Returns
    -------
    told : Told
        From the first token that is another than guessed on, tokens were generated one by one.
    logits : torch.Tensor
        ``[len(guessed), vocabulary]``: what the model predicts for each guessed token after the
        ones before it.
    """
    guessing = _Guessing(prepared.inputs, guessed)
    made = loaded.model.generate(
        **asked(loaded, prepared, settings, stop), custom_generate=guessing.decode
    )
    told = Told(
        tokens=tuple(made[0].tolist()),
        logits=guessing.own_logits(),
        cache=guessing.cache,
        prefill=guessing.prefill,
        per_token=guessing.per_token,
    )
    return told, guessing.logits


def rest_of(
    loaded: LoadedModel, prepared: Prepared, told: Told, length: int, wanted: Sequence[int]
) -> torch.Tensor:
    """What a model that has said one thing predicts for each token of another.

    Runs inside the same block as what was told, whose cache it crops.

    Parameters
    ----------
    loaded, prepared, told
        The run.
    length : int
        What the prompt takes in the first layer's cache.
    wanted : sequence of int
        The other answer.

    Returns
    -------
    torch.Tensor
        Logits ``[len(wanted), vocabulary]``.
    """
    apart = first_divergence(wanted, told.tokens)
    known = len(wanted) if apart is None else min(apart + 1, len(wanted), len(told.logits))
    logits = told.logits[:known]
    if known == len(wanted):
        return logits
    fed = known - 1
    crop(told.cache, told.cache.get_seq_length() - length - fed)
    step = after_prompt(prepared.inputs, fed, wanted[fed:-1])
    more = loaded.model(**step, past_key_values=told.cache).logits[0]
    return torch.cat([logits, more.to(logits.dtype)])


class _Guessing:
    """A decoding loop for `generate`, which makes the processors and the criteria it asks.

    Parameters
    ----------
    inputs : dict of str to Any
        The prompt, batch 1.
    guessed : sequence of int
        At least one token.

    Attributes
    ----------
    logits : torch.Tensor
        Float32 ``[len(guessed), vocabulary]``.
    cache : Any
        The model's.
    prefill, per_token : float
        Seconds.
    """

    def __init__(self, inputs: dict[str, Any], guessed: Sequence[int]) -> None:
        self._inputs, self._guessed = inputs, tuple(guessed)
        self._own: list[torch.Tensor] = []
        self._eps = 0.0
        self.prefill = self.per_token = 0.0

    def own_logits(self) -> torch.Tensor:
        """What each token of the answer was read from."""
        return torch.stack(self._own)

    def decode(
        self,
        model: Any,
        input_ids: torch.Tensor,
        logits_processor: LogitsProcessorList,
        stopping_criteria: StoppingCriteriaList,
        **_: Any,
    ) -> torch.Tensor:
        """The answer, int64 ``[1, tokens]``; `input_ids` is ``[1, 0]``."""
        self._check(model)
        ids, finished = input_ids, False
        for place, guessed in enumerate(self._guessed):
            logits = self.logits[place]
            token, sure = self._pick(logits_processor, ids, logits)
            if place and not sure:
                break
            ids, finished = self._said(ids, token, logits, stopping_criteria)
            if finished or token != guessed:
                break
        crop(self.cache, len(self._guessed) - ids.shape[1])
        began, alone = time.perf_counter(), 0
        while not finished:
            step = after_prompt(self._inputs, ids.shape[1] - 1, ids[0, -1:].tolist())
            logits = model(**step, past_key_values=self.cache).logits[0, -1].float()
            token, _sure = self._pick(logits_processor, ids, logits)
            ids, finished = self._said(ids, token, logits, stopping_criteria)
            alone += 1
        if alone:
            self.per_token = (time.perf_counter() - began) / alone
        return ids

    def _check(self, model: Any) -> None:
        """Feed the prompt, and the guess in one piece."""
        began = time.perf_counter()
        out = model(**self._inputs, use_cache=True, logits_to_keep=1)
        self.cache, logits = out.past_key_values, out.logits[0, -1:].float()
        self._eps = torch.finfo(out.logits.dtype).eps
        bool(logits[0, 0] > 0)  # waits for an accelerator
        self.prefill = time.perf_counter() - began
        if len(self._guessed) > 1:
            step = after_prompt(self._inputs, 0, self._guessed[:-1])
            more = model(**step, past_key_values=self.cache).logits[0]
            logits = torch.cat([logits, more.float()])
        self.logits = logits

    def _pick(
        self, processors: LogitsProcessorList, ids: torch.Tensor, logits: torch.Tensor
    ) -> tuple[int, bool]:
        """The next token, and whether no other comes near it."""
        scores = processors(ids, logits[None].clone())[0]
        best, second = scores.topk(2).values.tolist()
        near = NOISE * self._eps * float(logits.abs().max())
        return int(scores.argmax()), best - second > near

    def _said(
        self, ids: torch.Tensor, token: int, logits: torch.Tensor, criteria: StoppingCriteriaList
    ) -> tuple[torch.Tensor, bool]:
        """The answer so far, and whether that is all."""
        self._own.append(logits)
        ids = torch.cat([ids, ids.new_tensor([[token]])], dim=1)
        return ids, bool(criteria(ids, None).all())
