"""What a vision encoder's run leaves: attention means of one layer, without eager attention."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar, Self

import torch
from torch import nn

from pruneviz.ops import larger_variance, self_attention_means

PROJECTIONS = (("q_proj", "k_proj"), ("query", "key"))


@dataclass(frozen=True)
class EncoderFeatures:
    """Tokens of some images before the projector, those of all images one after another.

    Attributes
    ----------
    attention : torch.Tensor
        Float32 ``[n]``: what each token receives; see :meth:`EncoderRecord.received`.
    keys : torch.Tensor
        Float32 ``[n, head_dim]``: keys of that attention, heads averaged.
    features : torch.Tensor
        ``[n, width]``: what the projector gets.
    leading : torch.Tensor
        ``[images, width]``: the CLS tokens likewise; ``[0, width]`` without CLS.
    final : callable
        Computes attention and keys of the layer after, all its heads taken as one: float32
        ``[n]`` and ``[n, width]``.
    """

    attention: torch.Tensor
    keys: torch.Tensor
    features: torch.Tensor
    leading: torch.Tensor
    final: Callable[[], tuple[torch.Tensor, torch.Tensor]]


class EncoderRecord(ABC):
    """What a vision encoder's run left for the methods that ask it."""

    whole_images: ClassVar[bool] = True
    """Whether what is counted as an image is one, and not a crop."""

    @property
    @abstractmethod
    def encoder_index(self) -> int | None:
        """Index from 0 of the encoder layer whose attention it is; None where it is not known."""

    @property
    @abstractmethod
    def counts(self) -> tuple[int, ...]:
        """Visual tokens that the LLM gets of each image."""

    @property
    @abstractmethod
    def encoder_tokens(self) -> int:
        """Tokens that the encoder computed for the first image."""

    @property
    def encoder_crops(self) -> int:
        """Into how many crops, encoded each on its own, the first image was cut."""
        return 1

    @property
    def alike(self) -> Hashable | None:
        """What records must have in common to be joined; None where this one cannot be."""
        return None

    def joined(self, others: Sequence[Self]) -> Self:
        """One record of this one's images and those of others that are `alike`."""
        raise NotImplementedError(f"{type(self).__name__} cannot be joined.")

    @property
    @abstractmethod
    def blocks(self) -> tuple[tuple[tuple[int, int], ...], ...]:
        """Rows and columns of the grids that each image's visual tokens form, one after another.

        One row of all tokens where the grid does not hold them.
        """

    def crops_of(self, images: slice = slice(None)) -> torch.Tensor:
        """The number of the crop that each of some images' visual tokens is from, int64.

        By default every image is one.
        """
        counts = torch.tensor(self.counts)[images]
        return torch.arange(len(counts)).repeat_interleave(counts)

    def without_newlines(self) -> EncoderRecord:
        """The same where newlines between rows of tiles are no visual tokens."""
        return self

    def received(self, images: slice = slice(None)) -> torch.Tensor:
        """Attention that some images' visual tokens receive, one after another, float32.

        From the CLS token where there is one, else averaged over all queries. Records that do
        not tell give FoPru's significance.
        """
        return self.scores(False, images)

    @abstractmethod
    def received_from_all(self, images: slice = slice(None)) -> torch.Tensor:
        """The same averaged over all queries of a crop, the CLS token's among them."""

    def features(self, images: slice = slice(None)) -> EncoderFeatures | None:
        """What methods that merge before the projector need; None where it is not at hand."""
        return None

    @abstractmethod
    def scores(self, include_cls: bool = False, images: slice = slice(None)) -> torch.Tensor:
        """FoPru's significance of some images' visual tokens, one after another, float32."""


