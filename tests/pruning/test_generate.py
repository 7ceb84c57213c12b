"""Everything `generate` offers, with tokens removed."""

from __future__ import annotations

from threading import Thread
from typing import Any

import pytest
import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import DynamicCache, PreTrainedTokenizerFast, TextIteratorStreamer

from pruneviz import Random, list_methods, prune
from tests.helpers import (
    BACKENDS,
    LAYERS,
    MODELS,
    VOCABULARY,
    Prompt,
    alive_columns,
    close,
    left_padded,
    masked_run,
    new_tokens,
    prompt,
    tiny,
    with_generated,
)
from tests.matrix import each
from tests.pruning.settings import METHODS, PICKING, fits, runs_on, sized

NEW = 6
CASES = each(fits, kind=MODELS, name=PICKING)
"""Every family and every method that masks can imitate."""


def needs_own_tiles(kind: str) -> None:
    """Skip where the model itself, unpruned, gives sequences of one prompt each other's tiles."""
    if kind == "internvl" and transformers.__version__.startswith("5.4."):
        pytest.skip("This release of transformers mixes up InternVL's tiles of several sequences.")


def log_probability(model: Any, case: Prompt, trace: Any, ids: torch.Tensor) -> torch.Tensor:
    """Log probabilities ``[t]`` of generated ids under the masked full-length run."""
    alive = alive_columns(case.visual[0], trace, LAYERS)
    logits = masked_run(
        model, with_generated(model, case.embeds, ids), alive, True, case.positions, case.added
    )
    start = case.visual.shape[1] - 1
    return logits[start:-1].log_softmax(-1).gather(1, ids[:, None]).squeeze(1)


@pytest.mark.parametrize("backend", BACKENDS)
@CASES
def test_beams_score_what_the_masked_model_would(kind: str, name: str, backend: str) -> None:
    needs_own_tiles(kind)
    model, case, method = tiny(kind, backend), prompt(kind), METHODS[name]
    with prune(model, method, positions="renumber", **case.prune_kwargs) as run:
        out = model.generate(
            **case.inputs,
            max_new_tokens=NEW,
            num_beams=3,
            num_return_sequences=3,
            do_sample=False,
            length_penalty=1.0,
            return_dict_in_generate=True,
            output_scores=True,
        )
    ids = new_tokens(case.inputs, out.sequences)
    assert len({tuple(row) for row in ids.tolist()}) == 3
    assert len({tuple(t.kept.tolist()) for t in run.traces}) == 1
    for row in range(3):
        wanted = log_probability(model, case, run.trace, ids[row]).mean()
        assert out.sequences_scores[row] == pytest.approx(float(wanted), abs=1e-4)


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("backend", BACKENDS)
def test_beams_pruned_before_the_llm_equal_beams_on_a_shorter_prompt(
    backend: str, batch: int
) -> None:
    model = tiny("llama", backend)
    cases = [prompt("llama", seed=s) for s in range(batch)]
    embeds, visual = (torch.cat([getattr(c, n) for c in cases]) for n in ("embeds", "visual"))
    settings = {"max_new_tokens": NEW, "num_beams": 3, "do_sample": False}
    with prune(model, Random(keep_tokens=7), visual_mask=visual) as run:
        ours = model.generate(inputs_embeds=embeds, **settings)
    short = []
    for row, trace in enumerate(run.traces[::3]):
        short.append(embeds[row, alive_columns(visual[row], trace, 1)[0]])
    assert torch.equal(ours, model.generate(inputs_embeds=torch.stack(short), **settings))


