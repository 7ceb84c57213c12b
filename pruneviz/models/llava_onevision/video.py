"""What methods read of videos on LLaVA-OneVision: frames scaled down, one newline at the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.nn.functional import interpolate, pad

from pruneviz.models.llava_next.records import PackedRecord


@dataclass
class VideoRecord(PackedRecord):
    """What FoPru reads of videos.

    Attributes
    ----------
    frames : int
        Of each video.

    Notes
    -----
    FoPru describes no videos. Here each frame's significance is its own, interpolated like its
    features, and tokens of all frames are ranked together. The newline ranks with the best one.
    """

    frames: int

    @property
    def counts(self) -> tuple[int, ...]:
        """Visual tokens of each video."""
        rows, columns = self._scaled
        videos = len(self.crops.counts) // self.frames
        return (self.frames * rows * columns + self.newlines,) * videos

    @property
    def encoder_tokens(self) -> int:
        """Patches of the first video's frames."""
        return self.frames * self.crops.encoder_tokens

    @property
    def encoder_crops(self) -> int:
        """Frames of the first video."""
        return self.frames

    @property
    def blocks(self) -> tuple[tuple[tuple[int, int], ...], ...]:
        """Each frame's grid, then the newline."""
        end = ((1, 1),) if self.newlines else ()
        return (((self._scaled,) * self.frames) + end,) * len(self.counts)

    def crops_of(self, images: slice = slice(None)) -> torch.Tensor:
        """The frame of each visual token; the newline is of the last one."""
        rows, columns = self._scaled
        videos = torch.arange(len(self.counts))[images]
        frames = torch.arange(self.frames).repeat_interleave(rows * columns)
        own = pad(frames, (0, int(self.newlines)), value=self.frames - 1)
        return (videos[:, None] * self.frames + own).flatten()

    def scores(self, include_cls: bool = False, images: slice = slice(None)) -> torch.Tensor:
        """FoPru's significance of some videos' visual tokens, one after another, float32."""
        return self._scale(lambda frames: self.crops.scores(include_cls, frames), images)

    def received(self, images: slice = slice(None)) -> torch.Tensor:
        """Attention averaged over each frame's queries, float32."""
        return self._scale(self.crops.received, images)

    def received_from_all(self, images: slice = slice(None)) -> torch.Tensor:
        """The same: the encoder has no CLS token."""
        return self.received(images)

    @property
    def _scaled(self) -> tuple[int, int]:
        """Rows and columns of a frame's visual tokens."""
        rows, columns = self.crops.grid
        return -(-rows // 2), -(-columns // 2)

    def _scale(self, values_of: Callable[[slice], torch.Tensor], images: slice) -> torch.Tensor:
        found = []
        for video in range(len(self.counts))[images]:
            frames = slice(video * self.frames, (video + 1) * self.frames)
            patches = values_of(frames).view(self.frames, 1, *self.crops.grid)
            tokens = interpolate(patches, self._scaled, mode="bilinear").flatten()
            newline = tokens.max()[None] if self.newlines else tokens[:0]
            found.append(torch.cat([tokens, newline]))
        return torch.cat(found)
