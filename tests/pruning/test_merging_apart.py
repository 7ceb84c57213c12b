"""Merged tokens where text lies between visual tokens, or images between images."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch

from pruneviz import (
    Chain,
    FoPru,
    PruMerge,
    PruMergePlus,
    SparseVLM,
    ToMe,
    TransPrune,
    VisionZip,
    VisPruner,
    get_method,
    prune,
)
from pruneviz.methods import Method, at_compute, spending
from pruneviz.methods.prumerge import outliers
from pruneviz.methods.vispruner import thin_out
from tests.helpers import IMAGE, LAYERS, Prompt, prompt, stack_of, tiny

PICKING: list[Method] = [VisionZip(keep_tokens=12), VisionZip(keep_ratio=0.5)]


def entering(kind: str, case: Prompt, method: Method, **settings: Any) -> tuple[torch.Tensor, Any]:
    """What enters the decoder stack ``[n, hidden]``, and the trace."""
    given: dict[str, Any] = {}
    model = tiny(kind)
    with prune(model, method, **settings) as run:
        handle = stack_of(model).register_forward_pre_hook(
            lambda _, args, kwargs: given.update(kwargs), with_kwargs=True
        )
        model(**case.inputs)
        handle.remove()
    return given["inputs_embeds"][0], run.trace


def stand_in_order(rows: torch.Tensor, case: Prompt, visual: torch.Tensor) -> list[int]:
    """Columns of the prompt that entered unchanged, in the order in which they now stand."""
    same = (rows[:, None] == case.embeds[0][None]).all(-1)
    assert same[:, ~visual].any(0).all(), "text was lost"
    return [int(row.nonzero()[0]) for row in same if bool(row.any())]


@pytest.mark.parametrize("method", PICKING)
@pytest.mark.parametrize("kind", ["smolvlm", "idefics3"])
def test_no_patch_passes_the_words_that_name_its_crop(kind: str, method: Method) -> None:
    case = prompt(kind)
    rows, _ = entering(kind, case, method, positions="renumber")
    places = stand_in_order(rows, case, case.visual[0])
    assert places == sorted(places)


@pytest.mark.parametrize("kind", ["llava_next", "llava_onevision"])
@pytest.mark.parametrize("method", [*PICKING, PruMerge(keep_tokens=9), ToMe(keep_tokens=9)])
def test_no_patch_passes_a_newline_that_is_text(kind: str, method: Method) -> None:
    case = prompt(kind)
    newline = tiny(kind).model.image_newline
    visual = (case.visual & (case.embeds != newline).any(-1))[0]
    rows, _ = entering(kind, case, method, positions="renumber", newlines="text")
    # Newlines are alike: only what differs from them tells its place.
    kept = rows[(rows != newline).any(-1)]
    places = stand_in_order(kept, case, visual | (case.embeds[0] == newline).all(-1))
    assert places == sorted(places)
    ends = (rows == newline).all(-1).nonzero().squeeze(-1).tolist()
    assert len(ends) == 4


@pytest.mark.parametrize("name", ["visionzip", "prumerge", "prumerge+", "tome", "vispruner"])
@pytest.mark.parametrize("gap", [0, 4])
def test_two_images_are_never_mixed(name: str, gap: int) -> None:
    """Each has its share of the budget, its CLS token among its own."""
    model, case = tiny("llava_clip"), prompt("llava_clip", images=2)
    ids = case.inputs["input_ids"]
    text = torch.full((1, gap), 30)
    ids = torch.cat([ids[:, :39], text, ids[:, 39:]], dim=1)
    assert int((ids == IMAGE).sum()) == 72
    inputs = case.inputs | {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    with prune(model, get_method(name, keep_tokens=24)) as run:
        model(**inputs)
    trace = run.trace
    first, second = (trace.merged_into[part] for part in (slice(0, 36), slice(36, 72)))
    assert first[first >= 0].max() < 36 <= second[second >= 0].min()
    cls = 1 if name == "visionzip" else 0
    assert [int((trace.kept < 36).sum()), int((trace.kept >= 36).sum())] == [12 - cls, 12 - cls]
    assert trace.tokens_per_layer[-1] == 24


def test_tome_on_a_mask_of_ones_own() -> None:
    """The images are not known by it: its tokens are merged as one."""
    model, case = tiny("llava_clip"), prompt("llava_clip", images=2)
    mask = case.visual.clone()
    mask[0, 3:13] = False
    with prune(model, ToMe(keep_tokens=9), mask) as run:
        model(**case.inputs)
    assert (run.trace.num_visual, len(run.trace.kept)) == (62, 9)


def test_each_image_is_merged_as_alone() -> None:
    kind, method = "llava_clip", VisionZip(keep_tokens=24)
    case = prompt(kind, images=2)
    rows, _ = entering(kind, case, method)
    pixels = case.inputs["pixel_values"]
    for number in range(2):
        ids = torch.tensor([[20, *[IMAGE] * 36, 30]])
        alone = Prompt(
            {"input_ids": ids, "pixel_values": pixels[number : number + 1]},
            ids == IMAGE,
            case.embeds,
        )
        own, _ = entering(kind, alone, VisionZip(keep_tokens=12))
        both = rows[3 + 12 * number : 15 + 12 * number]
        torch.testing.assert_close(both, own[1:13])


@pytest.mark.parametrize("positions", ["renumber", "keep"])
def test_features_between_layers_follow_the_content(positions: str) -> None:
    """Qwen3-VL adds to each kept patch what belongs to it, not to the slot it stands in."""
    kind = "qwen3_vl"
    case, model = prompt(kind), tiny(kind)
    given: dict[str, Any] = {}
    before: list[torch.Tensor] = []
    stack = stack_of(model)
    original = stack._deepstack_process

    def note(hidden: Any, mask: Any, features: Any) -> Any:
        out = original(hidden, mask, features)
        before.append((out - hidden)[0])
        return out

    stack._deepstack_process = note
    try:
        with prune(model, VisionZip(keep_tokens=12), positions=positions):
            handle = stack.register_forward_pre_hook(
                lambda _, args, kwargs: given.update(kwargs), with_kwargs=True
            )
            model(**case.inputs)
            handle.remove()
    finally:
        del stack._deepstack_process
    same = (given["inputs_embeds"][0][:, None] == case.embeds[0][None]).all(-1)
    unchanged = [(row, int(m.nonzero()[0])) for row, m in enumerate(same) if bool(m.any())]
    assert sum(bool(case.visual[0, column]) for _, column in unchanged) >= 8
    for row, column in unchanged:
        torch.testing.assert_close(before[0][row], case.added[0][0, column])


def run_counts(method: Method, kind: str = "llava_clip") -> tuple[int, ...]:
    with prune(tiny(kind), method) as run:
        tiny(kind)(**prompt(kind).inputs)
    return run.trace.tokens_per_layer


@pytest.mark.parametrize(
    "settings",
    [{}, {"keep_tokens": 9}, {"keep_tokens": 20}, {"keep_ratio": 0.4}, {"keep_tokens": 36}],
)
def test_recycled_tokens_are_counted(settings: dict[str, Any]) -> None:
    method = get_method("sparsevlm", num_layers=LAYERS, recycle=True, **settings)
    planned = spending(method, 36, LAYERS)
    assert run_counts(method) == planned.tokens_per_layer
    if "keep_tokens" in settings:
        assert planned.final_tokens == settings["keep_tokens"]


def test_recycling_on_a_schedule_comes_on_top_and_on_a_compute_budget_within() -> None:
    ratios = {"prune_layers": (1, 3, 4), "keep_ratios": (0.6, 0.4, 0.2)}
    method = SparseVLM(recycle=True, **ratios)
    assert [method.count(stage, 36) for stage in method.stages()] == [22, 14, 7]
    assert run_counts(method) == spending(method, 36, LAYERS).tokens_per_layer
    found = at_compute("sparsevlm", 0.5, num_visual=144, num_layers=LAYERS, recycle=True)
    assert abs(spending(found, 144, LAYERS).layer_average - 72) <= 0.5
    with pytest.raises(ValueError, match="SparseVLM with recycling leaves at least 2"):
        spending(SparseVLM(keep_tokens=1, recycle=True), 576, 32)


def test_a_chain_counts_what_is_really_there() -> None:
    later = TransPrune(prune_layers=(2, 4), keep_ratios=(0.7, 0.4))
    for first in (PruMerge(), PruMergePlus(), FoPru(keep_ratio=0.3, strategy="row")):
        counts = run_counts(Chain([first, later]))
        entered = counts[0]
        assert counts == (entered,) * 2 + (int(entered * 0.7),) * 2 + (int(entered * 0.4),) * 2
    recycled = SparseVLM(prune_layers=(1,), keep_ratios=(0.5,), recycle=True)
    after = TransPrune(prune_layers=(3,), keep_ratios=(0.5,))
    chain = Chain([recycled, after])
    assert run_counts(chain) == spending(chain, 36, LAYERS).tokens_per_layer


def test_prumerge_plus_spreads_with_the_published_stride() -> None:
    kind, method = "llava_clip", PruMergePlus()
    _, trace = entering(kind, prompt(kind), method)
    attention = torch.from_numpy(trace.stages[0].scores)
    count = outliers(attention)
    best = set(attention.argsort(descending=True, stable=True)[:count].tolist())
    stride = int(int(1 / (count / 36)) / 3)
    spread = set(range(0, 35, stride)) - best
    # One more token holds the rest, and stands at a patch of it.
    assert best | spread <= set(trace.kept.tolist())
    assert len(trace.kept) == len(best | spread) + 1


@pytest.mark.parametrize("count", [3, 17, 40, 90])
def test_vispruner_thins_out_as_published(count: int) -> None:
    """Line by line: survivors of the compared half, the most duplicated first, then the other."""
    features = torch.randn(96, 12, generator=torch.Generator().manual_seed(3))
    unit = torch.nn.functional.normalize(features, dim=-1)
    left = list(range(96))
    while len(left) > count:
        going = min(8, len(left) - count)
        compared, others = left[::2], left[1::2]
        likeness = [float((unit[a] @ unit[others].T).max()) for a in compared]
        order = sorted(range(len(compared)), key=lambda i: -likeness[i])
        left = [compared[i] for i in order[going:]] + others
    found = thin_out(features, torch.arange(96), count)
    assert found.tolist() == left


def test_vispruner_shares_a_budget_between_images() -> None:
    model, case = tiny("llava_clip"), prompt("llava_clip", images=2)
    with prune(model, VisPruner(keep_tokens=13)) as run:
        model(**case.inputs)
    assert np.bincount(run.trace.kept // 36).tolist() in ([6, 7], [7, 6])


def test_newlines_are_found_under_autocast() -> None:
    """There features are rounded before they stand among wider embeddings."""
    for kind in ("llava_next", "llava_onevision"):
        model, case = tiny(kind), prompt(kind)
        method = TransPrune(prune_layers=(2,), keep_ratios=(0.5,))
        with torch.autocast("cpu", torch.bfloat16), prune(model, method, newlines="text") as run:
            model(**case.inputs)
        assert run.trace.num_visual == 32
        # A copy: back in float32 the weights of the shared model would be rounded ones.
        half = copy.deepcopy(model).to(torch.bfloat16)
        inputs = {
            name: value.bfloat16() if value.is_floating_point() else value
            for name, value in case.inputs.items()
        }
        with prune(half, FoPru(keep_ratio=0.5), newlines="text") as run:
            half(**inputs)
        assert run.trace.num_visual == 32
