"""A row that loses nothing beside one that does: neither is the worse for it."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from pruneviz import FastV, Random, get_method, prune
from pruneviz.errors import PruningError
from tests.helpers import BACKENDS, LAYERS, Prompt, close, prompt, stack_of, tiny

QWEN_INPUTS = ("input_ids", "attention_mask", "mm_token_type_ids")
PIXELS = ("pixel_values", "image_grid_thw")


def text_of(kind: str) -> Prompt:
    """As long as the prompt with an image, and none in it."""
    return prompt(kind, seed=6, before=20, after=26, images=0)


def generated(model: Any, method: Any, cases: list[Prompt], positions: str) -> list[torch.Tensor]:
    """The first row's logits of a few tokens, with a mask of ones."""
    visual = torch.cat([case.visual for case in cases])
    embeds = torch.cat([case.embeds for case in cases])
    how = {"max_new_tokens": 3, "min_new_tokens": 3, "do_sample": False, "pad_token_id": 0}
    with prune(model, method, visual_mask=visual, positions=positions):
        out = model.generate(
            inputs_embeds=embeds,
            attention_mask=torch.ones(visual.shape, dtype=torch.long),
            output_logits=True,
            return_dict_in_generate=True,
            **how,
        )
    return [logits[0] for logits in out.logits]


@pytest.mark.parametrize("positions", ["renumber", "keep"])
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", ["random", "fastv"])
def test_a_row_of_text_keeps_its_length(name: str, backend: str, positions: str) -> None:
    """The frame is then as long as the prompt, though the other row holds filler."""
    model, method = tiny("llama_gqa", backend), get_method(name, keep_ratio=0.25)
    case = prompt("llama_gqa", seed=1)
    text = text_of("llama_gqa")
    assert text.visual.shape == case.visual.shape
    both = generated(model, method, [case, text], positions)
    for ours, alone in zip(both, generated(model, method, [case], positions), strict=True):
        assert close(ours, alone)


def joined(cases: list[Prompt]) -> dict[str, torch.Tensor]:
    """Left-padded inputs of a Qwen model."""
    width = max(case.visual.shape[1] for case in cases)

    def padded(values: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.pad(values, (width - values.shape[1], 0))

    inputs = {
        name: torch.cat([padded(case.inputs[name]) for case in cases]) for name in QWEN_INPUTS
    }
    for name in PIXELS:
        inputs[name] = torch.cat([case.inputs[name] for case in cases if name in case.inputs])
    return inputs


@pytest.mark.parametrize("layer", [1, 2])
def test_features_between_layers_go_by_what_is_left(layer: int) -> None:
    """Not by the length, which may stay as it was."""
    model, case = tiny("qwen3_vl"), prompt("qwen3_vl", seed=1)
    method = FastV(prune_layer=layer, keep_ratio=0.25)
    with prune(model, method):
        ours = model(**joined([case, text_of("qwen3_vl")])).logits[0, -1]
    with prune(model, method):
        alone = model(**case.inputs).logits[0, -1]
    assert close(ours, alone)


@pytest.mark.parametrize("method", [FastV(keep_tokens=36), Random(keep_tokens=36)])
def test_a_row_that_loses_nothing_keeps_its_positions(method: Any) -> None:
    """Three a token, so that closing up would change them."""
    model = tiny("qwen25_vl")
    small, large = prompt("qwen25_vl", seed=1), prompt("qwen25_vl", seed=7, images=2)
    with prune(model, method, positions="renumber") as run:
        ours = model(**joined([small, large])).logits[0, -1]
    assert [len(trace.kept) for trace in run.traces] == [36, 36]
    assert close(ours, model(**small.inputs).logits[0, -1])


def test_a_row_without_words_after_an_image_is_recorded_beside_others() -> None:
    """Its own words do not ask; the place that stands for them is one that is still there."""
    model = tiny("llama_gqa")
    rows = [
        prompt("llama_gqa", seed=1),
        prompt("llama_gqa", seed=2, before=10, after=10, images=0),
        prompt("llama_gqa", seed=3, before=3, after=5),
    ]
    embeds, mask = torch.zeros(3, 46, 32), torch.zeros(3, 46, dtype=torch.long)
    visual = torch.zeros(3, 46, dtype=torch.bool)
    spans = [slice(0, 46), slice(26, 46), slice(0, 44)]
    for row, (case, span) in enumerate(zip(rows, spans, strict=True)):
        embeds[row, span], visual[row, span], mask[row, span] = case.embeds, case.visual, 1
    method = FastV(keep_ratio=0.1)
    with prune(model, method, visual_mask=visual, record=("iga",)) as run:
        model(inputs_embeds=embeds, attention_mask=mask)
    assert run.traces[1].signals["iga"].size == 0
    for row in (0, 2):
        with prune(model, method, visual_mask=rows[row].visual, record=("iga",)) as alone:
            model(inputs_embeds=rows[row].embeds)
        ours, wanted = (traced.signals["iga"] for traced in (run.traces[row], alone.trace))
        assert torch.allclose(torch.tensor(ours), torch.tensor(wanted), atol=1e-5, equal_nan=True)


def test_a_trace_of_bad_numbers_is_refused_again() -> None:
    model, case = tiny("llama_gqa"), prompt("llama_gqa")
    embeds = case.embeds.clone()
    embeds[0, 5, 3] = math.nan
    with (
        pytest.raises(PruningError, match="NaN"),
        prune(model, FastV(num_layers=LAYERS), visual_mask=case.visual) as run,
    ):
        model(inputs_embeds=embeds)
    with pytest.raises(PruningError, match="NaN"):
        _ = run.trace


def test_ids_of_an_earlier_call_say_nothing_of_a_later_one() -> None:
    model, case = tiny("llava_clip"), prompt("llava_clip")
    with prune(model, Random(keep_tokens=9)):
        model(**case.inputs)
        with pytest.raises(PruningError, match="visual_mask"):
            stack_of(model)(inputs_embeds=case.embeds)
