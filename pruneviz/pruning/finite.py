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


def not_finite(what: str, model: Any) -> PruningError:
    """The error for values that are NaN or infinite."""
    weight = next(
        (name for name, values in model.named_parameters() if not torch.isfinite(values).all()),
        None,
    )
    why = (
        f"The weight {weight!r} of the model holds such values: its file is damaged."
        if weight
        else "The model's weights are finite, so they arose while it ran: try dtype='float32'."
    )
    return PruningError(f"NaN or infinity in {what}. {why}")
