"""The models of this package as a backend of lmms-eval, which scores official benchmarks.

``python -m lmms_eval --model pruneviz --model_args pretrained=ID,method=fopru,keep_ratio=0.125``
finds it by its entry point; see ``docs/benchmarks.md``. lmms-eval imports nothing of it before.
"""

from __future__ import annotations

from typing import Any

NAME = "pruneviz"


def manifest() -> Any:
    """What lmms-eval asks its plug-ins for: a ``ModelManifest``, by the entry point."""
    from lmms_eval.models.registry_v2 import ModelManifest

    return ModelManifest(model_id=NAME, chat_class_path="pruneviz.lmms.model.PruneVizModel")
