"""Qwen-VL models: geometry, FoPru on the windowed encoder, a whole model from a folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AttentionInterface

from pruneviz import FoPru, load_model, ops, prune
from pruneviz.cost import vision_flops
from pruneviz.engine import Session
from pruneviz.errors import InputError
from pruneviz.methods import Method
from pruneviz.models import find_adapter
from pruneviz.models.core import loading
from pruneviz.models.qwen_vl import QwenVLAdapter
from pruneviz.models.qwen_vl.processor import StillImageProcessor
from pruneviz.models.qwen_vl.vision import window_order
from tests.helpers import (
    IMAGE,
    LAYERS,
    QWEN_MODELS,
    QWEN_PATCH,
    alive_columns,
    close,
    deepstack_of,
    masked_run,
    prompt,
    tiny,
)
from tests.models.pixels import image_processor
from tests.models.sessions import SESSION_METHODS, check_session, words
from tests.models.tiling import check_marks

SIZES = [(300, 200), (200, 300), (30, 20), (1500, 900), (640, 101), (56, 56), (5000, 3100)]


def pixels_processor(kind: str = "qwen25_vl") -> Any:
    """From 4 to 64 visual tokens an image."""
    side = QWEN_PATCH[kind]
    token = (2 * side) ** 2
    size = {"shortest_edge": 4 * token, "longest_edge": 64 * token}
    return image_processor("Qwen2VLImageProcessor", patch_size=side, size=size)


@pytest.fixture(scope="module", params=QWEN_MODELS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp(request.param)
    tiny(request.param).save_pretrained(path)
    pixels_processor(request.param).save_pretrained(path)
    words().save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def session(folder: Path) -> Session:
    with pytest.MonkeyPatch.context() as patch:
        # The same with and without it: the folder has no video part.
        patch.setattr(loading, "is_torchvision_available", lambda: False)
        return Session(load_model(str(folder), device="cpu"))


@pytest.mark.parametrize("kind", ["qwen25_vl", "qwen3_vl"])
@pytest.mark.parametrize("size", SIZES)
def test_a_marked_box_lights_exactly_its_token(kind: str, size: tuple[int, int]) -> None:
    images = pixels_processor(kind)
    model = tiny(kind)
    processor = StillImageProcessor(images, words())
    grid = find_adapter(model).patch_grid(processor, model, size)

    def brightness(picture: Image.Image) -> torch.Tensor:
        """Mean of the four patches of every visual token."""
        return (
            images(images=picture, return_tensors="pt")["pixel_values"]
            .view(grid.num_tokens, -1)
            .mean(-1)
        )

    check_marks(grid, brightness)


@pytest.mark.parametrize("size", SIZES[:4])
def test_every_visual_token_has_a_box(session: Session, size: tuple[int, int]) -> None:
    prepared = session.prepare(Image.new("RGB", size, (90, 120, 30)), "where is the cat")
    assert int(prepared.visual_mask.sum()) == prepared.grid.num_tokens
    assert prepared.grid.rows * prepared.grid.columns == prepared.grid.num_tokens
    areas = (prepared.grid.boxes[:, 2:] - prepared.grid.boxes[:, :2]).prod(-1)
    assert float(areas.sum()) == pytest.approx(size[0] * size[1], rel=1e-4)


@pytest.mark.parametrize("method", [*SESSION_METHODS, FoPru(keep_ratio=1.0)])
def test_a_session_gives_what_generate_gives(session: Session, method: Method) -> None:
    done = check_session(session, method, (300, 200))
    assert done.pruned.trace.positions == "keep"
    assert done.fidelity is not None
    if getattr(method, "keep_ratio", None) == 1.0:
        assert done.fidelity.exact_match
        assert done.fidelity.first_token_kl == 0


def test_what_cannot_be_answered(session: Session) -> None:
    picture = Image.new("RGB", (100, 80))
    with pytest.raises(InputError, match="image_pad"):
        session.prepare(picture, "where is <|image_pad|>")
    with pytest.raises(InputError, match="aspect ratio"):
        session.prepare(Image.new("RGB", (3000, 10)), "where is the cat")
    with pytest.raises(InputError, match="video_pad"):
        session.prepare(picture, "where is <|video_pad|>")


@pytest.fixture
def maps() -> Iterator[list[torch.Tensor]]:
    """Attention maps of everything that runs with the implementation `probe`."""
    found: list[torch.Tensor] = []

    def probe(module: Any, query: Any, key: Any, value: Any, **more: Any) -> Any:
        weights = (query @ key.transpose(-1, -2) * more["scaling"]).softmax(-1)
        found.append(weights[0])
        return (weights @ value).transpose(1, 2), weights

    AttentionInterface.register("probe", probe)
    return found


@pytest.mark.parametrize("kind", QWEN_MODELS)
def test_fopru_reads_the_last_block_with_full_attention(
    kind: str, maps: list[torch.Tensor]
) -> None:
    """Against maps taken from the running encoder, brought back to row-major order."""
    model, case = tiny(kind), prompt(kind)
    visual = model.model.visual
    visual.set_attn_implementation("probe")
    try:
        with prune(model, FoPru(keep_tokens=9)) as run:
            model(**case.inputs)
    finally:
        visual.set_attn_implementation("sdpa")
    whole = [weights for weights in maps if weights.shape[-1] == 144]
    patches = ops.fopru_significance(whole[-1])
    units = patches.view(36, 4).mean(-1)
    order = range(36)
    if kind == "qwen25_vl":
        # Windows of 2 x 2 tokens over a grid of 6 x 6.
        order = [
            12 * band + 2 * tile + 6 * row + column
            for band in range(3)
            for tile in range(3)
            for row in range(2)
            for column in range(2)
        ]
    wanted = torch.empty(36)
    wanted[list(order)] = units
    np.testing.assert_allclose(run.trace.stages[0].scores, wanted.numpy(), rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("shape", [(6, 6), (5, 7), (4, 3), (1, 9)])
def test_window_order_is_the_encoders(shape: tuple[int, int]) -> None:
    """Of a video, too, frame by frame."""
    visual = tiny("qwen25_vl").model.visual
    rows, columns = shape
    grid = torch.tensor([[2, 2 * rows, 2 * columns]])
    if hasattr(visual, "get_window_index"):
        wanted = visual.get_window_index(grid)[0]
    else:
        from transformers.vision_utils import get_vision_window_index

        wanted = get_vision_window_index(
            grid, spatial_merge_size=2, window_size=56, patch_size=14, kwargs={}
        )[0]
    frame = torch.from_numpy(window_order(*shape, window=2))
    both = torch.cat([frame, frame + rows * columns])
    assert both.tolist() == torch.as_tensor(wanted).tolist()


@pytest.mark.parametrize("method", [FoPru(keep_ratio=0.25), SESSION_METHODS[0]])
@pytest.mark.parametrize("kind", ["qwen25_vl", "qwen3_vl"])
def test_images_of_two_sizes_in_one_batch(kind: str, method: Method) -> None:
    """FoPru finds each row's own image, though they have different numbers of tokens."""
    model, generator = tiny(kind), torch.Generator().manual_seed(3)
    grids = torch.tensor([[1, 12, 8], [1, 8, 8]])
    values = 6 * QWEN_PATCH[kind] ** 2
    pixels = [torch.randn(int(g.prod()), values, generator=generator) for g in grids]
    rows = []
    for index, tokens in enumerate((24, 16)):
        ids = torch.cat(
            [torch.tensor([20, 3]), torch.full((tokens,), IMAGE), torch.tensor([4, 30])]
        )
        kinds = (ids == IMAGE).int()
        with prune(model, method) as run:
            alone = model(
                input_ids=ids[None],
                mm_token_type_ids=kinds[None],
                pixel_values=pixels[index],
                image_grid_thw=grids[index : index + 1],
            ).logits[0, -1]
        rows.append((ids, kinds, alone, run.trace.kept.tolist()))
    pad = len(rows[0][0]) - len(rows[1][0])
    blank = torch.zeros(pad, dtype=torch.long)
    mask = torch.ones(2, len(rows[0][0]), dtype=torch.long)
    mask[1, :pad] = 0
    with prune(model, method) as run:
        both = model(
            input_ids=torch.stack([rows[0][0], torch.cat([blank, rows[1][0]])]),
            mm_token_type_ids=torch.stack([rows[0][1], torch.cat([blank.int(), rows[1][1]])]),
            attention_mask=mask,
            pixel_values=torch.cat(pixels),
            image_grid_thw=grids,
        ).logits[:, -1]
    assert [trace.kept.tolist() for trace in run.traces] == [row[3] for row in rows]
    assert close(both, torch.stack([row[2] for row in rows]))


