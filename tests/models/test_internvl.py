"""InternVL: where tiles and thumbnail lie, pixel shuffle, FoPru, a whole model from a folder."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from PIL import Image
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from pruneviz import FoPru, load_model, ops, prune
from pruneviz.cost import vision_flops
from pruneviz.engine import Session
from pruneviz.errors import InputError, UnsupportedModelError
from pruneviz.geometry import PatchGrid
from pruneviz.methods import Method
from pruneviz.models import find_adapter
from pruneviz.models.core import loading
from pruneviz.models.internvl import InternVLAdapter
from pruneviz.models.internvl.processor import InternVLStills
from tests.helpers import fresh, prompt, tiny
from tests.models.pixels import image_processor
from tests.models.sessions import SESSION_METHODS, check_session
from tests.models.tiling import check_marks, check_places

KIND, SIDE, PATCH = "internvl", 84, 14
SIZES = [(84, 84), (300, 300), (400, 200), (200, 400), (333, 500), (900, 250), (40, 30)]
EXTREME = [(3, 200), (8000, 30), (3000, 2400), (1, 1)]
SPECIAL = ["<unk>", "<|im_start|>", "<|im_end|>", "<img>", "</img>", "<IMG_CONTEXT>", "<video>"]
WORDS = "user assistant where is the cat dog at on left what ?".split()


def words() -> PreTrainedTokenizerFast:
    """A word-level tokenizer in which ``<IMG_CONTEXT>`` is token 5."""
    vocabulary = {token: number for number, token in enumerate([*SPECIAL, *WORDS])}
    inner = Tokenizer(models.WordLevel(vocabulary, unk_token=SPECIAL[0]))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, unk_token=SPECIAL[0])
    tokenizer.pad_token = SPECIAL[0]
    tokenizer.add_special_tokens({"additional_special_tokens": SPECIAL})
    return tokenizer


def pixels_processor(**settings: Any) -> Any:
    """At most eight tiles."""
    settings = {"size": {"height": SIDE, "width": SIDE}, "max_patches": 8, **settings}
    return image_processor("GotOcr2ImageProcessor", **settings)


def crops_of(images: Any, picture: Image.Image) -> torch.Tensor:
    return images(images=picture, crop_to_patches=True, return_tensors="pt")["pixel_values"]


def grid_of(images: Any, size: tuple[int, int]) -> PatchGrid:
    model = tiny(KIND)
    return find_adapter(model).patch_grid(SimpleNamespace(image_processor=images), model, size)


@pytest.mark.parametrize("size", SIZES)
def test_a_marked_box_lights_exactly_its_token(size: tuple[int, int]) -> None:
    """Patches are merged by the model's own pixel shuffle."""
    images = pixels_processor()

    def brightness(picture: Image.Image) -> torch.Tensor:
        crops = crops_of(images, picture).mean(1)
        patches = crops.unfold(1, PATCH, PATCH).unfold(2, PATCH, PATCH).mean((-1, -2))
        merged = tiny(KIND).model.pixel_shuffle(patches[..., None], 0.5)
        return merged.mean(-1).flatten()

    check_marks(grid_of(images, size), brightness)


@pytest.mark.parametrize("most", [1, 8, 12])
@pytest.mark.parametrize("size", [*SIZES, *EXTREME])
def test_every_token_has_one_place(size: tuple[int, int], most: int) -> None:
    images = pixels_processor(max_patches=most)
    grid = grid_of(images, size)
    pixels = crops_of(images, Image.effect_noise(size, 80).convert("RGB"))
    features = tiny(KIND).model.get_image_features(pixels, return_dict=True).pooler_output
    assert features.shape[0] * features.shape[1] == grid.num_tokens
    check_places(grid, 1.0)


def test_what_the_grid_cannot_be_told_of() -> None:
    images = pixels_processor()
    images.size = {"height": 84, "width": 112}
    with pytest.raises(UnsupportedModelError, match="not square"):
        grid_of(images, (300, 200))
    clip = getattr(transformers, "CLIPImageProcessorPil", transformers.CLIPImageProcessor)
    with pytest.raises(UnsupportedModelError, match="GotOcr2ImageProcessor"):
        grid_of(clip(size={"height": SIDE, "width": SIDE}), (300, 200))


