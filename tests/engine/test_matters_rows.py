"""Rows that hide or lose tokens, on every family, against full-length runs with our own masks."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch

from pruneviz.engine.matters.hidden import Hiding, hides_as_removes
from pruneviz.engine.matters.removed import Removal, repeated_inputs, rows_go_together
from pruneviz.engine.prepared import Prepared
from pruneviz.models import find_adapter
from tests.helpers import (
    BACKENDS,
    LAYERS,
    MODELS,
    NUM_PATCHES,
    Prompt,
    close,
    masked_run,
    prompt,
    tiny,
    with_generated,
)
from tests.matrix import matrix

POSITIONS = ("keep", "renumber")
ANSWER = [11, 40, 9, 77]
TAKEN = [[0, 1, 6, 7], [14], [], [35, 3]]


def inputs_of(case: Prompt) -> dict[str, Any]:
    found = {"inputs_embeds": case.embeds, "attention_mask": torch.ones_like(case.visual).long()}
    return found if case.positions is None else {**found, "position_ids": case.positions}


def prepared_of(case: Prompt, inputs: dict[str, Any]) -> Prepared:
    ids = case.inputs.get("input_ids", torch.zeros_like(case.visual).long())
    anything = cast(Any, None)
    return Prepared(
        anything, "", "", ids, case.visual, inputs, None, grid=anything, vision_seconds=0
    )


def oracle(model: Any, case: Prompt, alive: list[torch.Tensor], positions: str) -> torch.Tensor:
    """What is predicted for each token of the answer, by a run in which nothing is removed."""
    embeds = with_generated(model, case.embeds, torch.tensor(ANSWER[:-1]))
    renumber = positions == "renumber"
    logits = masked_run(model, embeds, alive, renumber, case.positions, case.added)
    last = case.visual.shape[1] - 1
    return logits[last : last + len(ANSWER)]


def without(case: Prompt, tokens: list[int]) -> torch.Tensor:
    """Columns of the prompt that are left without some visual tokens, bool."""
    seen = torch.ones_like(case.visual[0])
    seen[case.visual[0].nonzero().squeeze(-1)[tokens]] = False
    return seen


@matrix(lambda kind, *_: not prompt(kind).added, kind=MODELS, backend=BACKENDS, positions=POSITIONS)
def test_hidden_rows_are_masked_runs(kind: str, backend: str, positions: str) -> None:
    """Each row of one forward, whatever the others hide and however much they share."""
    model, case = tiny(kind, backend), prompt(kind)
    decoder = find_adapter(model).decoder(model)
    hiding = Hiding(model, decoder, inputs_of(case), case.visual[0], ANSWER, positions)
    seen = [without(case, tokens) for tokens in TAKEN]
    for rows in (seen, seen[1:2], seen[2:3]):
        logits = hiding.logits(np.stack([(~row).numpy() for row in rows]))
        for row, own in zip(rows, logits, strict=True):
            assert close(own, oracle(model, case, [row] * LAYERS, positions))


def test_what_stands_before_the_first_hidden_column_is_not_fed_again() -> None:
    model, case = tiny("llama"), prompt("llama")
    decoder = find_adapter(model).decoder(model)
    first, length = int(case.visual[0].nonzero()[0]), case.visual.shape[1]
    more = len(ANSWER) - 1
    for positions in POSITIONS:
        hiding = Hiding(model, decoder, inputs_of(case), case.visual[0], ANSWER, positions)
        hidden = np.zeros((2, length), dtype=bool)
        assert hiding.fed(hidden) == 1 + more
        hidden[0, first + 20], hidden[1, first + 30] = True, True
        assert hiding.fed(hidden) == length - first - 20 + more


@matrix(kind=MODELS, backend=BACKENDS, positions=POSITIONS, layers=[(0,), (2,), (1, 3), (0, 4)])
def test_removed_rows_are_masked_runs(
    kind: str, backend: str, positions: str, layers: tuple[int, ...]
) -> None:
    """Other tokens in every row of a batch of equal prompts; layers before the first run once."""
    model, case = tiny(kind, backend), prompt(kind)
    adapter = find_adapter(model)
    loaded = cast(Any, SimpleNamespace(model=model, adapter=adapter))
    inputs = inputs_of(case)
    if case.added:
        inputs = adapter.embed(model, case.inputs)
    removal = Removal(loaded, prepared_of(case, inputs), ANSWER, layers, (positions,) * len(layers))
    rng, rows = np.random.default_rng(0), 3 if removal.together else 1
    assert removal.together == (not case.added)
    kept = [np.stack([np.sort(rng.permutation(NUM_PATCHES)[:20]) for _ in range(rows)])]
    kept += [own[:, ::2] for own in kept[: len(layers) - 1]]
    multimodal = adapter.decoder(model).multimodal_rope
    logits = removal.logits(kept)
    assert len(logits) == rows
    for row, own in enumerate(logits):
        alive = [torch.ones_like(case.visual[0]) for _ in range(LAYERS)]
        for layer, sets in zip(layers, kept, strict=True):
            gone = np.setdiff1d(np.arange(NUM_PATCHES), sets[row]).tolist()
            alive[layer:] = [without(case, gone)] * (LAYERS - layer)
        counted = "keep" if multimodal else positions
        assert close(own, oracle(model, case, alive, counted))


def test_prompts_that_hand_over_more_than_embeddings_go_one_by_one() -> None:
    case = prompt("llama")
    inputs = inputs_of(case)
    assert rows_go_together(inputs)
    assert not rows_go_together({**inputs, "mm_encoder_outputs": {}})
    padded = inputs["attention_mask"].clone()
    padded[0, 0] = 0
    assert not rows_go_together({**inputs, "attention_mask": padded})
    channels = torch.arange(5).expand(3, 1, 5)
    wide = repeated_inputs({**inputs, "position_ids": channels}, 4)
    assert wide["position_ids"].shape == (3, 4, 5)
    assert wide["inputs_embeds"].shape == (4, *case.embeds.shape[1:])


@pytest.mark.parametrize(
    ("rope", "same"),
    [(None, True), ({"rope_type": "linear"}, True), ({"rope_type": "dynamic"}, False)],
)
def test_frequencies_by_length_are_not_hidden(rope: dict[str, str] | None, same: bool) -> None:
    decoder = cast(Any, SimpleNamespace(config=SimpleNamespace(rope_parameters=rope)))
    assert hides_as_removes(decoder) == same
