"""ToMe: the most alike tokens merge until few are left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from pruneviz.methods.base import (
    BUDGET,
    BeforeLLM,
    Card,
    Formula,
    Merge,
    Needs,
    Scores,
    Stage,
    StageContext,
)
from pruneviz.ops import bipartite_merge, group_sizes, split_budget


@dataclass(frozen=True, kw_only=True)
class ToMe(BeforeLLM):
    """Merge similar tokens before the LLM; nothing is lost, much is averaged.

    In rounds, every second token finds its most similar partner among the others, and the most
    similar pairs become one, averaged by how many tokens are already in each.

    Parameters
    ----------
    keep_ratio, keep_tokens, num_layers
        See :class:`~pruneviz.methods.base.Method`.

    Notes
    -----
    Token Merging (ICLR 2023, arXiv 2210.09461), section 3, which merges a few tokens in each
    layer of a vision encoder by the keys of its attention. Here all merging is done at once in
    the LLM's input space by cosine similarity, as the method is used as a peer for language
    models; images are never mixed. The score is how many tokens went into each.
    """

    name: ClassVar[str] = "tome"
    card: ClassVar[Card] = Card(
        title="ToMe",
        summary=(
            "Before the LLM, merges the most similar patches step by step; the question plays no "
            "part."
        ),
        decides="the most alike tokens merge, step by step",
        standing="adapted: all merging at once before the LLM",
        paper="https://arxiv.org/abs/2210.09461",
        formula=Formula(
            (
                (r"p(i) = argmax_{j ∈ B} cos(v_i, v_j), i ∈ A", "partners"),
                (r"v_j ← \frac{n_j v_j + n_i v_i}{n_j + n_i}", "for the most alike pairs"),
                (r"K = ⌊r N⌋", "tokens left in the end"),
            ),
            (
                ("A, B", "every second token, and those between; anew in each round"),
                ("v_i", "token i as it enters the LLM"),
                ("n_i", "how many patches are in it already"),
                BUDGET,
            ),
            "The paper merges a few tokens in every layer of a vision encoder, by its keys; here "
            "all are merged at once before the LLM, as the method is used as a peer.",
        ),
        terms={
            "size": "how many patches went into the token",
        },
        merges=True,
    )

    @property
    def needs(self) -> Needs:
        """Which tokens are of one image."""
        return Needs(grid=True)

    @property
    def batched(self) -> bool:
        """Always."""
        return True

    def score(self, context: StageContext, stage: Stage, keep: int) -> Scores:
        """Sizes of the groups, and the merged tokens."""
        states = context.visual_features()
        rows, total = states.shape[:-1], states.shape[-2]
        if keep >= total:
            return Scores(torch.ones(rows, device=states.device))
        images = context.images()
        sizes = images if keep >= len(images) else (total,)
        shares = split_budget(keep, sizes)
        made = [
            bipartite_merge(own, share)
            for own, share in zip(states.split(list(sizes), -2), shares, strict=True)
        ]
        merge = Merge.joined(
            [Merge(new.to(states.dtype), anchors, into, anchors) for new, anchors, into in made]
        )
        size = group_sizes(merge.into, keep)
        found = torch.zeros(rows, device=states.device).scatter(-1, merge.anchors, size)
        return Scores(found, {"size": found}, merge=merge)
