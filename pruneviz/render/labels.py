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
        "representation, in size and direction."
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


def stage_title(layer: int) -> str:
    """Where a stage prunes, in words.

    Parameters
    ----------
    layer : int
        1-based decoder layer after which tokens were dropped; 0 = before the LLM.
    """
    return "Before the LLM" if layer == 0 else f"After layer {layer}"
