"""A model so small that every stage of the trainer runs in seconds."""

from dataclasses import replace

import pytest

from training.settings import ModelSettings, Settings, StageSettings

SIZES = ModelSettings(
    vision_width=32,
    vision_layers=2,
    vision_heads=2,
    text_width=32,
    text_layers=2,
    text_heads=2,
    text_mlp=32,
)
STAGE = StageSettings(steps=2, batch=2, rate=1e-3, questions=2, warmup=1)


@pytest.fixture(scope="session")
def micro():
    stages = dict.fromkeys(("tower", "symbolic", "align", "joint"), STAGE)
    return replace(
        Settings(),
        model=SIZES,
        rehearsal_batch=2,
        backbone=False,
        frozen_scenes=20,
        token_curriculum=((0.0, 12, 1.0), (0.5, 32, 1.0)),
        workers=0,
        **stages,
    )
