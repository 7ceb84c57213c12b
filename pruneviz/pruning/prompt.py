"""The facts of one prompt, as they are before any token is removed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from pruneviz.methods.base import Needs
from pruneviz.models.core.vision import EncoderRecord
from pruneviz.models.core.words import content_tokens
from pruneviz.ops import text_raters
from pruneviz.pruning.frames import Frame
from pruneviz.pruning.inputs import DecoderInputs
from pruneviz.pruning.policy import Policy
from pruneviz.pruning.rows import Group, Row, Words, fetch
from pruneviz.pruning.signals import taken
from pruneviz.pruning.spec import RunSpec


@dataclass(frozen=True, eq=False)
class Prompt:
    """What a prefill is about.

    Attributes
    ----------
    frame : Frame
        The whole of it.
    visual : torch.Tensor
        Bool ``[batch, length]``, True at the visual tokens.
    rows : tuple of Row
        One per row of the batch.
    groups : tuple of Group
        Rows with visual tokens that are scored together; those that repeat another follow it.
    vision : EncoderRecord or None
        What the vision encoder saw of all rows' images, with values for visual tokens alone.
    further : tuple of EncoderRecord
        The same of the further layers that are read.
    embeds : torch.Tensor or None
        ``[batch, length, hidden]``, where raters are to be found among them.
    """

    frame: Frame
    visual: torch.Tensor
    rows: tuple[Row, ...]
    groups: tuple[Group, ...]
    vision: EncoderRecord | None
    further: tuple[EncoderRecord, ...]
    embeds: torch.Tensor | None

    @classmethod
    def read(
        cls,
        spec: RunSpec,
        inputs: DecoderInputs,
        ids: torch.Tensor | None,
        vision: Mapping[int, EncoderRecord],
    ) -> Prompt:
        """Read what the decoder stack is called with; waits for the device once.

        Raises
        ------
        PruningError
            If it is not known which tokens are visual ones.
        """
        image = spec.visual.of_images(inputs, ids)
        visual = spec.visual.prunable(image, inputs.embeds)
        seen = _Seen.of(inputs, ids, image, visual)
        rows = tuple(seen.row(number) for number in range(inputs.batch))
        padded = bool((~seen.valid).any())
        valid = inputs.mask.bool() if padded else None
        frame = Frame(
            inputs.columns(),
            valid,
            aligned=all(row.last in (-1, inputs.length - 1) for row in rows),
            contiguous=seen.contiguous,
            count=inputs.positions,
            whole=True,
        )
        asked = spec.policy.needs
        records = [spec.visual.seen_by(one, seen.ids, asked.encoder) for one in vision.values()]
        main, *further = records or [None]
        return cls(
            frame,
            visual & valid if valid is not None else visual,
            rows,
            _groups(rows, seen.leaders, spec.policy, main, inputs.embeds.device),
            main,
            tuple(filter(None, further)),
            inputs.embeds if asked.raters else None,
        )

    def images_of(self, row: Row) -> slice | None:
        """Which of the encoded images are a row's; None where they do not fit the batch."""
        return None if self._images is None else self._images[row.number]

    @cached_property
    def _images(self) -> list[slice] | None:
        return None if self.vision is None else images_of_rows(self.rows, self.vision.counts)

    @cached_property
    def _read(self) -> dict[tuple[Group | None, str], Words]:
        return {}

    def after_image(self, group: Group | None = None) -> Words:
        """The text after the image, of a group's rows or of the whole batch."""
        key = group, "after_image"
        if key not in self._read:
            rows = self.rows if group is None else group.rows
            after = [row.after_image for row in rows]
            self._read[key] = Words.of(rows, after, self.visual.device, tail=True)
        return self._read[key]

    def last(self, group: Group) -> Words:
        """The last token of each row."""
        key = group, "last"
        if key not in self._read:
            columns = [np.array([row.last]) for row in group.rows]
            self._read[key] = Words.of(group.rows, columns, group.device, tail=True)
        return self._read[key]

    @torch.no_grad()
    def raters(self, group: Group) -> Words:
        """The text after the image that matches the picture."""
        key = group, "raters"
        if key not in self._read and self.embeds is not None:
            after, embeds = self.after_image(group), group.of(self.embeds)
            visual = taken(embeds, group.columns, group.num_visual)
            text = taken(embeds, after.columns, after.count)
            chosen = text_raters(visual, text, after.real)
            self._read[key] = Words(after.columns, chosen, after.tail)
        return self._read[key]


def content_columns(row: Row, tokenizer: object | None) -> tuple[np.ndarray, str]:
    """Columns of a row's content words, int64, and a sentence on how they were found."""
    after = row.after_image
    if tokenizer is None or row.ids is None:
        return after, "Relevance from all text after the image (tokenizer unknown)."
    marks = np.array(content_tokens(tokenizer, row.ids[after].tolist()), dtype=bool)
    if not marks.any():
        return after, "Relevance from all text after the image (no content word found)."
    chosen = after[marks]
    words = tokenizer.decode(row.ids[chosen].tolist())  # type: ignore[attr-defined]
    return chosen, f"Relevance from the words: {words.strip()}."


