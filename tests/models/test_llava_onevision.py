"""LLaVA-OneVision: where tokens lie, interpolated or not; several images; videos; a folder."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import LlavaOnevisionForConditionalGeneration, SiglipVisionConfig

from pruneviz import FoPru, ResPrune, TransPrune, load_model, ops, prune
from pruneviz.engine import Session
from pruneviz.errors import InputError, UnsupportedModelError
from pruneviz.methods import Method
from pruneviz.models import find_adapter
from pruneviz.models.core import loading
from pruneviz.models.llava_next.layout import Layout
from pruneviz.models.llava_onevision.layout import OnevisionLayout
from pruneviz.models.llava_onevision.processor import StillOnevisionProcessor
from tests.helpers import IMAGE, close, onevision_config, tiny
from tests.models.pixels import image_processor
from tests.models.sessions import check_session, words

KIND, VIDEO = "llava_onevision", 6
SIZES = [
    (100, 100),
    (50, 50),
    (120, 84),
    (84, 120),
    (300, 301),
    (400, 100),
    (90, 380),
    (30, 22),
    (7, 5),
    (1500, 1200),
]
STRIPS = [(3, 200), (20_000, 30), (1, 1)]


@cache
def geometry(real: bool, limit: str) -> Any:
    """A model without weights: tiny crops, or the published crops of 27 x 27 patches."""
    settings: dict[str, Any] = {"vision_aspect_ratio": limit}
    if real:
        vision = SiglipVisionConfig(
            hidden_size=8, num_hidden_layers=1, num_attention_heads=1, image_size=384, patch_size=14
        )
        settings |= {"vision_config": vision, "image_grid_pinpoints": None}
    with torch.device("meta"):
        return LlavaOnevisionForConditionalGeneration(onevision_config(**settings))


def processor_of(model: Any) -> Any:
    config = model.config
    crop = config.vision_config.image_size
    images = image_processor(
        "LlavaOnevisionImageProcessor",
        size={"height": crop, "width": crop},
        image_grid_pinpoints=config.image_grid_pinpoints,
    )
    tokenizer = words()
    tokenizer.add_tokens(["<image>", "<video>"], special_tokens=True)
    return StillOnevisionProcessor(
        images,
        tokenizer,
        num_image_tokens=(crop // 14) ** 2,
        vision_feature_select_strategy="full",
        vision_aspect_ratio=config.vision_aspect_ratio,
        image_token="<|image_pad|>",  # noqa: S106 - a placeholder, the one of id 5
        video_token="<|video_pad|>",  # noqa: S106 - of id 6
    )


@cache
def counter(real: bool, limit: str) -> Any:
    return processor_of(geometry(real, limit))


def brightness(model: Any, images: Any, picture: Image.Image) -> torch.Tensor:
    """Mean of what each token shows, ``[tokens]``, packed by the model itself; 0 for newlines."""
    seen = images(images=picture, return_tensors="pt")
    gray = seen["pixel_values"][0].mean(1)
    patches = gray.unfold(1, 14, 14).unfold(2, 14, 14).mean((-1, -2)).flatten(1)
    packed, _ = model.model.pack_image_features(
        [patches[..., None]],
        seen["image_sizes"],
        image_newline=torch.zeros(1),
        vision_aspect_ratio=model.config.vision_aspect_ratio,
    )
    return packed[0][:, 0]


CASES = [(size, False, "anyres_max_9") for size in SIZES[:7]]
CASES += [(size, False, "anyres_max_1") for size in [*SIZES[:4], (700, 500), (90, 66)]]
CASES += [((640, 480), True, "anyres_max_9")]


@pytest.mark.parametrize(
    ("size", "real", "limit"),
    [*CASES, pytest.param((1400, 2200), True, "anyres_max_9", marks=pytest.mark.slow)],
)
def test_marked_boxes_light_exactly_their_tokens(
    size: tuple[int, int], real: bool, limit: str
) -> None:
    """Among the tokens of their own part: the whole image shows the same place once more."""
    model = geometry(real, limit)
    images = processor_of(model).image_processor
    grid = find_adapter(model).patch_grid(None, model, size)
    dark = brightness(model, images, Image.new("RGB", size))
    for part in grid.parts:
        own = np.flatnonzero(part.token_cell >= 0)
        assert len(own) == part.rows * part.columns
        marks = sorted({own[0], own[len(own) // 2 + part.columns // 2], own[-1]})
        marked = np.zeros((size[1], size[0], 3), dtype=np.uint8)
        for token in marks:
            left, top, right, bottom = (round(v) for v in grid.token_box(int(token)))
            marked[top:bottom, left:right] = 255
        change = (brightness(model, images, Image.fromarray(marked)) - dark)[own]
        lit = torch.from_numpy(np.isin(own, marks))
        assert float(change[~lit].max()) < 0.35 * float(change[lit].min())


@pytest.mark.parametrize("limit", ["anyres_max_9", "anyres_max_1", "anyres_max_2"])
@pytest.mark.parametrize("size", SIZES + STRIPS)
def test_as_many_tokens_as_the_processor_counts_and_the_model_makes(
    size: tuple[int, int], limit: str
) -> None:
    for real in (False, True):
        model = geometry(real, limit)
        layout = OnevisionLayout.of(model, size)
        counted = counter(real, limit)._get_num_multimodal_tokens([size[::-1]])
        assert [len(layout.source)] == list(counted["num_image_tokens"])
    model = tiny(KIND)
    layout = OnevisionLayout.of(model, size, limit)
    grid = layout.grid(size)
    features = model.model.get_image_features(
        torch.zeros(1, layout.crops, 3, 60, 60),
        torch.tensor([size[::-1]]),
        vision_aspect_ratio=limit,
        return_dict=True,
    ).pooler_output[0]
    assert len(features) == grid.num_tokens == len(layout.source)
    newline = model.model.image_newline
    ends = [bool(torch.equal(row, newline)) for row in features]
    assert ends == (layout.source < 0).tolist()
    assert not any(grid.token_box(int(token)) for token in np.flatnonzero(ends))


@pytest.mark.parametrize("size", [*SIZES, (640, 480), (2304, 1500), (777, 3001)])
@pytest.mark.parametrize("real", [False, True])
def test_every_token_but_a_newline_has_one_place(size: tuple[int, int], real: bool) -> None:
    layout = OnevisionLayout.of(geometry(real, "anyres_max_9"), size)
    grid = layout.grid(size)
    placed = sum((part.token_cell >= 0).astype(int) for part in grid.parts)
    assert placed.tolist() == (layout.source >= 0).int().tolist()
    for part in grid.parts:
        assert float((part.boxes[:, 2:] - part.boxes[:, :2]).min()) > 0
        # Boxes may leave pixels out, but never share one.
        columns, rows = part.boxes[: part.columns], part.boxes[:: part.columns]
        assert (columns[1:, 0] >= columns[:-1, 2]).all()
        assert (rows[1:, 1] >= rows[:-1, 3]).all()


@pytest.mark.parametrize(("size", "limit"), [((100, 100), None), ((84, 120), "anyres_max_9")])
def test_fopru_crop_by_crop(size: tuple[int, int], limit: str | None) -> None:
    """Against the eager tower's own maps of its last layer, packed by the model itself."""
    model = tiny(KIND, "eager")
    layout = OnevisionLayout.of(model, size, limit)
    pixels = torch.randn(layout.crops, 3, 60, 60, generator=torch.Generator().manual_seed(3))
    maps = model.model.vision_tower(pixels, output_attentions=True).attentions[-1]
    crops = torch.stack([ops.fopru_significance(m) for m in maps])
    packed, _ = model.model.pack_image_features(
        [crops[..., None]],
        torch.tensor([size[::-1]]),
        image_newline=crops.max()[None],
        vision_aspect_ratio=limit or model.config.vision_aspect_ratio,
    )
    records: list[Any] = []
    handle = find_adapter(tiny(KIND)).watch_vision(tiny(KIND), records.append)
    model.model.get_image_features(
        pixels[None], torch.tensor([size[::-1]]), vision_aspect_ratio=limit, return_dict=True
    )
    handle.remove()
    np.testing.assert_allclose(records[0].scores(), packed[0][:, 0].numpy(), rtol=1e-4)


