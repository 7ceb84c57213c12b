"""Videos on LLaVA-OneVision: frames scaled down after encoding, one newline at the end."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pruneviz import FoPru, Grid, ResPrune, TransPrune, VisionZip, ops, prune
from pruneviz.errors import PruningError
from pruneviz.methods import Method
from tests.helpers import IMAGE, Prompt, close, tiny
from tests.removal import check_removing

KIND, VIDEO, FRAMES = "llava_onevision", 6, 3
TOKENS = 4 * FRAMES + 1  # 4 x 4 patches a frame become 2 x 2 tokens; a newline
METHODS: list[Method] = [
    TransPrune(prune_layers=(2, 3, 5), keep_ratios=(0.8, 0.5, 0.2)),
    ResPrune(keep_ratio=0.4),
    FoPru(keep_ratio=0.4),
    FoPru(keep_ratio=0.5, strategy="row"),
    Grid(keep_tokens=5),
]


def film(videos: int = 1) -> Prompt:
    """As many prompts as videos."""
    model, generator = tiny(KIND), torch.Generator().manual_seed(7)
    ids = torch.tensor([[20, 21, *[VIDEO] * TOKENS, 40, 41, 42]]).repeat(videos, 1)
    ids[:, -1] += torch.arange(videos)
    pixels = torch.randn(videos, FRAMES, 3, 60, 60, generator=generator)
    inputs = {"input_ids": ids, "pixel_values_videos": pixels}
    inputs["attention_mask"] = torch.ones_like(ids)
    rows = model.model.get_video_features(pixels, return_dict=True).pooler_output
    if rows.shape[1] < TOKENS:  # older releases of transformers add the newline later
        newline = model.model.image_newline.expand(videos, 1, -1)
        rows = torch.cat([rows, newline], dim=1)
    visual = ids == VIDEO
    embeds = model.get_input_embeddings()(ids)
    return Prompt(inputs, visual, embeds.masked_scatter(visual[..., None], rows.flatten(0, 1)))


@pytest.mark.parametrize("newlines", ["visual", "text"])
@pytest.mark.parametrize("method", METHODS)
def test_removing_equals_masking(method: Method, newlines: str) -> None:
    model, case = tiny(KIND), film()
    if newlines == "text":
        case.visual &= (case.embeds != model.model.image_newline).any(-1)
    trace = check_removing(model, case, method, "keep", newlines=newlines)
    assert trace.num_visual == TOKENS - (newlines == "text")


@pytest.mark.parametrize("method", [FoPru(keep_ratio=1.0), VisionZip(keep_ratio=1.0)])
def test_keep_ratio_one_is_bit_equal(method: Method) -> None:
    model, inputs = tiny(KIND), film().inputs
    wanted = model(**inputs).logits
    with prune(model, method):
        assert torch.equal(model(**inputs).logits, wanted)


@pytest.mark.parametrize("newlines", ["visual", "text"])
def test_fopru_frame_by_frame(newlines: str) -> None:
    """Against the eager tower's own maps, scaled down by the model's own pooling."""
    inputs, model = film().inputs, tiny(KIND, "eager")
    frames = inputs["pixel_values_videos"][0]
    maps = model.model.vision_tower(frames, output_attentions=True).attentions[-1]
    significance = torch.stack([ops.fopru_significance(weights) for weights in maps])
    pooled = model.model.apply_pooling(significance[..., None]).flatten()
    with prune(tiny(KIND), FoPru(keep_ratio=0.5), newlines=newlines) as run:
        model(**inputs)
    scores = run.trace.stages[0].scores
    np.testing.assert_allclose(scores[: TOKENS - 1], pooled.numpy(), rtol=1e-4)
    assert scores[TOKENS - 1 :].tolist() == ([scores.max()] if newlines == "visual" else [])


def test_every_frame_keeps_its_share() -> None:
    with prune(tiny(KIND), FoPru(keep_tokens=6, crops="each"), newlines="text") as run:
        tiny(KIND)(**film().inputs)
    assert np.bincount(run.trace.kept // 4).tolist() == [2, 2, 2]


@pytest.mark.parametrize("method", METHODS)
def test_two_videos_of_a_batch_are_pruned_as_alone(method: Method) -> None:
    model, inputs = tiny(KIND), film(2).inputs
    with prune(model, method) as run:
        both = model(**inputs).logits[:, -1]
    for row, trace in enumerate(run.traces):
        with prune(model, method) as alone:
            own = {name: value[row : row + 1] for name, value in inputs.items()}
            logits = model(**own).logits[:, -1]
        assert trace.kept.tolist() == alone.trace.kept.tolist()
        assert close(both[row : row + 1], logits)


def test_an_image_beside_a_video_is_not_for_methods_that_ask_the_encoder() -> None:
    model, inputs = tiny(KIND), film().inputs
    image = torch.tensor([[*[IMAGE] * 36, 30]])
    ids = torch.cat([image, inputs["input_ids"]], dim=1)
    inputs |= {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    inputs |= {
        "pixel_values": torch.randn(1, 5, 3, 60, 60),
        "image_sizes": torch.tensor([[100, 100]]),
    }
    wanted = model(**inputs).logits
    with prune(model, TransPrune(prune_layers=(2,), keep_ratios=(1.0,))) as run:
        assert torch.equal(model(**inputs).logits, wanted)
    assert run.trace.num_visual == 36 + TOKENS
    with pytest.raises(PruningError, match="sees apart"), prune(model, FoPru(keep_ratio=0.5)):
        model(**inputs)
