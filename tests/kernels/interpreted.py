"""Run by test_interpreted.py in a process of its own, where triton interprets its kernels.

Programs run one after another there. As many programs as there are blocks are therefore launched
once a phase, the end of a launch standing in for the barrier; a single program runs all phases.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch

from pruneviz.ops import diversity_profile, dpp_profile, pick_profile, plain_only, transition_stats
from pruneviz.ops.kernels import cholesky, farthest, plain
from pruneviz.ops.kernels.grid import Plan

CASES = [
    *((kind, 2, 11, 4, 11) for kind in ("random", "tied", "duplicates", "orthogonal", "zeros")),
    *(("random", *shape) for shape in ((1, 1, 3, 1), (1, 1, 3, 0), (3, 13, 20, 9), (1, 9, 2, 5))),
]
"""Kind of rows, samples, tokens, width, picks."""


def rows_of(kind: str, batch: int, n: int, d: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(n)
    rows = torch.randn(batch, n, d, generator=generator, dtype=torch.float64)
    if kind == "tied":
        return rows.sign()
    if kind == "duplicates":
        return rows[:, torch.randint(n, (n,), generator=generator)]
    if kind == "orthogonal":
        return torch.eye(n, d, dtype=torch.float64).expand(batch, n, d).contiguous()
    return torch.zeros_like(rows) if kind == "zeros" else rows


def dealt(n: int, batch: int) -> list[Plan | None]:
    """One program, and several; the latter with fewer samples a launch than there are."""
    return [None, Plan(4, -(-n // 4), max(1, batch - 1), True)]


@pytest.mark.parametrize("seeded", [False, True])
@pytest.mark.parametrize(("kind", "batch", "n", "d", "k"), CASES)
def test_residual_picks(kind: str, batch: int, n: int, d: int, k: int, seeded: bool) -> None:
    rows = rows_of(kind, batch, n, d)
    generator = torch.Generator().manual_seed(7)
    may = torch.rand(batch, n, generator=generator) > 0.3
    seed = torch.randint(n, (batch,), generator=generator) if seeded and k else None
    wanted = plain.cholesky_picks(rows, may, k, seed, 1e-13)
    picked = torch.zeros(batch, n + 1).scatter(1, wanted[0], 1.0)[:, :n].bool()
    for plan in dealt(n, batch):
        got = cholesky.picks(rows, may, k, seed, 1e-13, plan)
        assert got is not None
        assert torch.equal(got[0], wanted[0])
        real = wanted[0] < n
        assert torch.allclose(got[1][real], wanted[1][real], rtol=1e-9, atol=1e-12)
        assert torch.allclose(got[2][~picked], wanted[2][~picked].clamp_min(0), atol=1e-10)
        assert torch.allclose(got[3], wanted[3])


def stacked(*given: Any, **settings: Any) -> torch.Tensor:
    return torch.stack(tuple(transition_stats(*given, **settings)))


@pytest.mark.parametrize(("kind", "batch", "n", "d", "k"), CASES)
def test_farthest_picks(kind: str, batch: int, n: int, d: int, k: int) -> None:
    unit = torch.nn.functional.normalize(rows_of(kind, batch, n, d).float(), dim=-1)
    apart = 1 - unit @ unit.mT
    nearest = apart.clone()
    nearest.diagonal(dim1=1, dim2=2).fill_(torch.inf)
    wanted = plain.farthest_picks(apart, nearest.amin(1), k)
    for plan in dealt(n, batch):
        got = farthest.picks(apart, nearest.amin(1), k, plan)
        assert got is not None
        assert all(torch.equal(a, b) for a, b in zip(got, wanted, strict=True))


def test_float32_picks_the_same_up_to_the_rank() -> None:
    rows = rows_of("random", 2, 14, 8)
    may = torch.ones(2, 14, dtype=torch.bool)
    wanted = plain.cholesky_picks(rows, may, 8, None, 1e-13)
    for plan in dealt(14, 2):
        got = cholesky.picks(rows.float(), may, 12, None, 1e-13, plan)
        assert got is not None
        assert torch.equal(got[0][:, :8], wanted[0])
        # What is left beyond the rank is rounding, and counts as nothing.
        assert (got[0][:, 8:] == 14).all()


def test_fast_float32_products_do_not_enter() -> None:
    rows = rows_of("random", 1, 22, 12).float()
    torch.set_float32_matmul_precision("medium")
    try:
        assert torch.equal(cholesky._products(rows), (rows.double() @ rows.double().mT).float())
    finally:
        torch.set_float32_matmul_precision("highest")


def test_profiles_choose_the_kernel() -> None:
    features = rows_of("random", 3, 14, 6).float()
    weight = torch.rand(3, 14, generator=torch.Generator().manual_seed(1))
    weight[1, ::3] = 0
    for profile in (
        lambda kernel: pick_profile(features, weight, 11, use_kernel=kernel),
        lambda kernel: pick_profile(features, weight, 11, torch.tensor([3, 0, 13]), kernel),
        lambda kernel: pick_profile(features[0], weight[0], 14, 5, use_kernel=kernel),
        lambda kernel: dpp_profile(features, weight, 11, use_kernel=kernel),
        lambda kernel: diversity_profile(features, 11, use_kernel=kernel),
        lambda kernel: diversity_profile(features[0], 14, use_kernel=kernel),
    ):
        with plain_only():
            wanted = profile(None)
        got = profile(True)
        assert torch.equal(got[0], wanted[0])
        assert torch.allclose(got[1], wanted[1], atol=1e-12)
        assert torch.allclose(got[2], wanted[2], atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(3, 40), (2, 2, 2500), (2, 2, 1, 7), (2, 0, 4)])
def test_transition_statistics(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(0)
    before, after, stream = (torch.randn(shape, generator=generator).to(dtype) for _ in range(3))
    for given in (None, stream):
        wanted = stacked(before, after, given, use_kernel=False)
        got = stacked(before, after, given, use_kernel=True)
        assert got.dtype == torch.float32
        assert got.shape == wanted.shape == (3 if given is None else 4, *shape[:-1])
        assert torch.allclose(got, wanted, rtol=1e-5, atol=1e-5)


def test_transition_statistics_of_parts_of_tensors() -> None:
    whole = torch.randn(3, 9, 16, generator=torch.Generator().manual_seed(0))
    before, after, turned = whole[:, 2:6], whole[:, 5:9], whole[:, :4, ::2]
    wanted = stacked(before, after, use_kernel=False)
    assert torch.allclose(stacked(before, after, use_kernel=True), wanted, atol=1e-5)
    wanted = stacked(turned, turned, use_kernel=False)
    assert torch.allclose(stacked(turned, turned, use_kernel=True), wanted, atol=1e-5)
