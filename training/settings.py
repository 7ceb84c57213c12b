"""All settings of the embedded model and of its training, in one place."""

from __future__ import annotations

from dataclasses import dataclass, field

from pruneviz.scenes.scene import SceneRules


@dataclass(frozen=True)
class ModelSettings:
    """Sizes of the tower, the projector and the decoder."""

    image_size: int = 224
    patch_size: int = 14
    # The first layers of the tower that training starts from; see training/backbone.py.
    vision_width: int = 384
    vision_layers: int = 10
    vision_heads: int = 6
    text_width: int = 128
    text_layers: int = 10
    text_heads: int = 4
    text_mlp: int = 320
    max_positions: int = 2048
    # Questions look back over 256 visual tokens: slow rotations leave more features of a head
    # free to match content at any distance.
    rope_theta: float = 1e6
    init_std: float = 0.05


@dataclass(frozen=True)
class StageSettings:
    """How one stage is optimised.

    Attributes
    ----------
    steps : int
        Optimiser steps.
    batch : int
        Scenes a step.
    questions : int
        Questions a scene; 0 where none are asked.
    rate : float
        Peak learning rate: reached after ``warmup`` steps, then falling along a half cosine
        to a twentieth.
    warmup : int
        Steps of linear warm-up.
    weight_decay : float
        Decoupled weight decay of matrices.
    clip : float
        Largest norm of the whole gradient.
    muon : bool
        Whether layers' matrices are optimised by Muon rather than AdamW.
    tower_rate, projector_rate : float
        Shares of the rate for tower and projector, where they have learned before.
    horizon : int
        Step at which the rate has fallen, if not the last step: a stage that another one
        carries on need not end at a small rate.
    """

    steps: int
    batch: int
    rate: float
    questions: int = 0
    warmup: int = 200
    weight_decay: float = 0.01
    clip: float = 1.0
    muon: bool = True
    tower_rate: float = 1.0
    projector_rate: float = 1.0
    horizon: int = 0


# Matching a named object comes first and is asked most.
_KINDS = {
    "what": 1.0,
    "place": 1.0,
    "category": 1.0,
    "where": 1.6,
    "exists": 1.6,
    "count": 1.2,
    "total": 0.6,
    "read": 0.8,
    "colour": 0.5,
    "relation": 1.2,
}


# What is still hard once the easy kinds are learned.
_HARD = {
    "what": 0.2,
    "place": 1.0,
    "category": 0.4,
    "where": 2.5,
    "exists": 1.8,
    "count": 1.8,
    "total": 0.3,
    "read": 0.3,
    "colour": 0.8,
    "relation": 1.5,
}


# What is the hardest: reading places, and counting.
_HARDEST = {
    "what": 0.2,
    "place": 2.5,
    "category": 0.4,
    "where": 1.2,
    "exists": 1.2,
    "count": 2.2,
    "total": 0.8,
    "read": 0.4,
    "colour": 0.3,
    "relation": 2.8,
}


# About pictures all kinds are asked, those that need the tower most of all.
_ALL = {
    "what": 0.6,
    "place": 1.0,
    "category": 1.2,
    "where": 1.5,
    "exists": 1.5,
    "count": 1.2,
    "total": 1.0,
    "read": 1.4,
    "colour": 0.5,
    "relation": 0.8,
}


@dataclass(frozen=True)
class Settings:
    """Everything that a run of the trainer depends on."""

    seed: int = 1
    model: ModelSettings = field(default_factory=ModelSettings)
    kinds: dict[str, float] = field(default_factory=lambda: dict(_KINDS))
    # In the symbolic stage the hard kinds are asked more often from a step on.
    hard_kinds: dict[str, float] = field(default_factory=lambda: dict(_HARD))
    hard_from: int = 600
    joint_kinds: dict[str, float] = field(default_factory=lambda: dict(_ALL))
    # From this step on only the decoder's layers go on learning in that stage.
    fixed_symbols_from: int = 850
    # Whether the tower begins with the weights of a package; see training/backbone.py.
    backbone: bool = True
    # What reads the tower first learns from its fixed features of so many pictures.
    frozen_scenes: int = 1600
    frozen_steps: int = 700
    # Crowded pictures hold more labelled object patches for the same work.
    tower_rules: SceneRules = field(
        default_factory=lambda: SceneRules(crowds=(1, 1, 1, 1, 1, 2, 3, 4, 5), card=0.8, extra=0.4)
    )
    rules: SceneRules = field(default_factory=lambda: SceneRules(extra=0.4))
    tower: StageSettings = field(
        default_factory=lambda: StageSettings(
            40, 16, 1e-3, warmup=20, weight_decay=0.02, tower_rate=0.1, horizon=1000
        )
    )
    symbolic: StageSettings = field(
        default_factory=lambda: StageSettings(1800, 96, 3e-3, questions=3, warmup=100, horizon=1900)
    )
    align: StageSettings = field(default_factory=lambda: StageSettings(1000, 32, 3e-3))
    joint: StageSettings = field(
        default_factory=lambda: StageSettings(
            640, 12, 8e-4, questions=8, warmup=20, tower_rate=0.05, projector_rate=0.25
        )
    )
    # (from step, visual tokens shown, scenes a step): few tokens first, then all 256.
    token_curriculum: tuple[tuple[int, int, int], ...] = (
        (0, 12, 96),
        (800, 32, 96),
        (1000, 96, 64),
        (1040, 160, 40),
        (1080, 256, 28),
    )
    # In the end the hardest kinds are asked most, and scenes show few and many tokens in turn.
    hardest_kinds: dict[str, float] = field(default_factory=lambda: dict(_HARDEST))
    hardest_from: int = 1100
    token_turns: tuple[tuple[int, int], ...] = ((96, 48), (160, 36), (256, 24))
    # Symbolic scenes, and visual tokens of each, that accompany a step of the joint stage.
    rehearsal_batch: int = 16
    rehearsal_tokens: int = 128
    # From this step on symbols are disturbed as a tower's mistakes will disturb them.
    noise_from: int = 1000
    log_every: int = 20
    save_every: int = 50
