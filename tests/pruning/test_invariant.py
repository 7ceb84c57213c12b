"""What the trace says is what the next layer was given, token by token."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, ClassVar

import pytest
import torch

from pruneviz import Downsample, SparseVLM, prune
from pruneviz.methods import Card, Merge, Method, Scores, Stage, StageContext
from tests.helpers import (
    DEEPSTACK,
    LAYERS,
    MODELS,
    NUM_PATCHES,
    Prompt,
    close,
    left_padded,
    prompt,
    stack_of,
    tiny,
)
from tests.matrix import each, matrix
from tests.pruning.settings import METHODS, fits

POSITIONS = ("renumber", "keep")


class Watched:
    """A pruned forward, with what the layers around every stage were given and gave."""

    def __init__(self, model: Any, case: Prompt, method: Method, **settings: Any) -> None:
        stack = stack_of(model)
        self.given: dict[int, torch.Tensor] = {}
        self.entering: dict[int, torch.Tensor] = {}
        with prune(model, method, **settings, **case.prune_kwargs) as run:
            handles: list[Any] = []

            def in_layers(*_: Any) -> None:
                """After the block's own hooks came, so these see what a stage will shorten."""
                for index, layer in enumerate(stack.layers):
                    given, gave = self._input(index), self._output(index)
                    handles.append(layer.register_forward_pre_hook(given, with_kwargs=True))
                    handles.append(layer.register_forward_hook(gave, prepend=True))

            handles += [
                stack.register_forward_pre_hook(self._entry, with_kwargs=True, prepend=True),
                stack.register_forward_pre_hook(in_layers),
            ]
            try:
                self.logits = model(**case.inputs).logits
            finally:
                for handle in handles:
                    handle.remove()
            self.traces = run.traces
            self.prefill = run._runner.prefill

    def _entry(self, _: Any, args: Any, kwargs: Any) -> None:
        self.entering[0] = args[0] if args else kwargs["inputs_embeds"]

    def _input(self, index: int) -> Any:
        def note(_: Any, args: Any, kwargs: Any) -> None:
            self.given[index] = args[0] if args else kwargs["hidden_states"]

        return note

    def _output(self, index: int) -> Any:
        def note(_: Any, args: Any, output: Any) -> None:
            self.entering[index + 1] = output[0] if isinstance(output, tuple) else output

        return note

    def check(self, row: int, case: Prompt) -> None:
        """Every stage of a row that is `case`, whatever was padded before it."""
        frames, trace = self.prefill.frames, self.traces[row]
        records = self.prefill.records(row)
        # Of the batch's columns the row's own are the last ones.
        padding = frames.full.length - case.visual.shape[1]
        columns = padding + case.visual[0].nonzero().squeeze(-1)
        assert len(trace.stages) == len(records) > 0
        merged = False
        for stage, record in zip(trace.stages, records, strict=True):
            layer = stage.layer
            before = frames.at(layer - 1) if layer else frames.full
            after = frames.at(layer)
            kept = columns[record.kept]
            real = after.valid[row] if after.valid is not None else torch.tensor(True)
            held = torch.isin(after.columns[row], columns) & real
            places = held.nonzero().squeeze(-1)
            assert len(places) == trace.tokens_per_layer[layer]
            assert after.columns[row][places].tolist() == kept.tolist(), "ascending, each its own"
            given = self.given[layer][row, places]
            adds = 0 < layer <= len(case.added)
            merge = record.scores.merge
            if merge is not None:
                merged = True
                made = merge.states.to(given.dtype)
                # What the model adds between layers was taken off and added again.
                assert close(given, made, atol=1e-5) if adds else torch.equal(given, made)
                assert len(merge.states) == len(stage.kept) + stage.extra
                continue
            if not merged:
                assert stage.kept.tolist() == record.kept.tolist()
            own = before.places(kept[None], torch.tensor([row]))[0]
            wanted = self.entering[layer][row, own]
            if adds:
                wanted = wanted + case.added[layer - 1][0, kept - padding]
            assert torch.equal(given, wanted), "the very states that entered the stage"


def check_all(kind: str, name: str, positions: str) -> None:
    model, method = tiny(kind), METHODS[name]
    cases = [prompt(kind, seed=3, after=6), prompt(kind, seed=4, after=9)]
    alone = [Watched(model, case, method, positions=positions) for case in cases]
    for case, watched in zip(cases, alone, strict=True):
        watched.check(0, case)
    batch = Watched(model, left_padded(cases), method, positions=positions)
    for row, case in enumerate(cases):
        batch.check(row, case)
        for ours, one in zip_longest(batch.traces[row].stages, alone[row].traces[0].stages):
            assert ours.kept.tolist() == one.kept.tolist()


