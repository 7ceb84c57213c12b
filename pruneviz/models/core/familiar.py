"""Whether a picture shows what a small model was taught to see, from its visual tokens alone."""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import isqrt
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn.functional import max_pool2d

EMPTY = "This model finds no thing in this picture; it was taught scenes of one to nine things."
BUSY = (
    "This picture is unlike the drawn scenes that this model knows; photographs and screenshots "
    "it cannot read."
)
UNCLEAR = (
    "Something in this picture is not clearly one of the things that this model knows, and may "
    "be called by the name of one that is; photographs it cannot read."
)
MANY = (
    "This picture seems to show more things than this model can count; it was taught scenes of one "
    "to nine."
)
MOST_THINGS = 9
CLEAR_ENOUGH = 6.0
"""Beyond this margin, in units of the usual spread, a patch is as clear as one can be: one clear
thing does not make up for another that is not."""


@dataclass(frozen=True, eq=False)
class Familiar:
    """How the visual tokens of training pictures lie.

    Attributes
    ----------
    background : torch.Tensor
        Mean embedding of the background at every place, float32 [tokens, hidden].
    radius : torch.Tensor
        A token farther from it than this shows a thing; scalar.
    whiten : torch.Tensor
        Turns a deviation into units of its usual spread about its class, float32
        [hidden, hidden].
    classes : torch.Tensor
        Mean deviation of each class's tokens, so turned, float32 [classes, hidden].
    clear : torch.Tensor
        A picture is unclear if its :meth:`clearness` is below this; scalar.
    most : torch.Tensor
        An unclear picture is no scene if a larger share of its tokens shows things; scalar.
    """

    background: Tensor
    radius: Tensor
    whiten: Tensor
    classes: Tensor
    clear: Tensor
    most: Tensor

    def things(self, visual: Tensor) -> Tensor:
        """Return which visual tokens, [tokens, hidden], show a thing: bool [tokens]."""
        return (visual.float().cpu() - self.background).norm(dim=-1) > self.radius

    def clearness(self, visual: Tensor) -> float:
        """How clearly the tokens of things belong to one class each.

        Parameters
        ----------
        visual : torch.Tensor
            A picture's visual tokens, [tokens, hidden].

        Returns
        -------
        float
            Mean over the tokens of things of how much nearer (Mahalanobis distance, one spread
            for all classes) the nearest class is than the second nearest, at most
            :data:`CLEAR_ENOUGH`. NaN where no token shows a thing.
        """
        first, second = self._distances(visual).topk(2, largest=False)[0].T
        return float((second - first).clamp_max(CLEAR_ENOUGH).mean())

    def found(self, visual: Tensor) -> list[int]:
        """Return the class of each thing that stands apart: connected patches are one thing.

        Parameters
        ----------
        visual : torch.Tensor
            A picture's visual tokens, [tokens, hidden]; the patches are those of a square.

        Returns
        -------
        list of int
            Rows of :attr:`classes`, the nearest on the mean over a thing's patches. Things that
            touch are told as one.
        """
        things = self.things(visual)
        groups = connected(things)[things]
        distances = self._distances(visual)
        return [int(distances[groups == group].mean(0).argmin()) for group in groups.unique()]

    def _distances(self, visual: Tensor) -> Tensor:
        """Mahalanobis distances of the tokens of things to all classes, [things, classes]."""
        off = (visual.float().cpu() - self.background)[self.things(visual)]
        return torch.cdist(off @ self.whiten, self.classes)

    def doubt(self, visual: Tensor) -> str | None:
        """Return why an answer about this picture may be worthless; None where it looks known.

        Parameters
        ----------
        visual : torch.Tensor
            Its visual tokens, [tokens, hidden]; nothing is known of other shapes than those of
            the training.
        """
        if visual.shape != self.background.shape:
            return None
        share = self.things(visual).float().mean()
        if not share:
            return EMPTY
        if self.clearness(visual) < self.clear:
            return BUSY if share > self.most else UNCLEAR
        return MANY if len(self.found(visual)) > MOST_THINGS else None

    def rounded(self) -> Familiar:
        """Return what is left of it in half precision, as it is written."""
        return Familiar(*(getattr(self, name).half().float() for name in self._names()))

    def save(self, path: Path) -> None:
        """Write it in half precision."""
        held = {name: getattr(self, name).half().contiguous() for name in self._names()}
        save_file(held, path)

    @classmethod
    def load(cls, path: Path) -> Familiar:
        """Read what :meth:`save` wrote.

        Raises
        ------
        ValueError
            If the file holds something else.
        """
        held = load_file(path)
        if missing := [name for name in cls._names() if name not in held]:
            raise ValueError(f"{path.name} lacks {', '.join(missing)}")
        made = cls(**{name: held[name].float() for name in cls._names()})
        made._check(path.name)
        return made

    def _check(self, file: str) -> None:
        """Raise ValueError unless the shapes fit together and all is finite."""
        hidden = self.background.shape[-1] if self.background.ndim == 2 else 0
        fits = (
            self.whiten.shape == (hidden, hidden)
            and self.classes.shape[1:] == (hidden,)
            and len(self.classes) > 1
            and not any(value.ndim for value in (self.radius, self.clear, self.most))
        )
        if not fits:
            raise ValueError(f"the shapes in {file} do not fit together")
        if not all(getattr(self, name).isfinite().all() for name in self._names()):
            raise ValueError(f"{file} holds NaN or infinity")

    @classmethod
    def _names(cls) -> tuple[str, ...]:
        return tuple(entry.name for entry in fields(cls))


def connected(things: Tensor) -> Tensor:
    """Number groups of patches that touch, at corners too.

    Parameters
    ----------
    things : torch.Tensor
        Which patches of a square, row by row, belong to any: bool [tokens].

    Returns
    -------
    torch.Tensor
        float32 [tokens], the same number for all of a group; 0 outside.
    """
    inside = things.float().view(1, isqrt(len(things)), -1)
    before, groups = inside, torch.arange(1.0, len(things) + 1).view_as(inside) * inside
    while not torch.equal(before, groups):
        before, groups = groups, max_pool2d(groups, 3, stride=1, padding=1) * inside
    return groups.flatten()
