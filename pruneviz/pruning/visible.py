"""Which tokens of a prompt are visual ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from pruneviz.errors import PruningError
from pruneviz.models.core.adapter import Adapter
from pruneviz.models.core.vision import EncoderRecord
from pruneviz.pruning.inputs import DecoderInputs, expand_rows


class VisualTokens:
    """Finds the visual tokens of what a decoder stack is called with.

    Parameters
    ----------
    model, adapter
        The model and its family's adapter.
    mask : torch.Tensor or None
        Bool ``[batch, sequence]``, given by the user.
    newlines : str
        ``"visual"`` or ``"text"``: see :func:`pruneviz.prune`.
    """

    def __init__(
        self, model: Any, adapter: Adapter, mask: torch.Tensor | None, newlines: str
    ) -> None:
        self._model, self._adapter, self._mask = model, adapter, mask
        self._newline = adapter.newline(model) if newlines == "text" else None

    @property
    def newlines(self) -> str:
        """``"text"`` where the model has newlines that are no visual tokens."""
        return "visual" if self._newline is None else "text"

    def of_images(self, inputs: DecoderInputs, ids: torch.Tensor | None) -> torch.Tensor:
        """Bool ``[batch, length]``: all tokens that images brought, newlines included."""
        shape = (inputs.batch, inputs.length)
        if self._mask is not None:
            mask = expand_rows(self._mask, inputs.batch, "visual_mask")
        elif ids is not None:
            mask = self._adapter.visual_mask(self._model, ids)
        else:
            raise PruningError(
                "The model was fed inputs_embeds, which do not say where the visual tokens are: "
                "give prune(..., visual_mask=...), bool [batch, sequence]."
            )
        if tuple(mask.shape) != shape:
            raise PruningError(
                f"The visual mask is {tuple(mask.shape)} but the prompt {shape}. (A prompt fed in "
                "chunks cannot be pruned.)"
            )
        return mask.to(inputs.embeds.device).bool()

    def prunable(self, image: torch.Tensor, embeds: torch.Tensor) -> torch.Tensor:
        """The mask of images' tokens, without newlines where they count as text.

        They are found by their one embedding, which no patch has to the last bit: that holds
        however the prompt came here, encoded before or inside `generate`, with one image or many.
        """
        if self._newline is None:
            return image
        newline = self._newline.to(embeds.device)
        # Under autocast it was rounded before it came to stand among wider embeddings.
        for narrow in (embeds.dtype, torch.bfloat16, torch.float16):
            rounded = newline.to(narrow).to(embeds.dtype)
            image = image & (embeds != rounded).any(-1)
        return image

    def seen_by(
        self, vision: EncoderRecord | None, ids: np.ndarray | None, needed: bool
    ) -> EncoderRecord | None:
        """The encoder's record with values for the prunable tokens alone.

        None where there are images and videos, of which it tells only one kind.

        Raises
        ------
        PruningError
            If it is `needed` there.
        """
        if vision is None:
            return None
        if ids is not None and self._adapter.mixes(self._model, ids):
            if not needed:
                return None
            raise PruningError(
                "The batch holds both images and videos, which the vision encoder sees apart; "
                "methods that ask it take one kind at a time."
            )
        return vision if self._newline is None else vision.without_newlines()

    def refuse_late(self, ids: torch.Tensor | None) -> None:
        """Raise PruningError if `ids`, which follow a filled cache, hold visual tokens."""
        if ids is not None and bool(self._adapter.visual_mask(self._model, ids).any()):
            raise PruningError(
                "The image comes in on a cache that is already filled, so it cannot be pruned. "
                "Run the whole conversation as one prompt with a fresh cache."
            )
