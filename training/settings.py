"""All settings of the embedded model and of its training, in one place."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

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
    text_width: int = 192
    text_layers: int = 16
    text_heads: int = 4
    text_mlp: int = 512
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
        Peak learning rate: reached after ``warmup`` steps, then falling along a half cosine.
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
    floor : float
        Share of the rate that is left at the end: a stage that another one carries on need not
        end at a small rate.
    seconds : float
        How long the stage lasts; 0: until its steps are done.
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
    floor: float = 0.02
    seconds: float = 0.0


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


_DRAWN = 20  # pictures at once, where features are fixed
# Things of all sizes, and crowds of small ones, of which few patches tell.
_CROWDS = (0.08, 0.08, 0.12, 0.14, 0.16, 0.14, 0.1, 0.09, 0.09)
_SIZES = ((0.21, 0.34, 0.35), (0.12, 0.24, 0.2), (0.06, 0.12, 0.45))
_ALONE = (0.12, 0.95)


@dataclass(frozen=True)
class Settings:
    """Everything that a run of the trainer depends on.

    Attributes
    ----------
    token_curriculum : tuple of (float, int, float)
        Of the symbolic stage: from which share of it on, visual tokens shown, share of a full
        batch: few tokens first, then all.
    hard_from, fixed_symbols_from, noise_from : float
        Shares of the symbolic stage from which on hard kinds are asked more, only the layers
        learn, and symbols are disturbed as a tower's mistakes will disturb them.
    typos : float
        Share of the questions with one letter wrong; see :mod:`training.typos`.
    heads, alike, quiet, look, norm, imitation : float
        Weights in the joint stage: of the read-outs of patches, of the background that tells of
        things, of the background that moves in layers, of text that looks too early or at the
        background, of long states, and of the imitation of symbols, which fades until the share
        ``imitated_until``.
    look_rows : int
        Pictures of a step in which it is watched where the text looks.
    blind : float
        Share of joint steps in which no question sees the picture in the first three eighths of
        the layers: what is asked for is looked up where methods decide.
    rehearsal_batch, rehearsal_tokens, rehearsal_every : int
        Symbolic scenes, and visual tokens of each, that accompany every so many steps of the
        joint stage; 0: none.
    frozen_scenes, frozen_steps : int
        What reads the tower first learns from its fixed features of so many pictures.
    workers : int, optional
        Processes that make lessons; None: as many as the machine's cores allow.
    log_every : int
        Steps between lines of the log.
    save_every : float
        Seconds between checkpoints.
    """

    seed: int = 1
    model: ModelSettings = field(default_factory=ModelSettings)
    kinds: dict[str, float] = field(default_factory=lambda: dict(_KINDS))
    hard_kinds: dict[str, float] = field(default_factory=lambda: dict(_HARD))
    hard_from: float = 0.5
    joint_kinds: dict[str, float] = field(default_factory=lambda: dict(_ALL))
    fixed_symbols_from: float = 0.8
    noise_from: float = 0.7
    typos: float = 0.12
    # Whether the tower begins with the weights of a package; see training/backbone.py.
    backbone: bool = True
    frozen_scenes: int = 1600
    frozen_steps: int = 700
    # Crowded pictures hold more labelled object patches for the same work.
    tower_rules: SceneRules = field(
        default_factory=lambda: SceneRules(crowds=(1, 1, 1, 1, 1, 2, 3, 4, 5), card=0.8, extra=0.4)
    )
    rules: SceneRules = field(default_factory=lambda: SceneRules(crowds=_CROWDS, extra=0.4))
    joint_rules: SceneRules = field(
        default_factory=lambda: SceneRules(crowds=_CROWDS, extra=0.4, sizes=_SIZES, alone=_ALONE)
    )
    tower: StageSettings = field(
        default_factory=lambda: StageSettings(
            40, 16, 1e-3, warmup=20, weight_decay=0.02, tower_rate=0.1, floor=0.9
        )
    )
    symbolic: StageSettings = field(
        default_factory=lambda: StageSettings(1800, 96, 3e-3, questions=3, warmup=100, floor=0.05)
    )
    align: StageSettings = field(default_factory=lambda: StageSettings(1000, 32, 3e-3))
    joint: StageSettings = field(
        default_factory=lambda: StageSettings(
            12000, 12, 1.2e-3, questions=8, warmup=30, tower_rate=0.08, projector_rate=0.5
        )
    )
    token_curriculum: tuple[tuple[float, int, float], ...] = (
        (0.0, 12, 1.0),
        (0.45, 32, 1.0),
        (0.6, 96, 0.67),
        (0.75, 160, 0.4),
        (0.85, 256, 0.3),
    )
    heads: float = 0.4
    alike: float = 0.3
    quiet: float = 0.1
    look: float = 0.1
    look_rows: int = 48
    norm: float = 0.05
    imitation: float = 0.1
    imitated_until: float = 0.25
    blind: float = 0.8
    rehearsal_batch: int = 16
    rehearsal_tokens: int = 128
    rehearsal_every: int = 3
    workers: int | None = None
    log_every: int = 20
    save_every: float = 120.0


def for_gpu(settings: Settings) -> Settings:
    """Return settings with batches that fill a large GPU."""
    return replace(
        settings,
        symbolic=replace(settings.symbolic, batch=384, questions=6, steps=520),
        joint=replace(settings.joint, batch=192, questions=16, steps=2000),
        frozen_scenes=4000,
        rehearsal_batch=128,
    )


def within(settings: Settings, minutes: float, stages: tuple[str, ...]) -> Settings:
    """Return settings whose stages share so many minutes; short runs fit less before them.

    Parameters
    ----------
    settings : Settings
        All else.
    minutes : float
        For the stages of `stages` together; the tower's is told by steps.
    stages : tuple of str
        Which stages will run.
    """
    shares = {"symbolic": 0.22, "joint": 0.78}
    whole = sum(share for name, share in shares.items() if name in stages)
    timed: dict[str, Any] = {
        name: replace(getattr(settings, name), seconds=60 * minutes * share / whole)
        for name, share in shares.items()
        if name in stages
    }
    fewer: dict[str, Any] = {
        "frozen_scenes": min(settings.frozen_scenes, max(_DRAWN, round(500 * minutes))),
        "frozen_steps": min(settings.frozen_steps, max(1, round(100 * minutes))),
    }
    align = min(settings.align.steps, max(1, round(150 * minutes)))
    return replace(settings, **timed, **fewer, align=replace(settings.align, steps=align))
