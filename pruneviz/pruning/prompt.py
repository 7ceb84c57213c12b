"""The facts of one prompt, as they are before any token is removed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from pruneviz.models.core.vision import EncoderRecord
from pruneviz.pruning.frames import Frame, leaders
from pruneviz.pruning.inputs import DecoderInputs
from pruneviz.pruning.signals import raters
from pruneviz.pruning.spec import RunSpec


@dataclass(frozen=True, eq=False)
class Row:
    """One row of the batch: where its visual tokens and its text are.

    Attributes
    ----------
    number : int
        Which row.
    columns : torch.Tensor
        Int64 ``[num_visual]``: columns of all its visual tokens in the prompt.
    after_image : torch.Tensor
        Int64: columns of the text after the last token of an image.
    last : torch.Tensor
        Int64 ``[1]``: column of the last prompt token.
    num_text : int
        Prompt tokens that are not visual, padding not counted.
    slots : torch.Tensor
        Int64 ``[num_visual]``: 0, 1, 2 and so on, a slot for each visual token.
    first_column : int
        Column of the first token that is no padding.
    raters : torch.Tensor or None
        Int64: columns of the text after the image that matches the picture; None where no
        method asked for it.
    """

    number: int
    columns: torch.Tensor
    after_image: torch.Tensor
    last: torch.Tensor
    num_text: int
    slots: torch.Tensor
    first_column: int
    raters: torch.Tensor | None = None

    @property
    def num_visual(self) -> int:
        """Visual tokens."""
        return len(self.columns)


@dataclass(frozen=True, eq=False)
class Prompt:
    """What a prefill is about.

    Attributes
    ----------
    frame : Frame
        The whole of it.
    rows : tuple of Row
        One per row of the batch.
    leaders : tuple of int
        For each row the row it shares its selection with (see `frames.leaders`).
    ids : torch.Tensor or None
        Int64 ``[batch, length]``, where they are known.
    vision : EncoderRecord or None
        What the vision encoder saw of all rows' images, with values for visual tokens alone.
    further : tuple of EncoderRecord
        The same of the further layers that are read.
    """

    frame: Frame
    rows: tuple[Row, ...]
    leaders: tuple[int, ...]
    ids: torch.Tensor | None
    vision: EncoderRecord | None
    further: tuple[EncoderRecord, ...] = ()

    @classmethod
    def read(
        cls,
        spec: RunSpec,
        inputs: DecoderInputs,
        ids: torch.Tensor | None,
        vision: Mapping[int, EncoderRecord],
    ) -> Prompt:
        """Read what the decoder stack is called with.

        Raises
        ------
        PruningError
            If it is not known which tokens are visual ones.
        """
        image = spec.visual.of_images(inputs, ids)
        valid = None if inputs.mask is None else inputs.mask.bool()
        valid = None if valid is None or bool(valid.all()) else valid
        if valid is not None:
            image = image & valid
        visual = spec.visual.prunable(image, inputs.embeds)
        frame = Frame.full(inputs.positions(), valid, visual)
        first = leaders(inputs.embeds, visual, valid, frame.positions.movedim(-2, 0))
        asked = spec.policy.needs
        with spec.counting():
            rows = tuple(
                _row(
                    number,
                    visual[number],
                    image[number],
                    frame.row_valid(number),
                    inputs.embeds[number] if asked.raters else None,
                )
                for number in range(inputs.batch)
            )
        seen = [spec.visual.seen_by(one, ids, asked.encoder) for one in vision.values()]
        main, *further = seen or [None]
        return cls(frame, rows, tuple(first), ids, main, tuple(filter(None, further)))

    def images_of(self, row: Row) -> slice | None:
        """Which of the encoded images are a row's; None where they do not fit the batch."""
        if self.vision is None:
            return None
        found = images_of_rows([row.num_visual for row in self.rows], self.vision.counts)
        return None if found is None else found[row.number]


def _row(
    number: int,
    visual: torch.Tensor,
    image: torch.Tensor,
    valid: torch.Tensor | None,
    embeds: torch.Tensor | None,
) -> Row:
    """Read one row of three masks, each bool ``[length]``.

    `image` is True at visual tokens and at newlines that are none, `valid` False at padding.
    `embeds` ``[length, hidden]`` where raters are to be found.
    """
    real = torch.ones_like(visual) if valid is None else valid
    columns = (visual & real).nonzero().squeeze(-1)
    text = (~visual & real).nonzero().squeeze(-1)
    after = text[text > image.nonzero().max()] if len(columns) else text[:0]
    return Row(
        number,
        columns,
        after,
        last=real.nonzero().squeeze(-1)[-1:],
        num_text=len(text),
        slots=torch.arange(len(columns), device=visual.device),
        first_column=0 if valid is None else int(valid.int().argmax()),
        raters=None if embeds is None else raters(columns, after, embeds),
    )


def images_of_rows(needed: list[int], counts: tuple[int, ...]) -> list[slice] | None:
    """Which images belong to each row of the batch, None where they do not fit.

    `needed` are the visual tokens of the rows, `counts` those of the images, in order. Beams
    and returned sequences repeat whole samples after the images were encoded.
    """
    total = sum(counts)
    repeats, rest = divmod(sum(needed), total) if total else (0, 1)
    if rest or not repeats or len(needed) % repeats:
        return None
    rows, image = [], 0
    for count in needed[::repeats]:
        first, taken = image, 0
        while taken < count and image < len(counts):
            taken += counts[image]
            image += 1
        if taken != count:
            return None
        rows += [slice(first, image)] * repeats
    return rows
