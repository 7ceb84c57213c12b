"""Videos on the Qwen-VL models: every frame is encoded by itself, its tokens pruned like any."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pruneviz import Chain, FastV, FoPru, Grid, ResPrune, ToMe, TransPrune, VisionZip, prune
from pruneviz.errors import PruningError
from pruneviz.methods import Method
from tests.helpers import (
    IMAGE,
    LAYERS,
    QWEN_MODELS,
    QWEN_PATCH,
    Prompt,
    alive_columns,
    close,
    deepstack_of,
    masked_run,
    tiny,
)
from tests.removal import check_removing

VIDEO, FRAMES, ROWS, COLUMNS = 6, 3, 4, 6  # rows and columns of visual tokens
TOKENS = FRAMES * ROWS * COLUMNS
TRANSPRUNE = TransPrune(prune_layers=(2, 3, 5), keep_ratios=(0.8, 0.5, 0.2))
METHODS: list[Method] = [
    TRANSPRUNE,
    FastV(prune_layer=2, keep_ratio=0.4),
    ResPrune(keep_ratio=0.3),
    FoPru(keep_ratio=0.3),
    FoPru(keep_ratio=0.5, strategy="row"),
    Grid(keep_tokens=9),
    Chain([FoPru(keep_ratio=0.6), TransPrune(prune_layers=(3,), keep_ratios=(0.4,))]),
]


def film(kind: str, count: int = FRAMES) -> Prompt:
    model, generator = tiny(kind), torch.Generator().manual_seed(4)
    grid = torch.tensor([[count, 2 * ROWS, 2 * COLUMNS]])
    pixels = torch.randn(int(grid.prod()), 6 * QWEN_PATCH[kind] ** 2, generator=generator)
    frames = [[3, *[VIDEO] * (ROWS * COLUMNS), 4]] * count
    if kind == "qwen3_vl":
        # A time stands before each frame.
        inside = [token for number, frame in enumerate(frames) for token in (30 + number, *frame)]
    else:
        inside = [3, *[VIDEO] * (count * ROWS * COLUMNS), 4]
    ids = torch.tensor([[20, 21, *inside, 40, 41, 42]])
    visual = ids == VIDEO
    kinds = 2 * visual.int()
    positions, _ = model.model.get_rope_index(
        input_ids=ids, mm_token_type_ids=kinds, video_grid_thw=grid
    )
    encoded = model.model.get_video_features(pixels, grid, return_dict=True)
    embeds = model.get_input_embeddings()(ids)
    embeds = embeds.masked_scatter(visual[..., None], torch.cat(list(encoded.pooler_output)))
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "mm_token_type_ids": kinds}
    inputs |= {"pixel_values_videos": pixels, "video_grid_thw": grid}
    return Prompt(inputs, visual, embeds, positions, deepstack_of(encoded, visual, embeds))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", QWEN_MODELS)
def test_removing_equals_masking(kind: str, method: Method) -> None:
    trace = check_removing(tiny(kind), film(kind), method, "keep")
    assert trace.num_visual == TOKENS


@pytest.mark.parametrize("name", ["transprune", "fopru", "visionzip"])
@pytest.mark.parametrize("kind", QWEN_MODELS)
def test_keep_ratio_one_is_bit_equal(kind: str, name: str) -> None:
    model, case = tiny(kind), film(kind)
    method: Method = {
        "transprune": TransPrune(prune_layers=(2,), keep_ratios=(1.0,)),
        "fopru": FoPru(keep_ratio=1.0),
        "visionzip": VisionZip(keep_ratio=1.0),
    }[name]
    wanted = model(**case.inputs).logits
    with prune(model, method):
        assert torch.equal(model(**case.inputs).logits, wanted)


@pytest.mark.parametrize("kind", QWEN_MODELS)
def test_fopru_judges_each_frame_like_an_image(kind: str) -> None:
    model, case = tiny(kind), film(kind)
    with prune(model, FoPru(keep_ratio=0.5)) as run:
        model(**case.inputs)
    ids = [[20, 3, *[IMAGE] * (ROWS * COLUMNS), 4, 40]]
    scores = []
    for pixels in case.inputs["pixel_values_videos"].chunk(FRAMES):
        image = torch.tensor(ids)
        with prune(model, FoPru(keep_ratio=0.5)) as alone:
            model(
                input_ids=image,
                mm_token_type_ids=(image == IMAGE).int(),
                pixel_values=pixels,
                image_grid_thw=torch.tensor([[1, 2 * ROWS, 2 * COLUMNS]]),
            )
        scores.append(alone.trace.stages[0].scores)
    np.testing.assert_allclose(run.trace.stages[0].scores, np.concatenate(scores), rtol=1e-4)


@pytest.mark.parametrize("method", [TRANSPRUNE, FoPru(keep_ratio=0.3)])
@pytest.mark.parametrize("kind", QWEN_MODELS)
def test_two_videos_of_a_batch_are_pruned_as_alone(kind: str, method: Method) -> None:
    model, films = tiny(kind), [film(kind), film(kind, count=2)]
    alone = []
    for case in films:
        with prune(model, method) as run:
            logits = model(**case.inputs).logits[:, -1]
        alone.append((run.trace.kept.tolist(), logits))
    inputs = dict(films[0].inputs)
    for name, value in inputs.items():
        other = films[1].inputs[name]
        if name in ("input_ids", "attention_mask", "mm_token_type_ids"):
            blank = other.new_zeros(1, value.shape[1] - other.shape[1])
            other = torch.cat([blank, other], dim=1)
        inputs[name] = torch.cat([value, other])
    with prune(model, method) as run:
        both = model(**inputs).logits[:, -1]
    assert [trace.kept.tolist() for trace in run.traces] == [kept for kept, _ in alone]
    assert close(both, torch.cat([logits for _, logits in alone]))


@pytest.mark.parametrize("kind", QWEN_MODELS)
def test_every_frame_keeps_its_share(kind: str) -> None:
    with prune(tiny(kind), FoPru(keep_ratio=0.5, crops="each")) as run:
        tiny(kind)(**film(kind).inputs)
    assert np.bincount(run.trace.kept // (ROWS * COLUMNS)).tolist() == [12, 12, 12]


@pytest.mark.parametrize("kind", ["qwen25_vl", "qwen2_vl"])
def test_an_image_beside_a_video(kind: str) -> None:
    """Right where only the language model is asked; the encoder saw the two apart."""
    model, case = tiny(kind), film(kind)
    image = torch.tensor([[3, *[IMAGE] * 4, 4]])
    ids = torch.cat([image, case.inputs["input_ids"]], dim=1)
    kinds = (ids == IMAGE).int() + 2 * (ids == VIDEO).int()
    pixels = torch.randn(16, 6 * QWEN_PATCH[kind] ** 2, generator=torch.Generator().manual_seed(5))
    inputs = case.inputs | {"input_ids": ids, "mm_token_type_ids": kinds}
    inputs |= {"attention_mask": torch.ones_like(ids)}
    inputs |= {"pixel_values": pixels, "image_grid_thw": torch.tensor([[1, 4, 4]])}
    positions, _ = model.model.get_rope_index(
        input_ids=ids,
        mm_token_type_ids=kinds,
        image_grid_thw=inputs["image_grid_thw"],
        video_grid_thw=inputs["video_grid_thw"],
    )
    rows = model.model.get_image_features(
        pixels, inputs["image_grid_thw"], return_dict=True
    ).pooler_output
    embeds = model.get_input_embeddings()(image)
    embeds = embeds.masked_scatter((image == IMAGE)[..., None], torch.cat(list(rows)))
    with prune(model, TRANSPRUNE) as run:
        logits = model(**inputs).logits[0]
    visual = (ids == IMAGE) | (ids == VIDEO)
    alive = alive_columns(visual[0], run.trace, LAYERS)
    both = torch.cat([embeds, case.embeds], dim=1)
    assert close(logits, masked_run(model, both, alive, False, positions)[alive[-1]])
    with pytest.raises(PruningError, match="sees apart"), prune(model, FoPru(keep_ratio=0.5)):
        model(**inputs)
    for method in (Grid(keep_tokens=9), ToMe(keep_tokens=9)):
        with prune(model, method) as run:
            model(**inputs)
        assert run.trace.tokens_per_layer[-1] == 9
