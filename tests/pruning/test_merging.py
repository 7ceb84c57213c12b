"""Methods that make tokens anew: what the LLM gets, and what the trace says of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from pruneviz import (
    Chain,
    Downsample,
    Pinned,
    Trace,
    TransPrune,
    VisionZip,
    prune,
)
from pruneviz.methods import BeforeLLM, Card, Merge, Method, Scores
from tests.helpers import (
    BACKENDS,
    MODELS,
    Prompt,
    close,
    left_padded,
    new_tokens,
    own_hooks,
    prompt,
    stack_of,
    tiny,
    with_generated,
)
from tests.matrix import matrix
from tests.newcomer.throw_away import LargestNorm
from tests.pruning.settings import MERGING, METHODS, fits, sized

ONE_STAGE = [name for name in MERGING if METHODS[name].stages()[-1].layer == 0]
NEW = 4


def received(model: Any, case: Prompt, method: Method, **settings: Any) -> tuple[Any, Any, Any]:
    """Run pruned; what the decoder stack was given, the logits and the trace."""
    given: dict[str, Any] = {}

    def note(_: Any, args: Any, kwargs: Any) -> None:
        given.update(kwargs)

    with prune(model, method, **settings, **case.prune_kwargs) as run:
        handle = stack_of(model).register_forward_pre_hook(note, with_kwargs=True)
        logits = model(**case.inputs).logits
        handle.remove()
    return given, logits, run.trace


def still_to_add(
    given: dict[str, Any], trace: Trace, text: torch.Tensor, count: int
) -> dict[str, Any]:
    """What Qwen3-VL adds to the new tokens between its first layers: that of their places."""
    if "deepstack_visual_embeds" not in given:
        return {}
    places = torch.zeros(1, int(text.sum()) + count, dtype=torch.bool)
    places[:, 3 : 3 + count] = True
    kept = torch.from_numpy(trace.stages[0].kept)
    features = [rows[kept] for rows in given["deepstack_visual_embeds"]]
    return {"visual_pos_masks": places, "deepstack_visual_embeds": features}


def check_trace(trace: Trace) -> None:
    """Whatever was merged: what stays holds itself, and every other token is in one of them."""
    for stage in trace.stages:
        assert (np.diff(stage.alive) > 0).all()
        assert (np.diff(stage.kept) > 0).all()
        assert np.isin(stage.kept, stage.alive).all()
        assert len(stage.scores) == len(stage.alive)
        if stage.into is not None:
            assert len(stage.into) == len(stage.alive)
            assert np.isin(stage.into[stage.into >= 0], stage.kept).all()
            kept = np.isin(stage.alive, stage.kept)
            assert (stage.into[kept] == stage.alive[kept]).all()
    holder = trace.merged_into
    for token in range(trace.num_visual):
        at = token
        for stage in trace.stages:
            went = stage.kept if stage.into is None else stage.into
            known = stage.kept if stage.into is None else stage.alive
            at = int(went[known == at][0]) if at in known else -1
        assert holder[token] == at, "stage by stage"
    assert (holder[trace.kept] == trace.kept).all()
    assert np.isin(holder[holder >= 0], trace.kept).all()
    counts = [len(s.kept) + s.extra for s in trace.stages]
    assert trace.tokens_per_layer[-1] == counts[-1]


@matrix(fits, kind=MODELS, name=MERGING, backend=BACKENDS)
def test_trace_and_lengths(kind: str, name: str, backend: str) -> None:
    model, case = tiny(kind, backend), prompt(kind)
    with prune(model, METHODS[name], **case.prune_kwargs) as run:
        out = model(**case.inputs)
    trace = run.trace
    check_trace(trace)
    text = case.visual.shape[1] - 36
    assert list(trace.kv_lengths) == [text + count for count in trace.tokens_per_layer]
    held = [layer.get_seq_length() for layer in out.past_key_values.layers]
    assert held == list(trace.kv_lengths)
    assert trace.tokens_per_layer[-1] < 36
    assert own_hooks(model) == []
    again = Trace.from_dict(trace.to_dict())
    assert (again.merged_into == trace.merged_into).all()


@matrix(fits, kind=MODELS, name=ONE_STAGE, backend=BACKENDS)
def test_the_llm_runs_on_the_new_tokens(kind: str, name: str, backend: str) -> None:
    """A plain run on what the stack was given, its text untouched, gives the same answer."""
    model, case = tiny(kind, backend), prompt(kind)
    given, logits, trace = received(model, case, METHODS[name])
    embeds, stack = given["inputs_embeds"], stack_of(model)
    text = ~case.visual[0]
    count = trace.tokens_per_layer[0]
    assert embeds.shape[1] == int(text.sum()) + count
    if not bool(case.visual[0].diff().sum() > 2):  # no text between the tokens of the image
        assert torch.equal(embeds[0, :3], case.embeds[0, :3])
        assert torch.equal(embeds[0, 3 + count :], case.embeds[0, -7:])
    positions = given["position_ids"]
    added = still_to_add(given, trace, text, count)
    hidden = stack(inputs_embeds=embeds, position_ids=positions, use_cache=False, **added)
    assert close(model.lm_head(hidden.last_hidden_state), logits)

    with prune(model, METHODS[name], **case.prune_kwargs):
        out = model.generate(
            **case.inputs,
            max_new_tokens=NEW,
            do_sample=False,
            return_dict_in_generate=True,
            output_logits=True,
        )
    ids = new_tokens(case.inputs, out.sequences)[0]
    more = torch.arange(1, NEW + 1)
    # A decode step's position is one beyond the largest so far.
    last = positions.amax(-1, keepdim=True)
    if positions.ndim == 3:
        last = last.amax(0, keepdim=True).expand_as(last)
    long = with_generated(model, embeds, ids)
    places = torch.cat([positions, last + more], dim=-1)
    if added:
        added["visual_pos_masks"] = torch.nn.functional.pad(added["visual_pos_masks"], (0, NEW))
    again = stack(inputs_embeds=long, position_ids=places, use_cache=False, **added)
    wanted = model.lm_head(again.last_hidden_state)[0, embeds.shape[1] - 1 : -1]
    assert close(torch.stack(out.logits, dim=1)[0], wanted)


@matrix(fits, kind=MODELS, name=MERGING, backend=BACKENDS)
def test_a_padded_batch_equals_single_runs(kind: str, name: str, backend: str) -> None:
    model = tiny(kind, backend)
    cases = [prompt(kind, seed=1, after=5), prompt(kind, seed=2, before=4, after=9)]
    with prune(model, METHODS[name], **left_padded(cases).prune_kwargs) as run:
        logits = model(**left_padded(cases).inputs).logits
        traces = run.traces
    for row, case in enumerate(cases):
        with prune(model, METHODS[name], **case.prune_kwargs) as alone:
            wanted = model(**case.inputs).logits[0, -1]
        assert close(logits[row, -1], wanted)
        for ours, theirs in zip(traces[row].stages, alone.trace.stages, strict=True):
            assert ours.kept.tolist() == theirs.kept.tolist()
            assert (ours.into is None) == (theirs.into is None)
            if ours.into is not None and theirs.into is not None:
                assert ours.into.tolist() == theirs.into.tolist()


@pytest.mark.parametrize("name", MERGING)
def test_the_same_every_time(name: str) -> None:
    model, case = tiny("llava_clip"), prompt("llava_clip")
    first, second = (received(model, case, METHODS[name])[1] for _ in range(2))
    assert torch.equal(first, second)


@pytest.mark.parametrize("name", MERGING)
def test_several_images_in_one_prompt(name: str) -> None:
    model, case = tiny("llava_clip"), prompt("llava_clip", images=2)
    given, _, trace = received(model, case, METHODS[name])
    check_trace(trace)
    assert trace.num_visual == 72
    if name == "visionzip":
        assert (trace.stages[0].extra, trace.tokens_per_layer[0]) == (2, 12)
    assert torch.equal(given["inputs_embeds"][0, -7:], case.embeds[0, -7:])


def test_visionzip_counts_cls_and_orders_as_published() -> None:
    model, case = tiny("llava_clip"), prompt("llava_clip")
    given, _, trace = received(model, case, VisionZip(keep_tokens=12, contextual_tokens=4))
    stage = trace.stages[0]
    assert (stage.extra, len(stage.kept), trace.tokens_per_layer[0]) == (1, 11, 12)
    assert trace.final_keep_ratio == pytest.approx(12 / 36)
    hidden = model.model.vision_tower(
        case.inputs["pixel_values"], output_hidden_states=True
    ).hidden_states[-2]
    cls = model.model.multi_modal_projector(hidden[:, :1])[0, 0]
    visual = given["inputs_embeds"][0, 3:15]
    assert close(visual[0], cls)
    best = np.sort(np.argsort(-stage.scores, kind="stable")[:7])
    assert close(visual[1:8], case.embeds[0, 3:39][torch.from_numpy(best)])
    assert np.isin(best, stage.kept).all()
    assert (stage.into >= 0).all()


def test_a_later_stage_speaks_of_original_tokens() -> None:
    """Dominant tokens come before contextual ones, yet the trace stays in raster order."""
    model, case = tiny("llava_clip"), prompt("llava_clip")
    zipped = VisionZip(keep_tokens=20)
    later = TransPrune(prune_layers=(2,), keep_ratios=(0.5,))
    with prune(model, Chain([zipped, later]), **case.prune_kwargs) as run:
        model(**case.inputs)
    first, second = run.trace.stages
    assert second.alive.tolist() == first.kept.tolist()
    assert len(second.kept) + second.extra == 10
    assert np.isin(second.kept, first.kept).all()
    # The same choice by hand, on what VisionZip gives the LLM.
    given, _, _ = received(model, case, zipped)
    embeds = given["inputs_embeds"]
    visual = torch.zeros(1, embeds.shape[1], dtype=torch.bool)
    visual[:, 3:23] = True
    with prune(model.model.language_model, later, visual_mask=visual) as alone:
        model.model.language_model(inputs_embeds=embeds)
    scores = np.sort(alone.trace.stages[0].scores)
    # The CLS token's score belongs to no patch and is left out.
    assert np.isin(second.scores.round(6), scores.round(6)).all()
    assert len(second.scores) == 19


@matrix(fits, kind=MODELS, name=("visionzip", "cdpruner", "resprune", "fopru"))
def test_chains_with_transprune(kind: str, name: str) -> None:
    model, case, first = tiny(kind), prompt(kind), sized(name, keep_tokens=20)
    chain = Chain([first, TransPrune(prune_layers=(2, 4), keep_ratios=(0.5, 0.25))])
    with prune(model, chain, **case.prune_kwargs) as run:
        model(**case.inputs)
    check_trace(run.trace)
    assert [s.method for s in run.trace.stages] == [first.name, "transprune", "transprune"]
    assert [len(s.kept) + s.extra for s in run.trace.stages] == [20, 10, 5]
    for earlier, later in pairwise(run.trace.stages):
        assert later.alive.tolist() == earlier.kept.tolist()


def test_recycled_tokens_follow_the_kept_ones() -> None:
    model, case = tiny("llama_gqa"), prompt("llama_gqa")
    with prune(model, METHODS["sparsevlm_recycle"], **case.prune_kwargs) as run:
        model(**case.inputs)
    first = run.trace.stages[0]
    # 21 of 36 stay; of the 15 others int(0.3 * 15) + 1 = 5 go into one token.
    assert len(first.kept) == 22 + 1
    assert (first.into[~np.isin(first.alive, first.kept)] >= 0).sum() == 4


def test_downsampling_averages_neighbours() -> None:
    model, case = tiny("llava_clip"), prompt("llava_clip")
    given, _, trace = received(model, case, Downsample(keep_tokens=9))
    patches = case.embeds[0, 3:39].view(3, 2, 3, 2, -1)
    assert close(given["inputs_embeds"][0, 3:12], patches.mean((1, 3)).flatten(0, 1))
    assert trace.kept.tolist() == [0, 2, 4, 12, 14, 16, 24, 26, 28]


def test_pins_stop_the_merging() -> None:
    model, case = tiny("llava_clip"), prompt("llava_clip")
    method = VisionZip(keep_tokens=12)
    _, plain, trace = received(model, case, method)
    _, same, _ = received(model, case, Pinned(method))
    assert torch.equal(plain, same)
    lost = int(np.setdiff1d(np.arange(36), trace.kept)[0])
    _, _, pinned = received(model, case, Pinned(method, keep=[lost]))
    assert lost in pinned.kept
    assert pinned.stages[0].into is None
    assert any("nothing is merged" in note for note in pinned.stages[0].notes)


@pytest.mark.parametrize("keep", [12, 24])
def test_kept_positions_are_those_of_the_patches_that_stand_there(keep: int) -> None:
    """Though VisionZip puts CLS first and merged tokens last where positions are closed up."""
    model, case = tiny("llava_clip"), prompt("llava_clip")
    given, _, _ = received(model, case, VisionZip(keep_tokens=keep), positions="keep")
    same = (given["inputs_embeds"][0][:, None] == case.embeds[0, 3:39][None]).all(-1)
    rows, patches = same.nonzero().unbind(1)
    assert len(rows) > keep / 2
    assert given["position_ids"][0, rows].tolist() == (3 + patches).tolist()


@dataclass(frozen=True, kw_only=True)
class Gathering(BeforeLLM):
    """One token that stands for no patch takes up the first half of them, the others stay."""

    name: ClassVar[str] = "gathering"
    card: ClassVar[Card] = replace(LargestNorm.card, title="Gathering", options=(), merges=True)

    def score(self, context: Any, stage: Any, keep: int) -> Scores:
        states = context.visual_features()
        half = len(states) // 2
        made = torch.cat([states[:half].mean(0, keepdim=True), states[half:]])
        places = torch.arange(len(states))
        into = (places - half + 1).clamp_min(0)
        anchors = torch.cat([torch.tensor([-1]), places[half:]])
        return Scores(torch.ones(len(states)), merge=Merge(made, anchors, into))


@pytest.mark.parametrize("positions", ["keep", "renumber"])
def test_patches_in_a_token_that_stands_for_none_are_told_as_lost(positions: str) -> None:
    model, case = tiny("llava_clip"), prompt("llava_clip")
    given, _, trace = received(model, case, Gathering(keep_tokens=19), positions=positions)
    check_trace(trace)
    (stage,) = trace.stages
    assert (stage.extra, stage.kept.tolist()) == (1, list(range(18, 36)))
    assert trace.merged_into.tolist() == [-1] * 18 + list(range(18, 36))
    assert close(given["inputs_embeds"][0, 3], case.embeds[0, 3:21].mean(0))
    assert torch.equal(given["inputs_embeds"][0, 4:22], case.embeds[0, 21:39])


def test_impossible_splits_are_refused() -> None:
    with pytest.raises(ValueError, match="contextual_tokens must be a whole number"):
        VisionZip(keep_tokens=8, contextual_tokens=-1)
    model, case = tiny("llava_clip"), prompt("llava_clip")
    method = VisionZip(keep_tokens=8, contextual_tokens=7)
    with pytest.raises(ValueError, match="leave no room"), prune(model, method):
        model(**case.inputs)
