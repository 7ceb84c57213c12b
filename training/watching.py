"""What happens to tokens inside the decoder while it trains: how far a layer moves each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from transformers import LlamaModel
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

_NOWHERE = -1e4


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
    looks : dict of int to (Tensor, Tensor)
        Of each layer that is asked for: attention logits before any mask of the text after the
        picture to what stands before the picture, float32 [rows, heads, text, before], and to
        the picture, float32 [rows, heads, text, visual].
    """

    moves: list[Tensor] = field(default_factory=list)
    excess: list[Tensor] = field(default_factory=list)
    looks: dict[int, tuple[Tensor, Tensor]] = field(default_factory=dict)

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

    def look_loss(self, early: int, thing: Tensor, seen: Tensor, text: Tensor) -> Tensor:
        """Return how much the text looks too early, and at the background later on.

        Both are minus the logarithm of the share of attention that lies elsewhere. Before the
        layer `early` the text has no need of the picture; there, what it matches in it all the
        same should be things. From it on, what is not looked up rests before the picture.

        Parameters
        ----------
        early : int
            First layer in which the text may look.
        thing, seen : Tensor, bool, shape (rows, visual)
            Patches that show a thing, and those that are seen at all.
        text : Tensor, bool, shape (rows, text)
            Tokens that are no padding.
        """
        # A thing too small to own a patch cannot be looked at.
        weight = (text & thing.any(1, keepdim=True))[:, None].float()
        total = weight.new_zeros(())
        for layer, (before, visual) in self.looks.items():
            visual = visual.masked_fill(~seen[:, None, None], float("-inf"))
            # Not minus infinity: nothing times that would be no number.
            things = visual.masked_fill(~thing[:, None, None], _NOWHERE)
            rest, whole, shown = (t.logsumexp(-1) for t in (before, visual, things))
            if layer < early:
                off = torch.logaddexp(rest, whole) - rest + 0.5 * (whole - shown)
            else:
                off = torch.logaddexp(rest, whole) - torch.logaddexp(rest, shown)
            total = total + (off * weight).sum() / (weight.sum() * off.shape[1]).clamp_min(1)
        return total / max(1, len(self.looks))

    def norm_loss(self) -> Tensor:
        """Return the mean excess of all layers."""
        return torch.stack(self.excess).mean()


def _mean(values: Tensor, chosen: Tensor) -> Tensor:
    weight = chosen.float()
    return (values * weight).sum() / weight.sum().clamp_min(1)


@dataclass(frozen=True)
class Watching:
    """What is watched.

    Attributes
    ----------
    first, count : int
        Where the visual tokens begin, and how many there are.
    moves, looks : range
        Layers, counted from 0, whose modules' moves and whose looks are kept.
    rows : int
        How many rows' looks are kept: logits are large.
    """

    first: int
    count: int
    moves: range
    looks: range = range(0)
    rows: int = 0


@contextmanager
def watch(decoder: LlamaModel, plan: Watching) -> Iterator[Watched]:
    """Watch visual tokens in some layers, and the length of all states in all layers."""
    watched = Watched()
    picture = slice(plan.first, plan.first + plan.count)

    def moved(module: Any, args: Any, kwargs: dict[str, Any], out: Any) -> None:
        given = kwargs["hidden_states"] if "hidden_states" in kwargs else args[0]
        out = out[0] if isinstance(out, tuple) else out
        before, after = (t[:, picture].float() for t in (given, out))
        sizes = before.norm(dim=-1).clamp_min(1e-6), after.norm(dim=-1).clamp_min(1e-6)
        cosine = (before * after).sum(-1) / (sizes[0] * sizes[1])
        watched.moves.append(sizes[1] / sizes[0] * torch.exp(1 - cosine))

    def long(module: Any, args: Any, out: Any) -> None:
        out = out[0] if isinstance(out, tuple) else out
        size = out.float().square().mean(-1).add(1e-6).sqrt()
        watched.excess.append(torch.relu(size - 3).square().mean())

    def looked(module: Any, args: Any, kwargs: dict[str, Any], out: Any) -> None:
        given = kwargs["hidden_states"] if "hidden_states" in kwargs else args[0]
        logits = _logits(module, given[: plan.rows], kwargs["position_embeddings"], picture.stop)
        watched.looks[module.layer_idx] = logits[..., : plan.first], logits[..., picture]

    hooks = [layer.register_forward_hook(long) for layer in decoder.layers]
    for index in plan.moves:
        for module in (decoder.layers[index].self_attn, decoder.layers[index].mlp):
            hooks.append(module.register_forward_hook(moved, with_kwargs=True))
    for index in plan.looks:
        module = decoder.layers[index].self_attn
        hooks.append(module.register_forward_hook(looked, with_kwargs=True))
    try:
        yield watched
    finally:
        for hook in hooks:
            hook.remove()


def _logits(module: Any, hidden: Tensor, rotary: tuple[Tensor, Tensor], end: int) -> Tensor:
    """Attention logits of the tokens from `end` on to those before it, [rows, heads, text, end]."""
    shape = (*hidden.shape[:-1], -1, module.head_dim)
    turns = [table[: len(hidden)] for table in rotary]
    queries, keys = (
        project(hidden).view(shape).transpose(1, 2) for project in (module.q_proj, module.k_proj)
    )
    queries, keys = apply_rotary_pos_emb(queries, keys, *turns)
    return ((queries[:, :, end:] @ keys[:, :, :end].mT) * module.scaling).float()
