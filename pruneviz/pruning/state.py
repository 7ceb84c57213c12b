"""What one prefill has done so far, and what its decode steps need."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from pruneviz.methods.base import Scores, Stage
from pruneviz.models.core.vision import EncoderRecord
from pruneviz.pruning.frames import Frame

Rotary = tuple[torch.Tensor, torch.Tensor]


@dataclass
class StageRecord:
    """One stage of one sample, still on the device.

    Attributes
    ----------
    alive, kept : torch.Tensor
        Int64: slots of the tokens before and after.
    before, after : torch.Tensor
        Int64 ``[num_visual]``: which original token each slot held before and after.
    """

    stage: Stage
    method: str
    alive: torch.Tensor
    kept: torch.Tensor
    scores: Scores
    before: torch.Tensor
    after: torch.Tensor


@dataclass
class Sample:
    """One row of the batch: where its visual tokens are and which are alive.

    Attributes
    ----------
    columns : torch.Tensor
        Int64 ``[num_visual]``: columns of all its visual tokens in the prompt.
    alive : torch.Tensor
        Int64: indices among them that are still there, ascending. These are slots: what merging
        made may stand in another one than its original token did.
    origin : torch.Tensor
        Int64 ``[num_visual]``: the original token that the content of a slot stands for; -1 for
        none (a CLS token).
    after_image : torch.Tensor
        Int64: columns of the text after the last token of an image.
    last : torch.Tensor
        Int64 ``[1]``: column of the last prompt token.
    num_text : int
        Prompt tokens that are not visual, padding not counted.
    raters : torch.Tensor or None
        Int64: columns of the text after the image that matches the picture; None where no
        method asked for it.
    """

    row: int
    columns: torch.Tensor
    alive: torch.Tensor
    after_image: torch.Tensor
    last: torch.Tensor
    num_text: int
    origin: torch.Tensor
    stages: list[StageRecord] = field(default_factory=list)
    raters: torch.Tensor | None = None

    @classmethod
    def of(
        cls, row: int, visual: torch.Tensor, image: torch.Tensor, valid: torch.Tensor | None
    ) -> Sample:
        """Read one row of three masks, each bool ``[length]``.

        `image` is True at visual tokens and at newlines that are none, `valid` False at padding.
        """
        real = torch.ones_like(visual) if valid is None else valid
        columns = (visual & real).nonzero().squeeze(-1)
        text = (~visual & real).nonzero().squeeze(-1)
        after = text[text > image.nonzero().max()] if len(columns) else text[:0]
        last = real.nonzero().squeeze(-1)[-1:]
        alive = torch.arange(len(columns), device=visual.device)
        return cls(row, columns, alive, after, last, len(text), alive.clone())


@dataclass
class Prefill:
    """State from a prefill to its last decode step.

    Attributes
    ----------
    length : int
        Columns of the unpruned prompt.
    running : bool
        True during the prefill, False during decode steps.
    pruned, base_pruned : bool
        Whether any token was removed; whether one was before the LLM.
    base : Frame
        What the decoder stack itself is given (after pruning before the LLM).
    frames : list of tuple
        ``(first layer index, Frame)``, in order; the first entry is layer 0 with `base`.
    visual : torch.Tensor
        Bool ``[batch, n]``: alive visual tokens in the newest frame.
    leaders : list of int
        For each row the row it shares its selection with (see `frames.leaders`).
    """

    length: int
    base: Frame
    visual: torch.Tensor
    samples: list[Sample]
    leaders: list[int]
    ids: torch.Tensor | None
    vision: EncoderRecord | None
    frames: list[tuple[int, Frame]] = field(default_factory=list)
    ttv: dict[int, torch.Tensor] = field(default_factory=dict)
    recorded: dict[str, dict[int, torch.Tensor]] = field(default_factory=dict)
    cache: weakref.ref[Any] | None = None
    running: bool = True
    pruned: bool = False
    base_pruned: bool = False
    rotary: Rotary | None = None
    attention_input: torch.Tensor | None = None
    stream: torch.Tensor | None = None
    step_positions: torch.Tensor | None = None
    later: torch.Tensor | None = None
    new: int = 0
    memo: dict[tuple[str, int], Any] = field(default_factory=dict)

    @property
    def frame(self) -> Frame:
        """The newest frame."""
        return self.frames[-1][1] if self.frames else self.base

    def frame_at(self, layer: int) -> Frame:
        """Frame that a decoder layer (0-based) sees."""
        return next((frame for first, frame in reversed(self.frames) if first <= layer), self.base)

    def visual_places(self, sample: Sample, layer: int | None = None) -> torch.Tensor:
        """Places of the alive visual tokens in the frame of a layer (default: the newest)."""
        frame = self.frame if layer is None else self.frame_at(layer)
        return frame.places(sample.row, sample.columns[sample.alive])

    def rebase(self) -> None:
        """Make the newest frame what the decoder stack itself is given."""
        self.base = replace(self.frame, renumbered=False)
        self.frames = [(0, self.base)]
        self.base_pruned = True

    def steps(self, frame: Frame) -> torch.Tensor:
        """Positions of the running decode step as a frame counts them."""
        steps, shift = self.step_positions, frame.shift[..., None]
        if steps is None:
            raise RuntimeError("No decode step is running.")
        if steps.ndim == shift.ndim == 3:
            # One of them may hold the text's positions before the three others.
            channels = min(len(steps), len(shift))
            steps, shift = steps[-channels:], shift[-channels:]
        return steps - shift

    def is_cache(self, cache: Any) -> bool:
        """Whether this is the cache that the prefill filled."""
        return self.cache is not None and self.cache() is cache
