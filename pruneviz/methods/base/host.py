"""The model that a method is put on, as far as its settings depend on it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Host:
    """A model's family and encoder.

    Attributes
    ----------
    kin : str
        Which of the families that methods were published for it belongs to: ``"llava"``,
        ``"qwen"`` or none.
    encoder_layers : int
        Layers of its vision encoder; 0 where it has none.
    whole_layers : tuple of int
        Those that attend to the whole image, counted from 1.
    """

    kin: str = ""
    encoder_layers: int = 0
    whole_layers: tuple[int, ...] = ()

    def nearest(self, share: float) -> int:
        """The layer nearest to a share of the encoder's depth, of those that see it all."""
        wanted = share * self.encoder_layers
        return min(self.whole_layers, key=lambda layer: abs(layer - wanted))
