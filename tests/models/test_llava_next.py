"""LLaVA-NeXT: where tiles and newlines lie, FoPru crop by crop, a whole model from a folder."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from PIL import Image
from transformers import LlavaNextProcessor

from pruneviz import FoPru, load_model, ops, prune
from pruneviz.cli import main
from pruneviz.cost import vision_flops
from pruneviz.engine import Session, Settings
from pruneviz.methods import Method
from pruneviz.models import find_adapter
from pruneviz.models.llava_next import LlavaNextAdapter
from pruneviz.models.llava_next.layout import Layout
from pruneviz.render import mask_overlay
from pruneviz.trace import StageTrace, Trace
from tests.helpers import IMAGE, close, prompt, tiny
from tests.models.pixels import image_processor
from tests.models.sessions import SESSION_METHODS, check_session, words
from tests.models.tiling import check_marks

KIND = "llava_next"
SIDE, PATCH = 4, 14
SIZES = [(50, 50), (120, 84), (84, 120), (300, 301), (400, 100), (90, 380), (30, 22)]


def pixels_processor() -> Any:
    return image_processor(
        "LlavaNextImageProcessor",
        size={"shortest_edge": 56},
        crop_size={"height": 56, "width": 56},
        image_grid_pinpoints=tiny(KIND).config.image_grid_pinpoints,
    )


def brightness(images: Any, layout: Layout, picture: Image.Image) -> torch.Tensor:
    """Mean of what each token shows, ``[tokens]``; 0 for newlines."""
    crops = images(images=picture, return_tensors="pt")["pixel_values"][0]
    patches = crops.mean(1).unfold(1, PATCH, PATCH).unfold(2, PATCH, PATCH).mean((-1, -2))
    values = patches.flatten()[layout.source.clamp_min(0)]
    return torch.where(layout.source < 0, torch.zeros(()), values)


@pytest.mark.parametrize("size", SIZES)
def test_a_marked_box_lights_exactly_its_token(size: tuple[int, int]) -> None:
    """Among the tokens of its own part: the whole image shows the same place once more."""
    images, layout = pixels_processor(), Layout.of(tiny(KIND), size)
    check_marks(layout.grid(size), lambda picture: brightness(images, layout, picture))


@pytest.mark.parametrize("size", [*SIZES, (3, 200), (20_000, 30)])
def test_every_token_has_one_place_or_is_a_newline(size: tuple[int, int]) -> None:
    model = tiny(KIND)
    layout = Layout.of(model, size)
    grid = layout.grid(size)
    placed = sum((part.token_cell >= 0).astype(int) for part in grid.parts)
    assert placed.tolist() == (layout.source >= 0).int().tolist()
    pixels = torch.zeros(1, layout.crops, 3, 56, 56)
    sizes = torch.tensor([[size[1], size[0]]])
    features = model.model.get_image_features(pixels, sizes, return_dict=True).pooler_output
    assert len(features[0]) == grid.num_tokens
    newline = model.model.image_newline
    assert [bool(torch.equal(row, newline)) for row in features[0]] == (layout.source < 0).tolist()
    for token in np.flatnonzero(placed == 0):
        assert grid.token_box(int(token)) is None


@pytest.mark.parametrize("include_cls", [False, True])
def test_fopru_crop_by_crop(include_cls: bool) -> None:
    """Against the eager tower's own maps; the newlines are kept."""
    model, case = tiny(KIND, "eager"), prompt(KIND)
    pixels = case.inputs["pixel_values"][0]
    maps = model.model.vision_tower(pixels, output_attentions=True).attentions[-2]
    first = 0 if include_cls else 1
    crops = torch.stack([ops.fopru_significance(m[:, first:, first:])[1 - first :] for m in maps])
    # A square image in the middle of two tiles: two columns of each, then the newline.
    rows = torch.cat([crops[1].view(4, 4)[:, 2:], crops[2].view(4, 4)[:, :2]], dim=1)
    newline = torch.full((4, 1), float(crops.max()))
    wanted = torch.cat([crops[0], torch.cat([rows, newline], dim=1).flatten()])
    with prune(tiny(KIND), FoPru(keep_tokens=12, include_cls=include_cls)) as run:
        model(**case.inputs)
    np.testing.assert_allclose(run.trace.stages[0].scores, wanted.numpy(), rtol=1e-4)
    assert {20, 25, 30, 35} <= set(run.trace.kept.tolist())


