"""Newlines between rows of tiles, counted as text instead of as visual tokens."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from pruneviz import FoPru, TransPrune, list_methods, observe, prune
from pruneviz.models.llava_next.layout import Layout
from tests.helpers import (
    BACKENDS,
    LAYERS,
    Prompt,
    close,
    left_padded,
    prompt,
    tiny,
)
from tests.matrix import matrix
from tests.pruning.settings import LAYERS as STAGES
from tests.pruning.settings import MERGING, METHODS, PICKING, RATIOS, sized
from tests.removal import check_removing

KINDS = ("llava_next", "llava_onevision")
PATCHES = 32  # 16 of the whole image, 4 rows of 4 of its tiles


def as_text(kind: str, case: Prompt) -> Prompt:
    """A prompt whose newlines are no visual tokens."""
    newline = tiny(kind).model.image_newline
    return replace(case, visual=case.visual & (case.embeds != newline).any(-1))


def newline_columns(kind: str, case: Prompt) -> torch.Tensor:
    return (case.visual & ~as_text(kind, case).visual)[0].nonzero().squeeze(-1)


@matrix(kind=KINDS, name=PICKING, backend=BACKENDS)
def test_removing_equals_masking(kind: str, name: str, backend: str) -> None:
    model, case = tiny(kind, backend), as_text(kind, prompt(kind))
    method = METHODS[name]
    trace = check_removing(model, case, method, "renumber", newlines="text")
    assert trace.num_visual == PATCHES
    assert trace.num_text == case.visual.shape[1] - PATCHES
    assert len(trace.kept) == method.count(method.stages()[-1], PATCHES) < PATCHES


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", MERGING)
def test_merging_methods_leave_newlines_alone(kind: str, name: str) -> None:
    """They reach the decoder as they were; what merges are patches."""
    model, case, method = tiny(kind), prompt(kind), METHODS[name]
    rows: list[torch.Tensor] = []

    def look(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        rows.append(args[0] if args else kwargs["hidden_states"])

    handle = model.model.language_model.layers[0].register_forward_pre_hook(look, with_kwargs=True)
    try:
        with prune(model, method, newlines="text") as run:
            model(**case.inputs)
    finally:
        handle.remove()
    trace, newline = run.trace, model.model.image_newline
    assert int((rows[0][0] == newline).all(-1).sum()) == 4
    assert trace.num_visual == PATCHES == len(trace.merged_into)
    assert set(trace.merged_into.tolist()) - {-1} == set(trace.kept.tolist())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", list_methods())
def test_keep_ratio_one_is_bit_equal(kind: str, name: str) -> None:
    model, case = tiny(kind), prompt(kind)
    method = sized(name, keep_ratio=1.0)
    wanted = model(**case.inputs).logits
    with prune(model, method, newlines="text") as run:
        assert torch.equal(model(**case.inputs).logits, wanted)
    assert set(run.trace.tokens_per_layer) == {PATCHES}
    with observe(model, newlines="text", record=("ttv",)) as seen:
        assert torch.equal(model(**case.inputs).logits, wanted)
    assert seen.trace.signals["ttv"].shape == (LAYERS, PATCHES)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "method", [TransPrune(prune_layers=STAGES, keep_ratios=RATIOS), FoPru(keep_ratio=0.3)]
)
def test_left_padded_rows_choose_as_alone(kind: str, method: Any) -> None:
    model = tiny(kind)
    cases = [prompt(kind, seed=1), prompt(kind, seed=2, before=6, after=4)]
    alone = []
    for case in cases:
        with prune(model, method, newlines="text") as run:
            logits = model(**case.inputs).logits[:, -1]
        alone.append((run.trace.kept.tolist(), logits))
    batch = left_padded(cases)
    with prune(model, method, newlines="text") as run:
        both = model(**batch.inputs).logits[:, -1]
    assert [trace.kept.tolist() for trace in run.traces] == [kept for kept, _ in alone]
    assert close(both, torch.cat([logits for _, logits in alone]))


@pytest.mark.parametrize("kind", KINDS)
def test_fopru_ranks_the_same_patches_without_newlines(kind: str) -> None:
    """Each crop's own significance does not change; only who competes does."""
    model, case = tiny(kind), prompt(kind)
    scores = {}
    for newlines in ("visual", "text"):
        with prune(model, FoPru(keep_ratio=0.5), newlines=newlines) as run:
            model(**case.inputs)
        scores[newlines] = torch.from_numpy(run.trace.stages[0].scores)
    start = int(case.visual[0].nonzero()[0])
    inside = torch.ones(36, dtype=torch.bool)
    inside[newline_columns(kind, case) - start] = False
    assert torch.equal(scores["visual"][inside], scores["text"])


def test_a_newline_at_the_end_of_the_image_asks_nothing() -> None:
    """The last row's newline stands after the last patch, yet IGA's queries are the words alone."""
    kind = "llava_next"
    model, case = tiny(kind), prompt(kind)
    method = TransPrune(prune_layers=(2,), keep_ratios=(0.5,), signal="iga")
    with prune(model, method, newlines="text") as run:
        model(**case.inputs)
    with prune(model, method) as counted:
        model(**case.inputs)
    start = int(case.visual[0].nonzero()[0])
    inside = torch.ones(36, dtype=torch.bool)
    inside[newline_columns(kind, case) - start] = False
    wanted = torch.from_numpy(counted.trace.stages[0].components["iga"])[inside]
    ours = torch.from_numpy(run.trace.stages[0].components["iga"])
    assert close(ours / ours.sum(), wanted / wanted.sum())


def test_a_newline_is_of_the_crop_that_its_row_ends_in() -> None:
    """Two tiles, one above the other: rows of the first, then of the second."""
    layout = Layout.of(tiny("llava_next"), (50, 100))
    crops, newlines = layout.crop_of(), (layout.source < 0).nonzero().squeeze(-1)
    assert layout.tiles == (2, 1)
    assert crops[newlines].tolist() == crops[newlines - 1].tolist()
    assert sorted(set(crops[newlines].tolist())) == [1, 2]
    assert crops[layout.source >= 0].tolist() == (layout.source[layout.source >= 0] // 16).tolist()


def test_other_families_have_none_and_other_words_are_refused() -> None:
    model, case = tiny("llava_clip"), prompt("llava_clip")
    with prune(model, FoPru(keep_ratio=0.5), newlines="text") as run:
        model(**case.inputs)
    assert run.trace.num_visual == 36
    with pytest.raises(ValueError, match="newlines must be one of visual, text"):  # noqa: SIM117
        with prune(model, FoPru(), newlines="keep"):
            pass
    with pytest.raises(ValueError, match="newlines must be"), observe(model, newlines="no"):
        pass
