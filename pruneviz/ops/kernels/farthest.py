"""Farthest-first picks in one launch; see :mod:`pruneviz.ops.kernels.grid` for the barrier."""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from pruneviz.ops.kernels.grid import Plan, announce, device_plan, launch, wait_for_all, winner


# Numbers of picks and phases differ from call to call: one kernel serves all.
@triton.jit(do_not_specialize=["k", "first", "last"])
def _kernel(
    apart, nearest, rest, open_, order, distance, n, k,
    values, tokens, counter, first, last,
    BLOCK: tl.constexpr, PROGRAMS: tl.constexpr,
):  # fmt: skip
    program, programs = tl.program_id(0), tl.num_programs(0)
    sample = tl.program_id(1).to(tl.int64)
    own = program * BLOCK + tl.arange(0, BLOCK)
    inside = own < n
    apart += sample * n * n
    rest += sample * n
    open_ += sample * n
    values += sample * 2 * programs
    tokens += sample * 2 * programs
    away = tl.load(rest + own, mask=inside, other=0.0)
    free = tl.load(open_ + own, mask=inside, other=0) != 0
    for phase in range(first, last):
        # The first pick is the token whose nearest other one is farthest.
        score = tl.load(nearest + sample * n + own, mask=inside & (phase == 0), other=0.0)
        if phase > 0:
            step = phase - 1
            slots = (step % 2) * programs
            best, pick = winner(values + slots, tokens + slots, programs, n, PROGRAMS)
            row = tl.load(apart + pick.to(tl.int64) * n + own, mask=inside, other=0.0)
            away = tl.minimum(away, row)
            free = free & (own != pick)
            if program == 0:
                tl.store(order + sample * k + step, pick.to(tl.int64))
                tl.store(distance + sample * k + step, best)
            score = away
        score = tl.where(free, score, -float("inf"))
        announce(values, tokens, (phase % 2) * programs + program, score, own, n)
        if phase + 1 < last:
            wait_for_all(counter + sample, (phase + 1 - first) * programs)
    tl.store(rest + own, away, mask=inside)
    tl.store(open_ + own, free.to(tl.int8), mask=inside)


def picks(
    apart: torch.Tensor, nearest: torch.Tensor, k: int, dealt: Plan | None = None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor] | None:
    """Farthest-first picks; see :func:`pruneviz.ops.kernels.farthest_picks`.

    None where there are more tokens than the card's programs hold at the same time.
    """
    batch, n = nearest.shape
    dealt = dealt or device_plan(n, batch, apart.device)
    if dealt is None:
        return None
    order = torch.empty(batch, k, dtype=torch.long, device=apart.device)
    distance = apart.new_empty(batch, k)
    rest = apart.new_full((batch, n), 2.0)
    free = torch.ones(batch, n, dtype=torch.int8, device=apart.device)
    apart, nearest = apart.contiguous(), nearest.contiguous()

    def arguments(some: slice) -> tuple[torch.Tensor | int, ...]:
        parts = (apart, nearest, rest, free, order, distance)
        return (*(part[some] for part in parts), n, k)

    launch(_kernel, dealt, k + 1, arguments, apart)
    distance[:, :1] = 2.0
    return order, distance, rest
