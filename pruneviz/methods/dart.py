"""DART: what repeats least of a few pivots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch
from torch.nn.functional import normalize

from pruneviz.methods.base import (
    BUDGET,
    Card,
    Choice,
    Formula,
    Method,
    Needs,
    Positions,
    Scores,
    Stage,
    StageContext,
    check_choice,
)
from pruneviz.ops import products, taken_at

LAYER, PIVOTS = 2, 4
"""As published."""
ORDERS = ("set", "norm")


@dataclass(frozen=True, kw_only=True)
class DART(Method):
    """Keep a few pivots and, for each in turn, the patches that are least like it.

    Parameters
    ----------
    prune_layer : int
        1-based decoder layer after which is pruned; published: 2.
    image_pivots, text_pivots : int
        How many patches, and how many text tokens after the image, are pivots: those whose keys
        in the pruning layer have the largest sum of absolute values. Published: 4 and 4. Text
        pivots only steer.
    pivots : {"set", "norm"}
        In which order the pivots take what is left. ``"set"``, the default, is the published
        code's: that in which CPython walks through a set of their places in the prompt, spelled
        out here, so that no interpreter changes it; the same picture behind a longer prompt may
        be pruned differently. ``"norm"`` goes by the keys, patches first.
    keep_ratio, keep_tokens, num_layers
        See :class:`~pruneviz.methods.base.Method`. The count is of all that is kept, the image
        pivots among them: 68 is what the published setting of 64 keeps. What does not go evenly
        into all pivots gives the first of them one more.

    Notes
    -----
    DART (EMNLP 2025, arXiv 2502.11494), as its published code: cosines of the states between two
    layers after the LLM's final norm, keys after RoPE, original positions kept. Ties go to the
    earlier patch. The score of a kept patch says when it was taken, of another how unlike the
    pivots it is at most.
    """

    name: ClassVar[str] = "dart"
    card: ClassVar[Card] = Card(
        title="DART",
        summary=(
            "Keeps, after an early LLM layer, a few pivots and the patches that repeat least of "
            "them; pivots are patches and words with large keys."
        ),
        decides="how little a token repeats of a few pivots",
        standing="equal to its code on 2 reference runs",
        paper="https://arxiv.org/abs/2502.11494",
        formula=Formula(
            (
                (r"n_i = ∑_h |k_{h, i}|_1", "size of the keys in layer L"),
                (r"p = \text{the 4 patches and 4 words of largest } n", "pivots"),
                (r"kept = \text{the } q \text{ smallest } cos(x_p, x_i)", "for each pivot in turn"),
                (r"q = ⌊\frac{K - 4}{8}⌋", "one more for the first, until K are kept"),
                (r"K = ⌊r N⌋", "the 4 patches among them"),
            ),
            (
                ("k", "keys after RoPE"),
                ("L", f"the layer after which patches are dropped: {LAYER}, as published"),
                ("x", "states after layer L, through the LLM's final norm"),
                BUDGET,
            ),
            "As in the published code, whose number of 64 keeps 68. It works off the pivots in the "
            "order of a Python set of their places; pivots=norm does not depend on that.",
        ),
        terms={"difference": "1 minus the cosine with the pivot that it is least like"},
        options=(
            Choice("pivots", "Whose turn it is: as published, or by the size of keys.", ORDERS),
        ),
    )
    positions: ClassVar[Positions] = "keep"
    default_ratio: ClassVar[float] = 132 / 576

    prune_layer: int = LAYER
    image_pivots: int = PIVOTS
    text_pivots: int = PIVOTS
    pivots: str = "set"

    def __post_init__(self) -> None:
        """Check the numbers."""
        for what, least in (("prune_layer", 1), ("image_pivots", 1), ("text_pivots", 0)):
            value = getattr(self, what)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ValueError(f"{what} must be a whole number from {least}, not {value!r}.")
        check_choice(self.pivots, "pivots", ORDERS)
        super().__post_init__()

    @classmethod
    def for_depth(cls, num_layers: int, **settings: Any) -> Self:
        """Published layer 2, or 1 on a model of two layers."""
        settings.setdefault("prune_layer", max(1, min(LAYER, num_layers - 1)))
        return super().for_depth(num_layers, **settings)

    @property
    def needs(self) -> Needs:
        """Keys inside `prune_layer`, and words for the pivots."""
        return Needs(own_attention=True, words=self.text_pivots)

    @property
    def batched(self) -> bool:
        """Always."""
        return True

    def stages(self) -> tuple[Stage, ...]:
        """After `prune_layer`."""
        return (Stage(self.prune_layer),)

    def score(self, context: StageContext, stage: Stage, keep: int) -> Scores:
        """Which patches the pivots take, one pivot after another."""
        image = _largest(context.own_keys("visual"), min(self.image_pivots, keep))
        text = _largest(context.own_keys("after_image"), self.text_pivots, context.real_text())
        unit = normalize(context.normed_states("visual").float(), dim=-1)
        words = taken_at(context.normed_states("after_image"), text)
        pivots = torch.cat([taken_at(unit, image), normalize(words.float(), dim=-1)], -2)
        alike = products(pivots, unit)
        if self.pivots == "set":
            here, there = (context.prompt_places(part) for part in ("visual", "after_image"))
            places = torch.cat([here.gather(-1, image), there.gather(-1, text)], -1)
            alike = taken_at(alike, _turns(places))
        taken = torch.zeros(unit.shape[:-1], dtype=torch.bool, device=unit.device)
        taken.scatter_(-1, image, True)
        picked = [image]
        each, more = divmod(keep - image.shape[-1], alike.shape[-2])
        for turn, likeness in enumerate(alike.unbind(-2)):
            rest = likeness.masked_fill(taken, torch.inf)
            own = torch.sort(rest, dim=-1, stable=True).indices[..., : each + (turn < more)]
            taken.scatter_(-1, own, True)
            picked.append(own)
        kept = torch.cat(picked, -1)
        difference = 1 - alike.amin(-2)
        count = kept.shape[-1]
        late = torch.arange(count, 0, -1, device=unit.device) / count
        total = (difference / 2).scatter(-1, kept, (1 + late).expand_as(kept))
        return Scores(total, {"difference": difference}, kept.sort(-1).values)


def _turns(places: torch.Tensor) -> torch.Tensor:
    """Which pivot of those at these places of the prompt ``[..., p]`` comes when, int64."""
    # The one wait for the device: a set's order follows from the places themselves.
    listed = places.tolist()
    order = [_turn(own) for own in listed] if places.ndim > 1 else _turn(listed)
    return torch.tensor(order).to(places.device, non_blocking=True)


def _turn(places: list[int]) -> list[int]:
    return [places.index(place) for place in set_order(places)]


def _largest(keys: torch.Tensor, count: int, real: torch.Tensor | None = None) -> torch.Tensor:
    """Places of the keys ``[..., n, heads, d]`` of largest 1-norm, the largest first.

    Those that are not `real` ``[..., n]`` come last.
    """
    size = keys.float().abs().sum((-2, -1))
    if real is not None:
        size = torch.where(real, size, -1)
    return torch.sort(size, dim=-1, descending=True, stable=True).indices[..., :count]


def set_order(values: Sequence[int]) -> list[int]:
    """The order in which CPython 3.7 to 3.13 walks through ``set(values)``.

    Parameters
    ----------
    values : sequence of int
        Different whole numbers from 0, in the order in which they are put in.

    Notes
    -----
    A table of 8 places that grows fourfold beyond three fifths; a number's place is its remainder,
    and if that is taken one of the nine after it, or a place far off.
    """
    table: list[int | None] = [None] * 8
    for used, value in enumerate(values, 1):
        _insert(table, value)
        if 5 * used >= 3 * (len(table) - 1):
            size = 8
            while size <= 4 * used:
                size *= 2
            before, table = table, [None] * size
            for held in before:
                if held is not None:
                    _insert(table, held)
    return [value for value in table if value is not None]


def _insert(table: list[int | None], value: int) -> None:
    mask, place, rest = len(table) - 1, value & (len(table) - 1), value
    while True:
        near = 9 if place + 9 <= mask else 0
        for probe in range(place, place + near + 1):
            if table[probe] is None:
                table[probe] = value
                return
        rest >>= 5
        place = (place * 5 + 1 + rest) & mask
