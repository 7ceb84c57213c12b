"""Removing tokens equals hiding them; keeping all equals the baseline."""

from __future__ import annotations

import pytest
import torch

from pruneviz import Chain, Random, TransPrune, list_methods, prune
from pruneviz.methods import Method
from tests.helpers import (
    BACKENDS,
    LAYERS,
    MODELS,
    NUM_PATCHES,
    alive_columns,
    close,
    fresh,
    prompt,
    tiny,
)
from tests.matrix import matrix
from tests.pruning.settings import METHODS, PICKING, fits, runs_on, sized
from tests.removal import baseline, check_batch, check_removing, generate

POSITIONS = ("renumber", "keep")


@matrix(
    fits,
    kind=MODELS,
    name=PICKING,
    backend=BACKENDS,
    positions=POSITIONS,
    batch=("one", "padded"),
)
def test_removing_equals_masking(
    kind: str, name: str, backend: str, positions: str, batch: str
) -> None:
    """Of one prompt; or of two, which in a left-padded batch must also get what they get alone."""
    model, method = tiny(kind, backend), METHODS[name]
    if batch == "one":
        check_removing(model, prompt(kind), method, positions)
        return
    cases = [prompt(kind, seed=1, after=5), prompt(kind, seed=2, before=4, after=9)]
    for case in cases:
        check_removing(model, case, method, positions)
    traces = check_batch(model, method, cases, positions=positions)
    if not method.card.control:
        assert traces[0].kept.tolist() != traces[1].kept.tolist(), "one selection for both"


@matrix(
    lambda kind, name, *_: runs_on(kind, sized(name)),
    kind=MODELS,
    name=list_methods(),
    backend=BACKENDS,
    positions=POSITIONS,
)
def test_keep_ratio_one_is_bit_equal(kind: str, name: str, backend: str, positions: str) -> None:
    model, case = tiny(kind, backend), prompt(kind)
    wanted, answer = baseline(kind, backend)
    method = sized(name, keep_ratio=1.0)
    with prune(model, method, positions=positions, **case.prune_kwargs) as run:
        logits = model(**case.inputs).logits
        ours = generate(model, case)
    assert torch.equal(logits, wanted)
    assert torch.equal(ours.sequences, answer.sequences)
    assert torch.equal(torch.stack(ours.logits), torch.stack(answer.logits))
    assert set(run.trace.tokens_per_layer) == {NUM_PATCHES}
    assert len(run.trace.stages) == len(method.stages())
    assert all(len(stage.kept) == NUM_PATCHES for stage in run.trace.stages)


@matrix(fits, kind=MODELS, name=METHODS, backend=BACKENDS, positions=POSITIONS)
def test_no_image_is_the_baseline(kind: str, name: str, backend: str, positions: str) -> None:
    model, case = tiny(kind, backend), prompt(kind, images=0)
    wanted, answer = baseline(kind, backend, images=0)
    with prune(model, METHODS[name], positions=positions, **case.prune_kwargs) as run:
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
