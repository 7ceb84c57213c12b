"""What pruning adds to a forward, counted in operators: some cards wait for each of them."""

from __future__ import annotations

import pytest
import torch

from benchmarks import operators
from benchmarks.operators import (
    BATCHES,
    LAYERS,
    SIGNALS,
    batch_of,
    counted,
    deep,
    step_after,
    unpruned,
)
from pruneviz import get_method, prune

LIMITS = {
    "random": 1.05,
    "uniform": 1.05,
    "fopru": 1.05,
    "fastv": 1.05,
    "pyramiddrop": 1.10,
    "sparsevlm": 1.10,
    "transprune": 1.15,
    "scope": 1.31,
    "mmtok": 1.29,
    "vispruner": 1.27,
    "holov": 1.12,
    "visionzip": 1.08,
    "prumerge": 1.09,
    "prumerge+": 1.10,
    "tome": 1.09,
    "dart": 1.07,
    "hiprune": 1.07,
    "downsample": 1.06,
    "grid": 1.05,
}
SYNCHRONISATIONS = 3
RECORDING = 1.6
PICKS = ("resprune", "cdpruner", "divprune")
ENCODED = ("scope", "mmtok", "vispruner", "holov", "visionzip", "prumerge", "prumerge+", "hiprune")
OTHERS = ("tome", "dart", "downsample", "grid")
"""Chosen of all rows at once, by what the encoder left or not."""


@pytest.mark.parametrize(("rows", "padded"), BATCHES)
@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("kind", ["llama", pytest.param("qwen2", marks=pytest.mark.slow)])
def test_a_pruned_prefill_dispatches_hardly_more(
    kind: str, name: str, rows: int, padded: bool
) -> None:
    inputs = batch_of(rows, padded)
    prefill, step = counted(kind, inputs, get_method(name, keep_ratio=0.125, num_layers=LAYERS))
    plain, plain_step = unpruned(kind, rows, padded)
    assert prefill.total <= LIMITS[name] * plain.total, prefill.by_name - plain.by_name
    assert prefill.waits - plain.waits <= SYNCHRONISATIONS
    # With padding each length of cache has a mask of its own, made once a step.
    assert step.total <= plain_step.total * (1.005 if padded else 1.0), (
        step.by_name - plain_step.by_name
    )
    assert step.waits <= plain_step.waits


@pytest.mark.parametrize("name", [*PICKS, *ENCODED, *OTHERS])
def test_rows_of_a_batch_are_picked_together(name: str) -> None:
    method = get_method(name, keep_ratio=0.125, num_layers=LAYERS)
    # What follows from the layout alone is made at the first time only.
    counted("llama", batch_of(1, False), method)
    one, four = (
        counted("llama", batch_of(rows, False), method)[0].total
        - unpruned("llama", rows, False)[0].total
        for rows in (1, 4)
    )
    assert four <= one + (15 if name in ENCODED else 10)


@pytest.mark.parametrize("name", [*PICKS, *ENCODED, *OTHERS])
def test_picking_waits_for_nothing(name: str) -> None:
    method = get_method(name, keep_ratio=0.125, num_layers=LAYERS)
    for rows in (1, 4):
        prefill, _ = counted("llama", batch_of(rows, False), method)
        assert prefill.waits <= unpruned("llama", rows, False)[0].waits + SYNCHRONISATIONS


@pytest.mark.parametrize(("rows", "padded"), BATCHES)
def test_recording_every_layer_stays_within_its_limit(rows: int, padded: bool) -> None:
    prefill, step = counted("llama", batch_of(rows, padded), None, SIGNALS)
    plain, plain_step = unpruned("llama", rows, padded)
    assert prefill.total <= RECORDING * plain.total
    assert prefill.waits - plain.waits <= SYNCHRONISATIONS
    assert step.total == plain_step.total


@pytest.mark.parametrize("positions", ["renumber", "keep"])
def test_no_layer_has_a_hook_while_tokens_are_decoded(positions: str) -> None:
    model = deep("llama")
    method = get_method("transprune", keep_ratio=0.125, num_layers=LAYERS)
    parts = [part for layer in model.model.language_model.layers for part in layer.modules()]

    def hooks() -> int:
        kinds = ("_forward_pre_hooks", "_forward_hooks")
        return sum(len(getattr(part, kind)) for part in parts for kind in kinds)

    with torch.no_grad(), prune(model, method, positions=positions):
        inputs = batch_of(1, False)
        out = model(**inputs, use_cache=True, logits_to_keep=1)
        assert hooks() == 0, "nor between the prefill and the first step"
        seen: list[int] = []
        handle = parts[0].register_forward_pre_hook(lambda *_: seen.append(hooks()))
        model(**step_after(inputs, 1), past_key_values=out.past_key_values)
        handle.remove()
    assert seen == [1], "the test's own hook alone"


def test_the_command_prints_a_table(caplog) -> None:
    with caplog.at_level("INFO", "benchmarks.operators"):
        assert operators.main(["--methods", "random", "fastv"]) == 0
    lines = [record.getMessage() for record in caplog.records]
    assert lines[0] == "| method | batch 1 | batch 4 | batch 4, padded | decode |"
    assert [line.split(" | ")[0] for line in lines[2:]] == [
        "| Random",
        "| FastV",
        "| all signals recorded",
    ]
