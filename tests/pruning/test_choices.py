"""What each method chooses and makes on a model, against its definition written out here."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from pruneviz import (
    CDPruner,
    DivPrune,
    FoPru,
    Grid,
    PruMerge,
    PruMergePlus,
    Random,
    SparseVLM,
    ToMe,
    Uniform,
    VisionZip,
    VisPruner,
    ops,
    prune,
)
from pruneviz.methods.prumerge import outliers
from pruneviz.methods.vispruner import thin_out
from tests.helpers import BACKENDS, prompt, stack_of, tiny

KIND = "llava_clip"


def run(method: Any, kind: str = KIND, backend: str = "sdpa") -> tuple[Any, torch.Tensor]:
    """The trace, and the visual tokens that the decoder stack was given ``[k, hidden]``."""
    model, case, given = tiny(kind, backend), prompt(kind), {}
    with prune(model, method, **case.prune_kwargs) as seen:
        handle = stack_of(model).register_forward_pre_hook(
            lambda _, args, kwargs: given.update(kwargs), with_kwargs=True
        )
        model(**case.inputs)
        handle.remove()
    embeds = given.get("inputs_embeds", case.embeds)
    count = seen.trace.tokens_per_layer[0]
    return seen.trace, embeds[0, 3 : 3 + count]


def tower() -> tuple[Any, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Tower, and of the image: its attention maps, the penultimate states, the last layer's map.

    The last one takes all heads as one of full width.
    """
    model, case = tiny(KIND, "eager"), prompt(KIND)
    vision = model.model.vision_tower
    out = vision(case.inputs["pixel_values"], output_attentions=True, output_hidden_states=True)
    states = out.hidden_states[-2][0]
    last = getattr(vision, "vision_model", vision).encoder.layers[-1]
    normed = last.layer_norm1(states)
    query, key = last.self_attn.q_proj(normed), last.self_attn.k_proj(normed)
    whole = (query @ key.T / query.shape[-1] ** 0.5).softmax(-1)
    return model, torch.stack([a[0].mean(0) for a in out.attentions]), states, (whole, key)


def best(values: torch.Tensor, count: int) -> list[int]:
    """Places of the largest values, the earlier of equal ones first, by falling value."""
    return sorted(range(len(values)), key=lambda place: -float(values[place]))[:count]


def visual(kind: str = KIND) -> tuple[torch.Tensor, torch.Tensor]:
    """The prompt's visual tokens, and its text after them."""
    case = prompt(kind)
    return case.embeds[0, 3:39], case.embeds[0, 39:]


@pytest.mark.parametrize("kind", ["llama_gqa", KIND])
def test_divprune_picks_what_lies_farthest_from_its_picks(kind: str) -> None:
    tokens = normalize(visual(kind)[0], dim=-1)
    apart = 1 - tokens @ tokens.T
    alone = apart.clone().fill_diagonal_(torch.inf)
    picks = [int(alone.amin(0).argmax())]
    while len(picks) < 11:
        nearest = apart[picks].amin(0)
        nearest[picks] = -torch.inf
        picks.append(int(nearest.argmax()))
    trace, _ = run(DivPrune(keep_tokens=11), kind)
    assert trace.kept.tolist() == sorted(picks)
    (stage,) = trace.stages
    assert stage.scores[picks[0]] == 2
    assert stage.scores[picks[4]] == pytest.approx(
        float(apart[picks[:4], picks[4]].min()), rel=1e-4
    )
    left = next(token for token in range(36) if token not in picks)
    assert stage.scores[left] == pytest.approx(float(apart[picks, left].min()), rel=1e-4)


