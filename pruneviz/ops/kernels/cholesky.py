"""Pivoted Cholesky picks in one launch; see :mod:`pruneviz.ops.kernels.grid` for the barrier."""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from pruneviz.ops.kernels.grid import Plan, announce, device_plan, launch, wait_for_all, winner

_LINE = 16
"""Factor rows are this many numbers apart or a multiple: 128 bytes in float64, a cache line."""
_TILE = 1024
"""Numbers of the factor that a program multiplies at a time."""
NOISE = {torch.float64: 0.0, torch.float32: 4e-6}
"""Share of a token's own energy that counts as rounding, and as nothing left."""


# Numbers of picks and phases differ from call to call: one kernel serves all.
@triton.jit(do_not_specialize=["k", "first", "last"])
def _kernel(
    matrix, start, may, floor, seed, factor, left, open_, order, gain, n, k, stride,
    values, tokens, counter, first, last,
    BLOCK: tl.constexpr, PROGRAMS: tl.constexpr, TILE: tl.constexpr,
    NOISE: tl.constexpr, SEEDED: tl.constexpr,
):  # fmt: skip
    program, programs = tl.program_id(0), tl.num_programs(0)
    sample = tl.program_id(1).to(tl.int64)
    own = program * BLOCK + tl.arange(0, BLOCK)
    inside = own < n
    matrix += sample * n * n
    factor += sample * n * stride
    start += sample * n
    may += sample * n
    left += sample * n
    open_ += sample * n
    values += sample * 2 * programs
    tokens += sample * 2 * programs
    at_first = tl.load(start + own, mask=inside, other=0.0)
    if first > 0:
        energy = tl.load(left + own, mask=inside, other=0.0)
        free = tl.load(open_ + own, mask=inside, other=0) != 0
    else:
        energy = at_first
        free = tl.load(may + own, mask=inside, other=0) != 0
    least = tl.load(floor + sample)
    for phase in range(first, last):
        if phase > 0:
            step = phase - 1
            slots = (step % 2) * programs
            best, pick = winner(values + slots, tokens + slots, programs, n, PROGRAMS)
            alive = best > least
            pivot = best
            counts = alive
            if SEEDED:
                given = tl.load(seed + sample)
                pick = tl.where(step == 0, given, pick)
                # Its span counts even where its weight is 0.
                length = tl.load(start + pick)
                weighted = tl.where(tl.load(may + pick) != 0, length, 0.0)
                pivot = tl.where(step == 0, length, best)
                best = tl.where(step == 0, weighted, best)
                counts = counts | (step == 0)
            # The matrix is symmetric: the pick's row, which lies in one piece.
            new = tl.load(matrix + pick.to(tl.int64) * n + own, mask=inside, other=0.0)
            known = tl.zeros((BLOCK, TILE), dtype=new.dtype)
            for earlier in range(0, step, TILE):
                which = earlier + tl.arange(0, TILE)
                done = which < step
                # Another program's row of the factor; our own rows were written by this one.
                theirs = tl.load(
                    factor + pick.to(tl.int64) * stride + which,
                    mask=done, other=0.0, cache_modifier=".cg",
                )  # fmt: skip
                ours = tl.load(
                    factor + own[:, None].to(tl.int64) * stride + which[None, :],
                    mask=inside[:, None] & done[None, :], other=0.0,
                )  # fmt: skip
                known += ours * theirs[None, :]
            new -= tl.sum(known, 1)
            usable = alive & (pivot > 0)
            root = tl.sqrt(tl.where(usable, pivot, 1.0))
            new = tl.where(usable, new / root, 0.0)
            tl.store(factor + own.to(tl.int64) * stride + step, new, mask=inside)
            energy = energy - new * new
            energy = tl.where(energy > NOISE * at_first, energy, 0.0)
            chosen = tl.where(counts, pick, n)
            free = free & (own != chosen)
            if program == 0:
                tl.store(order + sample * k + step, chosen.to(tl.int64))
                tl.store(gain + sample * k + step, best)
            # Threads read rows of the factor in another layout than they were written in.
            tl.debug_barrier()
        score = tl.where(free, energy, -1.0)
        announce(values, tokens, (phase % 2) * programs + program, score, own, n)
        if phase + 1 < last:
            wait_for_all(counter + sample, (phase + 1 - first) * programs)
    tl.store(left + own, energy, mask=inside)
    tl.store(open_ + own, free.to(tl.int8), mask=inside)


def picks(
    rows: torch.Tensor,
    open_: torch.Tensor,
    k: int,
    seed: torch.Tensor | None,
    share: float,
    dealt: Plan | None = None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor] | None:
    """Pivots of the rows' Gram matrices; see :func:`pruneviz.ops.kernels.cholesky_picks`.

    None where there are more tokens than the card's programs hold at the same time.
    """
    batch, n = open_.shape
    dealt = dealt or device_plan(n, batch, rows.device)
    if dealt is None:
        return None
    matrix = _products(rows)
    start = matrix.diagonal(dim1=1, dim2=2).contiguous()
    tiny = torch.finfo(rows.dtype).tiny
    floor = ((start * open_).amax(-1) * share).clamp_min_(tiny)
    stride = triton.cdiv(max(k, 1), _LINE) * _LINE
    factor = rows.new_empty(batch, n, stride)
    left, gain = torch.empty_like(start), rows.new_empty(batch, k)
    order = torch.empty(batch, k, dtype=torch.long, device=rows.device)
    may = open_.to(torch.int8)
    state = torch.empty_like(may)
    # The seed is read only where there is one; any pointer stands in for it.
    given = order if seed is None else seed.to(torch.long).contiguous()

    def arguments(some: slice) -> tuple[torch.Tensor | int, ...]:
        parts = (matrix, start, may, floor, given, factor, left, state, order, gain)
        return (*(part[some] for part in parts), n, k, stride)

    launch(
        _kernel, dealt, k + 1, arguments, start,
        TILE=max(4, _TILE // dealt.block), NOISE=NOISE[rows.dtype], SEEDED=seed is not None,
    )  # fmt: skip
    return order, gain, left, start


def _products(rows: torch.Tensor) -> torch.Tensor:
    """Gram matrices in full precision even where float32 products are set to be fast."""
    if rows.dtype == torch.float32 and torch.get_float32_matmul_precision() != "highest":
        rows = rows.double()
        return torch.bmm(rows, rows.mT).float()
    return torch.bmm(rows, rows.mT)
