"""Which version runs, how work is dealt out, and what comes of a kernel that cannot run."""

from __future__ import annotations

import warnings
from types import SimpleNamespace

import pytest
import torch

from pruneviz.ops import pick_profile, plain_only, transition_stats
from pruneviz.ops.kernels import kernel_dtype
from pruneviz.ops.kernels.switch import attempt, wanted
from pruneviz.pruning.counting import FlopCounter


def on_a_card() -> torch.Tensor:
    return SimpleNamespace(is_cuda=True)  # type: ignore[return-value]


def test_kernels_are_for_cards_alone() -> None:
    pytest.importorskip("triton")
    assert wanted(on_a_card(), None)
    assert not wanted(torch.zeros(1), None)
    assert wanted(torch.zeros(1), True)
    assert not wanted(on_a_card(), False)
    with plain_only():
        assert not wanted(on_a_card(), None)
    assert wanted(on_a_card(), None)


def test_what_counts_arithmetic_sees_all_of_it() -> None:
    pytest.importorskip("triton")
    with FlopCounter():
        assert not wanted(on_a_card(), None)
    assert wanted(on_a_card(), None)
    features, weight = torch.rand(30, 8), torch.rand(30)
    counts = []
    for picks in (1, 28):
        with FlopCounter() as counter:
            pick_profile(features, weight, picks)
        counts.append(counter.products)
    # The Gram matrix, and at each pick a product with all earlier ones.
    assert counts[0] >= 2 * 30 * 30 * 8
    assert counts[1] - counts[0] >= 2 * 30 * 28 * 27 // 2


def test_without_triton_plain_torch_runs(monkeypatch) -> None:
    monkeypatch.setattr("pruneviz.ops.kernels.switch._installed", lambda: False)
    assert not wanted(on_a_card(), None)


@pytest.mark.parametrize(
    ("capability", "dtype"),
    [
        ((8, 0), torch.float64),
        ((9, 0), torch.float64),
        ((8, 6), torch.float32),
        ((12, 0), torch.float32),
    ],
)
def test_float64_where_a_card_has_it(monkeypatch, capability, dtype) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert kernel_dtype("cuda:0") == dtype
    assert kernel_dtype("cpu") == torch.float64


def test_a_kernel_that_fails_is_replaced_with_one_warning() -> None:
    tried = []

    def fails() -> str:
        tried.append(1)
        raise RuntimeError("no compiler")

    with pytest.warns(RuntimeWarning, match="replaced by plain torch.*no compiler"):
        assert attempt("a test", fails, lambda: "plain", None) == "plain"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert attempt("a test", fails, lambda: "plain", None) == "plain"
    assert len(tried) == 1
    assert attempt("another test", lambda: "kernel", lambda: "plain", None) == "kernel"
    with pytest.raises(RuntimeError, match="no compiler"):
        attempt("a third test", fails, lambda: "plain", True)


@pytest.mark.parametrize("resident", [1, 20, 108, 132])
@pytest.mark.parametrize("batch", [1, 8, 64])
@pytest.mark.parametrize("n", [1, 33, 576, 2880, 20_000])
def test_all_programs_of_a_launch_fit_the_card(n: int, batch: int, resident: int) -> None:
    grid = pytest.importorskip("pruneviz.ops.kernels.grid")
    dealt = grid.plan(n, batch, resident)
    if dealt is None:
        assert n > resident * max(grid.BLOCKS)
        return
    assert dealt.programs * dealt.block >= n > (dealt.programs - 1) * dealt.block
    assert 1 <= dealt.samples <= batch
    assert dealt.programs * dealt.samples <= resident
    smaller = [block for block in grid.BLOCKS if block < dealt.block]
    assert all(-(-n // block) * batch > resident for block in smaller), "the least work that fits"


def test_statistics_of_unlike_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="one shape"):
        transition_stats(torch.zeros(2, 3), torch.zeros(2, 4))
    with pytest.raises(ValueError, match="one shape"):
        transition_stats(torch.zeros(2, 3), torch.zeros(2, 3), torch.zeros(1, 3))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_statistics_are_summed_in_float32(dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(0)
    before, after, stream = (
        torch.randn(2, 3, 400, generator=generator).to(dtype) for _ in range(3)
    )
    got = torch.stack(tuple(transition_stats(before, after, stream)))
    x, y, z = before.double(), after.double(), stream.double()
    exact = torch.stack([x.norm(dim=-1), y.norm(dim=-1), (x * y).sum(-1), z.norm(dim=-1)])
    assert got.dtype == torch.float32
    assert torch.allclose(got.double(), exact, rtol=2e-6, atol=2e-5)
    assert torch.equal(torch.stack(tuple(transition_stats(before, after))), got[:3])