@pytest.mark.parametrize("kind", ["llama_gqa", KIND])
def test_cdpruner_is_greedy_on_relevance_times_likeness(kind: str) -> None:
    tokens, text = visual(kind)
    likeness = normalize(tokens, dim=-1) @ normalize(text, dim=-1).T
    nearest = likeness.amax(-1)
    relevance = (
        ((nearest - nearest.min()) / (nearest.max() - nearest.min())).clamp_min(1e-6).double()
    )
    unit = normalize(tokens.double(), dim=-1)
    kernel = relevance[:, None] * (unit @ unit.T) * relevance[None]
    picks: list[int] = []
    for _ in range(6):
        gains = {
            token: float(torch.linalg.det(kernel[[*picks, token]][:, [*picks, token]]))
            for token in range(36)
            if token not in picks
        }
        picks.append(max(gains, key=lambda token: gains[token]))
    trace, _ = run(CDPruner(keep_tokens=6), kind)
    assert trace.kept.tolist() == sorted(picks)


def test_random_keeps_another_subset_for_another_seed() -> None:
    kept = [run(Random(keep_tokens=9, seed=seed))[0].kept.tolist() for seed in (0, 1, 0, 7)]
    assert kept[0] == kept[2]
    assert len({tuple(tokens) for tokens in kept}) == 3
    nested = run(Random(keep_tokens=4, seed=1))[0].kept.tolist()
    assert set(nested) < set(kept[1])


@pytest.mark.parametrize("keep", [1, 5, 11, 18, 36])
def test_uniform_keeps_the_middles_of_equal_stretches_as_it_foresees(keep: int) -> None:
    method = Uniform(keep_tokens=keep)
    wanted = [int((k + 0.5) * 36 / keep) for k in range(keep)]
    assert run(method)[0].kept.tolist() == wanted
    assert list(method.foreseen(36, keep)) == wanted


def test_grid_spreads_in_both_directions() -> None:
    """Of 6 x 6 patches in nine cells of 2 x 2 the upper left of each; in one row, every fourth."""
    trace, _ = run(Grid(keep_tokens=9))
    assert trace.kept.tolist() == [6 * row + column for row in (0, 2, 4) for column in (0, 2, 4)]
    alone, _ = run(Grid(keep_tokens=9), "llama_gqa")
    assert alone.kept.tolist() == [4 * cell + 1 for cell in range(9)]


def test_fopru_keeps_whole_rows_by_count() -> None:
    trace, _ = run(FoPru(strategy="row", keep_tokens=12))
    rows = trace.stages[0].components["significance"].reshape(6, 6).mean(1)
    wanted = sorted(np.argsort(-rows, kind="stable")[:2].tolist())
    assert trace.kept.tolist() == [6 * row + column for row in wanted for column in range(6)]


@pytest.mark.parametrize("kind", ["smolvlm", "internvl"])
def test_fopru_keeps_the_best_of_every_crop(kind: str) -> None:
    """Four crops of nine tokens: three of each, those that stand out in their own crop."""
    trace, _ = run(FoPru(keep_tokens=12, crops="each"), kind)
    significance = trace.stages[0].components["significance"].reshape(4, 9)
    wanted = [
        9 * crop + place
        for crop in range(4)
        for place in sorted(np.argsort(-significance[crop], kind="stable")[:3].tolist())
    ]
    assert trace.kept.tolist() == wanted


def test_tome_scores_a_group_by_its_size() -> None:
    trace, tokens = run(ToMe(keep_tokens=9))
    (stage,) = trace.stages
    members = [(stage.into == kept).sum() for kept in stage.kept]
    assert stage.scores[stage.kept].tolist() == members
    assert max(members) > 1
    assert sum(members) == 36
    states = visual()[0]
    for place, kept in enumerate(stage.kept):
        group = torch.from_numpy(np.flatnonzero(stage.into == kept))
        torch.testing.assert_close(tokens[place], states[group].mean(0), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("keep", "merged"), [(12, 2), (20, 3), (6, 1), (2, 0)])
