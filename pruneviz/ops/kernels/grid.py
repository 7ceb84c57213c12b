"""What kernels share whose programs work on one thing together: barrier, slots, launching.

Memory model
------------
A kernel runs *phases*; in each, every program writes its own slot, and in the next it reads the
slots of all. Between two phases of a launch lies a barrier over all programs of a sample.

No stale data. Every thread of a program has done its stores before ``debug_barrier`` (bar.sync),
after which one thread adds to the counter with release semantics at the scope of the card; bar.sync
and release are cumulative, so that the stores of all threads precede the addition. A program goes
on once an atomic addition of nothing, with acquire semantics, has read a full counter; that
addition is made by one thread and its result handed to all, so that no threads of a program
disagree, and a second bar.sync puts the loads of all threads behind it. What other programs wrote
is moreover read from the second-level cache (``.cg``), which is the only one that all
multiprocessors share: no line of a first-level cache that was filled too early can be used.

No slot is overwritten while it is read. Slots are double: phase p writes slot p % 2, phase p + 1
reads it. Whoever writes it again, in phase p + 2, has passed the barrier behind phase p + 1, which
all programs reach only after they have read.

No deadlock. Counters only grow within a launch, so that no arrival is missed; each launch has new
ones of zeros, set by an operator before it on the same stream. A waiting program needs all others
of its sample on the card at the same time: a launch has no more programs than the card has
multiprocessors, each of which holds at least one, and where triton can, the launch is cooperative:
the driver then starts all programs at once or refuses, beside whatever else runs on the card.

The interpreter runs programs one after another, where a barrier would wait forever; a launch of a
single phase has none, and the end of a launch orders everything. State between phases is kept in
memory for that; see :func:`launch`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
import triton
import triton.language as tl

BLOCKS = (32, 64, 128, 256)
"""Tokens of a program: as few as fit the card, for the least work between two barriers."""


@triton.jit
def wait_for_all(counter, target):
    """Barrier over all programs that count here; `target` arrivals end it."""
    tl.debug_barrier()
    tl.atomic_add(counter, 1, sem="release", scope="gpu")
    while tl.atomic_add(counter, 0, sem="acquire", scope="gpu") < target:
        pass
    tl.debug_barrier()


@triton.jit
def announce(values, tokens, slot, score, own, n):
    """Write a program's best score and the first of its tokens that has it into its slot."""
    best = tl.max(score, 0)
    tl.store(values + slot, best)
    tl.store(tokens + slot, tl.min(tl.where(score == best, own, n), 0))


@triton.jit
def winner(values, tokens, programs, n, PROGRAMS: tl.constexpr):
    """The best score in all slots and its token, the earliest among equals."""
    lane = tl.arange(0, PROGRAMS)
    there = lane < programs
    scores = tl.load(values + lane, mask=there, other=-float("inf"), cache_modifier=".cg")
    owners = tl.load(tokens + lane, mask=there, other=n, cache_modifier=".cg")
    best = tl.max(scores, 0)
    # Where a score is no number none is equal to the best; no place outside is read for that.
    return best, tl.minimum(tl.min(tl.where(scores == best, owners, n), 0), n - 1)


@dataclass(frozen=True)
class Plan:
    """How the tokens of a batch are dealt out.

    Attributes
    ----------
    block : int
        Tokens of a program, a power of two.
    programs : int
        Programs of a sample.
    samples : int
        Samples of a launch.
    by_phase : bool
        One launch a phase, for where programs do not run at the same time.
    """

    block: int
    programs: int
    samples: int
    by_phase: bool = False


def plan(n: int, batch: int, resident: int) -> Plan | None:
    """The least work a program with which a launch fits the card; None where none does.

    Parameters
    ----------
    n, batch : int
        Tokens of a sample, and samples.
    resident : int
        Programs that are sure to be on the card at the same time.
    """
    for block in BLOCKS:
        programs = -(-n // block)
        if programs * batch <= resident:
            return Plan(block, programs, batch)
    return Plan(block, programs, resident // programs) if programs <= resident else None


def device_plan(n: int, batch: int, device: torch.device) -> Plan | None:
    """The plan for a card; for the CPU, where triton interprets, one program that holds all."""
    if device.type != "cuda":
        return Plan(triton.next_power_of_2(max(n, 1)), 1, batch)
    return plan(n, batch, torch.cuda.get_device_properties(device).multi_processor_count)


def launch(
    kernel: Any,
    dealt: Plan,
    phases: int,
    arguments: Callable[[slice], tuple[Any, ...]],
    like: torch.Tensor,
    **constants: Any,
) -> None:
    """Run all phases of a kernel on all samples, in as few launches as the plan allows.

    Parameters
    ----------
    kernel
        Takes the arguments, then slots (values, tokens), counter, first and last phase and the
        constants BLOCK and PROGRAMS. Loads its state where the first phase is not 0, and stores
        it in the end.
    dealt : Plan
        How it is dealt out.
    phases : int
        Their number.
    arguments : callable
        From a slice of samples to what the kernel gets first.
    like : torch.Tensor
        ``[batch, ...]``: device, and dtype of the slots' values.
    **constants
        Further constants.
    """
    batch, device = like.shape[0], like.device
    options: dict[str, Any] = {}
    if device.type == "cuda":
        # One stage: no load is moved ahead, out of the phase that it belongs to.
        options = {"num_warps": 4 if dealt.block < 128 else 8, "num_stages": 1}
        options["enable_fp_fusion"] = True  # said, because its default is about to change
        if _cooperative():
            options["launch_cooperative_grid"] = True
    steps = [(p, p + 1) for p in range(phases)] if dealt.by_phase else [(0, phases)]
    with torch.cuda.device(device) if device.type == "cuda" else nullcontext():
        for start in range(0, batch, dealt.samples):
            some = slice(start, min(batch, start + dealt.samples))
            count = some.stop - some.start
            values = like.new_empty(count, 2, dealt.programs)
            tokens = values.new_empty(values.shape, dtype=torch.int32)
            for first, last in steps:
                counter = tokens.new_zeros(count)
                kernel[(dealt.programs, count)](
                    *arguments(some), values, tokens, counter, first, last,
                    BLOCK=dealt.block, PROGRAMS=triton.next_power_of_2(dealt.programs),
                    **constants, **options,
                )  # fmt: skip


@cache
def _cooperative() -> bool:
    """Whether this triton release launches cooperatively."""
    from triton.backends.nvidia.compiler import CUDAOptions

    return "launch_cooperative_grid" in CUDAOptions.__dataclass_fields__
