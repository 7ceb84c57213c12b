"""SmolVLM and Idefics3: where tiles lie, pixel shuffle, FoPru crop by crop, a model in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from PIL import Image
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import Idefics3Processor, PreTrainedTokenizerFast

from pruneviz import FoPru, TransPrune, load_model, ops, prune
from pruneviz.cost import vision_flops
from pruneviz.engine import Session
from pruneviz.errors import InputError, PruningError, UnsupportedModelError
from pruneviz.geometry import PatchGrid
from pruneviz.methods import Method
from pruneviz.models import find_adapter
from pruneviz.models.core import loading
from pruneviz.models.core.still import StillProcessor
from pruneviz.models.idefics import IdeficsAdapter
from pruneviz.models.idefics.processor import SmolVLMStills
from tests.helpers import IDEFICS_MODELS, IMAGE, close, fresh, prompt, tiny
from tests.models.pixels import image_processor
from tests.models.sessions import SESSION_METHODS, check_session
from tests.models.tiling import check_marks, check_places

PATCH = 14
SIZES = [(300, 300), (400, 200), (200, 400), (333, 500), (900, 250), (30, 22), (90, 90)]
EXTREME = [(3, 200), (8000, 30), (3000, 2400), (1, 1)]
SPECIAL = ["<unk>", "<|im_start|>", "<end_of_utterance>", "<global-img>", "<video>", "<image>"]
WORDS = "User Assistant where is the cat dog at on left what ? :".split()


def words() -> PreTrainedTokenizerFast:
    """A word-level tokenizer that has every marker as one token; ``<image>`` is token 5."""
    special = [*SPECIAL, "<fake_token_around_image>"]
    special += [f"<row_{row}_col_{column}>" for row in range(1, 5) for column in range(1, 5)]
    vocabulary = {token: number for number, token in enumerate([*special, *WORDS])}
    inner = Tokenizer(models.WordLevel(vocabulary, unk_token=SPECIAL[0]))
    inner.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split("\n", "isolated"), pre_tokenizers.WhitespaceSplit()]
    )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, unk_token=SPECIAL[0])
    tokenizer.pad_token = SPECIAL[0]
    tokenizer.add_special_tokens({"additional_special_tokens": special})
    return tokenizer


def pixels_processor(kind: str, longest: int = 3) -> Any:
    """At most `longest` tiles along the longer side."""
    name = "SmolVLMImageProcessor" if kind == "smolvlm" else "Idefics3ImageProcessor"
    side = tiny(kind).config.vision_config.image_size
    sizes = {"size": {"longest_edge": longest * side}, "max_image_size": {"longest_edge": side}}
    return image_processor(name, **sizes)


class Stills(SmolVLMStills):
    crop_tokens = 9


def grid_of(kind: str, images: Any, size: tuple[int, int]) -> PatchGrid:
    model = tiny(kind)
    return find_adapter(model).patch_grid(Stills(images, words()), model, size)


def brightness(kind: str, images: Any, picture: Image.Image) -> torch.Tensor:
    """Mean of what each token shows, ``[tokens]``, merged by the model's own connector."""
    crops = images(images=picture, return_tensors="pt")["pixel_values"][0]
    patches = crops.mean(1).unfold(1, PATCH, PATCH).unfold(2, PATCH, PATCH).mean((-1, -2))
    connector = tiny(kind).model.connector
    merged = connector.pixel_shuffle(patches.flatten(1)[..., None], connector.scale_factor)
    return merged.mean(-1).flatten()


@pytest.mark.parametrize("kind", IDEFICS_MODELS)
@pytest.mark.parametrize("size", SIZES)
def test_a_marked_box_lights_exactly_its_token(size: tuple[int, int], kind: str) -> None:
    """Among the tokens of its own part: the whole image shows the same place once more."""
    images = pixels_processor(kind)
    check_marks(grid_of(kind, images, size), lambda picture: brightness(kind, images, picture))