@matrix(name=list(METHODS), positions=POSITIONS)
def test_layers_are_given_what_the_trace_says(name: str, positions: str) -> None:
    check_all("llava_clip", name, positions)


@each(fits, kind=MODELS, name=list(METHODS), positions=POSITIONS)
def test_layers_of_every_family_are_given_what_the_trace_says(
    kind: str, name: str, positions: str
) -> None:
    check_all(kind, name, positions)


@dataclass(frozen=True, kw_only=True)
class Blurred(Method):
    """As many tokens as before, each the mean of itself and the one after it."""

    name: ClassVar[str] = "blurred"
    card: ClassVar[Card] = Downsample.card

    layers: tuple[int, ...]

    def stages(self) -> tuple[Stage, ...]:
        return tuple(Stage(layer, index) for index, layer in enumerate(self.layers))

    def count(self, stage: Stage, num_visual: int) -> int:
        return num_visual

    def score(self, context: StageContext, stage: Stage, keep: int) -> Scores:
        states, places = context.visual_features(), torch.arange(keep)
        blurred = (states + states.roll(-1, 0)) / 2
        return Scores(torch.ones(keep), merge=Merge(blurred, places, places))


def recycling(ratio: float, *layers: int) -> SparseVLM:
    return SparseVLM(prune_layers=layers, keep_ratios=(ratio,) * len(layers), recycle=True)


def check_as_many(kind: str, method: Method, positions: str) -> None:
    """The new tokens are used, in a batch beside a longer row too."""
    model, case, longer = tiny(kind), prompt(kind, seed=3), prompt(kind, seed=4, after=12)
    alone = Watched(model, case, method, positions=positions)
    alone.check(0, case)
    assert alone.traces[0].tokens_per_layer == (NUM_PATCHES,) * LAYERS
    assert not close(alone.logits, model(**case.inputs).logits)
    batch = Watched(model, left_padded([case, longer]), method, positions=positions)
    for row, own in enumerate((case, longer)):
        batch.check(row, own)
        single = Watched(model, own, method, positions=positions)
        assert close(batch.logits[row, -1], single.logits[0, -1])


@each(kind=MODELS, layers=((0,), (3,), (1, 4), (0, 2, 5)), positions=POSITIONS)
def test_new_tokens_are_used_where_there_are_as_many_as_before(
    kind: str, layers: tuple[int, ...], positions: str
) -> None:
    check_as_many(kind, Blurred(layers=layers), positions)


@pytest.mark.parametrize("positions", POSITIONS)
@pytest.mark.parametrize("name", ["fastv", "sparsevlm", "sparsevlm_recycle", "chain_zip"])
def test_features_added_between_layers_come_once(name: str, positions: str) -> None:
    """To new tokens those of their places, just where a stage stands between such layers."""
    check_all("qwen3_vl", name, positions)
    check_as_many("qwen3_vl", Blurred(layers=tuple(range(1, DEEPSTACK + 1))), positions)


@pytest.mark.parametrize("layers", [(3,), (2, 4)])
@pytest.mark.parametrize("kind", ["llava_clip", "llama_gqa"])
def test_a_recycled_token_is_used_though_only_one_was_dropped(
    kind: str, layers: tuple[int, ...]
) -> None:
    """It goes behind the others where positions are counted anew."""
    check_as_many(kind, recycling(0.98, *layers), "renumber")


@pytest.mark.parametrize("positions", POSITIONS)
def test_one_row_may_lose_tokens_while_another_has_as_many(positions: str) -> None:
    model, method = tiny("llava_clip"), recycling(0.97, 3)
    cases = [prompt("llava_clip", seed=3), prompt("llava_clip", seed=4, images=2)]
    batch = Watched(model, left_padded(cases), method, positions=positions)
    counts = [trace.tokens_per_layer[-1] for trace in batch.traces]
    assert counts == [NUM_PATCHES, 2 * NUM_PATCHES - 1]
    for row, case in enumerate(cases):
        batch.check(row, case)
        alone = Watched(model, case, method, positions=positions)
        assert close(batch.logits[row, -1], alone.logits[0, -1])
