"""What a method may ask about one sample at one pruning stage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

import torch

from pruneviz.ops import split_budget


class StageContext(Protocol):
    """What a method may ask about one sample at one pruning stage.

    Everything is computed when asked for and only then. Shapes use ``n`` for the visual
    tokens still alive and ``d`` for the LLM's width. Where a method takes several samples at once
    (`Method.batched`) each shape has their number in front, but for :meth:`images` and
    :meth:`blocks`, which they share, and :meth:`crops`, which is then not to be had.
    """

    layer: int
    num_visual: int
    alive: torch.Tensor
    device: torch.device

    def transition(self, layers: tuple[int, ...]) -> torch.Tensor:
        """TTV summed over those of `layers` that have run: float32 ``[n]``."""
        ...

    def attention(self, queries: str, own_layer: bool = False) -> torch.Tensor:
        """Mean attention of the queries to each token, heads averaged: float32 ``[n]``.

        `queries` is ``"after_image"``, ``"last"``, ``"question"`` (content words) or
        ``"raters"`` (text that matches the picture; see `Needs.raters`). Taken in the decoder
        layer after the pruning layer or, with `own_layer`, inside it (see `Needs.own_attention`).
        Raises :class:`NoQueryError` where no such query exists.
        """
        ...

    def own_keys(self, tokens: str) -> torch.Tensor:
        """Keys after RoPE inside the pruning layer: ``[m, kv_heads, head_dim]``.

        `tokens` is ``"visual"`` (those alive) or ``"after_image"`` (text); see
        `Needs.own_attention`.
        """
        ...

    def normed_states(self, tokens: str) -> torch.Tensor:
        """States entering this stage, through the LLM's final norm: ``[m, d]``; likewise."""
        ...

    def prompt_places(self, tokens: str) -> torch.Tensor:
        """Places in the prompt, counted from 0 without padding: int64 ``[m]``; likewise."""
        ...

    def real_text(self) -> torch.Tensor | None:
        """Which text tokens after the image are a sample's own: bool ``[m]``; None = all.

        Of several samples those with fewer are filled up in front.
        """
        ...

    def visual_features(self) -> torch.Tensor:
        """Hidden states of the alive visual tokens entering this stage: ``[n, d]``."""
        ...

    def text_features(self) -> Text:
        """Input embeddings of the question's words ``[t, d]`` and how they were chosen."""
        ...

    def vision_significance(self, include_cls: bool) -> torch.Tensor:
        """FoPru's significance from the vision encoder: float32 ``[num_visual]``."""
        ...

    def attention_received(self) -> tuple[torch.Tensor, ...]:
        """Attention from all queries of a token's own crop, heads averaged.

        Of `Needs.encoder_layer` and of each of `Needs.further_layers`, float32 ``[num_visual]``.
        """
        ...

    def encoded(self) -> Encoded:
        """What the vision encoder left; see `Needs.encoder`."""
        ...

    def images(self) -> tuple[int, ...]:
        """Visual tokens of each image, one after another; one number where that is not known.

        A method that does not ask the encoder must say so (`Needs.grid`).
        """
        ...

    def crops(self) -> torch.Tensor:
        """The number of the crop, encoded on its own, that each token is from: int64 ``[n]``."""
        ...

    def blocks(self) -> tuple[tuple[int, int], ...]:
        """Rows and columns of each grid that the visual tokens form, one after another."""
        ...


@dataclass(frozen=True)
class Text:
    """The question's words.

    Attributes
    ----------
    features : torch.Tensor
        ``[t, d]``: their embeddings in the LLM's input space.
    sources : tuple of str
        How they were found, a sentence for each sample.
    real : torch.Tensor or None
        Bool ``[t]``, False at what fills a sample up that has fewer than another; None = all
        are words.
    """

    features: torch.Tensor
    sources: tuple[str, ...]
    real: torch.Tensor | None = None


@dataclass(frozen=True)
class Encoded:
    """What the vision encoder left for one sample; `n` are its visual tokens, in the LLM's order.

    Of several samples, whose images are of the same sizes, with their number in front.

    Attributes
    ----------
    attention : torch.Tensor
        Float32 ``[..., n]``: attention that each token receives, heads averaged. From the CLS
        token, or the mean over all queries where the encoder has none.
    keys : torch.Tensor
        ``[..., n, c]``: keys of the layer whose attention that is, heads averaged.
    features : torch.Tensor
        ``[..., n, d]``: the tokens that methods merge, `project` not yet applied.
    leading : torch.Tensor
        ``[..., images, d]``: the CLS tokens likewise; ``[..., 0, d]`` without CLS.
    final : callable
        Computes attention and keys of the layer after, taken as one head of full width: float32
        ``[..., n]`` and ``[..., n, c]``.
    project : callable
        From features to the LLM's input space.
    notes : tuple of str
        What stands in for what the encoder did not give.
    images : tuple of int
        Visual tokens of each image, one after another.
    """

    attention: torch.Tensor
    keys: torch.Tensor
    features: torch.Tensor
    leading: torch.Tensor
    final: Callable[[], tuple[torch.Tensor, torch.Tensor]]
    project: Callable[[torch.Tensor], torch.Tensor]
    notes: tuple[str, ...] = ()
    images: tuple[int, ...] = ()

    def each(self) -> list[Encoded]:
        """The same of every image by itself."""
        if len(self.images) < 2:
            return [self]
        parts, first = [], 0
        for number, count in enumerate(self.images):
            own = slice(first, first + count)
            parts.append(
                replace(
                    self,
                    attention=self.attention[..., own],
                    keys=self.keys[..., own, :],
                    features=self.features[..., own, :],
                    leading=self.leading[..., number : number + 1, :],
                    final=partial(self._final_of, own),
                    images=(count,),
                )
            )
            first += count
        return parts

    def _final_of(self, own: slice) -> tuple[torch.Tensor, torch.Tensor]:
        attention, keys = self.final()
        return attention[..., own], keys[..., own, :]

    def shares(self, keep: int) -> list[tuple[Encoded, int]]:
        """Each image and its part of a budget; all as one where it is smaller than their number."""
        parts = self.each() if keep >= len(self.images) else [self]
        sizes = [part.attention.shape[-1] for part in parts]
        return list(zip(parts, split_budget(keep, sizes), strict=True))


class NoQueryError(ValueError):
    """No text token of the wanted kind follows the image."""
