"""The kernels on a real card, against the CPU."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from pruneviz.ops import diversity_profile, pick_profile, plain_only, transition_stats

pytest.importorskip("triton", reason="triton is not installed")
pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="kernels run on NVIDIA cards and this machine has none"
)


def stacked(*given: Any) -> torch.Tensor:
    return torch.stack(tuple(transition_stats(*given)))


@pytest.mark.parametrize(
    ("batch", "n", "k"), [(1, 576, 128), (1, 2880, 360), (8, 576, 72), (40, 1296, 20), (2, 5, 5)]
)
def test_picks_are_those_of_the_cpu(batch: int, n: int, k: int) -> None:
    generator = torch.Generator().manual_seed(n)
    features = torch.randn(batch, n, 1024, generator=generator)
    weight = torch.rand(batch, n, generator=generator)
    weight[:, ::7] = 0
    for given in (None, torch.randint(n, (batch,), generator=generator)):
        wanted = pick_profile(features, weight, k, given)
        got = pick_profile(
            features.cuda(), weight.cuda(), k, None if given is None else given.cuda(), True
        )
        assert torch.equal(got[0].cpu(), wanted[0])
        assert torch.allclose(got[1].cpu(), wanted[1], rtol=1e-4)
    on_card = features.cuda()
    with plain_only():
        wanted = diversity_profile(on_card, k)
    got = diversity_profile(on_card, k, True)
    assert all(torch.equal(a, b) for a, b in zip(got, wanted, strict=True))


def test_many_launches_one_after_another_agree() -> None:
    """What is read too early or counted wrong shows in one run of many."""
    features = torch.randn(4, 900, 256, device="cuda")
    weight = torch.rand(4, 900, device="cuda")
    first = pick_profile(features, weight, 100, use_kernel=True)
    for _ in range(50):
        again = pick_profile(features, weight, 100, use_kernel=True)
        assert all(torch.equal(a, b) for a, b in zip(again, first, strict=True))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_statistics_are_those_of_the_cpu(dtype: torch.dtype) -> None:
    before, after, stream = (torch.randn(2, 70, 4096).to(dtype) for _ in range(3))
    wanted = stacked(before, after, stream)
    got = stacked(before.cuda(), after.cuda(), stream.cuda(), True)
    assert torch.allclose(got.cpu(), wanted, rtol=1e-5, atol=1e-3)
