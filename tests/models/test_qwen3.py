"""Qwen3-VL: features that enter after the first layers follow the tokens that are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from pruneviz import FastV, FoPru, PyramidDrop, Random, TransPrune, load_model, observe, prune
from pruneviz.cost import vision_flops
from pruneviz.engine import Session, Settings
from pruneviz.errors import PruningError, UnsupportedModelError
from pruneviz.methods import Method
from pruneviz.models import find_adapter
from pruneviz.models.core import loading
from pruneviz.models.core.deepstack import STEP, Deepstack, shorten
from pruneviz.models.qwen_vl import Qwen3VLAdapter, qwen3
from pruneviz.models.qwen_vl.processor import Qwen3StillProcessor, StillImageProcessor
from tests.helpers import (
    BACKENDS,
    DEEPSTACK,
    IMAGE,
    LAYERS,
    NUM_PATCHES,
    alive_columns,
    close,
    fresh,
    masked_run,
    prompt,
    stack_of,
    tiny,
)
from tests.models.test_qwen import pixels_processor, words

KIND = "qwen3_vl"
RANGE = range(1, LAYERS)
SIDES = (1, 7, 31, 32, 33, 100, 448, 1000, 4097)


@pytest.mark.parametrize("method", [FastV(prune_layer=2), Random(keep_ratio=0.3)])
def test_the_tiny_model_adds_features(method: Method) -> None:
    """So the other tests see them: without them the logits differ, also once pruned."""
    model, case = tiny(KIND), prompt(KIND)
    assert len(case.added) == DEEPSTACK
    with prune(model, method) as run:
        logits = model(**case.inputs).logits[0]
    alive = alive_columns(case.visual[0], run.trace, LAYERS)
    bare = masked_run(model, case.embeds, alive, False, case.positions)[alive[-1]]
    assert not torch.allclose(logits, bare, atol=0.05)


@pytest.mark.parametrize("layer", RANGE)
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_stage_after_any_layer(layer: int, backend: str) -> None:
    """Inside and behind the layers that get features."""
    model, case = tiny(KIND, backend), prompt(KIND)
    with prune(model, FastV(prune_layer=layer, keep_ratio=0.25)) as run:
        logits = model(**case.inputs).logits[0]
    alive = alive_columns(case.visual[0], run.trace, LAYERS)
    wanted = masked_run(model, case.embeds, alive, False, case.positions, case.added)
    assert close(logits, wanted[alive[-1]])
    assert len(run.trace.kept) == NUM_PATCHES // 4


@pytest.mark.parametrize("layer", RANGE)
def test_the_next_layers_attention_is_read_with_the_features_added(layer: int) -> None:
    model, case = tiny(KIND, "eager"), prompt(KIND)
    maps = model(**case.inputs, output_attentions=True).attentions
    with prune(model, PyramidDrop(prune_layers=(layer,), keep_ratios=(0.5,))) as run:
        model(**case.inputs)
    wanted = maps[layer][0].mean(0)[-1, case.visual[0]]
    np.testing.assert_allclose(run.trace.stages[0].scores, wanted.numpy(), rtol=1e-3)


def test_features_of_every_layer() -> None:
    """As many encoder as decoder layers: the last features come after the last layer."""
    model, case = tiny(KIND), prompt(KIND)
    stack = stack_of(model)
    rows = [torch.randn(NUM_PATCHES, 32) for _ in range(LAYERS)]
    added = [torch.zeros_like(case.embeds) for _ in rows]
    for whole, part in zip(added, rows, strict=True):
        whole[case.visual] = part
    with prune(stack, FastV(prune_layer=2, keep_ratio=0.25), visual_mask=case.visual) as run:
        states = stack(
            inputs_embeds=case.embeds,
            attention_mask=torch.ones_like(case.visual).long(),
            position_ids=case.positions,
            visual_pos_masks=case.visual,
            deepstack_visual_embeds=rows,
        ).last_hidden_state
    alive = alive_columns(case.visual[0], run.trace, LAYERS)
    wanted = masked_run(model, case.embeds, alive, False, case.positions, tuple(added))
    assert close(model.lm_head(states)[0], wanted[alive[-1]])


def test_shortened_rows_are_those_of_their_places() -> None:
    mask = torch.tensor([[0, 1, 1, 0, 1], [1, 0, 0, 1, 1]]).bool()
    features = torch.arange(12.0).view(6, 2)
    columns = torch.tensor([[0, 2, 4], [1, 2, 3]])
    left, rows = shorten(mask, features, columns)
    assert left.tolist() == [[False, True, True], [False, False, True]]
    assert torch.equal(rows, features[[1, 2, 4]])


def test_the_step_is_given_back() -> None:
    """After the block, after an error in it, and where it was replaced before."""
    model, case = fresh(KIND), prompt(KIND)
    stack = stack_of(model)
    with observe(model):
        assert STEP not in vars(stack)
    with pytest.raises(KeyError), prune(model, Random(keep_tokens=4)):  # noqa: PT012
        model(**case.inputs)
        assert STEP in vars(stack)
        raise KeyError
    assert STEP not in vars(stack)
    mine = getattr(stack, STEP)
    setattr(stack, STEP, mine)
    with prune(model, Random(keep_tokens=4)):
        assert vars(stack)[STEP] is not mine
    assert vars(stack)[STEP] is mine
    watched = Deepstack(stack, lambda: torch.empty(0))
    setattr(stack, STEP, mine)
    watched.remove()
    assert vars(stack)[STEP] is mine


def test_a_release_without_the_step_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny(KIND)
    monkeypatch.delattr(type(stack_of(model)), STEP)
    with pytest.raises(UnsupportedModelError, match="deepstack"), prune(model, FastV()):
        pass


def test_sections_need_not_be_named() -> None:
    """The model then uses its default ones; positions are kept all the same."""
    model = fresh(KIND)
    model.config.text_config.rope_parameters.pop("mrope_section")
    assert find_adapter(model).decoder(model).multimodal_rope
    case = prompt(KIND)
    with prune(model, TransPrune.at(0.25, LAYERS)) as run:
        model(**case.inputs)
    assert run.trace.positions == "keep"


def test_packed_sequences_are_refused() -> None:
    """The only positions given are those that masks are made of."""
    model, case = tiny(KIND), prompt(KIND)
    inputs = {"inputs_embeds": case.embeds, "use_cache": False}
    inputs["position_ids"] = torch.cat([torch.arange(40), torch.arange(6)])[None]
    method = FastV(prune_layer=2)
    with pytest.raises(PruningError, match="packed"), prune(model, method, case.visual):
        model(**inputs)


@pytest.mark.parametrize("height", SIDES)
@pytest.mark.parametrize("width", SIDES)
def test_the_grid_has_the_processors_count(width: int, height: int) -> None:
    if max(width, height) > 200 * min(width, height):
        pytest.skip("The processor refuses such a strip.")
    model, picture = tiny(KIND), Image.new("RGB", (width, height))
    processor = Qwen3StillProcessor(pixels_processor(KIND), words())
    inputs = find_adapter(model).prepare(processor, model, picture, "where is the cat")
    grid = find_adapter(model).patch_grid(processor, model, picture.size)
    _, rows, columns = inputs["image_grid_thw"][0].tolist()
    assert (grid.rows, grid.columns) == (rows // 2, columns // 2)
    assert grid.num_tokens == int((inputs["input_ids"] == IMAGE).sum())


def test_a_chat_without_a_template_has_no_system_message() -> None:
    asked = [{"role": "user", "content": "where"}]
    images = pixels_processor(KIND)
    plain = Qwen3StillProcessor(images, words()).apply_chat_template(asked)
    assert "system" not in plain
    assert "system" in StillImageProcessor(images, words()).apply_chat_template(asked)


@pytest.mark.parametrize("takes_encoded", [True, False])
@pytest.mark.parametrize("method", [FoPru(keep_ratio=0.3), TransPrune.at(0.25, LAYERS)])
def test_a_session_feeds_all_features(
    takes_encoded: bool, method: Method, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in releases of transformers that cannot be given an encoded image."""
    if takes_encoded and not qwen3.takes_encoded(tiny(KIND)):
        pytest.skip("This release of transformers takes no encoded image.")
    monkeypatch.setattr(qwen3, "takes_encoded", lambda _: takes_encoded)
    monkeypatch.setattr(loading, "is_torchvision_available", lambda: False)
    tiny(KIND).save_pretrained(tmp_path)
    pixels_processor(KIND).save_pretrained(tmp_path)
    words().save_pretrained(tmp_path)
    session = Session(load_model(str(tmp_path), device="cpu"))
    loaded: Any = session.loaded
    picture = Image.effect_noise((300, 200), 80).convert("RGB")
    prepared = session.prepare(picture, "where is the cat")
    done = session.compare(prepared, method, Settings(max_new_tokens=5))
    inputs = loaded.adapter.prepare(loaded.processor, loaded.model, picture, "where is the cat")
    start = inputs["input_ids"].shape[1]
    with prune(loaded.model, method) as run:
        ours = loaded.model.generate(**inputs, max_new_tokens=5, do_sample=False)[0, start:]
    assert list(done.pruned.token_ids) == ours.tolist()
    assert done.pruned.trace.kept.tolist() == run.trace.kept.tolist()
    again = loaded.model(**prepared.inputs).logits
    assert close(again, loaded.model(**inputs).logits)


def test_encoder_flops_of_the_4b_model() -> None:
    """Summed by hand for 1024 x 1024 pixels: 64 x 64 patches, four mergers, no gates."""
    from transformers import Qwen3VLConfig

    vision = {"depth": 24, "hidden_size": 1024, "intermediate_size": 4096, "out_hidden_size": 2560}
    vision["deepstack_visual_indexes"] = [5, 11, 17]
    config = Qwen3VLConfig(vision_config=vision, text_config={"hidden_size": 2560})
    shape = Qwen3VLAdapter().shape(config, 2, 64 * 64)
    n, d, m = 64 * 64, 1024, 4096
    layers = 24 * (4 * n * d * d + 2 * n * d * m + 2 * n * n * d)
    mergers = 4 * (n // 4) * (4096 * 4096 + 4096 * 2560)
    assert vision_flops(shape) == 2 * (layers + mergers + n * d * 2 * 3 * 16 * 16)
