"""Norms and dot products of what goes into a module and what comes out, in one pass."""

from __future__ import annotations

import math
from contextlib import nullcontext

import torch
import triton
import triton.language as tl

_WIDEST = 2048
"""Numbers that a program reads at a time."""


@triton.jit
def _kernel(
    before, after, stream, out, n, d,
    before_far, before_near, after_far, after_near, stream_far, stream_near,
    BLOCK: tl.constexpr, STREAM: tl.constexpr,
):  # fmt: skip
    row, rows = tl.program_id(0), tl.num_programs(0)
    far, near = (row // n).to(tl.int64), (row % n).to(tl.int64)
    before += far * before_far + near * before_near
    after += far * after_far + near * after_near
    stream += far * stream_far + near * stream_near
    into = tl.zeros((BLOCK,), dtype=tl.float32)
    from_ = tl.zeros((BLOCK,), dtype=tl.float32)
    both = tl.zeros((BLOCK,), dtype=tl.float32)
    along = tl.zeros((BLOCK,), dtype=tl.float32)
    for first in range(0, d, BLOCK):
        place = first + tl.arange(0, BLOCK)
        x = tl.load(before + place, mask=place < d, other=0.0).to(tl.float32)
        y = tl.load(after + place, mask=place < d, other=0.0).to(tl.float32)
        into += x * x
        from_ += y * y
        both += x * y
        if STREAM:
            z = tl.load(stream + place, mask=place < d, other=0.0).to(tl.float32)
            along += z * z
    tl.store(out + row, tl.sqrt(tl.sum(into, 0)))
    tl.store(out + rows + row, tl.sqrt(tl.sum(from_, 0)))
    tl.store(out + 2 * rows + row, tl.sum(both, 0))
    if STREAM:
        tl.store(out + 3 * rows + row, tl.sqrt(tl.sum(along, 0)))


def stats(before: torch.Tensor, after: torch.Tensor, stream: torch.Tensor | None) -> torch.Tensor:
    """One launch, one program a token; see :func:`pruneviz.ops.kernels.transition_stats`."""
    parts = [_rows(x) for x in (before, after, before if stream is None else stream)]
    batch, n, d = parts[0].shape
    out = torch.empty(
        3 if stream is None else 4, *before.shape[:-1], dtype=torch.float32, device=before.device
    )
    strides = [stride for part in parts for stride in part.stride()[:2]]
    device = before.device
    options = {"enable_fp_fusion": True} if device.type == "cuda" else {}
    if batch * n:
        with torch.cuda.device(device) if device.type == "cuda" else nullcontext():
            _kernel[(batch * n,)](
                *parts, out, n, d, *strides,
                BLOCK=min(_WIDEST, triton.next_power_of_2(max(d, 1))), STREAM=stream is not None,
                **options,
            )  # fmt: skip
    return out


def _rows(x: torch.Tensor) -> torch.Tensor:
    """As ``[batch, n, d]``, numbers of a token in one piece; a view where that is possible."""
    x = x.detach()
    x = x.reshape(math.prod(x.shape[:-2]), *x.shape[-2:]) if x.ndim > 1 else x[None, None]
    return x if x.stride(-1) == 1 else x.contiguous()
