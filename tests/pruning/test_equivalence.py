"""Removing tokens equals hiding them; keeping all equals the baseline."""

from __future__ import annotations

import pytest
import torch

from pruneviz import Chain, Random, TransPrune, get_method, prune
from pruneviz.methods import Method
from tests.helpers import (
    BACKENDS,
    LAYERS,
    VISION_MODELS,
    alive_columns,
    close,
    fresh,
    prompt,
    tiny,
)
from tests.pruning.settings import SOME, methods_of
from tests.removal import check_removing, generate

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


@pytest.mark.parametrize("positions", ["renumber", "keep"])
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("kind", "name"), SOME)
def test_removing_equals_masking(kind: str, name: str, backend: str, positions: str) -> None:
    check_removing(tiny(kind, backend), prompt(kind), methods_of(kind)[name], positions)


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
