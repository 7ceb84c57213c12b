"""Weights that another release of transformers saved under other names."""

from __future__ import annotations

from typing import Any

import torch
import transformers

NESTED = {r"vision_tower\.(?!vision_model\.)": "vision_tower.vision_model."}


def tower_names(config: Any) -> dict[str, Any]:
    """Arguments of ``from_pretrained`` that let a vision tower find its weights.

    Newer releases save CLIP's tower without the level ``vision_model`` and read both ways. Older
    ones know only the nested names: they would leave the tower at random, with a mere warning.

    Parameters
    ----------
    config : PretrainedConfig
        Of the whole model.

    Returns
    -------
    dict
        Empty where this release needs none.
    """
    if not config.model_type.startswith("llava"):
        return {}
    # Built without memory, as the model builds it, only to see how this release names its parts.
    with torch.device("meta"):
        tower = transformers.AutoModel.from_config(config.vision_config)
    return {"key_mapping": NESTED} if hasattr(tower, "vision_model") else {}