@pytest.mark.parametrize("name", ["random", "transprune", "dart"])
def test_beams_of_one_prompt_are_scored_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal rows share a selection; scoring each of them would cost as many times as much."""
    model, case, method = tiny("llama"), prompt("llama"), METHODS[name]
    scored, score = [], type(method).score

    def noted(self: Any, context: Any, stage: Any, keep: int) -> Any:
        scored.append((stage, context.alive.shape[:-1].numel()))
        return score(self, context, stage, keep)

    monkeypatch.setattr(type(method), "score", noted)
    with prune(model, method, visual_mask=case.visual) as run:
        model.generate(**case.inputs, max_new_tokens=2, num_beams=3, do_sample=False)
    assert len(run.traces) == 3
    assert scored == [(stage, 1) for stage in method.stages()], "one row, however many follow"


@CASES
def test_beams_of_a_left_padded_batch_equal_single_runs(kind: str, name: str) -> None:
    model, method = tiny(kind), METHODS[name]
    cases = [prompt(kind, seed=1, after=5), prompt(kind, seed=2, after=9)]
    settings = {"max_new_tokens": NEW, "num_beams": 3, "do_sample": False}
    both = left_padded(cases)
    with prune(model, method, **both.prune_kwargs):
        together = model.generate(**both.inputs, **settings)[:, -NEW:]
    for row, case in enumerate(cases):
        with prune(model, method, **case.prune_kwargs):
            alone = model.generate(**case.inputs, **settings)[0, -NEW:]
        assert together[row].tolist() == alone.tolist()


@each(lambda kind, name: runs_on(kind, sized(name)), kind=MODELS, name=list_methods())
def test_beams_at_keep_ratio_one_are_the_baseline(kind: str, name: str) -> None:
    model, case = tiny(kind), prompt(kind)
    settings = {"max_new_tokens": NEW, "num_beams": 3, "do_sample": False}
    wanted = model.generate(**case.inputs, **settings)
    method = sized(name, keep_ratio=1.0)
    with prune(model, method, **case.prune_kwargs):
        assert torch.equal(model.generate(**case.inputs, **settings), wanted)


@CASES
def test_sampling(kind: str, name: str) -> None:
    """The same seed gives the same tokens, drawn from the masked model's distribution."""
    needs_own_tiles(kind)
    model, case, method = tiny(kind), prompt(kind), METHODS[name]

    def sample(seed: int) -> tuple[Any, Any]:
        torch.manual_seed(seed)
        with prune(model, method, positions="renumber", **case.prune_kwargs) as run:
            out = model.generate(
                **case.inputs,
                max_new_tokens=NEW,
                do_sample=True,
                num_return_sequences=2,
                return_dict_in_generate=True,
                output_logits=True,
            )
        return out, run

    out, run = sample(3)
    again, _ = sample(3)
    other, _ = sample(4)
    assert torch.equal(out.sequences, again.sequences)
    assert not torch.equal(out.sequences, other.sequences)
    ids = new_tokens(case.inputs, out.sequences)
    assert ids[0].tolist() != ids[1].tolist()
    alive = alive_columns(case.visual[0], run.trace, LAYERS)
    start = case.visual.shape[1] - 1
    for row in range(2):
        embeds = with_generated(model, case.embeds, ids[row])
        wanted = masked_run(model, embeds, alive, True, case.positions, case.added)[start:-1]
        assert close(torch.stack(out.logits, dim=1)[row], wanted)


def toy_tokenizer() -> PreTrainedTokenizerFast:
    words = {f"w{i}": i for i in range(VOCABULARY)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="w0"))  # noqa: S106
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="w0")  # noqa: S106


@CASES
def test_streaming_gives_the_same_text(kind: str, name: str) -> None:
    model, case, method = tiny(kind), prompt(kind), METHODS[name]
    tokenizer = toy_tokenizer()
    settings = {**case.inputs, "max_new_tokens": NEW, "do_sample": False}
    with prune(model, method, **case.prune_kwargs):
        wanted = tokenizer.decode(new_tokens(case.inputs, model.generate(**settings))[0])
    skip = "input_ids" in case.inputs
    streamer = TextIteratorStreamer(tokenizer, skip_prompt=skip)
    with prune(model, method, **case.prune_kwargs):
        thread = Thread(target=model.generate, kwargs=settings | {"streamer": streamer})
        thread.start()
        text = "".join(streamer)
        thread.join()
    assert text.split() == wanted.split()
    assert len(wanted.split()) == NEW


def test_two_generates_in_one_block() -> None:
    """Each starts afresh; the trace is that of the latest."""
    model, method = tiny("llava_clip"), METHODS["transprune"]
    first, second = (prompt("llava_clip", seed=s, after=5 + s) for s in (1, 2))
    settings = {"max_new_tokens": NEW, "do_sample": False}
    with prune(model, method) as run:
        one = model.generate(**first.inputs, **settings)
        trace_one = run.trace
        two = model.generate(**second.inputs, **settings)
        trace_two = run.trace
    for case, ids, trace in ((first, one, trace_one), (second, two, trace_two)):
        with prune(model, method) as alone:
            assert torch.equal(model.generate(**case.inputs, **settings), ids)
        assert alone.trace.kept.tolist() == trace.kept.tolist()
    assert run.trace is trace_two


def test_an_empty_cache_given_from_outside() -> None:
    model, case, method = tiny("llama"), prompt("llama"), METHODS["transprune"]
    cache = DynamicCache(config=model.config)
    with prune(model, method, visual_mask=case.visual):
        wanted = model(**case.inputs).logits
        assert torch.equal(model(**case.inputs, past_key_values=cache).logits, wanted)
    assert cache.get_seq_length(0) == 46
    assert cache.get_seq_length(LAYERS - 1) == 17


def test_output_hidden_states_and_attentions_are_ragged() -> None:
    model, case = tiny("llama", "eager"), prompt("llama")
    with prune(model, METHODS["transprune"], visual_mask=case.visual) as run:
        out = model.generate(
            **case.inputs,
            max_new_tokens=2,
            do_sample=False,
            return_dict_in_generate=True,
            output_hidden_states=True,
            output_attentions=True,
        )
    lengths = list(run.trace.kv_lengths)
    assert [h.shape[1] for h in out.hidden_states[0]] == [46, *lengths[1:], lengths[-1]]
    assert [a.shape[-1] for a in out.attentions[0]] == lengths
    assert [a.shape[-1] for a in out.attentions[1]] == [n + 1 for n in lengths]