@pytest.mark.parametrize("include_cls", [False, True])
def test_fopru_crop_by_crop(include_cls: bool) -> None:
    """Against the eager tower's own maps of its last layer, queries and keys normed."""
    model, case = tiny(KIND, "eager"), prompt(KIND)
    maps = model.model.vision_tower(case.inputs["pixel_values"], output_attentions=True)
    first = 0 if include_cls else 1
    wanted = []
    for weights in maps.attentions[-1]:
        patches = ops.fopru_significance(weights[:, first:, first:])[1 - first :].view(6, 6)
        wanted += [patches[r : r + 2, c : c + 2].mean() for r in (0, 2, 4) for c in (0, 2, 4)]
    with prune(tiny(KIND), FoPru(keep_tokens=12, include_cls=include_cls)) as run:
        model(**case.inputs)
    np.testing.assert_allclose(run.trace.stages[0].scores, wanted, rtol=1e-4)


def test_fopru_reads_the_layer_whose_features_are_used() -> None:
    case, found = prompt(KIND), {}
    for layer in (-1, -2, 3, 4):
        model = fresh(KIND)
        model.config.vision_feature_layer = layer
        with prune(model, FoPru(keep_ratio=0.5)) as run:
            model(**case.inputs)
        found[layer] = run.trace.stages[0].scores
    assert np.array_equal(found[-1], found[4])
    assert np.array_equal(found[-2], found[3])
    assert not np.allclose(found[-1], found[-2])
    model.config.vision_feature_layer = [-1, -2]
    with pytest.raises(UnsupportedModelError, match="no single layer"):
        find_adapter(model).watch_vision(model, lambda _: None)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    folder: Path = tmp_path_factory.mktemp(KIND)
    tiny(KIND).save_pretrained(folder)
    pixels_processor().save_pretrained(folder)
    words().save_pretrained(folder)
    with pytest.MonkeyPatch.context() as patch:
        # The same with and without it: the folder has no video part.
        patch.setattr(loading, "is_torchvision_available", lambda: False)
        return Session(load_model(str(folder), device="cpu"))


@pytest.mark.parametrize("size", SIZES)
def test_the_prompt_has_a_placeholder_for_every_token(
    session: Session, size: tuple[int, int]
) -> None:
    prepared = session.prepare(Image.new("RGB", size, (90, 120, 30)), "where is the cat")
    assert int(prepared.visual_mask.sum()) == prepared.grid.num_tokens


def test_the_prompt(session: Session) -> None:
    prepared = session.prepare(Image.new("RGB", (84, 84)), "where is the cat ?")
    text = session.loaded.tokenizer.decode(prepared.input_ids[0])
    short = " ".join(text.replace("<IMG_CONTEXT>", " ").split())
    assert short.startswith("<|im_start|>")
    assert "<img> </img>" in short
    assert short.index("</img>") < short.index("where is the cat ?")
    assert text.count("<IMG_CONTEXT>") == 9


@pytest.mark.parametrize("size", [(160, 84), (84, 250), (60, 50)])
@pytest.mark.parametrize("method", SESSION_METHODS)
def test_a_session_gives_what_generate_gives(
    session: Session, method: Method, size: tuple[int, int]
) -> None:
    check_session(session, method, size)


def test_videos_and_placeholders_are_refused(session: Session) -> None:
    picture = Image.new("RGB", (100, 80))
    for token in ("<video>", "<IMG_CONTEXT>"):
        with pytest.raises(InputError, match=token):
            session.prepare(picture, f"where is {token}")
    with pytest.raises(InputError, match="single frames"):
        InternVLStills(pixels_processor(), words())(picture, ["<video>"], videos=[[picture]])


def test_encoder_flops() -> None:
    """InternVL3-1B's sizes, three crops; two matrices on a quarter of the tokens."""
    config = transformers.InternVLConfig(text_config=transformers.Qwen2Config(hidden_size=896))
    n, d, m, crop = 3 * 1025, 1024, 4096, 1025
    layers = 24 * (4 * n * d * d + 2 * n * d * m + 2 * n * d * crop)
    projector = n // 4 * (4 * d * 896 + 896 * 896)
    shape = InternVLAdapter().shape(config, 2, n, 3)
    assert vision_flops(shape) == 2 * (layers + n * d * 3 * 14 * 14 + projector)
