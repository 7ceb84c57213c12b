"""What the vision encoder left of the images of rows that are scored together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, cached_property
from typing import TypeVar

import torch

from pruneviz.errors import PruningError
from pruneviz.methods.base import Encoded
from pruneviz.models.core.vision import EncoderRecord
from pruneviz.pruning.prompt import Prompt
from pruneviz.pruning.rows import Group

Shared = TypeVar("Shared")


class Pictures:
    """The images of a group's rows, read all at once.

    Parameters
    ----------
    prompt : Prompt
        With the records of the encoder.
    group : Group
        The rows.
    batched : bool
        Whether what is read has a dimension for the rows. If not, there is one.
    """

    def __init__(self, prompt: Prompt, group: Group, batched: bool) -> None:
        self._prompt, self._group, self._batched = prompt, group, batched

    @property
    def record(self) -> EncoderRecord:
        """That of the layer that most is read of.

        Raises
        ------
        PruningError
            If the encoder did not run.
        """
        if self._prompt.vision is None:
            raise PruningError(
                "The vision encoder did not run inside this prune(), so nothing is known of it. "
                "Pass pixel_values, or give prune(vision=...) the record of an earlier run."
            )
        return self._prompt.vision

    @cached_property
    def own(self) -> list[slice]:
        """Which of the encoded images are each row's."""
        found = [self._prompt.images_of(row) for row in self._group.rows]
        fitting = [images for images in found if images is not None]
        if len(fitting) < len(found):
            raise PruningError(
                f"Images of {', '.join(map(str, self.record.counts))} tokens do not match the "
                "visual tokens of the batch, so FoPru cannot tell which token belongs to which "
                "patch."
            )
        return fitting

    @property
    def reach(self) -> slice:
        """All of these images, and those of other rows between them."""
        return slice(min(own.start for own in self.own), max(own.stop for own in self.own))

    def of_tokens(self, values: torch.Tensor) -> torch.Tensor:
        """``[..., num_visual, d]`` of values ``[n, d]`` of all tokens in reach; or without `d`."""
        counts, start = self.record.counts, self.reach.start
        firsts = [sum(counts[start : own.start]) for own in self.own]
        return self._by_row(values, firsts, self._group.num_visual)

    def read(self, values_of: Callable[[slice], torch.Tensor]) -> torch.Tensor:
        """A value per token, as a record gives them of some images: ``[..., num_visual]``."""
        return self.of_tokens(values_of(self.reach))

    def _by_row(self, values: torch.Tensor, firsts: Sequence[int], size: int) -> torch.Tensor:
        """As many values of each row, from where its first ones are."""
        if not self._batched:
            return values
        if list(firsts) == list(range(0, len(values), size)):
            return values.unflatten(0, (-1, size))
        return torch.stack([values[first : first + size] for first in firsts])

    def encoded(self, project: Callable[[torch.Tensor], torch.Tensor]) -> Encoded | None:
        """Tokens before the projector, which `project` is; None where they are not at hand."""
        found = self.record.features(self.reach)
        if found is None:
            return None
        images, rows = self.images(), len(self._group.rows)
        firsts = [own.start - self.reach.start for own in self.own]
        leading = found.leading
        if len(leading):
            leading = self._by_row(leading, firsts, len(images))
        elif self._batched:
            leading = leading.expand(rows, *leading.shape)
        tokens = (found.attention, found.keys, found.features)
        attention, keys, features = map(self.of_tokens, tokens)

        @cache
        def final() -> tuple[torch.Tensor, torch.Tensor]:
            looked, whole = map(self.of_tokens, found.final())
            return looked, whole

        return Encoded(attention, keys, features, leading, final, project, (), images)

    def images(self) -> tuple[int, ...]:
        """Visual tokens of each image of a row; one number where that is not known."""
        record, of = self._prompt.vision, self._prompt.images_of
        if record is None or not record.whole_images:
            return (self._group.num_visual,)
        found = [of(row) for row in self._group.rows]
        sizes = [() if images is None else record.counts[images] for images in found]
        return _shared(sizes, "images") or (self._group.num_visual,)

    def blocks(self) -> tuple[tuple[int, int], ...]:
        """Grids of a row's visual tokens; one row of them all where they are unknown."""
        record = self._prompt.vision
        if record is None:
            return ((1, self._group.num_visual),)
        blocks = record.blocks
        grids = [tuple(grid for grids in blocks[own] for grid in grids) for own in self.own]
        return _shared(grids, "grids")

    def crops(self) -> torch.Tensor:
        """Which crop each token of the only row is from, int64 ``[num_visual]`` on the CPU."""
        if len(self.own) > 1:
            raise PruningError("Which crop a token is from can only be read row by row.")
        return self.record.crops_of(self.own[0])


def _shared(values: Sequence[Shared], what: str) -> Shared:
    """What all rows have alike."""
    if any(value != values[0] for value in values):
        raise PruningError(
            f"Rows with other {what} are scored together: the method's property `needs` must say "
            "that they matter, by Needs(grid=True)."
        )
    return values[0]
