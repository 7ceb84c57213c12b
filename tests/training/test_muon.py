"""Stacked Muon is torch's Muon, matrix by matrix."""

import copy

import pytest
import torch
from torch import nn

from training.muon import StackedMuon, orthogonal


def test_turned_matrices_have_singular_values_near_one():
    generator = torch.Generator().manual_seed(0)
    for shape in ((3, 8, 8), (2, 4, 16), (2, 16, 4)):
        turned = orthogonal(torch.randn(shape, generator=generator)).float()
        assert turned.shape == shape
        values = torch.linalg.svdvals(turned)
        assert values.min() > 0.5
        assert values.max() < 1.3


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="torch has Muon from 2.9 on")
def test_it_takes_the_steps_of_torch():
    torch.manual_seed(0)
    ours = nn.ModuleList(nn.Linear(a, b, bias=False) for a, b in ((8, 8), (8, 8), (8, 24), (24, 8)))
    theirs, first = copy.deepcopy(ours), copy.deepcopy(ours)
    one = StackedMuon(ours.parameters(), lr=0.01, weight_decay=0.1)
    other = torch.optim.Muon(
        theirs.parameters(), lr=0.01, weight_decay=0.1, adjust_lr_fn="match_rms_adamw"
    )
    given = torch.randn(32, 8)
    for _ in range(4):
        for module, optimizer in ((ours, one), (theirs, other)):
            optimizer.zero_grad()
            wide = module[1](module[0](given))
            (module[3](module[2](wide)) - wide).square().sum().backward()
            optimizer.step()
    # Sums in bfloat16 are rounded in another order: a part of all that was learned.
    for a, b, c in zip(*(m.parameters() for m in (ours, theirs, first)), strict=True):
        assert (a - b).norm() < 0.1 * (b - c).norm()


def test_a_matrix_without_a_gradient_stays():
    used, idle = (nn.Parameter(torch.eye(4)) for _ in range(2))
    used.grad = torch.ones(4, 4)
    StackedMuon([used, idle], lr=0.1).step()
    assert torch.equal(idle, torch.eye(4))
    assert not torch.equal(used, torch.eye(4))