@dataclass(frozen=True, eq=False)
class _Seen:
    """The prompt on the host: masks ``[batch, length]``, and what follows from them."""

    image: np.ndarray
    visual: np.ndarray
    valid: np.ndarray
    ids: np.ndarray | None
    contiguous: bool
    leaders: tuple[int, ...]

    @classmethod
    def of(
        cls,
        inputs: DecoderInputs,
        ids: torch.Tensor | None,
        image: torch.Tensor,
        visual: torch.Tensor,
    ) -> _Seen:
        """Bring everything over at once."""
        given = inputs.position_ids
        optional = {
            "visual": None if visual is image else visual,
            "valid": inputs.mask,
            "ids": ids,
            "positions": given,
            "same": _same_embeddings(inputs.embeds),
        }
        asked = {name: tensor for name, tensor in optional.items() if tensor is not None}
        first, *others = fetch(image, *asked.values())
        host = dict(zip(asked, others, strict=True))
        real = host["valid"].astype(bool) if "valid" in host else np.ones(first.shape, dtype=bool)
        marks = first.astype(bool) & real
        drawn = host["visual"].astype(bool) & real if "visual" in host else marks
        return cls(
            marks,
            drawn,
            real,
            host.get("ids"),
            _contiguous(host.get("positions"), real),
            _leaders(host, first, real),
        )

    def row(self, number: int) -> Row:
        """One row."""
        real, visual = self.valid[number], self.visual[number]
        columns, text = (np.flatnonzero(mask) for mask in (visual & real, ~visual & real))
        image = np.flatnonzero(self.image[number])
        after = text[text > image[-1]] if len(columns) else text[:0]
        ids = None if self.ids is None else self.ids[number]
        return Row(number, columns, text, np.flatnonzero(~real), after, ids)


def _same_embeddings(embeds: torch.Tensor) -> torch.Tensor | None:
    """Bool ``[batch - 1]``: which rows after the first equal the one before them."""
    if len(embeds) < 2:
        return None
    return (embeds[1:] == embeds[:-1]).flatten(1).all(-1)


def _leaders(
    host: Mapping[str, np.ndarray], image: np.ndarray, real: np.ndarray
) -> tuple[int, ...]:
    """For each row the first of its run of equal neighbours.

    Beam search repeats every sample; equal rows must get one and the same selection, and
    scoring them once is enough.
    """
    first = [0]
    rows = [image, real, *(host[name] for name in ("visual",) if name in host)]
    positions = host.get("positions")
    if positions is not None and positions.shape[-2] == len(image):
        rows.append(np.moveaxis(positions, -2, 0))
    for row in range(1, len(image)):
        same = bool(host["same"][row - 1])
        same = same and all(np.array_equal(values[row], values[row - 1]) for values in rows)
        first.append(first[-1] if same else row)
    return tuple(first)


def _contiguous(positions: np.ndarray | None, real: np.ndarray) -> bool:
    """Whether the positions of each row's valid tokens go up one by one."""
    if positions is None:
        return True
    if positions.ndim not in (2, 3):
        return False
    steps = np.diff(np.broadcast_to(positions, (*positions.shape[:-2], *real.shape)))
    return bool(((steps == 1) | ~(real[:, 1:] & real[:, :-1])).all())


def _groups(
    rows: Sequence[Row],
    leaders: Sequence[int],
    policy: Policy,
    vision: EncoderRecord | None,
    device: torch.device,
) -> tuple[Group, ...]:
    """Leading rows with visual tokens, together where they are alike in what is asked of them."""
    needs, found = policy.needs, dict[object, list[Row]]()
    leaders = range(len(rows)) if policy.apart else leaders
    layouts = _layouts(rows, needs, vision) if policy.batched else None
    for row in rows:
        if row.num_visual and leaders[row.number] == row.number:
            alike: object = row.number
            if layouts is not None:
                words = min(len(row.after_image), max(1, needs.words))
                alike = (row.num_visual, words, layouts[row.number])
            found.setdefault(alike, []).append(row)
    follow = {leader: [n for n, to in enumerate(leaders) if to == leader] for leader in leaders}
    return tuple(
        Group(tuple(own), tuple(tuple(follow[r.number]) for r in own), len(rows), device)
        for own in found.values()
    )


def _layouts(rows: Sequence[Row], needs: Needs, vision: EncoderRecord | None) -> list[object]:
    """For each row what its images are like, as far as that is asked for."""
    asked = needs.encoder or needs.grid
    images = images_of_rows(rows, vision.counts) if vision is not None and asked else None
    if vision is None or images is None:
        return [None] * len(rows)
    counts, blocks = vision.counts, vision.blocks if needs.grid else ()
    return [(counts[own], blocks[own]) for own in images]


def images_of_rows(rows: Sequence[Row], counts: tuple[int, ...]) -> list[slice] | None:
    """Which images belong to each row of the batch, None where they do not fit.

    `counts` are the visual tokens of the images, in order. Beams and returned sequences repeat
    whole samples after the images were encoded.
    """
    needed = [row.num_visual for row in rows]
    total = sum(counts)
    repeats, rest = divmod(sum(needed), total) if total else (0, 1)
    if rest or not repeats or len(needed) % repeats:
        return None
    found, image = [], 0
    for count in needed[::repeats]:
        first, taken = image, 0
        while taken < count and image < len(counts):
            taken += counts[image]
            image += 1
        if taken != count:
            return None
        found += [slice(first, image)] * repeats
    return found
