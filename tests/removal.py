"""The checks that removing tokens equals hiding them, and batches single runs, for any model."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch

from pruneviz import prune
from pruneviz.methods import Method
from pruneviz.trace import Trace
from tests.helpers import (
    LAYERS,
    Prompt,
    alive_columns,
    close,
    left_padded,
    masked_run,
    new_tokens,
    prompt,
    tiny,
    with_generated,
)

NEW = 5


def generate(model: Any, case: Prompt, **settings: Any) -> Any:
    return model.generate(
        **case.inputs,
        max_new_tokens=NEW,
        do_sample=False,
        return_dict_in_generate=True,
        output_logits=True,
        **settings,
    )


def oracle_rows(
    model: Any, case: Prompt, trace: Any, renumber: bool, generated: torch.Tensor
) -> torch.Tensor:
    """Logits ``[n + t, V]`` of prompt and generated tokens with dropped ones masked."""
    alive = alive_columns(case.visual[0], trace, LAYERS)
    embeds = with_generated(model, case.embeds, generated)
    return masked_run(model, embeds, alive, renumber, case.positions, case.added)


def check_removing(
    model: Any, case: Prompt, method: Method, positions: str, **settings: Any
) -> Trace:
    """Forward and `generate` against a masked run, and the caches' lengths; returns the trace."""
    with prune(model, method, positions=positions, **case.prune_kwargs, **settings) as run:
        plain = model(**case.inputs)
        selected = run.trace
        out = generate(model, case)
    trace = run.trace
    assert [s.kept.tolist() for s in trace.stages] == [s.kept.tolist() for s in selected.stages]
    ids = new_tokens(case.inputs, out.sequences)[0]
    wanted = oracle_rows(model, case, trace, positions == "renumber", ids)

    alive = alive_columns(case.visual[0], trace, LAYERS)
    assert close(plain.logits[0], wanted[: case.visual.shape[1]][alive[-1]])
    stepwise = torch.stack(out.logits, dim=1)[0]
    last = case.visual.shape[1] - 1
    assert close(stepwise, wanted[last : last + NEW])
    assert ids.tolist() == wanted[last : last + NEW].argmax(-1).tolist()

    lengths = [int(seen.sum()) for seen in alive]
    assert list(trace.kv_lengths) == lengths
    assert list(trace.tokens_per_layer) == [int((seen & case.visual[0]).sum()) for seen in alive]
    held = [layer.get_seq_length() for layer in plain.past_key_values.layers]
    assert held == lengths
    after = [layer.get_seq_length() for layer in out.past_key_values.layers]
    assert after == [length + NEW - 1 for length in lengths]
    assert min(lengths) < case.visual.shape[1], "nothing was removed"
    return trace


@cache
def baseline(kind: str, backend: str, images: int = 1) -> tuple[torch.Tensor, Any]:
    """Logits and answer of a tiny model on its prompt, nothing pruned; run once for all tests."""
    model, case = tiny(kind, backend), prompt(kind, images=images)
    return model(**case.inputs).logits, generate(model, case)


def check_batch(model: Any, method: Method, cases: list[Prompt], **settings: Any) -> list[Trace]:
    """A left-padded batch gives each sample what it gets alone; returns the batch's traces."""
    last, out, traces = answer(model, method, left_padded(cases), **settings)
    logits = torch.stack(out.logits, dim=1)
    sequences = out.sequences[:, -NEW:]
    for row, case in enumerate(cases):
        alone_last, alone, (trace,) = answer(model, method, case, **settings)
        ours = traces[row]
        assert [s.kept.tolist() for s in ours.stages] == [s.kept.tolist() for s in trace.stages]
        for a, b in zip(ours.stages, trace.stages, strict=True):
            assert torch.allclose(
                torch.tensor(a.scores), torch.tensor(b.scores), rtol=1e-3, atol=1e-6
            )
        assert ours.num_text == trace.num_text
        assert ours.tokens_per_layer == trace.tokens_per_layer
        assert close(last[row], alone_last[0])
        assert close(logits[row], torch.stack(alone.logits, dim=1)[0])
        assert torch.equal(sequences[row], new_tokens(case.inputs, alone.sequences)[0])
    return traces


def answer(model: Any, method: Method, case: Prompt, **settings: Any) -> tuple[Any, Any, Any]:
    """Last logits of a plain forward, generated output and the traces."""
    with prune(model, method, **settings, **case.prune_kwargs) as run:
        last = model(**case.inputs, **positions_of(case)).logits[:, -1]
        out = generate(model, case)
    return last, out, run.traces


def positions_of(case: Prompt) -> dict[str, torch.Tensor]:
    """The position ids that generate would use."""
    mask = case.inputs.get("attention_mask")
    if mask is None:
        return {}
    return {"position_ids": (mask.cumsum(-1) - 1).clamp_min(0)}
