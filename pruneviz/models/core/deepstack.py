"""Visual features that a decoder stack adds to its hidden states after its first layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

STEP = "_deepstack_process"


def adds_features(stack: Any) -> bool:
    """Whether a decoder stack has a deepstack step."""
    return callable(getattr(stack, STEP, None))


class Deepstack:
    """Gives a stack's deepstack step only the tokens that are left, until it is removed.

    The stack adds the features itself, after a layer and all of its hooks, and always those of
    the whole prompt. So hidden states that were shortened before or inside the stack do not fit
    them, and a hook on the layer sees its output without them.

    Parameters
    ----------
    stack : nn.Module
        With a deepstack step.
    columns : callable
        Gives the prompt's columns that the running prefill still holds, int64 ``[batch, n]``; None
        while it holds all of them.
    """

    def __init__(self, stack: Any, columns: Callable[[], torch.Tensor | None]) -> None:
        self._stack, self._columns = stack, columns
        self._before = vars(stack).get(STEP)
        self._original = getattr(stack, STEP)
        self._mask: torch.Tensor | None = None
        self._layers: tuple[torch.Tensor, ...] = ()

        def shortened(hidden_states: Any, visual_pos_masks: Any, visual_embeds: Any) -> Any:
            return self._add(hidden_states, visual_pos_masks, visual_embeds)

        self._own = shortened
        setattr(stack, STEP, shortened)

    def begin(self, kwargs: dict[str, Any]) -> None:
        """Note the arguments of a forward of the stack: a decode step has no features."""
        self._mask = kwargs.get("visual_pos_masks")
        self._layers = tuple(kwargs.get("deepstack_visual_embeds") or ())

    def after(self, index: int, hidden: torch.Tensor) -> torch.Tensor:
        """What the next layer gets of the output ``[batch, n, hidden]`` of that of this index."""
        if self._mask is None or index >= len(self._layers):
            return hidden
        return self._add(hidden, self._mask, self._layers[index])

    def _add(self, hidden: torch.Tensor, mask: Any, features: torch.Tensor) -> torch.Tensor:
        # As many as before may be others: rows that lost tokens are filled up.
        columns = self._columns()
        if mask is not None and columns is not None:
            mask, features = shorten(mask, features, columns)
        added: torch.Tensor = self._original(hidden, mask, features)
        return added

    def remove(self) -> None:
        """Give the stack back the step that it had before."""
        self.begin({})
        if vars(self._stack).get(STEP) is not self._own:
            return
        if self._before is None:
            delattr(self._stack, STEP)
        else:
            setattr(self._stack, STEP, self._before)


def shorten(
    mask: torch.Tensor, features: torch.Tensor, columns: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mask and features of only some columns of the prompt.

    Parameters
    ----------
    mask : torch.Tensor
        Bool ``[batch, length]``, True at visual tokens.
    features : torch.Tensor
        ``[visual tokens, hidden]``, row by row of the batch.
    columns : torch.Tensor
        Int64 ``[batch, n]``, ascending: the columns that are left.

    Returns
    -------
    mask : torch.Tensor
        Bool ``[batch, n]``.
    features : torch.Tensor
        ``[visual tokens left, hidden]``.
    """
    mask = mask.to(columns.device)
    rank = mask.flatten().cumsum(0).view_as(mask) - 1
    left = mask.gather(1, columns)
    return left, features[rank.gather(1, columns)[left].to(features.device)]
