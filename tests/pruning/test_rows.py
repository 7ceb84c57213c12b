"""Rows of a batch that differ: each gets what it gets alone, wherever it stands among the others.

What is padded on the left and pruned alike is tested in `test_batches` and `test_equivalence`.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch

from pruneviz import TransPrune, prune
from pruneviz.methods import Scores
from tests.helpers import (
    BACKENDS,
    LAYERS,
    Prompt,
    alive_columns,
    close,
    left_padded,
    masked_run,
    prompt,
    tiny,
)
from tests.matrix import matrix
from tests.pruning.settings import METHODS
from tests.removal import check_batch

KIND = "llama_gqa"
POSITIONS = ("renumber", "keep")
# torch warns of tensors that it has to copy first.
pytestmark = pytest.mark.filterwarnings("error::UserWarning")


def of_size(seed: int, visual: int, after: int, before: int = 3) -> Prompt:
    """A prompt with only so many visual tokens."""
    case, length = prompt(KIND, seed=seed, before=before, after=after), before + visual + after
    mask = case.visual.clone()[:, :length]
    mask[:, before + visual :] = False
    embeds = case.embeds[:, :length]
    return Prompt({"inputs_embeds": embeds}, mask, embeds)


def right_padded(cases: list[Prompt]) -> Prompt:
    """Several prompts as one batch, padded behind."""
    width = max(case.visual.shape[1] for case in cases)
    visual = torch.zeros(len(cases), width, dtype=torch.bool)
    embeds = torch.zeros(len(cases), width, cases[0].embeds.shape[2])
    mask = torch.zeros(len(cases), width, dtype=torch.long)
    for row, case in enumerate(cases):
        length = case.visual.shape[1]
        visual[row, :length] = case.visual
        embeds[row, :length] = case.embeds
        mask[row, :length] = 1
    return Prompt({"inputs_embeds": embeds, "attention_mask": mask}, visual, embeds)


def decoded(
    model: Any, method: Any, case: Prompt, given: bool = False, **settings: Any
) -> tuple[torch.Tensor, Any]:
    """Logits ``[batch, steps, V]`` of two tokens after the prompt, and the run.

    With `given` the prompt's positions are, and those of its padding stand still.
    """
    mask = case.inputs.get("attention_mask", torch.ones_like(case.visual).long())
    inputs = {**case.inputs, "attention_mask": mask}
    got = []
    with prune(model, method, visual_mask=case.visual, **settings) as run:
        more = {"position_ids": (mask.cumsum(-1) - 1).clamp_min(0)} if given else {}
        out = model(**inputs, **more)
        for token in (9, 33):
            mask = torch.cat([mask, mask.new_ones(len(mask), 1)], dim=1)
            out = model(
                input_ids=torch.full((len(mask), 1), token),
                past_key_values=out.past_key_values,
                attention_mask=mask,
                position_ids=mask.sum(-1, keepdim=True) - 1,
            )
            got.append(out.logits[:, -1])
    return torch.stack(got, dim=1), run


def stages_agree(ours: Any, alone: Any) -> None:
    assert len(ours.stages) == len(alone.stages)
    for a, b in zip(ours.stages, alone.stages, strict=True):
        assert a.kept.tolist() == b.kept.tolist()
        assert torch.allclose(torch.tensor(a.scores), torch.tensor(b.scores), rtol=1e-3, atol=1e-6)


@matrix(
    name=("transprune", "transprune_paper", "chain", "fastv", "pyramiddrop", "sparsevlm", "dart"),
    backend=BACKENDS,
    positions=POSITIONS,
    given=(True, False),
)
def test_a_right_padded_batch_equals_single_runs(
    name: str, backend: str, positions: str, given: bool
) -> None:
    """Rows that end in different columns; the shortest has room for all that others keep more."""
    model, method = tiny(KIND, backend), METHODS[name]
    cases = [of_size(1, 36, 9), of_size(2, 30, 4), of_size(3, 33, 9)]
    together, run = decoded(model, method, right_padded(cases), given, positions=positions)
    for row, case in enumerate(cases):
        alone, single = decoded(model, method, case, positions=positions)
        stages_agree(run.traces[row], single.trace)
        assert close(together[row], alone[0])


@matrix(
    name=("transprune", "transprune_paper", "chain", "fastv", "sparsevlm", "divprune"),
    backend=BACKENDS,
    positions=POSITIONS,
)
def test_rows_of_several_groups_come_back_in_their_own_places(
    name: str, backend: str, positions: str
) -> None:
    """Text alone, then rows of which the second and the last are scored together."""
    cases = [
        prompt(KIND, seed=4, after=8, images=0),
        of_size(5, 30, 6),
        of_size(6, 36, 9),
        of_size(7, 30, 11),
    ]
    check_batch(tiny(KIND, backend), METHODS[name], cases, positions=positions)


@pytest.mark.parametrize("kind", ["llava_clip", "llava_siglip"])
def test_rows_scored_together_are_judged_by_their_own_images(kind: str) -> None:
    """With a row between them that has more of them."""
    cases = [prompt(kind, seed=7), prompt(kind, seed=8, images=2), prompt(kind, seed=9, after=9)]
    traces = check_batch(tiny(kind), METHODS["fopru"], cases)
    assert traces[0].kept.tolist() != traces[2].kept.tolist()


@pytest.mark.parametrize("positions", POSITIONS)
@pytest.mark.parametrize("name", ["transprune_paper", "random", "fastv"])
def test_filler_repeats_a_visual_token_where_a_row_begins_with_one(
    name: str, positions: str
) -> None:
    """No padding, and the first token, which may be gone, is that of the image."""
    cases = [of_size(seed, 36 - 5 * seed, 6 + 5 * seed, before=0) for seed in range(3)]
    assert len({case.visual.shape for case in cases}) == 1
    check_batch(tiny(KIND), METHODS[name], cases, positions=positions)


@pytest.mark.parametrize("name", ["transprune", "fastv", "sparsevlm", "dart"])
def test_a_padded_batch_without_a_cache(name: str) -> None:
    """Keys are then computed, which else are the cached ones."""
    model = tiny(KIND)
    case = left_padded([prompt(KIND, seed=1, after=4), prompt(KIND, seed=2, after=9)])
    mask = case.inputs["attention_mask"]
    positions = (mask.cumsum(-1) - 1).clamp_min(0)
    with prune(model, METHODS[name], **case.prune_kwargs) as run:
        wanted = model(**case.inputs, position_ids=positions).logits[:, -1]
        cached = run.traces
        got = model(**case.inputs, position_ids=positions, use_cache=False).logits[:, -1]
    assert close(got, wanted)
    for row in range(2):
        stages_agree(run.traces[row], cached[row])


def test_a_row_without_a_question_is_not_asked_with_the_others() -> None:
    model = tiny(KIND)
    method = TransPrune(prune_layers=(2,), keep_ratios=(1.0,))
    cases = [prompt(KIND, seed=1, after=6), prompt(KIND, seed=2, after=0)]
    case = left_padded(cases)
    mask = case.inputs["attention_mask"]
    with prune(model, method, **case.prune_kwargs) as run:
        model(**case.inputs, position_ids=(mask.cumsum(-1) - 1).clamp_min(0))
    for row, own in enumerate(cases):
        with prune(model, method, **own.prune_kwargs) as alone:
            model(**own.inputs)
        stages_agree(run.traces[row], alone.trace)
        assert ("iga" in run.traces[row].stages[0].components) is (row == 0)


@pytest.mark.parametrize("name", ["tome", "sparsevlm_recycle"])
def test_repeated_rows_get_merged_tokens_too(name: str) -> None:
    """As beams do: one of them is scored, all go on with what was made."""
    model, cases = tiny(KIND), [prompt(KIND, seed=seed) for seed in (1, 2)]
    embeds = torch.cat([case.embeds for case in cases]).repeat_interleave(3, dim=0)
    visual = torch.cat([case.visual for case in cases]).repeat_interleave(3, dim=0)
    with prune(model, METHODS[name], visual_mask=visual):
        got = model(inputs_embeds=embeds).logits[:, -1]
    for row in range(6):
        case = cases[row // 3]
        with prune(model, METHODS[name], visual_mask=case.visual):
            assert close(got[row], model(inputs_embeds=case.embeds).logits[0, -1])


@pytest.mark.parametrize("positions", POSITIONS)
def test_equal_embeddings_at_different_positions(positions: str) -> None:
    """Rows that differ in nothing else must not share a selection."""
    model, case, method = tiny(KIND), prompt(KIND), METHODS["transprune"]
    length = case.visual.shape[1]
    given = torch.stack([torch.arange(length), torch.arange(length) * 3])
    mask = torch.ones(2, length, dtype=torch.long)
    embeds, visual = case.embeds.repeat(2, 1, 1), case.visual.repeat(2, 1)
    settings, renumber = {"positions": positions}, positions == "renumber"
    with prune(model, method, visual_mask=visual, **settings) as run:
        got = model(inputs_embeds=embeds, attention_mask=mask, position_ids=given).logits[:, -1]
    kept = []
    for row in range(2):
        with prune(model, method, visual_mask=case.visual, **settings) as alone:
            own = {"attention_mask": mask[:1], "position_ids": given[row : row + 1]}
            model(inputs_embeds=case.embeds, **own)
        stages_agree(run.traces[row], alone.trace)
        alive = alive_columns(case.visual[0], alone.trace, LAYERS)
        assert close(
            got[row], masked_run(model, case.embeds, alive, renumber, given[row][None])[-1]
        )
        kept.append(alone.trace.kept.tolist())
    assert kept[0] != kept[1], "the positions make no difference here"


def test_a_row_is_told_its_own_words() -> None:
    several = Scores(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), notes=("all",), own_notes=("a", "b"))
    assert [several.of(row).notes for row in range(2)] == [("a", "all"), ("b", "all")]
    assert several.of(1).total.tolist() == [3.0, 4.0]
    assert Scores(torch.ones(2), own_notes=("a",)).of(0).notes == ("a",)
