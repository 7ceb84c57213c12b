"""What happens to tokens inside the decoder while it trains: how far a layer moves each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from transformers import LlamaModel


@dataclass
class Watched:
    """Filled while the decoder runs.

    Attributes
    ----------
    moves : list of Tensor, each float32 of shape (batch, visual)
        Of each attention and feed-forward module of the watched layers: length of its output
        over that of its input, times e to the power of one minus their cosine. TransPrune's
        token transition before its softmax (TransPrune, equations 3 to 5).
    excess : list of Tensor, scalars
        Mean square of what a layer's outputs exceed the root mean square of 3 by.
    """

    moves: list[Tensor] = field(default_factory=list)
    excess: list[Tensor] = field(default_factory=list)

    def quiet_loss(self, thing: Tensor, seen: Tensor) -> Tensor:
        """Return how much more than a third of the things' moves the background's are.

        Parameters
        ----------
        thing, seen : Tensor, bool, shape (batch, visual)
            Patches that show a thing, and those that are seen at all.
        """
        shown, rest = thing & seen, ~thing & seen
        total = thing.new_zeros((), dtype=torch.float32)
        for moves in self.moves:
            logs = moves.clamp_min(1e-6).log()
            ahead = _mean(logs, shown) - _mean(logs, rest)
            total = total + torch.relu(1.1 - ahead)
        return total / max(1, len(self.moves))

    def norm_loss(self) -> Tensor:
        """Return the mean excess of all layers."""
        return torch.stack(self.excess).mean()


def _mean(values: Tensor, chosen: Tensor) -> Tensor:
    weight = chosen.float()
    return (values * weight).sum() / weight.sum().clamp_min(1)


@contextmanager
def watch(decoder: LlamaModel, layers: range, first: int, count: int) -> Iterator[Watched]:
    """Watch visual tokens in some layers, and the length of all states in all layers.

    Parameters
    ----------
    decoder : LlamaModel
        What is watched.
    layers : range
        Layers, counted from 0, whose modules' moves are kept.
    first, count : int
        Where the visual tokens begin, and how many there are.
    """
    watched = Watched()

    def moved(module: Any, args: Any, kwargs: dict[str, Any], out: Any) -> None:
        given = kwargs["hidden_states"] if "hidden_states" in kwargs else args[0]
        out = out[0] if isinstance(out, tuple) else out
        before, after = (t[:, first : first + count].float() for t in (given, out))
        sizes = before.norm(dim=-1).clamp_min(1e-6), after.norm(dim=-1).clamp_min(1e-6)
        cosine = (before * after).sum(-1) / (sizes[0] * sizes[1])
        watched.moves.append(sizes[1] / sizes[0] * torch.exp(1 - cosine))

    def long(module: Any, args: Any, out: Any) -> None:
        out = out[0] if isinstance(out, tuple) else out
        size = out.float().square().mean(-1).add(1e-6).sqrt()
        watched.excess.append(torch.relu(size - 3).square().mean())

    hooks = [layer.register_forward_hook(long) for layer in decoder.layers]
    for index in layers:
        layer = decoder.layers[index]
        for module in (layer.self_attn, layer.mlp):
            hooks.append(module.register_forward_hook(moved, with_kwargs=True))
    try:
        yield watched
    finally:
        for hook in hooks:
            hook.remove()
