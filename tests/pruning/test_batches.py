"""A left-padded batch gives each sample what it gets alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from pruneviz import TransPrune, prune
from tests.helpers import (
    BACKENDS,
    IMAGE,
    MODELS,
    TILED_MODELS,
    Prompt,
    close,
    left_padded,
    new_tokens,
    prompt,
    tiny,
)
from tests.pruning.settings import SOME, methods_of

NEW = 4


def answer(model: Any, method: Any, case: Prompt, **settings: Any) -> tuple[Any, Any, Any]:
    """Last logits of a plain forward, generated output and the traces."""
    with prune(model, method, **settings, **case.prune_kwargs) as run:
        last = model(**case.inputs, **positions_of(case)).logits[:, -1]
        out = model.generate(
            **case.inputs,
            max_new_tokens=NEW,
            do_sample=False,
            return_dict_in_generate=True,
            output_logits=True,
        )
    return last, out, run.traces


def positions_of(case: Prompt) -> dict[str, torch.Tensor]:
    """The position ids that generate would use."""
    mask = case.inputs.get("attention_mask")
    if mask is None:
        return {}
    return {"position_ids": (mask.cumsum(-1) - 1).clamp_min(0)}


def assert_batch_equals_singles(
    model: Any, method: Any, cases: list[Prompt], **settings: Any
) -> list[Any]:
    last, out, traces = answer(model, method, left_padded(cases), **settings)
    logits = torch.stack(out.logits, dim=1)
    sequences = out.sequences[:, -NEW:]
    for row, case in enumerate(cases):
        alone_last, alone, (trace,) = answer(model, method, case, **settings)
        ours = traces[row]
        assert [s.kept.tolist() for s in ours.stages] == [s.kept.tolist() for s in trace.stages]
        for a, b in zip(ours.stages, trace.stages, strict=True):
            assert torch.allclose(
                torch.tensor(a.scores), torch.tensor(b.scores), rtol=1e-3, atol=1e-6
            )
        assert ours.num_text == trace.num_text
        assert ours.tokens_per_layer == trace.tokens_per_layer
        assert close(last[row], alone_last[0])
        assert close(logits[row], torch.stack(alone.logits, dim=1)[0])
        assert torch.equal(sequences[row], new_tokens(case.inputs, alone.sequences)[0])
    return traces


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("kind", "name"), SOME)
def test_left_padded_batch_equals_single_runs(kind: str, name: str, backend: str) -> None:
    model, method = tiny(kind, backend), methods_of(kind)[name]
    cases = [prompt(kind, seed=1, after=5), prompt(kind, seed=2, before=4, after=9)]
    traces = assert_batch_equals_singles(model, method, cases)
    if name not in ("uniform", "random", "grid"):
        assert traces[0].kept.tolist() != traces[1].kept.tolist(), "one selection for both"


@pytest.mark.parametrize("positions", ["renumber", "keep"])
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("llama", "transprune"),
        ("llama_gqa", "chain"),
        ("llava_clip", "fopru_rank"),
        ("llava_clip", "transprune_paper"),
        ("llava_siglip", "fastv"),
        ("llava_siglip", "chain"),
    ],
)
@pytest.mark.parametrize("image_first", [True, False])
def test_image_and_text_only_prompts_in_one_batch(
    kind: str, name: str, backend: str, positions: str, image_first: bool
) -> None:
    cases = [prompt(kind, seed=3, after=6), prompt(kind, seed=4, after=8, images=0)]
    cases = cases if image_first else cases[::-1]
    model, method = tiny(kind, backend), methods_of(kind)[name]
    assert_batch_equals_singles(model, method, cases, positions=positions)


@pytest.mark.parametrize("positions", ["renumber", "keep"])
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", ["transprune", "chain", "fastv", "random", "transprune_iga"])
@pytest.mark.parametrize("padded", [True, False])
def test_samples_with_different_numbers_of_visual_tokens(
    name: str, backend: str, positions: str, padded: bool
) -> None:
    """Rows then drop different numbers; without padding no row has a spare column."""
    kind = "llama_gqa"
    model, method = tiny(kind, backend), methods_of(kind)[name]
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
    assert_batch_equals_singles(model, method, cases, positions=positions)


def test_batch_without_an_attention_mask() -> None:
    """Equal lengths, no mask at all, other selections per row."""
    model = tiny("llama")
    method = methods_of("llama")["transprune"]
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


@pytest.mark.parametrize("kind", MODELS)
def test_two_images_in_one_prompt(kind: str) -> None:
    """Both images' tokens are visual, in one row; the batch equals the single runs."""
    cases = [prompt(kind, seed=7, images=2), prompt(kind, seed=8, images=1, after=9)]
    reads_vision = kind.startswith("llava") or kind in TILED_MODELS
    for name in ("transprune", "fopru_rank" if reads_vision else "resprune"):
        traces = assert_batch_equals_singles(tiny(kind), methods_of(kind)[name], cases)
        assert [t.num_visual for t in traces] == [72, 36]
    if "input_ids" in cases[0].inputs:
        assert int((cases[0].inputs["input_ids"] == IMAGE).sum()) == 72