def test_fopru_keeps_whole_rows_of_both_grids() -> None:
    model, case = tiny(KIND), prompt(KIND)
    with prune(model, FoPru(strategy="row", keep_ratio=0.5)) as run:
        model(**case.inputs)
    significance = run.trace.stages[0].components["significance"]
    rows = [list(range(4 * r, 4 * r + 4)) for r in range(4)]
    rows += [list(range(16 + 5 * r, 21 + 5 * r)) for r in range(4)]
    means = [significance[row].mean() for row in rows]
    best = np.argsort(means)[::-1][:4]
    assert run.trace.kept.tolist() == sorted(token for r in best for token in rows[r])
    method = FoPru(strategy="row", keep_tokens=10)
    with pytest.raises(ValueError, match="differ in length"), prune(model, method):
        model(**case.inputs)


def test_images_of_two_shapes_in_one_batch() -> None:
    model, method = tiny(KIND), FoPru(keep_ratio=0.4)
    generator = torch.Generator().manual_seed(1)
    sizes, rows = [(50, 50), (84, 120)], []
    pixels = [torch.randn(Layout.of(model, s).crops, 3, 56, 56, generator=generator) for s in sizes]
    for size, crops in zip(sizes, pixels, strict=True):
        count = len(Layout.of(model, size).source)
        ids = torch.cat([torch.tensor([1, 20]), torch.full((count,), IMAGE), torch.tensor([30])])
        with prune(model, method) as run:
            alone = model(
                input_ids=ids[None],
                pixel_values=crops[None],
                image_sizes=torch.tensor([[size[1], size[0]]]),
            ).logits[0, -1]
        rows.append((ids, alone, run.trace.kept.tolist()))
    width = max(len(ids) for ids, *_ in rows)
    ids = torch.zeros(2, width, dtype=torch.long)
    for row, (own, *_) in enumerate(rows):
        ids[row, width - len(own) :] = own
    most = max(map(len, pixels))
    stacked = torch.zeros(2, most, 3, 56, 56)
    for row, crops in enumerate(pixels):
        stacked[row, : len(crops)] = crops
    with prune(model, method) as run:
        both = model(
            input_ids=ids,
            attention_mask=(ids > 0).long(),
            pixel_values=stacked,
            image_sizes=torch.tensor([[h, w] for w, h in sizes]),
        ).logits[:, -1]
    assert [trace.kept.tolist() for trace in run.traces] == [row[2] for row in rows]
    assert close(both, torch.stack([row[1] for row in rows]))


def test_the_model_has_its_own_method_back() -> None:
    model, case = tiny(KIND), prompt(KIND)
    with prune(model, FoPru(keep_ratio=0.5)):
        model.generate(**case.inputs, max_new_tokens=2, do_sample=False)
        assert "get_image_features" in vars(model.model)
    assert "get_image_features" not in vars(model.model)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("llava_next")
    tiny(KIND).save_pretrained(folder)
    tokenizer = words()
    tokenizer.add_tokens(["<image>"], special_tokens=True)
    LlavaNextProcessor(
        pixels_processor(),
        tokenizer,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        image_token="<|image_pad|>",  # noqa: S106 - a placeholder, the one of id 5
    ).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def session(folder: Path) -> Session:
    return Session(load_model(str(folder), device="cpu"))


@pytest.mark.parametrize("size", [(120, 84), (50, 200)])
@pytest.mark.parametrize("method", SESSION_METHODS)
def test_a_session_gives_what_generate_gives(
    session: Session, method: Method, size: tuple[int, int]
) -> None:
    check_session(session, method, size)


