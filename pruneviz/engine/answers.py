"""From generated tokens to an answer, and from logits to its fidelity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from pruneviz.cost import ModelShape, prefill_cost
from pruneviz.engine.prepared import Prepared
from pruneviz.engine.results import Answer, Times
from pruneviz.methods.base import Method
from pruneviz.metrics import Fidelity, first_divergence, mean_logprob, token_kls
from pruneviz.models.core.loading import LoadedModel
from pruneviz.pruning.finite import not_finite
from pruneviz.trace import Trace


@dataclass(frozen=True, eq=False)
class Generated:
    """An answer and the logits ``[tokens, vocabulary]`` it was read from, float32."""

    answer: Answer
    logits: np.ndarray

    def fidelity(self, token_ids: Sequence[int], logits: np.ndarray) -> Fidelity:
        """How near another run comes to this answer.

        Parameters
        ----------
        token_ids : sequence of int
            What the other run answered.
        logits : np.ndarray
            Float32 ``[tokens, vocabulary]``: what it predicts for each token of this answer.
        """
        own = self.answer.token_ids
        apart, kls = first_divergence(own, token_ids), token_kls(self.logits, logits)
        return Fidelity(
            exact_match=apart is None,
            first_divergence=apart,
            first_token_kl=float(kls[0]),
            parting_kl=None if apart is None or apart >= len(kls) else float(kls[apart]),
            largest_kl=float(kls.max()),
            largest_kl_at=int(kls.argmax()),
            answer_logprob=mean_logprob(logits, own),
            baseline_logprob=mean_logprob(self.logits, own),
        )


def label(method: Method | None) -> str:
    """What a run is called."""
    return method.title if method else "Baseline"


def text_of(loaded: LoadedModel, tokens: Sequence[int]) -> str:
    """The words of an answer."""
    special = set(loaded.tokenizer.all_special_ids) - {loaded.tokenizer.unk_token_id}
    shown = [token for token in tokens if token not in special]
    return str(loaded.tokenizer.decode(shown, clean_up_tokenization_spaces=False).strip())


def answered(
    loaded: LoadedModel,
    prepared: Prepared,
    method: Method | None,
    tokens: Sequence[int],
    trace: Trace,
    times: Times,
    *,
    scoring_flops: int = 0,
    stopped: bool = False,
) -> Answer:
    """The record of a run; `tokens` are those of the answer."""
    shape = _shape(loaded, prepared)
    return Answer(
        label=label(method),
        text=text_of(loaded, tokens),
        token_ids=tuple(tokens),
        tokens=tuple(loaded.tokenizer.decode([token]) for token in tokens),
        trace=trace,
        cost=prefill_cost(shape, trace.tokens_per_layer, trace.kv_lengths, scoring_flops),
        times=times,
        stopped=stopped,
    )


def finite(loaded: LoadedModel, logits: torch.Tensor, who: str) -> np.ndarray:
    """Logits ``[tokens, vocabulary]`` as float32; raises PruningError if one is not finite."""
    values = logits.float().cpu().numpy()
    bad = ~np.isfinite(values).all(-1)
    if bad.any():
        place = f"the logits of answer token {int(bad.argmax()) + 1} ({who})"
        raise not_finite(place, loaded.model)
    return values


def _shape(loaded: LoadedModel, prepared: Prepared) -> ModelShape:
    size = torch.empty(0, dtype=loaded.model.dtype).element_size()
    seen = prepared.vision
    tokens, crops = (seen.encoder_tokens, seen.encoder_crops) if seen else (0, 1)
    return loaded.adapter.shape(loaded.model.config, size, tokens, crops)
