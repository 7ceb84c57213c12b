"""Names of stages and signals, the same in every figure and on the page."""

from __future__ import annotations

SIGNAL_TITLES = {
    "ttv": "TTV",
    "iga": "IGA",
    "residual": "Residual",
}
SIGNAL_NOTES = {
    "ttv": (
        "Token transition variation: how much attention and FFN of a layer change the patch's "
        "representation, in size and direction. The direction counts as a share of all tokens that "
        "the layer saw, times their number: else fewer tokens would seem to change more."
    ),
    "iga": (
        "Instruction-guided attention: mean attention that the text after the image pays the "
        "patch in this layer."
    ),
    "residual": (
        "Norm of what attention and FFN of a layer add to the patch, over the norm of the stream "
        "they add it to."
    ),
}
SHARE_UNIT = "times an even share"
"""What a share is told in, see :meth:`pruneviz.trace.Trace.relative`."""


def stage_title(layer: int) -> str:
    """Where a stage prunes, in words.

    Parameters
    ----------
    layer : int
        1-based decoder layer after which tokens were dropped; 0 = before the LLM.
    """
    place = stage_place(layer)
    return place[0].upper() + place[1:]


def stage_place(layer: int) -> str:
    """The same inside of a sentence."""
    return "before the LLM" if layer == 0 else f"after layer {layer}"
