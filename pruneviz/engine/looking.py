"""Where an answer's tokens look: their attention to every patch, in both kinds of run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from pruneviz.engine.feeding import after_prompt, block
from pruneviz.engine.prepared import Prepared
from pruneviz.engine.results import Answer
from pruneviz.engine.session import Session
from pruneviz.errors import InputError
from pruneviz.methods.base import Method

LAYERWISE = 1 << 23
"""Values, layers times tokens times visual tokens, up to which every layer is kept: 32 MiB."""


@dataclass(frozen=True, eq=False)
class Looks:
    """Attention of each token of an answer to the visual tokens, averaged over heads.

    Attributes
    ----------
    mean : np.ndarray
        Float32 ``[tokens, num_visual]``: mean over all layers of the share of a token's attention
        that goes to each visual token; NaN where a layer does not hold it any more.
    layers : np.ndarray or None
        Float32 ``[layers, tokens, num_visual]``, likewise of every layer; None where those would
        be more than :data:`LAYERWISE` values.
    shares : np.ndarray
        Float32 ``[layers, tokens]``: the share that goes to all visual tokens together.
    """

    mean: np.ndarray
    layers: np.ndarray | None
    shares: np.ndarray


def where_it_looks(
    session: Session, prepared: Prepared, method: Method | None, answer: Answer
) -> Looks:
    """Read what every token of an answer attends to, in one forward after the prompt.

    The answer's tokens are fed after the prompt all at once, each as it is read back once it has
    been written: it sees the prompt, the tokens before it and itself. Attention runs as the model
    runs it; queries and keys are read beside it.

    Parameters
    ----------
    session : Session
        Whose model answered.
    prepared : Prepared
        From :meth:`Session.prepare`.
    method : Method or None
        What pruned; None = nothing.
    answer : Answer
        Of that run.

    Returns
    -------
    Looks

    Raises
    ------
    InputError
        If the answer has no token.
    PruningError
        If the model keeps its keys where they cannot be read.
    """
    if not answer.token_ids:
        raise InputError("The answer has no token yet, so none looks anywhere.")
    seen = prepared if method is None else session.seen_for(prepared, method)
    model, depth = session.loaded.model, session.num_layers
    layerwise = depth * len(answer.token_ids) * prepared.grid.num_tokens <= LAYERWISE
    with session.alone(), torch.no_grad(), block(session.loaded, seen, method) as run:
        run.let_several_follow()
        out: Any = model(**seen.inputs, use_cache=True, logits_to_keep=1)
        step = after_prompt(seen.inputs, 0, answer.token_ids)
        with run.reading_attention(layerwise) as read:
            model(**step, past_key_values=out.past_key_values, logits_to_keep=1)
    return Looks(
        mean=(torch.as_tensor(read.total) / depth).cpu().numpy(),
        layers=torch.stack(read.layers).cpu().numpy() if layerwise else None,
        shares=torch.stack(read.shares).cpu().numpy(),
    )
