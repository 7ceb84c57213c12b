"""A batch gives each sample what it gets alone, however unlike its rows are.

Batches of two like prompts are in `test_equivalence`.
"""

from __future__ import annotations

import pytest
import torch

from pruneviz import TransPrune, prune
from tests.helpers import (
    BACKENDS,
    IMAGE,
    MODELS,
    QWEN_MODELS,
    VISION_MODELS,
    Prompt,
    close,
    prompt,
    tiny,
)
from tests.matrix import matrix
from tests.pruning.settings import METHODS, fits
from tests.removal import check_batch

POSITIONS = ("renumber", "keep")


@matrix(
    fits,
    kind=MODELS,
    name=("transprune", "chain", "fopru", "transprune_paper", "fastv"),
    backend=BACKENDS,
    positions=POSITIONS,
    image_first=(True, False),
)
def test_image_and_text_only_prompts_in_one_batch(
    kind: str, name: str, backend: str, positions: str, image_first: bool
) -> None:
    cases = [prompt(kind, seed=3, after=6), prompt(kind, seed=4, after=8, images=0)]
    cases = cases if image_first else cases[::-1]
    check_batch(tiny(kind, backend), METHODS[name], cases, positions=positions)


@matrix(
    name=("transprune", "chain", "fastv", "random", "transprune_iga", "transprune_paper"),
    backend=BACKENDS,
    positions=POSITIONS,
    padded=(True, False),
)
def test_samples_with_different_numbers_of_visual_tokens(
    name: str, backend: str, positions: str, padded: bool
) -> None:
    """Rows then drop different numbers; without padding no row has a spare column."""
    kind = "llama_gqa"
    sizes = ((36, 5), (30, 8), (33, 2)) if padded else ((36, 6), (30, 12), (25, 17))
    cases = []
    for seed, (visual, after) in enumerate(sizes):
        case = prompt(kind, seed=seed, after=36 - visual + after)
        case.visual[:, 3 + visual :] = False
        case = Prompt(
            {"inputs_embeds": case.embeds[:, : 3 + visual + after]},
            case.visual[:, : 3 + visual + after],
            case.embeds[:, : 3 + visual + after],
        )
        cases.append(case)
    check_batch(tiny(kind, backend), METHODS[name], cases, positions=positions)


def test_batch_without_an_attention_mask() -> None:
    """Equal lengths, no mask at all, other selections per row."""
    model = tiny("llama")
    method = METHODS["transprune"]
    cases = [prompt("llama", seed=5), prompt("llama", seed=6)]
    embeds = torch.cat([c.embeds for c in cases])
    visual = torch.cat([c.visual for c in cases])
    with prune(model, method, visual_mask=visual) as run:
        logits = model(inputs_embeds=embeds).logits
    for row, case in enumerate(cases):
        with prune(model, method, **case.prune_kwargs) as alone:
            wanted = model(**case.inputs).logits[0]
        assert close(logits[row], wanted)
        assert run.traces[row].kept.tolist() == alone.trace.kept.tolist()


def test_equal_embeddings_with_different_visual_masks() -> None:
    """Rows that are equal but for what counts as visual must not share a selection."""
    model, case = tiny("llama"), prompt("llama")
    method = TransPrune(prune_layers=(2,), keep_ratios=(0.5,))
    other = case.visual.clone()
    other[:, 3:9] = False
    visual = torch.cat([case.visual, other])
    with prune(model, method, visual_mask=visual) as run:
        logits = model(inputs_embeds=case.embeds.expand(2, -1, -1)).logits[:, -1]
    for row in range(2):
        with prune(model, method, visual_mask=visual[row : row + 1]) as alone:
            wanted = model(inputs_embeds=case.embeds).logits[0, -1]
        assert run.traces[row].num_visual == alone.trace.num_visual
        assert run.traces[row].kept.tolist() == alone.trace.kept.tolist()
        assert close(logits[row], wanted)


def test_equal_embeddings_with_different_padding() -> None:
    """Equal rows whose attention masks differ see different keys."""
    model, case = tiny("llama"), prompt("llama")
    method = TransPrune(prune_layers=(2,), keep_ratios=(0.5,))
    mask = torch.ones(2, case.visual.shape[1], dtype=torch.long)
    mask[1, :10] = 0
    with prune(model, method, visual_mask=case.visual) as run:
        model(inputs_embeds=case.embeds.expand(2, -1, -1), attention_mask=mask)
    for row in range(2):
        with prune(model, method, visual_mask=case.visual) as alone:
            model(inputs_embeds=case.embeds, attention_mask=mask[row : row + 1])
        assert run.traces[row].num_visual == alone.trace.num_visual
        assert run.traces[row].kept.tolist() == alone.trace.kept.tolist()


# The helper's Qwen prompt holds both pictures as one, which the encoder then sees as one.
APART = [kind for kind in VISION_MODELS if kind not in QWEN_MODELS]


@pytest.mark.parametrize("kind", MODELS)
def test_two_images_in_one_prompt(kind: str) -> None:
    """Both images' tokens are visual, in one row; the batch equals the single runs."""
    cases = [prompt(kind, seed=7, images=2), prompt(kind, seed=8, images=1, after=9)]
    for name in ("transprune", "grid", "fopru" if kind in APART else "resprune"):
        traces = check_batch(tiny(kind), METHODS[name], cases)
        assert [t.num_visual for t in traces] == [72, 36]
    if "input_ids" in cases[0].inputs:
        assert int((cases[0].inputs["input_ids"] == IMAGE).sum()) == 72
