"""NaN and infinity: found where they arise, named with the weight that they come from."""

from __future__ import annotations

from typing import Any

import torch

from pruneviz.errors import PruningError


class Doubts:
    """What has to be finite, looked at together: one look is one wait for an accelerator.

    On the CPU, where a look costs nothing, each is looked at once it is noted.

    Parameters
    ----------
    model
        Whose weights are searched where something is not finite.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self._noted: list[tuple[str, torch.Tensor]] = []

    def note(self, what: str, values: torch.Tensor) -> None:
        """Remember that these values, called `what`, have to be finite."""
        self._noted.append((what, torch.isfinite(values).all()))
        if values.device.type == "cpu":
            self.settle()

    def settle(self) -> None:
        """Look at all that was noted.

        Raises
        ------
        PruningError
            If something is not finite; the message says what, and which weight is not either.
        """
        noted, self._noted = self._noted, []
        if not noted or bool(torch.stack([flag.cpu() for _, flag in noted]).all()):
            return
        raise not_finite(next(what for what, flag in noted if not bool(flag)), self._model)

    def explain(self, what: str, values: torch.Tensor) -> None:
        """Say of what has just failed that it read something NaN or infinite, if it did.

        Raises
        ------
        PruningError
            If one of these values, called `what`, or a weight is not finite.
        """
        if not torch.isfinite(values).all() or bad_weight(self._model) is not None:
            raise not_finite(what, self._model)


def bad_weight(model: Any) -> str | None:
    """Name of the first weight that holds NaN or infinity, None where none does."""
    named = model.named_parameters()
    return next((name for name, values in named if not torch.isfinite(values).all()), None)


def not_finite(what: str, model: Any) -> PruningError:
    """The error for values that are NaN or infinite."""
    weight = bad_weight(model)
    why = (
        f"The weight {weight!r} of the model holds such values: its file is damaged."
        if weight
        else "The model's weights are finite, so they arose while it ran: try dtype='float32'."
    )
    return PruningError(f"NaN or infinity in {what}. {why}")