@pytest.mark.parametrize("method", SESSION_METHODS)
def test_newlines_as_text_in_a_session(session: Session, method: Method) -> None:
    """Every visual token then has a place, and the grid's tokens are the trace's."""
    session = Session(session.loaded, newlines="text")
    picture = Image.effect_noise((120, 84), 80).convert("RGB")
    prepared = session.prepare(picture, "where is the cat")
    layout = Layout.of(session.loaded.model, (120, 84))
    assert prepared.grid.num_tokens == int((layout.source >= 0).sum())
    assert None not in map(prepared.grid.token_box, range(prepared.grid.num_tokens))
    done = session.compare(prepared, method, Settings(max_new_tokens=3))
    assert done.pruned.trace.num_visual == done.baseline.trace.num_visual == done.grid.num_tokens
    with prune(session.loaded.model, method, newlines="text") as run:
        loaded = session.loaded
        inputs = loaded.adapter.prepare(loaded.processor, loaded.model, picture, "where is the cat")
        loaded.model(**inputs)
    assert done.pruned.trace.kept.tolist() == run.trace.kept.tolist()
    with pytest.raises(ValueError, match="newlines must be"):
        Session(session.loaded, newlines="gone")
    with pytest.raises(ValueError, match="positions must be"):
        Session(session.loaded, positions="gone")


@pytest.mark.parametrize("newlines", ["visual", "text"])
def test_newlines_on_the_command_line(folder: Path, tmp_path: Path, newlines: str) -> None:
    picture = tmp_path / "picture.png"
    Image.effect_noise((120, 84), 80).convert("RGB").save(picture)
    arguments = ["ask", str(picture), "where is the cat", "--model", str(folder), "--device", "cpu"]
    arguments += ["--method", "fopru", "--newlines", newlines, "--max-new-tokens", "2"]
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 0
    trace = Trace.from_json(tmp_path / "out" / "trace.json")
    source = Layout.of(tiny(KIND), (120, 84)).source
    counted = source if newlines == "visual" else source[source >= 0]
    assert trace.num_visual == len(counted) != 0
    assert trace.newlines == newlines


def test_encoder_flops_of_five_crops() -> None:
    """CLIP-L at 336 pixels, five crops of 577 tokens that do not see each other."""
    config = transformers.LlavaNextConfig(
        vision_config=transformers.CLIPVisionConfig(
            hidden_size=1024,
            intermediate_size=4096,
            num_hidden_layers=24,
            num_attention_heads=16,
            image_size=336,
            patch_size=14,
        ),
        text_config=transformers.LlamaConfig(),
    )
    one = LlavaNextAdapter().shape(config, 2, 577)
    five = LlavaNextAdapter().shape(config, 2, 5 * 577, 5)
    assert vision_flops(five) == 5 * vision_flops(one)


def test_the_user_s_own_wrapper_comes_back_and_nesting_is_undone_in_order() -> None:
    model, case = tiny(KIND), prompt(KIND)
    original = model.model.get_image_features

    def mine(*args: Any, **kwargs: Any) -> Any:
        return original(*args, **kwargs)

    model.model.get_image_features = mine
    try:
        with prune(model, FoPru(keep_ratio=0.5)) as run:
            handle = find_adapter(model).watch_vision(model, lambda _: None)
            handle.remove()
            model(**case.inputs)
            assert len(run.trace.kept) == 18
        assert model.model.get_image_features is mine
    finally:
        del model.model.get_image_features


def test_figures_show_the_tokens_of_the_whole_image_too() -> None:
    size = (163, 55)
    grid = Layout.of(tiny(KIND), size).grid(size)
    (whole,) = grid.others
    tokens = np.flatnonzero(whole.token_cell >= 0)
    stage = StageTrace(
        layer=0,
        method="uniform",
        alive=np.arange(grid.num_tokens),
        kept=tokens,
        scores=np.ones(grid.num_tokens, dtype=np.float32),
    )
    picture = Image.effect_noise(size, 90).convert("RGB")
    trace = SimpleNamespace(stages=(stage,), num_visual=grid.num_tokens, pins=lambda _: ())
    drawn = mask_overlay(picture, grid, trace)
    assert drawn.tobytes() == picture.tobytes(), "every place is kept, and none unseen"
