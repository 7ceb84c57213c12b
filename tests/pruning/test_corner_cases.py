"""Refusals and readings that a careful user would meet only rarely."""

import numpy as np
import pytest
import torch
from transformers import DynamicCache, MistralConfig, MistralForCausalLM

from pruneviz import Random, TransPrune, get_method, prune
from pruneviz.errors import PruningError, UnsupportedModelError
from pruneviz.geometry import PatchGrid
from tests.helpers import prompt, tiny

METHOD = Random(keep_ratio=0.5)


def test_an_image_on_a_cache_of_text_is_refused():
    model, given = tiny("llava_clip"), prompt("llava_clip")
    cache = DynamicCache()
    text = torch.tensor([[9, 10, 11]])
    with torch.no_grad(), prune(model, METHOD):
        model(input_ids=text, past_key_values=cache)
        with pytest.raises(PruningError, match="image comes in on a cache"):
            model(
                input_ids=given.inputs["input_ids"],
                pixel_values=given.inputs["pixel_values"],
                past_key_values=cache,
            )


def test_text_on_a_cache_of_text_is_not():
    model, cache = tiny("llava_clip"), DynamicCache()
    ids = torch.tensor([[9, 10, 11, 12]])
    with torch.no_grad(), prune(model, METHOD):
        model(input_ids=ids[:, :2], past_key_values=cache)
        split = model(input_ids=ids[:, 2:], past_key_values=cache).logits
    torch.testing.assert_close(split, model(input_ids=ids).logits[:, 2:], atol=1e-5, rtol=1e-5)


def test_packed_sequences_are_refused():
    model, given = tiny("llama"), prompt("llama")
    length = given.embeds.shape[1]
    positions = torch.cat([torch.arange(length - 5), torch.arange(5)])[None]
    inputs = {"inputs_embeds": given.embeds, "position_ids": positions, "use_cache": False}
    with (
        prune(model, METHOD, visual_mask=given.visual),
        pytest.raises(PruningError, match="packed"),
    ):
        model(**inputs)


def test_why_a_language_model_is_refused():
    config = MistralConfig(
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        vocab_size=16,
        sliding_window=8,
    )
    model = MistralForCausalLM(config)
    with (
        pytest.raises(
            UnsupportedModelError, match=r"sliding_window to None(.|\n)*Supported models"
        ),
        prune(model, METHOD),
    ):
        pass


def test_numpy_numbers_are_settings_like_any_other():
    ratio = get_method("random", keep_ratio=np.float32(0.5))
    count = get_method("fopru", keep_tokens=np.int64(3))
    assert (type(ratio.keep_ratio), type(count.keep_tokens)) == (float, int)
    assert TransPrune.at(np.float64(0.125), 32).ratios == (0.875, 0.625, 0.125)


def test_tokens_without_a_cell_and_cells_without_a_token():
    view = (0.0, 0.0, 6.0, 4.0)
    with_cls = PatchGrid.regular((6, 4), 2, 3, view, leading=1)
    assert with_cls.token_cell.tolist() == [-1, 0, 1, 2, 3, 4, 5]
    assert with_cls.token_box(0) is None
    short = PatchGrid.regular((6, 4), 2, 3, view, skipped=1)
    assert short.token_cell.tolist() == [1, 2, 3, 4, 5]
    assert np.isnan(short.to_cells(np.ones(5))[0, 0])


@pytest.mark.parametrize("strategy", ["default", "full"])
@pytest.mark.parametrize("kind", ["llava_clip", "llava_siglip"])
def test_the_grid_has_a_token_for_every_feature(kind, strategy):
    from types import SimpleNamespace

    from pruneviz.models.llava import LlavaAdapter

    model = tiny(kind)
    before = model.config.vision_feature_select_strategy
    images = SimpleNamespace(size={"height": 84, "width": 84}, do_center_crop=False, do_pad=False)
    try:
        model.config.vision_feature_select_strategy = strategy
        grid = LlavaAdapter().patch_grid(SimpleNamespace(image_processor=images), model, (84, 84))
        features = model.get_image_features(
            pixel_values=torch.randn(1, 3, 84, 84),
            vision_feature_layer=-2,
            vision_feature_select_strategy=strategy,
            return_dict=True,
        ).pooler_output[0]
    finally:
        model.config.vision_feature_select_strategy = before
    assert grid.num_tokens == len(features)
