"""What a method must be given beside the tokens themselves."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TransitionSpec:
    """Which TTV a method reads.

    Attributes
    ----------
    layers : tuple of int
        1-based decoder layers.
    direction : str
        ``"one_minus_cos"`` (published code) or ``"one_minus_abs_cos"`` (paper).
    scope : str
        Softmax over the whole ``"sequence"`` (code) or over the ``"image"`` tokens.
    part : str
        ``"full"``, or the ablations ``"direction"`` (softmax alone) and ``"magnitude"``.
    """

    layers: tuple[int, ...]
    direction: str = "one_minus_cos"
    scope: str = "sequence"
    part: str = "full"


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What has to be watched while the model runs, so that a method can be answered.

    Attributes
    ----------
    encoder : bool
        What the vision encoder left: :meth:`StageContext.vision_significance`,
        :meth:`StageContext.encoded` and :meth:`StageContext.crops`.
    encoder_layer : int or None
        Of which of its layers, counted from 1 or, if negative, from the end; None = the family's
        choice.
    further_layers : tuple of int
        Of which more of its layers attention is read, counted likewise.
    grid : bool
        How patches form images and grids (:meth:`StageContext.images`,
        :meth:`StageContext.blocks`), which only the encoder's run tells.
    own_attention : bool
        Attention inside the pruning layer itself.
    raters : bool
        The text that matches the picture.
    words : int
        How many tokens of the text after the image it takes, where it takes so many: rows that
        have fewer are scored together only with those that have as many.
    transitions : TransitionSpec or None
        TTV of some layers.
    """

    encoder: bool = False
    encoder_layer: int | None = None
    further_layers: tuple[int, ...] = ()
    grid: bool = False
    own_attention: bool = False
    raters: bool = False
    words: int = 0
    transitions: TransitionSpec | None = None

    def __or__(self, other: Needs) -> Needs:
        """What both need; of encoder layer and transitions one of them may ask."""
        mine, theirs = self.encoder_layer, other.encoder_layer
        return Needs(
            encoder=self.encoder or other.encoder,
            encoder_layer=theirs if mine is None else mine,
            further_layers=self.further_layers + other.further_layers,
            grid=self.grid or other.grid,
            own_attention=self.own_attention or other.own_attention,
            raters=self.raters or other.raters,
            words=max(self.words, other.words),
            transitions=self.transitions or other.transitions,
        )
