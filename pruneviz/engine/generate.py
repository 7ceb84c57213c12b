"""One answer of one model, measured; and a second pass that looks closer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from pruneviz.cost import ModelShape, prefill_cost
from pruneviz.engine.penalty import penalised
from pruneviz.engine.prepared import Prepared
from pruneviz.engine.results import Answer, Settings, Times
from pruneviz.engine.streaming import StopWhen, TokenStream
from pruneviz.methods.base import Method
from pruneviz.metrics import Fidelity, first_divergence, kl_divergence, mean_logprob
from pruneviz.models.core.loading import LoadedModel
from pruneviz.pruning import Run, observe, prune
from pruneviz.pruning.finite import not_finite
from pruneviz.pruning.spec import SIGNALS
from pruneviz.trace import Trace


@dataclass(frozen=True, eq=False)
class Analysis:
    """What a second, closer look at a run tells.

    Attributes
    ----------
    trace : Trace
        With TTV, IGA and residual of every layer where they were asked for.
    logits : np.ndarray
        Float32 ``[max(tokens, 1), vocabulary]``: what the model predicts for each token of the
        given answer after the ones before it.
    scoring_flops : int
        What choosing tokens took.
    """

    trace: Trace
    logits: np.ndarray
    scoring_flops: int


@dataclass(frozen=True, eq=False)
class Generated:
    """An answer and the logits ``[tokens, vocabulary]`` it was read from, float32."""

    answer: Answer
    logits: np.ndarray

    def looked_into(self, found: Analysis) -> Generated:
        """The same with the richer trace of a closer look, and what choosing tokens took."""
        cost = replace(self.answer.cost, scoring_flops=found.scoring_flops)
        return replace(self, answer=replace(self.answer, trace=found.trace, cost=cost))

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
        apart = first_divergence(own, token_ids)
        return Fidelity(
            exact_match=apart is None,
            first_divergence=apart,
            first_token_kl=kl_divergence(self.logits[0], logits[0]),
            answer_logprob=mean_logprob(logits, own),
            baseline_logprob=mean_logprob(self.logits, own),
        )


def generate(
    loaded: LoadedModel,
    prepared: Prepared,
    method: Method | None,
    settings: Settings,
    on_text: Callable[[str], None],
    stop: threading.Event,
) -> Generated:
    """Generate one answer greedily and time it. `method` None is the baseline."""
    special = _special_ids(loaded)

    def decode(ids: list[int]) -> str:
        shown = [i for i in ids if i not in special]
        return loaded.tokenizer.decode(shown, clean_up_tokenization_spaces=False).strip()

    stream = TokenStream(decode, on_text)
    with torch.no_grad(), _block(loaded, prepared, method, ()) as run:
        made = loaded.model.generate(
            **prepared.inputs,
            **penalised(loaded.model, prepared.input_ids),
            max_new_tokens=settings.max_new_tokens,
            do_sample=False,
            num_beams=1,
            output_logits=True,
            return_dict_in_generate=True,
            streamer=stream,
            stopping_criteria=[StopWhen(stop)],
        )
    tokens = made.sequences[0].tolist()
    trace = run.trace
    shape = _shape(loaded, prepared)
    answer = Answer(
        label=method.title if method else "Baseline",
        text=decode(tokens),
        token_ids=tuple(tokens),
        tokens=tuple(loaded.tokenizer.decode([token]) for token in tokens),
        trace=trace,
        cost=prefill_cost(shape, trace.tokens_per_layer, trace.kv_lengths),
        times=Times(
            vision=prepared.vision_seconds,
            scoring=run.scoring_seconds,
            prefill=stream.prefill_seconds,
            per_token=stream.seconds_per_token,
        ),
        stopped=stop.is_set(),
    )
    return Generated(answer, _finite(loaded, torch.cat(made.logits), answer.label))


@torch.no_grad()
def analyse(
    loaded: LoadedModel,
    prepared: Prepared,
    method: Method | None,
    tokens: Sequence[int],
    signals: bool,
) -> Analysis:
    """Prefill once more, recording signals, and read how likely given answer tokens are."""
    model = loaded.model
    record = SIGNALS if signals else ()
    with _block(loaded, prepared, method, record, count_flops=True) as run:
        out = model(
            **prepared.inputs,
            use_cache=True,
            logits_to_keep=1,
        )
        rows = [out.logits[0, -1]]
        cache, following = out.past_key_values, prepared.inputs
        for token in tokens[:-1]:
            following = _next_step(following, token)
            out = model(**following, past_key_values=cache)
            rows.append(out.logits[0, -1])
    logits = _finite(loaded, torch.stack(rows), method.title if method else "Baseline")
    return Analysis(run.trace, logits, run.scoring_flops)


def _finite(loaded: LoadedModel, logits: torch.Tensor, label: str) -> np.ndarray:
    """Logits ``[tokens, vocabulary]`` as float32; raises PruningError if one is not finite."""
    values = logits.float().cpu().numpy()
    bad = ~np.isfinite(values).all(-1)
    if bad.any():
        place = f"the logits of answer token {int(bad.argmax()) + 1} ({label})"
        raise not_finite(place, loaded.model)
    return values


def _next_step(before: dict[str, Any], token: int) -> dict[str, Any]:
    """Inputs of one token more, given those of the step before."""
    mask = before["attention_mask"]
    step = {
        "input_ids": torch.tensor([[token]], device=mask.device),
        "attention_mask": torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1),
    }
    if "position_ids" in before:
        step["position_ids"] = before["position_ids"][..., -1:] + 1
    return step


@contextmanager
def _block(
    loaded: LoadedModel,
    prepared: Prepared,
    method: Method | None,
    record: tuple[str, ...],
    count_flops: bool = False,
) -> Iterator[Run]:
    where: dict[str, Any] = {
        "visual_mask": prepared.visual_mask,
        "input_ids": prepared.input_ids,
        "newlines": prepared.newlines,
    }
    if method is None:
        with observe(loaded.model, record=record, **where) as run:
            yield run
    else:
        seen = () if prepared.vision is None else (prepared.vision, *prepared.further)
        where |= {"vision": seen, "positions": prepared.positions, "count_flops": count_flops}
        with prune(loaded.model, method, record=record, **where) as run:
            yield run


def _special_ids(loaded: LoadedModel) -> set[int]:
    return set(loaded.tokenizer.all_special_ids) - {loaded.tokenizer.unk_token_id}


def _shape(loaded: LoadedModel, prepared: Prepared) -> ModelShape:
    size = torch.empty(0, dtype=loaded.model.dtype).element_size()
    seen = prepared.vision
    tokens, crops = (seen.encoder_tokens, seen.encoder_crops) if seen else (0, 1)
    return loaded.adapter.shape(loaded.model.config, size, tokens, crops)
