"""Plain forwards and hand-written decode loops."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from pruneviz import Chain, FastV, PyramidDrop, prune
from tests.helpers import (
    BACKENDS,
    LAYERS,
    MODELS,
    alive_columns,
    close,
    fresh,
    left_padded,
    masked_run,
    own_hooks,
    prompt,
    stack_of,
    tiny,
    with_generated,
)
from tests.matrix import matrix
from tests.pruning.settings import METHODS, PICKING, fits

STEPS = 4
CASES = [
    ("llama_gqa", "transprune"),
    ("llama_gqa", "fastv"),
    ("qwen2", "chain"),
    ("llava_clip", "transprune"),
    ("llava_clip", "chain_mixed"),
    ("llava_siglip", "resprune"),
]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("kind", "name"), CASES)
def test_forward_without_a_cache(kind: str, name: str, backend: str) -> None:
    model, case, method = tiny(kind, backend), prompt(kind), METHODS[name]
    with prune(model, method, **case.prune_kwargs) as run:
        cached = model(**case.inputs).logits
        lengths = run.trace.kv_lengths
        out = model(**case.inputs, use_cache=False)
    assert out.past_key_values is None
    assert torch.equal(out.logits, cached)
    assert run.trace.kv_lengths == lengths


@matrix(
    fits,
    kind=[kind for kind in MODELS if prompt(kind).positions is None],
    name=PICKING,
    positions=("renumber", "keep"),
    backend=BACKENDS,
    give_mask=(True, False),
    give_positions=(True, False),
)
def test_decoding_by_hand(
    kind: str, name: str, positions: str, backend: str, give_mask: bool, give_positions: bool
) -> None:
    """Whatever the loop passes along, every step equals the masked full-length run."""
    model, case, method = tiny(kind, backend), prompt(kind), METHODS[name]
    length = case.visual.shape[1]
    ids = torch.tensor([9, 33, 20, 71])
    got = []
    with prune(model, method, positions=positions, **case.prune_kwargs) as run:
        inputs = dict(case.inputs)
        inputs.pop("attention_mask", None)
        if give_mask:
            inputs["attention_mask"] = torch.ones(1, length, dtype=torch.long)
        if give_positions:
            inputs["position_ids"] = torch.arange(length)[None]
        out = model(**inputs)
        for step in range(STEPS):
            more: dict[str, Any] = {}
            if give_mask:
                more["attention_mask"] = torch.ones(1, length + step + 1, dtype=torch.long)
            if give_positions:
                more["position_ids"] = torch.tensor([[length + step]])
            out = model(
                input_ids=ids[None, step : step + 1], past_key_values=out.past_key_values, **more
            )
            got.append(out.logits[0, -1])
    alive = alive_columns(case.visual[0], run.trace, LAYERS)
    embeds = with_generated(model, case.embeds, ids)
    wanted = masked_run(model, embeds, alive, positions == "renumber", case.positions, case.added)
    assert close(torch.stack(got), wanted[length:])


@matrix(
    kind=[kind for kind in MODELS if prompt(kind).positions is not None],
    name=PICKING,
    positions=("renumber", "keep"),
    give_positions=(True, False),
)
def test_decoding_by_hand_with_three_positions(
    kind: str, name: str, positions: str, give_positions: bool
) -> None:
    """The model counts a step's positions by its cache, which is shorter once pruned."""
    model, case, method = tiny(kind), prompt(kind), METHODS[name]
    length = case.visual.shape[1]
    ids, got = torch.tensor([9, 33, 20]), []
    following = case.positions
    with prune(model, method, positions=positions) as run:
        inputs = {k: v for k, v in case.inputs.items() if k != "attention_mask"}
        out = model(**inputs, **({"position_ids": following} if give_positions else {}))
        for token in ids:
            following = following[..., -1:] + 1
            more = {"position_ids": following} if give_positions else {}
            out = model(input_ids=token[None, None], past_key_values=out.past_key_values, **more)
            got.append(out.logits[0, -1])
    alive = alive_columns(case.visual[0], run.trace, LAYERS)
    embeds = with_generated(model, case.embeds, ids)
    wanted = masked_run(model, embeds, alive, positions == "renumber", case.positions, case.added)
    assert close(torch.stack(got), wanted[length:])


