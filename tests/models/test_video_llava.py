"""Video-LLaVA: images and videos through two towers, a CLS token in every frame."""

from __future__ import annotations

import inspect
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    VideoLlavaConfig,
    VideoLlavaForConditionalGeneration,
)

from pruneviz import (
    Chain,
    FoPru,
    PyramidDrop,
    ResPrune,
    TransPrune,
    VisionZip,
    get_method,
    ops,
    prune,
)
from pruneviz.errors import PruningError
from pruneviz.methods import Method
from tests.helpers import (
    BACKENDS,
    IMAGE,
    LAYERS,
    Prompt,
    clip_config,
    close,
    own_hooks,
    randomise,
    text_config,
)
from tests.removal import check_removing

VIDEO, FRAMES, PATCHES = 6, 3, 16  # 4 x 4 patches
TOKENS = FRAMES * (PATCHES + 1)
METHODS: list[Method] = [
    TransPrune(prune_layers=(2, 3, 5), keep_ratios=(0.8, 0.5, 0.2)),
    PyramidDrop(prune_layers=(1, 3, 4), keep_ratios=(0.5, 0.25, 0.125)),
    ResPrune(keep_ratio=0.3),
    FoPru(keep_ratio=0.3),
    FoPru(keep_ratio=0.3, crops="each"),
    Chain([FoPru(keep_ratio=0.6), TransPrune(prune_layers=(3,), keep_ratios=(0.4,))]),
]


@cache
def built() -> Any:
    config = VideoLlavaConfig(
        vision_config=clip_config(),
        text_config=text_config("llama"),
        image_token_index=IMAGE,
        video_token_index=VIDEO,
        image_seq_length=PATCHES,
        video_seq_length=TOKENS,
    )
    model = VideoLlavaForConditionalGeneration(config).eval().requires_grad_(False)
    randomise(model, seed=11)
    model.generation_config.eos_token_id = None
    model.generation_config.pad_token_id = 0
    return model


def model_with(backend: str = "sdpa") -> Any:
    built().set_attn_implementation(backend)
    return built()


def film(videos: int = 1) -> Prompt:
    """As many prompts as videos."""
    generator = torch.Generator().manual_seed(7)
    ids = torch.tensor([[20, 21, *[VIDEO] * TOKENS, 40, 41, 42]]).repeat(videos, 1)
    ids[:, -1] += torch.arange(videos)
    pixels = torch.randn(videos, FRAMES, 3, 56, 56, generator=generator)
    inputs = {"input_ids": ids, "pixel_values_videos": pixels}
    inputs["attention_mask"] = torch.ones_like(ids)
    rows = built().model.get_video_features(pixels, return_dict=True).pooler_output
    visual = ids == VIDEO
    embeds = built().get_input_embeddings()(ids)
    return Prompt(inputs, visual, embeds.masked_scatter(visual[..., None], rows))


@pytest.mark.parametrize("positions", ["renumber", "keep"])
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("method", METHODS)
def test_removing_equals_masking(method: Method, backend: str, positions: str) -> None:
    trace = check_removing(model_with(backend), film(), method, positions)
    assert not own_hooks(built())
    assert trace.num_visual == TOKENS


@pytest.mark.parametrize("name", ["transprune", "fopru", "resprune", "visionzip", "tome"])
def test_keep_ratio_one_is_bit_equal(name: str) -> None:
    inputs, model = film().inputs, model_with()
    settings = {"prune_layers": (2,)} if name == "transprune" else {}
    method = get_method(name, keep_ratio=1.0, num_layers=LAYERS, **settings)
    wanted = model(**inputs).logits
    with prune(model, method):
        assert torch.equal(model(**inputs).logits, wanted)


@pytest.mark.parametrize("layer", [None, 1])
def test_fopru_frame_by_frame(layer: int | None) -> None:
    """Against the eager tower's own maps; the CLS token is one of the visual tokens."""
    inputs, model = film().inputs, model_with("eager")
    frames = inputs["pixel_values_videos"][0]
    maps = model.model.video_tower(frames, output_attentions=True).attentions[(layer or -1) - 1]
    wanted = torch.cat([ops.fopru_significance(weights) for weights in maps])
    with prune(model, FoPru(keep_ratio=0.5, encoder_layer=layer)) as run:
        model(**inputs)
    np.testing.assert_allclose(run.trace.stages[0].scores, wanted.numpy(), rtol=1e-4)


@pytest.mark.parametrize("method", [*METHODS, VisionZip(keep_tokens=9)])
def test_two_videos_of_a_batch_are_pruned_as_alone(method: Method) -> None:
    inputs, model = film(2).inputs, model_with()
    with prune(model, method) as run:
        both = model(**inputs).logits[:, -1]
    for row, trace in enumerate(run.traces):
        own = {name: value[row : row + 1] for name, value in inputs.items()}
        with prune(model, method) as alone:
            logits = model(**own).logits[:, -1]
        assert trace.kept.tolist() == alone.trace.kept.tolist()
        assert close(both[row : row + 1], logits)


def with_image(inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    image = torch.tensor([[*[IMAGE] * PATCHES, 30]])
    ids = torch.cat([image, inputs["input_ids"]], dim=1)
    pixels = torch.randn(1, 3, 56, 56, generator=torch.Generator().manual_seed(8))
    # The second is the name in older releases of transformers.
    known = inspect.signature(built().forward).parameters
    name = next(n for n in ("pixel_values", "pixel_values_images") if n in known)
    return inputs | {"input_ids": ids, "attention_mask": torch.ones_like(ids), name: pixels}


def test_images_have_a_tower_of_their_own() -> None:
    model, inputs = model_with("eager"), with_image(film().inputs)
    alone = {name: inputs[name] for name in inputs if not name.endswith("videos")}
    alone = {**alone, "input_ids": inputs["input_ids"][:, : PATCHES + 1]}
    alone["attention_mask"] = torch.ones_like(alone["input_ids"])
    pixels = next(value for name, value in alone.items() if name.startswith("pixel"))
    maps = model.model.image_tower(pixels, output_attentions=True).attentions[-2]
    with prune(model, FoPru(keep_ratio=0.5)) as run:
        model(**alone)
    wanted = ops.fopru_significance(maps[0][:, 1:, 1:])
    np.testing.assert_allclose(run.trace.stages[0].scores, wanted.numpy(), rtol=1e-4)


def test_an_image_beside_a_video() -> None:
    model, inputs = model_with(), with_image(film().inputs)
    with prune(model, METHODS[0]) as run:
        model(**inputs)
    assert run.trace.num_visual == PATCHES + TOKENS
    with pytest.raises(PruningError, match="sees apart"), prune(model, FoPru(keep_ratio=0.5)):
        model(**inputs)
