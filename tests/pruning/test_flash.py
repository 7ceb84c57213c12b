"""FlashAttention 2 under pruning, where there is a card and the package."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
import torch

from pruneviz import prune
from tests.helpers import fresh, left_padded, prompt
from tests.pruning.settings import METHODS

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available() or find_spec("flash_attn") is None,
    reason="FlashAttention 2 needs an NVIDIA card and the package flash-attn",
)


@pytest.mark.parametrize("rows", [1, 2])
@pytest.mark.parametrize("name", ["random", "fastv", "transprune"])
def test_logits_are_those_of_sdpa(name: str, rows: int) -> None:
    """In half precision scores may tie otherwise, so only random must keep the very same."""
    model = fresh("llama").to("cuda", torch.float16)
    case = left_padded([prompt("llama", seed=row, after=7 + 3 * row) for row in range(rows)])
    inputs = {
        name: value.cuda().half() if value.is_floating_point() else value.cuda()
        for name, value in case.inputs.items()
    }
    found = {}
    for attention in ("sdpa", "flash_attention_2"):
        model.set_attn_implementation(attention)
        with prune(model, METHODS[name], case.visual.cuda()) as run:
            logits = model(**inputs).logits[:, -1].float()
        found[attention] = logits, [trace.kept.tolist() for trace in run.traces]
    (wanted, kept), (got, ours) = found.values()
    for one, other in zip(ours, kept, strict=True):
        assert len(set(one) & set(other)) >= (1.0 if name == "random" else 0.8) * len(other)
    if ours == kept:
        assert torch.allclose(got, wanted, atol=2e-2 * float(wanted.abs().max()))