@pytest.mark.parametrize("kind", QWEN_MODELS)
def test_two_images_in_one_prompt(kind: str) -> None:
    """Removing equals masking, and FoPru judges each image by its own attention."""
    model, generator = tiny(kind), torch.Generator().manual_seed(4)
    grids = torch.tensor([[1, 8, 8], [1, 4, 12]])
    values = 6 * QWEN_PATCH[kind] ** 2
    pixels = torch.randn(int(grids.prod(-1).sum()), values, generator=generator)
    ids = torch.tensor([[20, 3, *[IMAGE] * 16, 4, 21, 3, *[IMAGE] * 12, 4, 22, 23]])
    visual = ids == IMAGE
    inputs = {"input_ids": ids, "mm_token_type_ids": visual.int(), "image_grid_thw": grids}
    inputs["pixel_values"] = pixels
    positions, _ = model.model.get_rope_index(
        input_ids=ids, mm_token_type_ids=visual.int(), image_grid_thw=grids
    )
    encoded = model.model.get_image_features(pixels, grids, return_dict=True)
    embeds = model.get_input_embeddings()(ids)
    embeds = embeds.masked_scatter(visual[..., None], torch.cat(list(encoded.pooler_output)))
    added = deepstack_of(encoded, visual, embeds)
    for method in (SESSION_METHODS[0], FoPru(keep_ratio=0.4)):
        with prune(model, method) as run:
            logits = model(**inputs).logits[0]
        alive = alive_columns(visual[0], run.trace, LAYERS)
        wanted = masked_run(model, embeds, alive, False, positions, added)
        assert close(logits, wanted[alive[-1]])
    scores, start = [], 0
    for index, grid in enumerate(grids):
        stop = start + int(grid.prod())
        alone = torch.tensor([[20, 3, *[IMAGE] * (16, 12)[index], 4, 22]])
        with prune(model, FoPru(keep_ratio=0.4)) as single:
            model(
                input_ids=alone,
                mm_token_type_ids=(alone == IMAGE).int(),
                pixel_values=pixels[start:stop],
                image_grid_thw=grid[None],
            )
        scores.append(single.trace.stages[0].scores)
        start = stop
    np.testing.assert_allclose(run.trace.stages[0].scores, np.concatenate(scores), rtol=1e-4)


def test_encoder_flops_of_the_7b_model() -> None:
    """Summed by hand for 1008 x 1008 pixels: 72 x 72 patches, four layers with full attention."""
    from transformers import Qwen2_5_VLConfig

    vision = {"hidden_size": 1280, "intermediate_size": 3420, "out_hidden_size": 3584}
    text = {"hidden_size": 3584, "num_attention_heads": 28, "num_key_value_heads": 4}
    config = Qwen2_5_VLConfig(vision_config=vision, text_config=text)
    shape = QwenVLAdapter().shape(config, 2, 72 * 72)
    n, d, m = 72 * 72, 1280, 3420
    layers = 32 * (4 * n * d * d + 3 * n * d * m) + 2 * n * d * (4 * n + 28 * 64)
    merger = n // 4 * (5120 * 5120 + 5120 * 3584)
    assert vision_flops(shape) == 2 * (layers + merger + n * d * 2 * 3 * 14 * 14)
