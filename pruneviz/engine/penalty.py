"""The repetition penalty that some checkpoints ask for, over the prompt as well."""

from __future__ import annotations

from typing import Any

import torch
from transformers import LogitsProcessor, LogitsProcessorList, RepetitionPenaltyLogitsProcessor


class PromptPenalty(LogitsProcessor):
    """Counts the prompt's words as said before.

    Fed with embeddings, `generate` would count its own words alone.

    Parameters
    ----------
    penalty : float
        Above 1 against repetition.
    prompt : torch.Tensor
        Int64 ``[1, sequence]``.
    """

    def __init__(self, penalty: float, prompt: torch.Tensor) -> None:
        self._whole, self._prompt = RepetitionPenaltyLogitsProcessor(penalty), prompt

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Scores ``[1, vocabulary]`` after the answer so far, `input_ids` ``[1, tokens]``."""
        return self._whole(torch.cat([self._prompt, input_ids], dim=1), scores)


def penalised(model: Any, prompt: torch.Tensor) -> dict[str, Any]:
    """Arguments of `generate` for the penalty in the model's own settings, if there is one."""
    penalty = model.generation_config.repetition_penalty
    if penalty is None or penalty == 1.0:
        return {}
    whole = LogitsProcessorList([PromptPenalty(float(penalty), prompt)])
    return {"repetition_penalty": 1.0, "logits_processor": whole}
