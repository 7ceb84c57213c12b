"""Removing tokens equals hiding them; keeping all equals the baseline."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from pruneviz import Chain, Random, TransPrune, get_method, prune
from pruneviz.methods import Method
from tests.helpers import (
    BACKENDS,
    LAYERS,
    VISION_MODELS,
    Prompt,
    alive_columns,
    close,
    fresh,
    masked_run,
    new_tokens,
    prompt,
    tiny,
    with_generated,
)
from tests.pruning.settings import SOME, methods_of

NEW = 5
KEEP_ALL = {
    "transprune": {"prune_layers": (2, 3, 5)},
    "pyramiddrop": {"prune_layers": (2, 3, 5)},
    "sparsevlm": {"prune_layers": (2, 3, 5)},
    "fastv": {},
    "resprune": {},
    "divprune": {},
    "cdpruner": {},
    "random": {},
    "uniform": {},
    "fopru": {},
    "visionzip": {},
    "prumerge": {},
    "prumerge+": {},
    "vispruner": {},
    "tome": {},
    "grid": {},
    "downsample": {},
}
ASK_ENCODER = {"fopru", "visionzip", "prumerge", "prumerge+", "vispruner"}


def generate(model: Any, case: Prompt, **settings: Any) -> Any:
    return model.generate(
        **case.inputs,
        max_new_tokens=NEW,
        do_sample=False,
        return_dict_in_generate=True,
        output_logits=True,
        **settings,
    )


def oracle_rows(
    model: Any, case: Prompt, trace: Any, renumber: bool, generated: torch.Tensor
) -> torch.Tensor:
    """Logits ``[n + t, V]`` of prompt and generated tokens with dropped ones masked."""
    alive = alive_columns(case.visual[0], trace, LAYERS)
    embeds = with_generated(model, case.embeds, generated)
    return masked_run(model, embeds, alive, renumber, case.positions, case.added)


@pytest.mark.parametrize("positions", ["renumber", "keep"])
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("kind", "name"), SOME)
def test_removing_equals_masking(kind: str, name: str, backend: str, positions: str) -> None:
    model, case, method = tiny(kind, backend), prompt(kind), methods_of(kind)[name]
    with prune(model, method, positions=positions, **case.prune_kwargs) as run:
        plain = model(**case.inputs)
        selected = run.trace
        out = generate(model, case)
    trace = run.trace
    assert [s.kept.tolist() for s in trace.stages] == [s.kept.tolist() for s in selected.stages]
    ids = new_tokens(case.inputs, out.sequences)[0]
    wanted = oracle_rows(model, case, trace, positions == "renumber", ids)

    alive = alive_columns(case.visual[0], trace, LAYERS)
    assert close(plain.logits[0], wanted[: case.visual.shape[1]][alive[-1]])
    stepwise = torch.stack(out.logits, dim=1)[0]
    last = case.visual.shape[1] - 1
    assert close(stepwise, wanted[last : last + NEW])
    assert ids.tolist() == wanted[last : last + NEW].argmax(-1).tolist()

    lengths = [int(seen.sum()) for seen in alive]
    assert list(trace.kv_lengths) == lengths
    assert list(trace.tokens_per_layer) == [int((seen & case.visual[0]).sum()) for seen in alive]
    held = [layer.get_seq_length() for layer in plain.past_key_values.layers]
    assert held == lengths
    after = [layer.get_seq_length() for layer in out.past_key_values.layers]
    assert after == [length + NEW - 1 for length in lengths]
    assert min(lengths) < case.visual.shape[1], "nothing was removed"


@pytest.mark.parametrize("positions", ["renumber", "keep"])
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", ["llama_gqa", *VISION_MODELS])
@pytest.mark.parametrize("name", KEEP_ALL)
def test_keep_ratio_one_is_bit_equal(kind: str, name: str, backend: str, positions: str) -> None:
    if name in ASK_ENCODER and kind not in VISION_MODELS:
        name = "uniform"  # a language model has no vision encoder to ask
    model, case = tiny(kind, backend), prompt(kind)
    method = get_method(name, keep_ratio=1.0, num_layers=LAYERS, **KEEP_ALL[name])
    wanted = model(**case.inputs).logits
    answer = generate(model, case)
    with prune(model, method, positions=positions, **case.prune_kwargs) as run:
        logits = model(**case.inputs).logits
        ours = generate(model, case)
    assert torch.equal(logits, wanted)
    assert torch.equal(ours.sequences, answer.sequences)
    assert torch.equal(torch.stack(ours.logits), torch.stack(answer.logits))
    assert set(run.trace.tokens_per_layer) == {36}
    assert all(len(stage.kept) == 36 for stage in run.trace.stages)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("kind", "name"), SOME)
def test_no_image_is_the_baseline(kind: str, name: str, backend: str) -> None:
    model, case, method = tiny(kind, backend), prompt(kind, images=0), methods_of(kind)[name]
    wanted, answer = model(**case.inputs).logits, generate(model, case)
    with prune(model, method, **case.prune_kwargs) as run:
        logits, ours = model(**case.inputs).logits, generate(model, case)
    assert torch.equal(logits, wanted)
    assert torch.equal(ours.sequences, answer.sequences)
    assert run.trace.num_visual == 0
    assert run.trace.stages == ()
    assert run.trace.kept.size == 0


@pytest.mark.parametrize(
    "method",
    [
        TransPrune(prune_layers=(1, 2, 3), keep_ratios=(0.9, 0.5, 0.1)),
        Random(keep_tokens=5),
        Chain([Random(keep_tokens=9), TransPrune(prune_layers=(2,), keep_ratios=(0.5,))]),
    ],
)
@pytest.mark.parametrize("positions", ["renumber", "keep"])
@pytest.mark.parametrize("start", [0, 11])
def test_given_position_ids_are_respected(method: Method, positions: str, start: int) -> None:
    """Positions need not start at 0; a shift of all of them must not matter to RoPE."""
    model, case = tiny("llama"), prompt("llama")
    length = case.visual.shape[1]
    ids = torch.arange(start, start + length)[None]
    with prune(model, method, visual_mask=case.visual, positions=positions) as run:
        logits = model(**case.inputs, position_ids=ids).logits
        kept = run.trace.kept.tolist()
        plain = model(**case.inputs).logits
    assert kept == run.trace.kept.tolist()
    assert close(logits, plain)


@pytest.mark.parametrize("warm", [True, False])
def test_kept_states_at_the_stage_are_untouched(warm: bool) -> None:
    """The layer after a stage receives the kept rows of the layer before it, bit for bit.

    The same whether transformers had put in its own recording hooks before or not.
    """
    model, case = fresh("llama_gqa"), prompt("llama_gqa")
    method = TransPrune(prune_layers=(2,), keep_ratios=(0.25,))
    if warm:
        model(**case.inputs, output_hidden_states=True)
    with prune(model, method, **case.prune_kwargs) as run:
        pruned = model(**case.inputs, output_hidden_states=True).hidden_states
    base = model(**case.inputs, output_hidden_states=True).hidden_states
    alive = alive_columns(case.visual[0], run.trace, LAYERS)[-1]
    assert [h.shape[1] for h in pruned] == [46, 46, 19, 19, 19, 19, 19]
    assert torch.equal(pruned[2], base[2][:, alive])