def both_images(model: Any) -> dict[str, torch.Tensor]:
    """One prompt about two images, and after padding on the left one about a single image."""
    generator = torch.Generator().manual_seed(2)
    crops = [torch.randn(n, 3, 60, 60, generator=generator) for n in (1, 1, 5)]
    pixels = torch.stack([torch.cat([c, c.new_zeros(5 - len(c), 3, 60, 60)]) for c in crops])
    image, text = torch.full((17,), IMAGE), torch.tensor([30, 40])
    rows = [
        torch.cat([text, image, text, image, text]),
        torch.cat([text, torch.full((36,), IMAGE)]),
    ]
    rows[1] = torch.cat([torch.zeros(len(rows[0]) - 40, dtype=torch.long), rows[1], text])
    ids = torch.stack(rows)
    return {
        "input_ids": ids,
        "attention_mask": (ids > 0).long(),
        "pixel_values": pixels,
        "image_sizes": torch.tensor([[50, 60], [80, 70], [100, 100]]),
        "batch_num_images": torch.tensor([2, 1]),
    }


MANY: list[Method] = [
    FoPru(keep_ratio=0.4),
    ResPrune(keep_ratio=0.4),
    TransPrune(prune_layers=(2, 3, 5), keep_ratios=(0.8, 0.5, 0.2)),
]


