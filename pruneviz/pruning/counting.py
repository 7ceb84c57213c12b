"""The arithmetic that choosing tokens takes, counted as it runs."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

REDUCTIONS = frozenset(
    {"sum", "mean", "linalg_vector_norm", "var", "_softmax", "prod", "amax", "amin", "max", "min"}
)
"""Operators that take one step for each number they are given, not for each they return."""

MOVES = frozenset({"clone", "copy", "_to_copy", "fill", "masked_fill", "where"})
"""Operators that only move numbers or write given ones."""


class FlopCounter(TorchDispatchMode):
    """Counts the floating-point operations of what runs inside it; may be entered again.

    Attributes
    ----------
    products : int
        Of matrix products, two for each multiply-accumulate, as PyTorch's own counter counts them.
    others : int
        Of everything else: one for each number that an operator makes, or that it sums up, and
        two for each multiply-accumulate of a matrix with a vector, which that counter leaves out.
    """

    def __init__(self) -> None:
        super().__init__()
        self.products = self.others = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.products + self.others

    def clear(self) -> None:
        """Begin anew."""
        self.products = self.others = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run an operator and count it."""
        given = kwargs or {}
        out = func(*args, **given)
        packet = func._overloadpacket
        if packet in flop_registry:
            self.products += int(flop_registry[packet](*args, **given, out_val=out))
        elif packet is torch.ops.aten.mv:
            self.others += 2 * args[0].numel()
        else:
            # Where an operator also tells places, the values come first.
            values = out[0] if isinstance(out, tuple) else out
            if isinstance(values, torch.Tensor) and values.is_floating_point():
                self.others += _steps(func, args, values)
        return out


def _steps(func: Any, args: tuple[Any, ...], out: torch.Tensor) -> int:
    name = func._schema.name.rpartition("::")[2].removesuffix("_")
    if name in REDUCTIONS and isinstance(args[0], torch.Tensor):
        return args[0].numel()
    if name == "index_add":
        return args[3].numel()
    if name == "cumsum":
        return out.numel()
    return out.numel() if torch.Tag.pointwise in func.tags and name not in MOVES else 0