@matrix(
    lambda kind, name, positions, first, later: first != later,
    kind=("qwen25_vl", "qwen3_vl"),
    name=("transprune", "resprune"),
    positions=("renumber", "keep"),
    first=(4, 3, None),
    later=(4, 3, None),
)
def test_prompt_and_steps_may_give_positions_in_different_forms(
    kind: str, name: str, positions: str, first: int | None, later: int | None
) -> None:
    """With the text's own positions before the three others, without, or left to the model."""
    model, case, method = tiny(kind), prompt(kind), METHODS[name]
    length = case.visual.shape[1]

    def given(channels: int | None, three: torch.Tensor, text: torch.Tensor) -> dict[str, Any]:
        if channels is None:
            return {}
        return {"position_ids": torch.cat([text, three]) if channels == 4 else three}

    ids, got, three = torch.tensor([9, 33]), [], case.positions
    # The model counts later steps by what it remembers of a prompt that it counted itself.
    model(**case.inputs)
    with prune(model, method, positions=positions) as run:
        inputs = {k: v for k, v in case.inputs.items() if k != "attention_mask"}
        out = model(**inputs, **given(first, three, torch.arange(length)[None, None]))
        for step, token in enumerate(ids):
            three, text = three[..., -1:] + 1, torch.tensor([[[length + step]]])
            out = model(
                input_ids=token[None, None],
                past_key_values=out.past_key_values,
                **given(later, three, text),
            )
            got.append(out.logits[0, -1])
    alive = alive_columns(case.visual[0], run.trace, LAYERS)
    embeds = with_generated(model, case.embeds, ids)
    wanted = masked_run(model, embeds, alive, positions == "renumber", case.positions, case.added)
    assert close(torch.stack(got), wanted[length:])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("kind", "name"), CASES)
def test_published_positions_of_a_chain_are_followed_stage_by_stage(
    kind: str, name: str, backend: str
) -> None:
    """Left alone, FastV keeps positions and the others renumber; the trace says so."""
    model, case, method = tiny(kind, backend), prompt(kind), METHODS[name]
    ids = torch.tensor([9, 33])
    with prune(model, method, **case.prune_kwargs) as run:
        out = model(**case.inputs)
        for step in range(2):
            out = model(input_ids=ids[None, step : step + 1], past_key_values=out.past_key_values)
    mode = {"fastv": "keep", "chain_mixed": "mixed"}.get(name, "renumber")
    assert run.trace.positions == mode
    renumber = [False] * 3 + [True] * 3 if mode == "mixed" else mode == "renumber"
    alive = alive_columns(case.visual[0], run.trace, LAYERS)
    wanted = masked_run(
        model, with_generated(model, case.embeds, ids), alive, renumber, case.positions, case.added
    )
    assert close(out.logits[0, -1], wanted[-1])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", ["transprune", "chain", "fastv"])
def test_decoding_a_left_padded_batch_by_hand(name: str, backend: str) -> None:
    """Padding stays masked in every decode step, also at layers that lost columns."""
    model, method = tiny("llama_gqa", backend), METHODS[name]
    cases = [prompt("llama_gqa", seed=1, after=4), prompt("llama_gqa", seed=2, after=9)]
    batch = left_padded(cases)
    mask = batch.inputs["attention_mask"]
    ids = torch.tensor([9, 33, 20, 71])

    def decode(inputs: dict[str, torch.Tensor], mask: torch.Tensor, **settings: Any) -> Any:
        rows, got = mask.shape[0], []
        with prune(model, method, **settings):
            positions = (mask.cumsum(-1) - 1).clamp_min(0)
            out = model(**inputs, position_ids=positions)
            for step in range(STEPS):
                mask = torch.cat([mask, mask.new_ones(rows, 1)], dim=1)
                out = model(
                    input_ids=ids[step].expand(rows, 1),
                    past_key_values=out.past_key_values,
                    attention_mask=mask,
                    position_ids=mask.sum(-1, keepdim=True) - 1,
                )
                got.append(out.logits[:, -1])
        return torch.stack(got, dim=1)

    together = decode(batch.inputs, mask, visual_mask=batch.visual)
    for row, case in enumerate(cases):
        alone = decode(
            case.inputs | {"attention_mask": torch.ones_like(case.visual).long()},
            torch.ones_like(case.visual).long(),
            visual_mask=case.visual,
        )
        assert close(together[row], alone[0])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", ["transprune", "chain", "fastv", "random"])
def test_a_generated_token_that_is_masked_is_seen_by_none_after_it(name: str, backend: str) -> None:
    """As rows of a batch that ended early are: what stands there must not matter."""
    model, case = tiny("llama_gqa", backend), prompt("llama_gqa")
    length = case.visual.shape[1]

    def last_step(ignored: int) -> torch.Tensor:
        mask = torch.ones(1, length, dtype=torch.long)
        with prune(model, METHODS[name], visual_mask=case.visual):
            out = model(**case.inputs, attention_mask=mask)
            for token, counts in ((9, 1), (ignored, 0), (33, 1)):
                mask = torch.cat([mask, torch.tensor([[counts]])], dim=1)
                out = model(
                    input_ids=torch.tensor([[token]]),
                    past_key_values=out.past_key_values,
                    attention_mask=mask,
                    position_ids=torch.tensor([[mask.shape[1] - 1]]),
                )
        return out.logits[0, -1]

    assert torch.equal(last_step(20), last_step(71))


