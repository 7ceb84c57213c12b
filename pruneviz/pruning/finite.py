"""NaN and infinity: found where they arise, named with the weight that they come from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from pruneviz.errors import PruningError
from pruneviz.models.core.whole import bad_weight


class Doubts:
    """What has to be finite, looked at together: one look is one wait for an accelerator.

    Parameters
    ----------
    model
        Whose weights are searched where something is not finite.

    Attributes
    ----------
    found : PruningError or None
        What was not finite, once it was seen.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self.found: PruningError | None = None
        self._names: list[str] = []
        self._largest: list[torch.Tensor] = []

    def note(self, names: Sequence[str], values: torch.Tensor, batched: bool = True) -> None:
        """Remember that these values have to be finite: a name for each of their rows.

        `values` are ``[rows, ...]``, or not `batched`, without a dimension for the only one.
        """
        self._names += names
        # A largest magnitude tells of both NaN and infinity, in one step.
        dims = tuple(range(1, values.ndim)) if batched else None
        norm = torch.linalg.vector_norm(values, torch.inf, dims, dtype=torch.float32)
        self._largest.append(norm if dims else norm[None])

    def settle(self) -> None:
        """Look at all that was noted.

        Raises
        ------
        PruningError
            If something is not finite; the message says what, and which weight is not either.
        """
        names, largest, self._names, self._largest = self._names, self._largest, [], []
        if not names:
            return
        home = largest[-1].device
        seen = torch.cat([norm.to(home) for norm in largest]).detach().cpu().numpy()
        bad = ~np.isfinite(seen)
        if bad.any():
            self.found = not_finite(names[int(bad.argmax())], self._model)
            raise self.found

    def explain(self, names: Sequence[str], values: torch.Tensor, batched: bool) -> None:
        """Say of what has just failed that it read something NaN or infinite, if it did.

        Parameters as of :meth:`note`.

        Raises
        ------
        PruningError
            If one of these values or a weight is not finite.
        """
        sound = torch.isfinite(values).flatten(1 if batched else 0).all(-1).reshape(-1).tolist()
        if not all(sound) or bad_weight(self._model) is not None:
            raise not_finite(names[sound.index(False)] if not all(sound) else names[0], self._model)


def not_finite(what: str, model: Any) -> PruningError:
    """The error for values that are NaN or infinite."""
    weight = bad_weight(model)
    why = (
        f"The weight {weight!r} of the model holds such values: its file is damaged."
        if weight
        else "The model's weights are finite, so they arose while it ran: try dtype='float32'."
    )
    return PruningError(f"NaN or infinity in {what}. {why}")
