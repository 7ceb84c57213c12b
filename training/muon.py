"""Muon over stacks: matrices of one shape are turned in one go, whatever their number.

The update of a matrix is its momentum, made orthogonal by five Newton-Schulz iterations (Jordan
et al., "Muon: An optimizer for hidden layers in neural networks", 2024), scaled so that its
root mean square is that of an AdamW update (Liu et al., "Muon is scalable for LLM training",
2025, section 2.2). One launch serves all matrices of a shape, which a GPU that waits for
launches feels.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

# Coefficients of the quintic iteration, and how often it is applied.
_A, _B, _C = 3.4445, -4.7750, 2.0315
_ROUNDS = 5
_LEAST = 1e-7


def orthogonal(stack: Tensor) -> Tensor:
    """Return the matrices of a stack with their singular values brought near one.

    Parameters
    ----------
    stack : Tensor, shape (count, rows, columns)
        Any matrices.

    Returns
    -------
    Tensor, bfloat16, the same shape
    """
    tall = stack.shape[-2] > stack.shape[-1]
    x = stack.bfloat16()
    x = x.mT if tall else x
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp_min(_LEAST)
    for _ in range(_ROUNDS):
        square = x @ x.mT
        change = torch.baddbmm(square, square, square, beta=_B, alpha=_C)
        x = torch.baddbmm(x, change, x, beta=_A)
    return x.mT if tall else x


class StackedMuon(torch.optim.Optimizer):
    """Muon with decoupled weight decay and Nesterov momentum, all matrices of a shape at once.

    Parameters
    ----------
    params : iterable of Tensor
        Matrices.
    lr : float
        Learning rate.
    weight_decay : float
        Decoupled decay, times the rate.
    momentum : float
        Decay of the momentum.
    """

    def __init__(
        self, params: Iterable[Any], lr: float, weight_decay: float = 0.0, momentum: float = 0.95
    ) -> None:
        defaults = {"lr": lr, "weight_decay": weight_decay, "momentum": momentum}
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Update all matrices that have a gradient; a closure is not supported."""
        if closure is not None:
            raise ValueError("StackedMuon takes no closure.")
        for group in self.param_groups:
            shapes: dict[torch.Size, list[Tensor]] = defaultdict(list)
            for matrix in group["params"]:
                if matrix.grad is not None:
                    shapes[matrix.shape].append(matrix)
            for matrices in shapes.values():
                self._update(matrices, group)

    def _update(self, matrices: list[Tensor], group: dict[str, Any]) -> None:
        momenta = [
            self.state[m].setdefault("momentum_buffer", torch.zeros_like(m)) for m in matrices
        ]
        gradients = [m.grad for m in matrices if m.grad is not None]
        weight = 1 - group["momentum"]
        torch._foreach_lerp_(momenta, gradients, weight)
        ahead = torch._foreach_lerp(gradients, momenta, group["momentum"])
        turned = orthogonal(torch.stack(tuple(ahead))).to(matrices[0].dtype)
        scale = 0.2 * max(matrices[0].shape) ** 0.5
        torch._foreach_mul_(matrices, 1 - group["lr"] * group["weight_decay"])
        torch._foreach_add_(matrices, list(turned.unbind()), alpha=-group["lr"] * scale)