@dataclass
class VisionRecord(EncoderRecord):
    """Inputs of one layer's attention for the images encoded last.

    Attributes
    ----------
    attention : nn.Module
        The attention module.
    hidden : torch.Tensor
        Its input, ``[images, tokens, width]``.
    grid : tuple of int
        Rows and columns of patches.
    leading : int
        Tokens before the first patch that the LLM does not get (1 for a CLS token).
    last : nn.Module or None
        The encoder layer after it, where the LLM gets what enters that one.
    output : torch.Tensor or None
        What entered it, ``[images, tokens, width]``.
    encoder_index : int or None
        Index of the layer, from 0.
    """

    attention: nn.Module
    hidden: torch.Tensor
    grid: tuple[int, int]
    leading: int
    last: nn.Module | None = None
    output: torch.Tensor | None = None
    encoder_index: int | None = None

    @property
    def counts(self) -> tuple[int, ...]:
        """Visual tokens that the LLM gets of each image."""
        images, tokens = self.hidden.shape[:2]
        return (tokens - self.leading,) * images

    @property
    def blocks(self) -> tuple[tuple[tuple[int, int], ...], ...]:
        """One grid an image; one row where a CLS token is among the visual ones."""
        rows, columns = self.grid
        return tuple(
            ((rows, columns),) if rows * columns == count else ((1, count),)
            for count in self.counts
        )

    @property
    def encoder_tokens(self) -> int:
        """Patches and CLS token of an image."""
        return self.hidden.shape[1]

    @property
    def alike(self) -> Hashable | None:
        """Layer, grid and shape."""
        if type(self) is not VisionRecord or self.encoder_index is None:
            return None
        shape = (*self.hidden.shape[1:], self.output is None)
        return self.encoder_index, self.grid, self.leading, shape

    def joined(self, others: Sequence[VisionRecord]) -> VisionRecord:
        """All their images, one after another."""
        records = (self, *others)
        outputs = [one.output for one in records if one.output is not None]
        return replace(
            self,
            hidden=torch.cat([one.hidden for one in records]),
            output=torch.cat(outputs) if outputs else None,
        )

    @torch.no_grad()
    def scores(self, include_cls: bool = False, images: slice = slice(None)) -> torch.Tensor:
        """FoPru's significance of every patch, float32."""
        query, key, scaling = project(self.attention, self.hidden[images])
        first = 0 if include_cls else self.leading
        received, emitted = self_attention_means(query, key, scaling, first)
        return larger_variance(received, emitted)[:, self.leading - first :].flatten()

    @torch.no_grad()
    def received(self, images: slice = slice(None)) -> torch.Tensor:
        """Attention from CLS, or averaged over all queries, heads averaged, float32."""
        return self._received(images).flatten()

    @torch.no_grad()
    def received_from_all(self, images: slice = slice(None)) -> torch.Tensor:
        """Averaged over all queries and over heads, float32."""
        query, key, scaling = project(self.attention, self.hidden[images])
        return self_attention_means(query, key, scaling, 0)[0][:, self.leading :].flatten()

    def _received(self, images: slice) -> torch.Tensor:
        query, key, scaling = project(self.attention, self.hidden[images])
        if not self.leading:
            return self_attention_means(query, key, scaling, 0)[0]
        return first_query_attention(query, key, scaling)[:, self.leading :]

    @torch.no_grad()
    def features(self, images: slice = slice(None)) -> EncoderFeatures | None:
        """Attention, keys and features of the layer that the LLM's tokens come from."""
        if self.output is None or self.last is None:
            return None
        start, features = self.leading, self.output[images]
        _, key, _ = project(self.attention, self.hidden[images])
        return EncoderFeatures(
            self._received(images).flatten(),
            key.float().mean(1)[:, start:].flatten(0, 1),
            features[:, start:].flatten(0, 1),
            features[:, :start].flatten(0, 1),
            partial(self._final, self.last, features),
        )

    @torch.no_grad()
    def _final(self, last: Any, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Attention and keys of the last layer, all heads as one."""
        query, key, _ = project(last.self_attn, last.layer_norm1(features))
        query, key = (rows.transpose(1, 2).flatten(2)[:, None] for rows in (query, key))
        scaling = query.shape[-1] ** -0.5
        if self.leading:
            attention = first_query_attention(query, key, scaling)[:, self.leading :]
        else:
            attention = self_attention_means(query, key, scaling, 0)[0]
        return attention.flatten(), key[:, 0, self.leading :].flatten(0, 1)


def first_query_attention(query: torch.Tensor, key: torch.Tensor, scaling: float) -> torch.Tensor:
    """Attention of the first token to all, heads averaged: float32 ``[batch, n]``."""
    logits = (query[:, :, :1] @ key.transpose(-1, -2)).float() * scaling
    return logits.softmax(-1).mean(1)[:, 0]


def project(attention: Any, hidden: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, float]:
    """Queries and keys ``[images, heads, tokens, head_dim]`` and the logits' scale."""
    names = next(pair for pair in PROJECTIONS if hasattr(attention, pair[0]))
    query, key = (getattr(attention, name)(hidden) for name in names)
    if hasattr(attention, "q_norm"):
        # InternVL's towers norm all heads together, before they are split.
        query, key = attention.q_norm(query), attention.k_norm(key)
    heads = next(
        int(getattr(attention, name))
        for name in ("num_heads", "num_attention_heads")
        if hasattr(attention, name)
    )
    head_dim = query.shape[-1] // heads
    scaling = float(getattr(attention, "scale", getattr(attention, "scaling", head_dim**-0.5)))
    shape = (*hidden.shape[:2], heads, head_dim)
    return query.view(shape).transpose(1, 2), key.view(shape).transpose(1, 2), scaling
