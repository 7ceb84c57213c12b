"""Names of stages and signals, the same in every figure and on the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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
COMPONENT_NOTES = {
    "ttv": "how much the layers changed the patch, as a share of all patches (TransPrune)",
    "iga": "how much the text attends to the patch, as a share of all patches (TransPrune)",
    "relevance": "closeness to the words of the question (ResPrune, CDPruner)",
    "energy": "squared length of the patch's vector before anything was picked (ResPrune)",
    "residual": "energy left outside the span of the kept patches (ResPrune)",
    "significance": "attention received inside the vision encoder (FoPru)",
    "row": "mean significance of the patch's row (FoPru)",
    "raters": "attention paid by the words that match the picture (SparseVLM)",
    "distance": "distance from the nearest patch picked before (DivPrune)",
    "novelty": "share of the patch that the kept patches do not explain (CDPruner)",
    "encoder": "attention paid inside the vision encoder (VisionZip, PruMerge, VisPruner)",
    "size": "how many patches went into the token (ToMe)",
    "attention": "attention paid to the patch by the last prompt token (FastV, PyramidDrop)",
}


def formula(method: str, parameters: Mapping[str, Any]) -> str:
    """How a method makes its score from its terms, in one line; empty where there is no more."""
    if method == "pinned":
        return formula(parameters["method"]["name"], parameters["method"])
    alpha = parameters.get("alpha", 0.5)
    if method == "transprune":
        signal = parameters.get("signal", "both")
        if signal != "both":
            return f"Score = {SIGNAL_TITLES[signal]}."
        return f"Score = {alpha:g} TTV + {1 - alpha:g} IGA."
    if method == "resprune":
        return (
            f"Score = relevance to the power of {alpha:g}, times residual: of a kept patch when it "
            "was picked, of a dropped one when picking ended."
        )
    if method == "cdpruner":
        return (
            "Score = relevance squared, times novelty: of a kept patch when it was picked, of a "
            "dropped one when picking ended."
        )
    return ""


def stage_title(layer: int) -> str:
    """Where a stage prunes, in words.

    Parameters
    ----------
    layer : int
        1-based decoder layer after which tokens were dropped; 0 = before the LLM.
    """
    return "Before the LLM" if layer == 0 else f"After layer {layer}"