@pytest.mark.parametrize("method", MANY)
def test_two_images_in_a_prompt_beside_one(method: Method) -> None:
    """Without tiles, 16 tokens and a newline each; as alone, and `generate` as `forward`."""
    model = tiny(KIND)
    inputs = both_images(model)
    with prune(model, FoPru(keep_ratio=1.0)) as run:
        whole = model(**inputs).logits
    assert torch.equal(whole, model(**inputs).logits)
    first = {
        "input_ids": inputs["input_ids"][:1],
        "pixel_values": inputs["pixel_values"][:2, :1],
        "image_sizes": inputs["image_sizes"][:2],
        "batch_num_images": torch.tensor([2]),
    }
    with prune(model, method) as run:
        alone = model(**first).logits[0, -1]
    kept = run.trace.kept.tolist()
    if isinstance(method, FoPru):
        assert {16, 33} <= set(kept)
        with prune(model, method) as run:
            both = model(**inputs).logits[0, -1]
        assert run.traces[0].kept.tolist() == kept
        assert close(both, alone)
    with prune(model, method) as run:
        new = model.generate(**first, max_new_tokens=1, do_sample=False)[0, -1]
    assert run.trace.kept.tolist() == kept
    assert int(new) == int(alone.argmax())


@pytest.mark.parametrize("method", [*MANY, FoPru(strategy="row", keep_ratio=0.5)])
def test_newlines_of_several_images_as_text(method: Method) -> None:
    """Those of both images and of the tiles beside them: all stay, none is counted."""
    model = tiny(KIND)
    inputs = both_images(model)
    with prune(model, method, newlines="text") as run:
        model(**inputs)
    assert [trace.num_visual for trace in run.traces] == [32, 32]
    assert [trace.num_text for trace in run.traces] == [6 + 2, 4 + 4]
    kept = method.count(method.stages()[-1], 32)
    assert [len(trace.kept) for trace in run.traces] == [kept, kept]


def test_a_limit_of_another_kind_is_refused() -> None:
    model = SimpleNamespace(config=onevision_config(vision_aspect_ratio="square"))
    with pytest.raises(UnsupportedModelError, match="anyres_max_9"):
        OnevisionLayout.of(model, (50, 50))


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    folder: Path = tmp_path_factory.mktemp(KIND)
    tiny(KIND).save_pretrained(folder)
    processor_of(tiny(KIND)).save_pretrained(folder)
    with pytest.MonkeyPatch.context() as patch:
        # The same with and without it: the folder has no video part.
        patch.setattr(loading, "is_torchvision_available", lambda: False)
        return Session(load_model(str(folder), device="cpu"))


@pytest.mark.parametrize("size", [(120, 84), (50, 200), (100, 100)])
@pytest.mark.parametrize("method", MANY)
def test_a_session_gives_what_generate_gives(
    session: Session, method: Method, size: tuple[int, int]
) -> None:
    check_session(session, method, size)


@pytest.mark.parametrize("token", ["<|image_pad|>", "<|video_pad|>"])
def test_a_placeholder_in_the_question_is_refused(session: Session, token: str) -> None:
    with pytest.raises(InputError, match="Leave the placeholder"):
        session.prepare(Image.new("RGB", (50, 50)), f"where is {token}")


def test_encoder_tokens_of_every_crop(session: Session) -> None:
    prepared = session.prepare(Image.new("RGB", (100, 100)), "where is the cat")
    layout: Layout = OnevisionLayout.of(session.loaded.model, (100, 100))
    assert layout.crops == 5
    assert prepared.vision is not None
    assert (prepared.vision.encoder_crops, prepared.vision.encoder_tokens) == (5, 80)
