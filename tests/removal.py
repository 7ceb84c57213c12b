"""The check that removing tokens equals hiding them, for any model and prompt."""

from __future__ import annotations

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
    masked_run,
    new_tokens,
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
