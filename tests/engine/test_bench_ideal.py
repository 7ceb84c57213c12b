"""The ideal runs exactly what a method leaves, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from pruneviz import observe, prune
from pruneviz.engine.bench.ideal import Ideal, first_columns
from pruneviz.engine.bench.ideal import Prompt as Seen
from pruneviz.engine.bench.runs import Batch, Halves
from pruneviz.engine.bench.subject import Subject
from pruneviz.methods import FastV, FoPru, PyramidDrop, Random, VisionZip
from pruneviz.models.registry import find_adapter
from tests.helpers import BACKENDS, LAYERS, VISION_MODELS, close, prompt, tiny
from tests.matrix import matrix


def subject(kind: str, backend: str = "sdpa", newlines: str = "visual") -> Subject:
    model = tiny(kind, backend)
    inputs = prompt(kind).inputs
    return Subject(kind, model, find_adapter(model), inputs, newlines, "keep")


def last_hidden(one: Subject, inputs: dict[str, Any]) -> tuple[torch.Tensor, list[int]]:
    """What leaves the stack's last norm in a forward, and the lengths in its cache."""
    found = []
    norm = one.adapter.decoder(one.model).module.norm
    handle = norm.register_forward_hook(lambda _m, _a, out: found.append(out))
    with torch.no_grad():
        out = one.model(**inputs, use_cache=True, logits_to_keep=1)
    handle.remove()
    return found[-1], [layer.keys.shape[-2] for layer in out.past_key_values.layers]


METHODS = {
    "fopru": FoPru(keep_ratio=0.25),
    "fastv": FastV(keep_ratio=0.25, num_layers=LAYERS),
    "pyramiddrop": PyramidDrop.at(0.25, num_layers=LAYERS),
}


@matrix(kind=VISION_MODELS, name=tuple(METHODS), backend=BACKENDS)
def test_it_equals_a_pruned_run_where_positions_are_kept(kind, name, backend) -> None:
    one = subject(kind, backend)
    batch = Batch.of(one, 1)
    with prune(one.model, METHODS[name], positions="keep") as run:
        wanted, lengths = last_hidden(one, batch.inputs)
    with batch.ideal(run.traces).in_place():
        found, own = last_hidden(one, batch.inputs)
    assert own == lengths == list(run.trace.kv_lengths)
    assert min(lengths) < one.length
    assert close(found, wanted)


@pytest.mark.parametrize("kind", VISION_MODELS)
def test_without_pruning_it_is_the_model_itself(kind) -> None:
    one = subject(kind)
    batch = Batch.of(one, 2)
    wanted, lengths = last_hidden(one, batch.inputs)
    with observe(one.model, record=()) as run:
        one.model(**batch.inputs, use_cache=True, logits_to_keep=1)
    with batch.ideal(run.traces).in_place():
        found, own = last_hidden(one, batch.inputs)
    assert own == lengths
    assert close(found, wanted)
    assert "forward" not in vars(one.adapter.decoder(one.model).module), "the model has its own"


def test_the_model_gets_its_stack_back_after_a_failure() -> None:
    one = subject("llava_clip")
    ideal = Batch.of(one, 1).ideal(Batch.of(one, 1).facts(None).traces)
    with pytest.raises(RuntimeError, match="broken"), ideal.in_place():
        raise RuntimeError("broken")
    assert "forward" not in vars(one.adapter.decoder(one.model).module)


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("method", [VisionZip(keep_ratio=0.5), Random(keep_ratio=0.5)])
def test_it_has_the_lengths_of_merged_tokens_and_of_batches(method, size) -> None:
    """Tokens that stand for no patch count, too."""
    one = subject("llava_clip")
    batch = Batch.of(one, size)
    facts = batch.facts(method)
    with batch.ideal(facts.traces).in_place():
        states, lengths = last_hidden(one, batch.inputs)
    assert lengths == list(facts.traces[0].kv_lengths)
    assert states.shape[:2] == (size, lengths[-1])


def test_newlines_that_are_text_are_never_left_out() -> None:
    one = subject("llava_next", newlines="text")
    batch = Batch.of(one, 1)
    facts = batch.facts(FoPru(keep_ratio=0.25))
    newline = one.adapter.newline(one.model)
    rows = (batch.prompt.embeds == newline).all(-1)
    assert int(rows.sum()) == 4
    assert not bool((rows & batch.prompt.visual).any())
    assert int(batch.prompt.visual.sum()) == facts.traces[0].num_visual == one.num_visual


def test_half_a_prompt_is_half_of_it_in_every_layer() -> None:
    one = subject("qwen3_vl")
    seen = Seen.read(one, one.inputs)
    ideal = Ideal(one, seen, first_columns(seen, one.length // 2, LAYERS))
    with ideal.in_place():
        _, lengths = last_hidden(one, one.inputs)
    assert lengths == [one.length // 2] * LAYERS
    halves = Halves(Batch.of(one, 1))
    assert 0.4 < halves.flops < 0.5, "attention grows faster than the length"
    assert halves.ratio() > 0