def test_visionzip_merges_its_published_share(keep: int, merged: int) -> None:
    """10 of 64 tokens, rounded; CLS is one of the others."""
    trace, tokens = run(VisionZip(keep_tokens=keep))
    (stage,) = trace.stages
    assert (stage.extra, len(stage.kept)) == (1, keep - 1)
    states = visual()[0]
    unchanged = (tokens[:, None] == states[None]).all(-1).any(1)
    assert int(unchanged.sum()) == keep - 1 - merged


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("keep", [10, 2, 1])
def test_prumerge_adds_up_what_is_like_the_kept(backend: str, keep: int) -> None:
    model, _, states, (whole, keys) = tower()
    attention, keys, features = whole[0, 1:], keys[1:], states[1:]
    like = normalize(keys, dim=-1) @ normalize(keys, dim=-1).T
    picked = best(attention, max(1, keep - 1))
    made = []
    for token in picked:
        others = like[token].clone()
        others[token] = -torch.inf
        near = best(others, 32)
        made.append(features[token] + (attention[near, None] * features[near]).sum(0))
    if keep > 1:
        rest = [token for token in range(36) if token not in picked]
        made.append((attention[rest, None] * features[rest]).sum(0))
    wanted = model.model.multi_modal_projector(torch.stack(made)[None])[0]
    trace, tokens = run(PruMerge(keep_tokens=keep), backend=backend)
    torch.testing.assert_close(tokens, wanted, rtol=1e-3, atol=1e-4)
    assert set(picked) <= set(trace.kept.tolist())
    np.testing.assert_allclose(trace.stages[0].scores, attention.numpy(), rtol=1e-3)


def test_prumerge_counts_outliers_by_quartiles() -> None:
    values = torch.tensor([1.0, 2, 3, 4, 5, 6, 7, 8, 13, 14.5])
    # Quartiles 3.25 and 7.75: what lies above 7.75 + 1.5 * 4.5 = 14.5 stands out.
    assert outliers(values) == 1, "at least one"
    assert outliers(torch.cat([values[:-1], torch.tensor([14.6])])) == 1
    assert outliers(torch.tensor([1.0, 1, 1, 1, 1, 1, 1, 9, 9])) == 2
    assert outliers(torch.tensor([1.0, 2, 3, 4, 5, 6, 7, 8, 9, 30, 31])) == 2
    assert outliers(torch.tensor([1.0, 2, 3, 4, 5, 6, 7, 8, 12, 13])) == 1


def test_prumerge_plus_gives_a_quarter_to_what_stands_out() -> None:
    _, _, _, (whole, _) = tower()
    attention = whole[0, 1:]
    # Of 14 tokens one holds the rest; of 13 a quarter, rounded, stands out.
    out = best(attention, 3)
    others = [token for token in range(36) if token not in out]
    spread = [others[(2 * k + 1) * 33 // 20] for k in range(10)]
    trace, _ = run(PruMergePlus(keep_tokens=14))
    assert {*out, *spread} <= set(trace.kept.tolist())
    assert len(trace.kept) == 14


@pytest.mark.parametrize("keep", [13, 5])
def test_vispruner_takes_important_patches_and_thins_out_the_others(keep: int) -> None:
    _, maps, states, _ = tower()
    attention = maps[-2][0, 1:]
    important = best(attention, keep // 2)
    others = [token for token in best(attention, 36) if token not in important]
    diverse = thin_out(states[1:], torch.tensor(others), keep - keep // 2).tolist()
    trace, _ = run(VisPruner(keep_tokens=keep))
    assert trace.kept.tolist() == sorted(important + diverse)
    np.testing.assert_allclose(trace.stages[0].scores, attention.numpy(), rtol=1e-3)


def test_sparsevlm_recycles_the_best_of_what_it_drops() -> None:
    method = SparseVLM(prune_layers=(2,), keep_ratios=(0.5,), recycle=True)
    trace, _ = run(method, "llama_gqa")
    (stage,) = trace.stages
    order = np.argsort(-stage.scores, kind="stable")
    again = order[18 : 18 + int(0.3 * 18) + 1]
    assert set(order[:18].tolist()) <= set(stage.kept.tolist())
    lost = set(np.flatnonzero(stage.into == -1).tolist())
    assert lost == set(order.tolist()) - set(order[:18].tolist()) - set(again.tolist())
    assert ops.density_peaks(torch.randn(6, 4), 1)[1].tolist() == [0] * 6