@pytest.mark.parametrize("kind", IDEFICS_MODELS)
@pytest.mark.parametrize("size", [*SIZES, *EXTREME])
def test_every_token_has_one_place(size: tuple[int, int], kind: str) -> None:
    images, model = pixels_processor(kind), tiny(kind)
    grid = grid_of(kind, images, size)
    pixels = images(images=Image.effect_noise(size, 80).convert("RGB"), return_tensors="pt")
    features = model.model.get_image_features(**pixels, return_dict=True).pooler_output
    assert sum(map(len, features)) == grid.num_tokens
    # Six pixels of SmolVLM's 90 are behind the last whole patch.
    check_places(grid, (84 / 90) ** 2 if kind == "smolvlm" else 1.0)


def test_pixels_behind_the_last_patch_change_nothing() -> None:
    """Marked between two tiles, where no box of the tiles is."""
    images, size = pixels_processor("smolvlm"), (270, 270)
    grid = grid_of("smolvlm", images, size)
    tiles = np.flatnonzero(grid.token_cell >= 0)
    marked = np.zeros((size[1], size[0], 3), dtype=np.uint8)
    marked[:, 84:90] = 255
    dark, light = (
        brightness("smolvlm", images, Image.fromarray(picture))[tiles]
        for picture in (np.zeros_like(marked), marked)
    )
    assert torch.equal(dark, light)
    assert not any(84 < (box[0] + box[2]) / 2 < 90 for box in grid.boxes)


@pytest.mark.parametrize("kind", IDEFICS_MODELS)
def test_without_splitting_there_is_the_whole_image_alone(kind: str) -> None:
    images = pixels_processor(kind)
    images.do_image_splitting = False
    grid = grid_of(kind, images, (400, 200))
    assert (grid.rows, grid.columns, grid.num_tokens, grid.others) == (3, 3, 9, ())


@pytest.mark.parametrize("kind", IDEFICS_MODELS)
def test_fopru_crop_by_crop(kind: str) -> None:
    """Against the eager tower's own maps of its last layer: the mean over a token's patches."""
    model, case = tiny(kind, "eager"), prompt(kind)
    pixels = case.inputs["pixel_values"][0]
    maps = model.model.vision_model(pixels, output_attentions=True).attentions[-1]
    patches = torch.stack([ops.fopru_significance(m) for m in maps]).view(4, 6, 6)
    wanted = [crop[r : r + 2, c : c + 2].mean() for crop in patches for r, c in CORNERS]
    with prune(tiny(kind), FoPru(keep_tokens=12)) as run:
        model(**case.inputs)
    np.testing.assert_allclose(run.trace.stages[0].scores, wanted, rtol=1e-4)
    with prune(tiny(kind), FoPru(keep_ratio=0.5, strategy="row")) as run:
        model(**case.inputs)
    # Rows of three tokens, six of the twelve in four crops.
    whole = run.trace.kept.reshape(6, 3)
    assert (whole % 3 == [0, 1, 2]).all()


CORNERS = [(row, column) for row in (0, 2, 4) for column in (0, 2, 4)]


def _fopru(model: Any, inputs: dict[str, torch.Tensor]) -> Any:
    with prune(model, FoPru(keep_ratio=0.5)) as run:
        model(**inputs)
    return run.traces


def test_fopru_refuses_what_it_cannot_read() -> None:
    model, case = tiny("smolvlm"), prompt("smolvlm")
    mask = case.inputs["pixel_attention_mask"].clone()
    mask[:, -1, 40:] = 0
    with pytest.raises(PruningError, match="padding"):
        _fopru(model, case.inputs | {"pixel_attention_mask": mask})
    with prune(model, TransPrune(prune_layers=(2,), keep_ratios=(0.5,))) as run:
        model(**case.inputs | {"pixel_attention_mask": mask})
    assert len(run.trace.kept) == 18
    odd = fresh("idefics3")
    del odd.model.vision_model.encoder.layers[-1].self_attn.q_proj
    with pytest.raises(UnsupportedModelError, match="query and key"):
        _fopru(odd, case.inputs)