@pytest.mark.parametrize("kind", ["llama_gqa", "llava_clip"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_stage_that_keeps_positions_keeps_those_counted_before_it(
    kind: str, backend: str
) -> None:
    """Closed up by the first stage, left with gaps by the second."""
    model, case = tiny(kind, backend), prompt(kind)
    first = PyramidDrop(prune_layers=(1,), keep_ratios=(0.7,))
    ids = torch.tensor([9, 33])
    with prune(
        model, Chain([first, FastV(prune_layer=3, keep_ratio=0.5)]), **case.prune_kwargs
    ) as run:
        out = model(**case.inputs)
        for token in ids:
            out = model(input_ids=token[None, None], past_key_values=out.past_key_values)
    assert run.trace.positions == "mixed"
    alive = alive_columns(case.visual[0], run.trace, LAYERS)
    stack, hidden = stack_of(model), with_generated(model, case.embeds, ids)
    more = torch.ones(len(ids), dtype=torch.bool)
    counted = (torch.cat([alive[1], more]).long().cumsum(0) - 1).clamp_min(0)[None]
    for index, layer in enumerate(stack.layers):
        seen = torch.cat([alive[index], more])
        allowed = torch.ones(len(seen), len(seen)).tril().bool() & seen
        allowed |= torch.eye(len(seen), dtype=torch.bool)
        mask = torch.zeros(allowed.shape).masked_fill(~allowed, torch.finfo(torch.float32).min)
        places = torch.arange(len(seen))[None] if index < 1 else counted
        rotary = stack.rotary_emb(hidden, position_ids=places)
        hidden = layer(hidden, attention_mask=mask[None, None], position_embeddings=rotary)
    wanted = model.lm_head(stack.norm(hidden))[0, -1]
    assert close(out.logits[0, -1], wanted)


@pytest.mark.parametrize("kind", ["llama_gqa", "llava_siglip"])
def test_the_inner_stack_can_be_called(kind: str) -> None:
    """A model's decoder stack alone is a supported model too."""
    model, case, method = tiny(kind), prompt(kind), METHODS["transprune"]
    stack = getattr(model.model, "language_model", model.model)
    with prune(model, method, **case.prune_kwargs):
        wanted = model(**case.inputs, output_hidden_states=True).hidden_states[-1]
    with prune(stack, method, visual_mask=case.visual):
        states = stack(inputs_embeds=case.embeds).last_hidden_state
    assert close(states, wanted)


def test_prompt_by_ids_with_a_visual_mask() -> None:
    model, case, method = tiny("llama"), prompt("llama"), METHODS["chain"]
    ids = torch.randint(8, 90, case.visual.shape)
    embeds = model.get_input_embeddings()(ids)
    with prune(model, method, visual_mask=case.visual):
        by_ids = model(input_ids=ids).logits
        positional = model(ids).logits
        by_embeds = model(inputs_embeds=embeds).logits
    assert torch.equal(by_ids, by_embeds)
    assert torch.equal(by_ids, positional)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("kind", "name"), [*CASES, ("llava_clip", "fopru")])
def test_half_precision(kind: str, name: str, backend: str, dtype: torch.dtype) -> None:
    """Runs, keeps the dtype, gives float32 scores, and stays close to float32."""
    model, case, method = fresh(kind), prompt(kind), METHODS[name]
    model.set_attn_implementation(backend)
    with prune(model, method, **case.prune_kwargs) as run:
        exact = model(**case.inputs).logits[0, -1]
    kept = set(run.trace.kept.tolist())
    model.to(dtype)
    inputs = {k: v.to(dtype) if v.is_floating_point() else v for k, v in case.inputs.items()}
    with prune(model, method, **case.prune_kwargs) as run:
        logits = model(**inputs).logits
        out = model.generate(**inputs, max_new_tokens=3, do_sample=False)
    assert logits.dtype == dtype
    assert out.shape[1] >= 3
    for stage in run.trace.stages:
        assert stage.scores.dtype == "float32"
        assert all(part.dtype == "float32" for part in stage.components.values())
    assert len(kept & set(run.trace.kept.tolist())) >= 0.7 * len(kept)
    assert torch.nn.functional.cosine_similarity(logits[0, -1].float(), exact, dim=0) > 0.85
    assert not own_hooks(model)


def test_gradients_flow_through_the_kept_tokens() -> None:
    """Removing is a gather: kept visual tokens get gradients, early-dropped ones do not."""
    model, case, method = tiny("llama"), prompt("llama"), METHODS["random"]
    embeds = case.embeds.clone().requires_grad_()
    with prune(model, method, visual_mask=case.visual) as run:
        model(inputs_embeds=embeds).logits[0, -1].sum().backward()
    assert embeds.grad is not None
    touched = embeds.grad[0].abs().sum(-1) > 0
    assert touched.tolist() == alive_columns(case.visual[0], run.trace, 1)[0].tolist()