@pytest.mark.parametrize("kind", IDEFICS_MODELS)
def test_images_with_different_numbers_of_tiles_in_one_batch(kind: str) -> None:
    """Crops that only fill up the batch are no crops; FoPru finds each row's own."""
    model, generator = tiny(kind), torch.Generator().manual_seed(1)
    side, counts = model.config.vision_config.image_size, (4, 1)
    rows, pixels = [], torch.zeros(2, 4, 3, side, side)
    for row, crops in enumerate(counts):
        pixels[row, :crops] = torch.randn(crops, 3, side, side, generator=generator)
        ids = torch.tensor([20, *([*[IMAGE] * 9, 21, 22] * crops), 30, 31])
        alone = {"input_ids": ids[None], "pixel_values": pixels[row : row + 1, :crops]}
        with prune(model, FoPru(keep_ratio=0.4)) as run:
            rows.append((ids, model(**alone).logits[0, -1], run.trace.kept.tolist()))
    width = max(len(ids) for ids, *_ in rows)
    ids = torch.zeros(2, width, dtype=torch.long)
    for row, (own, *_) in enumerate(rows):
        ids[row, width - len(own) :] = own
    with prune(model, FoPru(keep_ratio=0.4)) as run:
        both = model(input_ids=ids, attention_mask=(ids > 0).long(), pixel_values=pixels)
    assert [trace.kept.tolist() for trace in run.traces] == [row[2] for row in rows]
    assert close(both.logits[:, -1], torch.stack([row[1] for row in rows]))


@pytest.fixture(scope="module", params=IDEFICS_MODELS)
def session(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Session:
    folder: Path = tmp_path_factory.mktemp(request.param)
    tiny(request.param).save_pretrained(folder)
    images, tokenizer = pixels_processor(request.param), words()
    if request.param == "smolvlm":
        images.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    else:
        template = SmolVLMStills.usual_template
        Idefics3Processor(images, tokenizer, 9, chat_template=template).save_pretrained(folder)
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
    groups = prepared.visual_mask[0].int().diff().clamp_min(0).sum()
    assert int(groups) == prepared.grid.num_tokens // 9, "the markers are no visual tokens"


@pytest.mark.parametrize("size", SIZES)
def test_both_processors_write_the_same_prompt(size: tuple[int, int]) -> None:
    """The one that needs neither torchvision nor num2words and Idefics3's, which are alike."""
    images, tokenizer, picture = pixels_processor("idefics3"), words(), Image.new("RGB", size)
    theirs = Idefics3Processor(images, tokenizer, 9, chat_template=SmolVLMStills.usual_template)
    ours: StillProcessor = Stills(images, tokenizer)
    adapter, model = find_adapter(tiny("smolvlm")), tiny("smolvlm")
    one, two = (adapter.prepare(p, model, picture, "where is the cat") for p in (ours, theirs))
    assert set(one) == set(two)
    assert all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize("size", [(120, 84), (50, 200), (60, 50)])
@pytest.mark.parametrize("method", SESSION_METHODS)
def test_a_session_gives_what_generate_gives(
    session: Session, method: Method, size: tuple[int, int]
) -> None:
    check_session(session, method, size)


def test_videos_and_placeholders_are_refused(session: Session) -> None:
    picture = Image.new("RGB", (100, 80))
    with pytest.raises(InputError, match="<video>"):
        session.prepare(picture, "where is <video>")
    with pytest.raises(InputError, match="<image>"):
        session.prepare(picture, "where is <image>")
    with pytest.raises(InputError, match="single frames"):
        Stills(pixels_processor("smolvlm"), words())(picture, ["<image>"], videos=[[picture]])


def test_encoder_flops() -> None:
    """SmolVLM2-2.2B's sizes, two crops of 27 x 27 patches; one matrix on a ninth of them."""
    vision = {"num_hidden_layers": 27, "intermediate_size": 4304, "patch_size": 14}
    text = transformers.LlamaConfig(hidden_size=2048)
    config = transformers.SmolVLMConfig(vision_config=vision, text_config=text, scale_factor=3)
    n, d, m, crop = 2 * 729, 1152, 4304, 729
    layers = 27 * (4 * n * d * d + 2 * n * d * m + 2 * n * d * crop)
    shape = IdeficsAdapter().shape(config, 2, n, 2)
    assert vision_flops(shape) == 2 * (layers + n * d * 3 * 14 * 14 + n // 9 * 9 * d * 2048)
